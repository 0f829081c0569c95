/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/offence.h"

#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/peer.h"

enum {
	TICK_MS = 10000,
	QUIET_MS = 60000,
	REMIND_MS = 600000,
	ADDRESS_CAP = 48
};

static const struct {
	const char *name;
	unsigned from, cost;
} kinds[] = {
#define X(id, name, from, cost) { name, from, cost },
	OFFENCES(X)
#undef X
};
_Static_assert(ARRAY_LEN(kinds) == OFFENCE_KINDS, "a row for each kind");

/* One address in one way, from its first offence until it was quiet. */
struct spell {
	uint64_t count; /* 0: none */
	int64_t first_ms, last_ms;
	int64_t told_ms; /* 0: not named */
};

struct offender {
	struct peer_key key;
	char address[ADDRESS_CAP];
	int64_t last_ms;
	struct spell spells[OFFENCE_KINDS];
};

struct offences {
	struct map *by_key;
	struct loop_timer *timer;
	struct log_limit lines;
	uint64_t counts[OFFENCE_KINDS];
};

const char *
offence_name(enum offence kind)
{
	return kinds[kind].name;
}

unsigned
offence_cost(enum offence kind)
{
	return kinds[kind].cost;
}

static void
offences_on_timer(void *ctx)
{
	offences_tick(ctx);
}

struct offences *
offences_new(struct loop *loop)
{
	struct offences *o = MEM_NEW(struct offences);

	o->by_key = map_new();
	if (loop != NULL) {
		o->timer = loop_timer_new(loop, offences_on_timer, o);
		loop_timer_start(o->timer, TICK_MS, TICK_MS);
	}
	return o;
}

void
offences_free(struct offences *o)
{
	if (o == NULL)
		return;
	map_free_all(o->by_key);
	loop_timer_free(o->timer);
	mem_free(o);
}

/* --------------------------------------------------------------------- log */

static void
tell(struct offences *o, const struct offender *f, enum offence kind,
    const char *what)
{
	const struct spell *s = &f->spells[kind];

	if (log_allow(&o->lines, OFFENCE_LINES, 60))
		log_warn(LOG_NET,
		    "abuse %s kind=%s peer=%s count=%llu seconds=%lld", what,
		    kinds[kind].name, log_safe(str_of(f->address)),
		    (unsigned long long)s->count,
		    (long long)(s->last_ms - s->first_ms) / 1000);
}

static void
end_spell(struct offences *o, struct offender *f, enum offence kind)
{
	if (f->spells[kind].told_ms != 0)
		tell(o, f, kind, "ended");
	f->spells[kind] = (struct spell){ 0 };
}

/* ------------------------------------------------------------------- table */

static void
forget(struct offences *o, struct offender *f)
{
	unsigned kind;

	for (kind = 0; kind < OFFENCE_KINDS; kind++)
		end_spell(o, f, kind);
	map_del(o->by_key, peer_key_str(&f->key));
	mem_free(f);
}

/* Room for one more: who has been quiet longest goes. */
static void
evict(struct offences *o)
{
	struct offender *oldest = NULL;
	struct str key;
	size_t pos = 0;
	void *value;

	if (map_count(o->by_key) < OFFENCE_ADDRESSES_MAX)
		return;
	while (map_next(o->by_key, &pos, &key, &value)) {
		struct offender *f = value;

		if (oldest == NULL || f->last_ms < oldest->last_ms)
			oldest = f;
	}
	if (oldest != NULL)
		forget(o, oldest);
}

static struct offender *
find(struct offences *o, const char *address)
{
	struct peer_key key = peer_key(address);
	struct offender *f = map_get(o->by_key, peer_key_str(&key));

	if (f != NULL)
		return f;
	evict(o);
	f = MEM_NEW(struct offender);
	f->key = key;
	if (!str_copy(f->address, sizeof(f->address), str_of(address)))
		f->address[0] = '\0';
	map_put(o->by_key, peer_key_str(&f->key), f);
	return f;
}

bool
offences_note(struct offences *o, const char *address, enum offence kind)
{
	int64_t now = clock_mono_ms();
	struct offender *f;
	struct spell *s;

	if (o == NULL)
		return false;
	o->counts[kind]++;
	f = find(o, address);
	s = &f->spells[kind];
	if (s->count++ == 0)
		s->first_ms = now;
	f->last_ms = s->last_ms = now;
	if (s->count == kinds[kind].from) {
		s->told_ms = now;
		tell(o, f, kind, "begins");
	} else if (s->told_ms != 0 && now - s->told_ms >= REMIND_MS) {
		s->told_ms = now;
		tell(o, f, kind, "goes on");
	}
	return s->count == 1;
}

uint64_t
offences_count(const struct offences *o, enum offence kind)
{
	return o == NULL ? 0 : o->counts[kind];
}

void
offences_tick(struct offences *o)
{
	int64_t now = clock_mono_ms();
	struct offender *f;
	struct str key;
	size_t pos = 0;
	unsigned kind;
	void *value;

	while (map_next(o->by_key, &pos, &key, &value)) {
		f = value;
		for (kind = 0; kind < OFFENCE_KINDS; kind++)
			if (f->spells[kind].count != 0 &&
			    now - f->spells[kind].last_ms >= QUIET_MS)
				end_spell(o, f, kind);
		if (now - f->last_ms >= QUIET_MS)
			forget(o, f);
	}
}
