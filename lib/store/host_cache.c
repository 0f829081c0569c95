/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/host_cache.h"

#include <string.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"

struct kept {
	struct Rec__Host *host;
	uint64_t list; /* the last one it is in */
	size_t n;
	char stored[];
};

struct host_cache {
	struct map *by_id;
	struct kept **order;
	size_t n, cap;
	uint64_t list; /* their count so far */
	uint64_t version;
	bool whole;
};

enum {
	FIRST_CAP = 64
};

struct host_cache *
host_cache_new(void)
{
	struct host_cache *c = MEM_NEW(struct host_cache);

	c->by_id = map_new();
	return c;
}

static void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	rec__host__free_unpacked(k->host, NULL);
	mem_free(k);
}

/* Those that are not in the present list. */
static void
forget_others(struct host_cache *c)
{
	struct str key;
	size_t pos = 0;
	void *v;

	while (map_next(c->by_id, &pos, &key, &v)) {
		struct kept *k = v;

		if (k->list == c->list)
			continue;
		(void)map_del(c->by_id, key);
		kept_free(k);
	}
}

void
host_cache_free(struct host_cache *c)
{
	if (c == NULL)
		return;
	c->list++;
	forget_others(c);
	map_free(c->by_id);
	mem_free(c->order);
	mem_free(c);
}

bool
host_cache_is_of(const struct host_cache *c, uint64_t version)
{
	return c->whole && c->version == version;
}

const struct Rec__Host *
host_cache_at(const struct host_cache *c, size_t i)
{
	return i < c->n ? c->order[i]->host : NULL;
}

void
host_cache_begin(struct host_cache *c)
{
	c->whole = false;
	c->list++;
	c->n = 0;
}

static struct kept *
kept_new(struct str stored)
{
	struct Rec__Host *h =
	    rec__host__unpack(NULL, stored.n, (const uint8_t *)stored.p);
	struct kept *k;

	if (h == NULL)
		return NULL;
	k = mem_alloc(sizeof(*k) + stored.n);
	k->host = h;
	k->n = stored.n;
	memcpy(k->stored, stored.p, stored.n);
	return k;
}

static void
append(struct host_cache *c, struct kept *k)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? FIRST_CAP : 2 * c->cap;
		c->order = mem_realloc(c->order, c->cap * sizeof(*c->order));
	}
	c->order[c->n++] = k;
	k->list = c->list;
}

const struct Rec__Host *
host_cache_add(struct host_cache *c, const struct ulid *id, struct str stored)
{
	struct str key = str_from(id->b, sizeof(id->b));
	struct kept *k = map_get(c->by_id, key);

	if (k == NULL || !str_eq(str_from(k->stored, k->n), stored)) {
		k = kept_new(stored);
		if (k == NULL)
			return NULL;
		kept_free(map_put(c->by_id, key, k));
	}
	append(c, k);
	return k->host;
}

void
host_cache_end(struct host_cache *c, uint64_t version)
{
	if (c->n < map_count(c->by_id))
		forget_others(c);
	c->version = version;
	c->whole = true;
}
