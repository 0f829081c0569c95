/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/bucket.h"

#include <string.h>

#include "controller/throttle.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	MINUTE_MS = 60000,
	KEY_CAP = 64
};

/* Kept as the time at which it will be full, so nothing has to be filled. */
struct bucket {
	int64_t full_ms;
};

struct buckets {
	struct map *by_address;
	int64_t token_ms; /* until the next token */
	int64_t size_ms;  /* from empty to full */
};

struct buckets *
buckets_new(unsigned per_minute)
{
	struct buckets *b = MEM_NEW(struct buckets);

	b->by_address = map_new();
	b->token_ms = MINUTE_MS / (int64_t)per_minute;
	b->size_ms = b->token_ms * (int64_t)per_minute;
	return b;
}

void
buckets_free(struct buckets *b)
{
	if (b == NULL)
		return;
	map_free_all(b->by_address);
	mem_free(b);
}

size_t
buckets_count(const struct buckets *b)
{
	return map_count(b->by_address);
}

/* Room for one more: the one that is nearest to being full goes. */
static void
evict(struct buckets *b)
{
	struct str key, first = str_from(NULL, 0);
	int64_t full_ms = INT64_MAX;
	size_t pos = 0;
	void *value;

	while (map_next(b->by_address, &pos, &key, &value)) {
		const struct bucket *one = value;

		if (one->full_ms < full_ms) {
			full_ms = one->full_ms;
			first = key;
		}
	}
	mem_free(map_del(b->by_address, first));
}

static struct bucket *
find(struct buckets *b, const char *address)
{
	char net[KEY_CAP];
	struct bucket *one;

	throttle_network(address, net, sizeof(net));
	one = map_get(b->by_address, str_of(net));
	if (one != NULL)
		return one;
	if (map_count(b->by_address) >= BUCKET_ENTRIES_MAX)
		evict(b);
	one = MEM_NEW(struct bucket);
	map_put(b->by_address, str_of(net), one);
	return one;
}

unsigned
buckets_take(struct buckets *b, const char *address)
{
	struct bucket *one = find(b, address);
	int64_t now = clock_mono_ms(), after;

	after = (one->full_ms > now ? one->full_ms : now) + b->token_ms;
	if (after - now > b->size_ms)
		return (unsigned)((after - now - b->size_ms + 999) / 1000);
	one->full_ms = after;
	return 0;
}

void
buckets_tick(struct buckets *b)
{
	int64_t now = clock_mono_ms();
	struct str key;
	size_t pos = 0;
	void *value;

	while (map_next(b->by_address, &pos, &key, &value)) {
		const struct bucket *one = value;

		if (one->full_ms > now)
			continue;
		mem_free(map_del(b->by_address, key));
	}
}
