/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/next_run.h"

#include "lib/base/spread.h"
#include "lib/store/schedule_store.h"
#include "lib/store/table.h"

enum {
	GAP_RUNS = 3000 /* every five minutes for more than a week */
};
/* Over a month of 31 days, and a year where runs are rare. */
static const int64_t gap_span_ms = INT64_C(36) * 86400000;

const char *
next_run_zone(const struct Rec__Schedule *s, const struct Rec__Host *h,
    const char *dflt)
{
	if (s->zone[0] != '\0')
		return s->zone;
	return h->zone[0] != '\0' ? h->zone : dflt;
}

bool
next_run_rule(const struct Rec__Schedule *s, const char *zone,
    struct next_run_rule *out)
{
	struct ulid id, host;
	struct err e;

	/* Records of before since_ms: one that was changed is counted from
	 * then on. */
	int64_t begin_ms = s->since_ms != 0 ? s->since_ms : s->updated_at_ms;

	*out = (struct next_run_rule){ .last_due_ms = s->last_due_ms,
		.since_ms = s->since_ms != 0 ? s->since_ms : s->created_at_ms };
	if (begin_ms > s->last_due_ms)
		out->last_due_ms = begin_ms;
	if (cron_parse(str_of(s->cron), zone, &out->cron, &e) != RC_OK)
		return false;
	if (key_id_field(&s->id, &id) && key_id_field(&s->host_id, &host))
		out->spread_ms = spread_ms(&host, &id, s->jitter_s);
	return true;
}

/* @every counts from the last one, so it stays in step while it is away. */
static int64_t
in_step(const struct next_run_rule *r, int64_t after_ms)
{
	const int64_t every_ms = r->cron.every_s * 1000;
	int64_t last = r->last_due_ms;

	if (last == 0 || last > after_ms)
		return after_ms;
	return last + (after_ms - last) / every_ms * every_ms;
}

bool
next_run(const struct next_run_rule *r, int64_t after_ms, struct next_run *out)
{
	int64_t after = after_ms - r->spread_ms, due;

	if (after < r->since_ms)
		after = r->since_ms;
	if (r->cron.every_s > 0)
		after = in_step(r, after);
	if (!cron_next(&r->cron, after, &due))
		return false;
	*out = (struct next_run){ due, due + r->spread_ms };
	return true;
}

int64_t
next_run_gap_ms(const struct next_run_rule *r, int64_t from_ms)
{
	int64_t last, at, gap = 0;
	int i;

	if (r->cron.every_s > 0)
		return r->cron.every_s * 1000;
	if (!cron_next(&r->cron, from_ms, &last))
		return 0;
	for (i = 0; i < GAP_RUNS; i++) {
		if (!cron_next(&r->cron, last, &at))
			break;
		if (at - last > gap)
			gap = at - last;
		last = at;
		if (last - from_ms > gap_span_ms)
			break;
	}
	return gap;
}

struct most_frequent {
	int64_t now_ms, gap_ms;
};

static bool
next_run_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	struct most_frequent *m = ctx;
	struct next_run_rule r;
	int64_t gap;

	/* How far apart they are does not depend on the zone. */
	if (!s->enabled || !next_run_rule(s, "UTC", &r))
		return true;
	gap = next_run_gap_ms(&r, m->now_ms);
	if (gap > 0 && (m->gap_ms == 0 || gap < m->gap_ms))
		m->gap_ms = gap;
	return true;
}

uint32_t
next_run_interval_s(struct store_tx *tx, const struct ulid *host,
    int64_t now_ms)
{
	struct most_frequent m = { now_ms, 0 };

	schedule_store_of_host(tx, host, next_run_on_schedule, &m);
	return (uint32_t)(m.gap_ms / 1000);
}
