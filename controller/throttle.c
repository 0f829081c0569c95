/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/throttle.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	KEY_CAP = 192,
	KNOWN_MS_DAYS = 30,
};
static const int64_t known_ms = (int64_t)KNOWN_MS_DAYS * 86400000;

struct counter {
	unsigned failures;
	int64_t since_ms;   /* of the first failure in the window */
	int64_t blocked_ms; /* no attempt before that; 0: none */
};

struct throttle {
	struct map
	    *counters;     /* "a:account", "i:address", "p:account address" */
	struct map *known; /* "p:account address" -> struct known */
};

struct known {
	int64_t until_ms;
};

struct throttle *
throttle_new(void)
{
	struct throttle *t = MEM_NEW(struct throttle);

	t->counters = map_new();
	t->known = map_new();
	return t;
}

void
throttle_free(struct throttle *t)
{
	if (t == NULL)
		return;
	map_free_all(t->counters);
	map_free_all(t->known);
	mem_free(t);
}

size_t
throttle_count(const struct throttle *t)
{
	return map_count(t->counters);
}

void
throttle_network(const char *address, char *dst, size_t cap)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t raw[16];

	if (inet_pton(AF_INET6, address, raw) == 1 &&
	    memcmp(raw, mapped, sizeof(mapped)) != 0)
		str_hex(raw, 8, dst, cap);
	else if (!str_copy(dst, cap, str_of(address)))
		dst[0] = '\0';
}

struct keys {
	char account[KEY_CAP]; /* of the account, or of the known pair */
	char pair[KEY_CAP];
	char address[KEY_CAP];
};

static void
make_keys(struct throttle *t, const char *account, const char *address,
    struct keys *k)
{
	char net[64];
	bool ok;

	throttle_network(address, net, sizeof(net));
	ok = str_fmt(k->address, sizeof(k->address), "i:%s", net);
	ok &= str_fmt(k->pair, sizeof(k->pair), "p:%.64s %s", account, net);
	ok &= str_fmt(k->account, sizeof(k->account), "a:%.64s", account);
	ASSERT(ok);
	if (map_get(t->known, str_of(k->pair)) != NULL)
		memcpy(k->account, k->pair, sizeof(k->account));
}

static bool
is_over(const struct counter *c, int64_t now)
{
	return now - c->since_ms >= THROTTLE_WINDOW_MS && now >= c->blocked_ms;
}

static void
drop(struct map *m, struct str key)
{
	mem_free(map_del(m, key));
}

/* Room for one more: the counter that began first goes. */
static void
evict_oldest(struct throttle *t)
{
	struct str key, oldest = str_from(NULL, 0);
	int64_t since = INT64_MAX;
	size_t pos = 0;
	void *value;

	if (map_count(t->counters) < THROTTLE_ENTRIES_MAX)
		return;
	while (map_next(t->counters, &pos, &key, &value)) {
		const struct counter *c = value;

		if (c->since_ms < since) {
			since = c->since_ms;
			oldest = key;
		}
	}
	drop(t->counters, oldest);
}

static unsigned
wait_s(struct throttle *t, const char *key, int64_t now)
{
	struct counter *c = map_get(t->counters, str_of(key));

	if (c == NULL || now >= c->blocked_ms)
		return 0;
	return (unsigned)((c->blocked_ms - now + 999) / 1000);
}

/* From the limit on: 2, 4, 8 ... seconds until the next attempt. */
static int64_t
delay_ms(unsigned failures, unsigned limit)
{
	unsigned over = failures - limit;
	int64_t s = over < 9 ? (int64_t)2 << over : THROTTLE_DELAY_MAX_S;

	return (s < THROTTLE_DELAY_MAX_S ? s : THROTTLE_DELAY_MAX_S) * 1000;
}

static void
charge(struct throttle *t, const char *key, unsigned limit, int64_t now)
{
	struct counter *c = map_get(t->counters, str_of(key));

	if (c == NULL) {
		evict_oldest(t);
		c = MEM_NEW(struct counter);
		c->since_ms = now;
		map_put(t->counters, str_of(key), c);
	} else if (is_over(c, now)) {
		*c = (struct counter){ .since_ms = now };
	}
	c->failures++;
	if (c->failures >= limit)
		c->blocked_ms = now + delay_ms(c->failures, limit);
}

unsigned
throttle_begin(struct throttle *t, const char *account, const char *address)
{
	int64_t now = clock_mono_ms();
	struct keys k;
	unsigned a, i;

	make_keys(t, account, address, &k);
	a = wait_s(t, k.account, now);
	i = wait_s(t, k.address, now);
	if (a > 0 || i > 0)
		return a > i ? a : i;
	charge(t, k.account, THROTTLE_ACCOUNT_MAX, now);
	charge(t, k.address, THROTTLE_ADDRESS_MAX, now);
	return 0;
}

bool
throttle_known(const struct throttle *t, const char *account,
    const char *address)
{
	char net[64], key[KEY_CAP];

	throttle_network(address, net, sizeof(net));
	return str_fmt(key, sizeof(key), "p:%.64s %s", account, net) &&
	       map_get(t->known, str_of(key)) != NULL;
}

static void
take_back(struct throttle *t, const char *key)
{
	struct counter *c = map_get(t->counters, str_of(key));

	if (c == NULL)
		return;
	c->blocked_ms = 0;
	if (c->failures <= 1)
		drop(t->counters, str_of(key));
	else
		c->failures--;
}

void
throttle_undo(struct throttle *t, const char *account, const char *address)
{
	struct keys k;

	make_keys(t, account, address, &k);
	take_back(t, k.account);
	take_back(t, k.address);
}

void
throttle_succeeded(struct throttle *t, const char *account, const char *address)
{
	struct keys k;
	struct known *known;

	make_keys(t, account, address, &k);
	drop(t->counters, str_of(k.account));
	take_back(t, k.address);
	known = map_get(t->known, str_of(k.pair));
	if (known == NULL && map_count(t->known) < THROTTLE_ENTRIES_MAX) {
		known = MEM_NEW(struct known);
		map_put(t->known, str_of(k.pair), known);
	}
	if (known != NULL)
		known->until_ms = clock_mono_ms() + known_ms;
}

void
throttle_tick(struct throttle *t)
{
	int64_t now = clock_mono_ms();
	size_t pos = 0;
	struct str key;
	void *value;

	while (map_next(t->counters, &pos, &key, &value)) {
		if (is_over(value, now))
			drop(t->counters, key);
	}
	pos = 0;
	while (map_next(t->known, &pos, &key, &value)) {
		if (now >= ((struct known *)value)->until_ms)
			drop(t->known, key);
	}
}
