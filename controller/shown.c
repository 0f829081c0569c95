/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/shown.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"

struct entry {
	struct secret text;
	int64_t since_ms;
};

struct shown {
	struct map *entries; /* user, about -> struct entry */
};

struct shown *
shown_new(void)
{
	struct shown *s = MEM_NEW(struct shown);

	s->entries = map_new();
	return s;
}

static void
entry_free(struct entry *en)
{
	if (en == NULL)
		return;
	secret_fini(&en->text);
	mem_free(en);
}

void
shown_free(struct shown *s)
{
	size_t pos = 0;
	struct str key;
	void *value;

	if (s == NULL)
		return;
	while (map_next(s->entries, &pos, &key, &value))
		entry_free(value);
	map_free(s->entries);
	mem_free(s);
}

void
shown_tick(struct shown *s)
{
	int64_t now = clock_mono_ms();
	size_t pos = 0;
	struct str key;
	void *value;

	while (map_next(s->entries, &pos, &key, &value)) {
		if (now - ((struct entry *)value)->since_ms >= SHOWN_MS)
			entry_free(map_del(s->entries, key));
	}
}

static void
forget_oldest(struct shown *s)
{
	struct str key, oldest = str_from(NULL, 0);
	int64_t since = INT64_MAX;
	size_t pos = 0;
	void *value;

	if (map_count(s->entries) < SHOWN_MAX)
		return;
	while (map_next(s->entries, &pos, &key, &value)) {
		const struct entry *en = value;

		if (en->since_ms < since) {
			since = en->since_ms;
			oldest = key;
		}
	}
	entry_free(map_del(s->entries, oldest));
}

struct pair {
	uint8_t b[2 * sizeof(struct ulid)];
};

static struct str
make_key(struct pair *p, const struct ulid *user, const struct ulid *about)
{
	memcpy(p->b, user->b, sizeof(user->b));
	memcpy(p->b + sizeof(user->b), about->b, sizeof(about->b));
	return str_from(p->b, sizeof(p->b));
}

void
shown_keep(struct shown *s, const struct ulid *user, const struct ulid *about,
    struct str text)
{
	struct entry *en = MEM_NEW(struct entry);
	struct pair pair;

	secret_set(&en->text, text);
	en->since_ms = clock_mono_ms();
	forget_oldest(s);
	entry_free(map_put(s->entries, make_key(&pair, user, about), en));
}

bool
shown_take(struct shown *s, const struct ulid *user, const struct ulid *about,
    struct secret *out)
{
	struct pair pair;
	struct entry *en = map_del(s->entries, make_key(&pair, user, about));
	bool good;

	if (en == NULL)
		return false;
	good = clock_mono_ms() - en->since_ms < SHOWN_MS;
	if (good)
		secret_set(out, secret_str(&en->text));
	entry_free(en);
	return good;
}

size_t
shown_count(const struct shown *s)
{
	return map_count(s->entries);
}
