/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/doctor.h"
#include "agent/due.h"
#include "agent/facts.h"
#include "agent/plan.h"
#include "agent/secrets.h"
#include "agent/settings.h"
#include "agent/statefile.h"
#include "lib/base/buf.h"
#include "lib/base/checkup.h"
#include "lib/base/clock.h"

#define DOCTOR_NO_PLAN "no schedule is on: backups run only when asked for"

/* NULL: there is none, or it cannot be read, and e says why. */
static Wire__Plan *
read_plan(struct secrets *box, struct err *e)
{
	Wire__Plan *plan = NULL;
	struct buf b;

	buf_init(&b, PLAN_BYTES_MAX);
	if (secrets_plan(box, &b, e) == RC_OK &&
	    (plan = plan_unpack(buf_str(&b))) == NULL)
		err_set(e, RC_CORRUPT, "the plan is damaged");
	buf_wipe_fini(&b);
	return plan;
}

/* Without it every schedule counts from now on, as an agent has it. */
static enum rc
read_state(const char *dir, struct due *d, struct err *e)
{
	struct buf b;
	enum rc rc;

	buf_init(&b, STATEFILE_MAX);
	rc = statefile_read(dir, &b, e);
	if (rc == RC_OK && due_load(d, buf_str(&b)) != RC_OK)
		rc = err_set(e, RC_CORRUPT, "schedule.state is damaged");
	buf_fini(&b);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

static void
tell_schedules(struct checkup *sheet, const struct due *d, const char *zone)
{
	char next[CLOCK_TEXT_CAP];
	size_t waiting = 0;
	int64_t at;
	size_t n = due_schedules(d, &at);

	if (at == DUE_NEVER) {
		checkup_ok(sheet, "plan", DOCTOR_NO_PLAN);
		return;
	}
	clock_text(at, next);
	while (due_at(d, waiting) != NULL)
		waiting++;
	checkup_ok(sheet, "plan",
	    "%zu schedule%s in force, the next run is at %s (zone %s); %zu "
	    "begun or waiting",
	    n, n == 1 ? "" : "s", next, zone, waiting);
}

static void
look_at_plan(struct checkup *sheet, const struct settings *s,
    const struct ulid *host, const Wire__Plan *plan)
{
	struct due *d = due_new(host);
	char zone[CRON_ZONE_CAP];
	struct err e = { 0 };
	struct buf remark;
	enum rc rc;

	facts_zone(zone);
	rc = read_state(s->state_dir, d, &e);
	due_plan(d, plan, zone, clock_now_ms());
	buf_init(&remark, KIB(1));
	plan_remark(plan, zone, &remark);
	if (remark.len > 0)
		checkup_fail(sheet, "plan",
		    "correct the schedule on the host's page; a zone that is "
		    "not known here comes with the package tzdata",
		    "%s", buf_text(&remark));
	else if (rc != RC_OK)
		checkup_fail(sheet, "plan",
		    "restart the agent: it sets the file aside and counts "
		    "from then on",
		    "%s", e.msg);
	else
		tell_schedules(sheet, d, zone);
	buf_fini(&remark);
	due_free(d);
}

void
doctor_plan(struct checkup *sheet, const struct settings *s,
    struct secrets *box)
{
	struct err e = { 0 };
	struct ulid host;
	Wire__Plan *plan;

	if (box == NULL || !ulid_parse(str_of(s->host_id), &host)) {
		checkup_skip(sheet, "plan", "it cannot be read");
		return;
	}
	plan = read_plan(box, &e);
	if (plan != NULL)
		look_at_plan(sheet, s, &host, plan);
	else if (e.rc == RC_NOTFOUND)
		checkup_ok(sheet, "plan", DOCTOR_NO_PLAN);
	else
		checkup_fail(sheet, "plan",
		    "save a schedule of the host again, with the agent running",
		    "%s", e.msg);
	plan_free(plan);
}
