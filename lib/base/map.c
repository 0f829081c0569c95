/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/map.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/crypt.h"
#include "lib/base/mem.h"

/*
 * Linear probing.  A deleted entry leaves its slot gone, so that longer probe
 * runs and a walk under way stay whole; gone slots count as filled and vanish
 * when the table is rebuilt.
 */
struct entry {
	void *value;
	size_t n;
	char key[];
};

struct slot {
	uint64_t hash;       /* without an entry: UNUSED_SLOT or GONE_SLOT */
	struct entry *entry; /* NULL: none */
};

struct map {
	struct slot *slots;
	size_t cap;    /* 0 or a power of two */
	size_t count;  /* live entries */
	size_t filled; /* live and gone */
};

enum {
	FIRST_CAP = 16
};
enum {
	UNUSED_SLOT,
	GONE_SLOT
};

struct map *
map_new(void)
{
	return MEM_NEW(struct map);
}

void
map_free(struct map *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->cap; i++)
		mem_free(m->slots[i].entry);
	mem_free(m->slots);
	mem_free(m);
}

void
map_free_all(struct map *m)
{
	struct str key;
	size_t pos = 0;
	void *value;

	if (m == NULL)
		return;
	while (map_next(m, &pos, &key, &value))
		mem_free(value);
	map_free(m);
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

static bool
is_unused(const struct slot *s)
{
	return s->entry == NULL && s->hash == UNUSED_SLOT;
}

static bool
slot_is(const struct slot *s, uint64_t hash, struct str key)
{
	return s->entry != NULL && s->hash == hash &&
	       str_eq(str_from(s->entry->key, s->entry->n), key);
}

/* The key's slot, or NULL.  Ends because a quarter is never filled. */
static struct slot *
find(const struct map *m, uint64_t hash, struct str key)
{
	size_t i;

	if (m->cap == 0)
		return NULL;
	for (i = hash & (m->cap - 1); !is_unused(&m->slots[i]);
	     i = (i + 1) & (m->cap - 1))
		if (slot_is(&m->slots[i], hash, key))
			return &m->slots[i];
	return NULL;
}

/* Into the first unused slot of the probe run; the key is not there yet. */
static void
place(struct map *m, uint64_t hash, struct entry *e)
{
	size_t i = hash & (m->cap - 1);

	while (!is_unused(&m->slots[i]))
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = (struct slot){ hash, e };
	m->filled++;
}

/* A new table: twice the size, or the same when it was full of gone slots. */
static void
rebuild(struct map *m)
{
	struct slot *old = m->slots;
	size_t old_cap = m->cap, i;

	if (old_cap == 0)
		m->cap = FIRST_CAP;
	else if (m->count >= old_cap / 2)
		m->cap = old_cap * 2;
	m->slots = mem_array(m->cap, sizeof(*m->slots));
	m->filled = 0;
	for (i = 0; i < old_cap; i++)
		if (old[i].entry != NULL)
			place(m, old[i].hash, old[i].entry);
	mem_free(old);
}

void *
map_get(const struct map *m, struct str key)
{
	const struct slot *s = find(m, crypt_shorthash(key), key);

	return s == NULL ? NULL : s->entry->value;
}

void *
map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = crypt_shorthash(key);
	const struct slot *s = find(m, hash, key);
	struct entry *e;
	void *old;

	ASSERT(value != NULL);
	if (s != NULL) {
		old = s->entry->value;
		s->entry->value = value;
		return old;
	}
	if (m->filled >= m->cap - m->cap / 4)
		rebuild(m);
	e = mem_alloc(sizeof(*e) + key.n);
	e->value = value;
	e->n = key.n;
	if (key.n != 0)
		memcpy(e->key, key.p, key.n);
	place(m, hash, e);
	m->count++;
	return NULL;
}

void *
map_del(struct map *m, struct str key)
{
	struct slot *s = find(m, crypt_shorthash(key), key);
	void *value;

	if (s == NULL)
		return NULL;
	value = s->entry->value;
	mem_free(s->entry);
	*s = (struct slot){ GONE_SLOT, NULL };
	m->count--;
	return value;
}

bool
map_next(const struct map *m, size_t *pos, struct str *key, void **value)
{
	const struct entry *e;

	while (*pos < m->cap) {
		e = m->slots[(*pos)++].entry;
		if (e == NULL)
			continue;
		*key = str_from(e->key, e->n);
		*value = e->value;
		return true;
	}
	return false;
}
