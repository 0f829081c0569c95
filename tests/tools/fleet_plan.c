/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When hosts of a made-up fleet are backed up: once a day, at the time of
 * their last run.  Nothing here is rolled, so that the rest stays as it is. */
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/repo_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/upkeep_store.h"
#include "tests/tools/fleet_own.h"

enum {
	DAY_S = 86400,
	ALLOWED_S = 26 * 3600,
	OTHER_ID = 0x5a,
	SIZES = 90,  /* days */
	GROWTH = 400 /* a day is one in so many of the whole */
};

/* Hosts that run more often are those whose runs fail and are tried again. */
bool
fleet_has_plan(const struct made *m)
{
	return m->last_run != 0 && m->every == DAY_MS;
}

struct ulid
fleet_schedule_id(const struct made *m)
{
	struct ulid id = m->group;

	id.b[sizeof(id.b) - 1] ^= OTHER_ID;
	return id;
}

static ProtobufCBinaryData
bytes(const struct ulid *id)
{
	return (
	    ProtobufCBinaryData){ sizeof(id->b), (uint8_t *)(uintptr_t)id->b };
}

void
fleet_put_schedule(struct fleet *f, const struct made *m)
{
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	ProtobufCBinaryData groups[] = { bytes(&m->group), bytes(&m->home) };
	struct ulid id = fleet_schedule_id(m);
	char cron[32];

	if (!fleet_has_plan(m))
		return;
	ASSERT(str_fmt(cron, sizeof(cron), "%d %d * * *",
	    (int)(m->last_run / MINUTE_MS % 60),
	    (int)(m->last_run / HOUR_MS % 24)));
	s.id = bytes(&id);
	s.host_id = bytes(&m->id);
	s.cron = cron;
	s.enabled = true;
	s.group_ids = groups;
	s.n_group_ids = ulid_is_zero(&m->home) ? 1 : 2;
	s.created_at_ms = s.updated_at_ms = m->enrolled;
	if (f->o->jobs > 0)
		s.last_job = bytes(&m->run);
	s.last_state = m->run_bad ? FAIL : DONE;
	s.last_incomplete = m->run_part;
	s.last_at_ms = m->last_run + MINUTE_MS;
	s.last_due_ms = m->last_run / MINUTE_MS * MINUTE_MS;
	s.last_success_at_ms = m->last_ok;
	schedule_store_put(f->tx, &s);
}

void
fleet_put_sizes(struct fleet *f, const struct made *m,
    const struct Rec__Host *h)
{
	int64_t last = m->last_ok / DAY_MS, first = m->enrolled / DAY_MS, day;
	struct Rec__RepoDay d = REC__REPO_DAY__INIT;

	if (h->repo_size_bytes == 0 || m->last_ok == 0)
		return;
	if (first < last - SIZES)
		first = last - SIZES;
	d.has_size = d.has_count = true;
	for (day = first; day <= last; day++) {
		uint64_t ago = (uint64_t)(last - day);

		d.size_bytes =
		    h->repo_size_bytes - h->repo_size_bytes / GROWTH * ago;
		d.raw_size_bytes = d.size_bytes / 2 * 3;
		d.snapshot_count = h->snapshot_count - ago / 3;
		if (ago / 3 > h->snapshot_count)
			d.snapshot_count = 0;
		repo_store_put_day(f->tx, &m->id, (uint32_t)day, &d);
	}
}

/* Agents of load programs are given the jobs that are asked for and no others,
 * whatever the hour: the controller is to start none by itself. */
void
fleet_put_no_upkeep(struct fleet *f, const struct made *m)
{
	static char cron[] = "@daily";
	struct Rec__Maintenance md = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep off = REC__UPKEEP__INIT;

	off.cron = cron;
	md.host_id = bytes(&m->id);
	md.forget = md.prune = md.check = &off;
	upkeep_store_put(f->tx, &md);
}

/* What the second group keeps is finer than it is made. */
void
fleet_fill_retention(const struct made *m, bool second,
    struct Rec__SourceGroup *g, struct Rec__Retention *keep)
{
	static char conflict[] = "hourly";

	rec__retention__init(keep);
	keep->daily = 14;
	keep->weekly = 8;
	keep->monthly = 12;
	keep->hourly = second ? 24 : 0;
	g->retention = keep;
	g->retry_max = 2;
	g->retry_backoff_s = 300;
	if (second && fleet_has_plan(m))
		g->conflict_dimension = conflict;
}

void
fleet_fill_planned(const struct made *m, struct Rec__Host *h)
{
	h->plan_format = m->behind ? 0 : 1;
	h->backup_interval_s = fleet_has_plan(m) ? DAY_S : 0;
	/* The states were rolled by this age. */
	h->allowed_age_s = ALLOWED_S;
}
