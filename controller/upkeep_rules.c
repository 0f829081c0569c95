/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/upkeep_rules.h"

#include <string.h>

#include "lib/base/cron.h"
#include "lib/base/spread.h"
#include "lib/base/ulid.h"

static const int64_t day_ms = 86400000;

int64_t
upkeep_spread(const struct ulid *host, Rec__JobKind kind)
{
	struct ulid thing = { { 0 } };

	thing.b[sizeof(thing.b) - 1] = (uint8_t)kind;
	return spread_ms(host, &thing, UPKEEP_SPREAD_S);
}

/* The cadence as the host sees it is the whole of it moved by its spread:
 * one that fires more often than the spread is long keeps its pace. */
int64_t
upkeep_next(const struct cron *c, int64_t spread_ms, int64_t now_ms)
{
	int64_t from = now_ms - spread_ms, at;

	if (from < 2 * day_ms)
		from = 2 * day_ms;
	return cron_next(c, from, &at) ? at + spread_ms : 0;
}

static const char *
missing(const struct upkeep_facts *f)
{
	if (!f->has_repo)
		return "no_repository";
	if (f->kind == REC__JOB_KIND__KIND_FORGET && !f->has_retention)
		return "no_retention";
	if (f->kind == REC__JOB_KIND__KIND_FORGET && f->has_twin)
		return "shared_name";
	if (f->kind == REC__JOB_KIND__KIND_PRUNE && !f->has_admin)
		return "no_admin";
	if (f->open_job)
		return "job_running";
	if (f->shared_job)
		return "repository_busy";
	return f->online ? "" : "offline";
}

enum upkeep_verdict
upkeep_decide(const struct upkeep_facts *f, const char **why)
{
	int64_t window = f->owed_ms - f->spread_ms;

	*why = "";
	if (f->success_ms >= window || f->repo_success_ms >= window)
		return UPKEEP_DONE;
	*why = missing(f);
	return **why == '\0' ? UPKEEP_RUN : UPKEEP_WAIT;
}

int64_t
upkeep_look_ms(const char *why)
{
	return strcmp(why, "job_running") == 0 ||
	               strcmp(why, "repository_busy") == 0
	           ? UPKEEP_LOOK_MS
	           : UPKEEP_LOOK_LONG_MS;
}

void
upkeep_part(uint32_t pct, uint32_t position, uint32_t *n, uint32_t *of)
{
	*n = *of = 0;
	if (pct == 0)
		return;
	if (pct > UPKEEP_PCT_MAX)
		pct = UPKEEP_PCT_MAX;
	*of = (UPKEEP_PCT_MAX + pct - 1) / pct;
	*n = position % *of + 1;
}
