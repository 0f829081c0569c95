/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config.h"

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/plan.h"
#include "agent/run.h"
#include "agent/schedule.h"
#include "agent/secrets.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

static void
config_on_told(void *ctx)
{
	struct agent *a = ctx;
	struct err e = { 0 };

	if (--a->untold == 0 && secrets_told(a->secrets, &e) != RC_OK)
		log_warn(LOG_CONF,
		    "the version of the configuration is not stored, it will "
		    "be sent again after a restart error=%s",
		    e.msg);
}

static void
config_tell(struct agent *a, uint64_t version, const char *refused)
{
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;

	ack.version = version;
	ack.applied_at_ms = clock_now_ms();
	ack.refused = (char *)(uintptr_t)refused;
	ev.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	ev.config_ack = &ack;
	a->untold++;
	events_put(a->events, &ev, true);
	events_when_synced(a->events, config_on_told, a);
}

/* The sentence for the controller; RC_OK whether it is taken or not. */
static enum rc
config_put_plan(struct agent *a, Wire__Plan *plan, struct buf *refused,
    struct err *e)
{
	char zone[CRON_ZONE_CAP];
	struct err why = { 0 };
	struct buf packed;
	struct str s;
	enum rc rc;

	if (plan != NULL && plan_check(plan, &why) != RC_OK) {
		log_error(LOG_CONF,
		    "the plan is not taken, the former one stays error=%s",
		    log_safe(str_of(why.msg)));
		buf_printf(refused, "%s; the former plan stays in force",
		    why.msg);
		return secrets_put_plan(a->secrets, NULL,
		    plan->format > PLAN_FORMAT ? plan->format : 0, e);
	}
	buf_init(&packed, PLAN_BYTES_MAX);
	rc = plan != NULL ? plan_pack(plan, &packed) : RC_OK;
	s = buf_str(&packed);
	if (rc == RC_OK)
		rc = secrets_put_plan(a->secrets, &s, 0, e);
	buf_wipe_fini(&packed);
	facts_zone(zone);
	if (plan != NULL)
		plan_remark(plan, zone, refused);
	if (refused->len > 0)
		buf_puts(refused, "; the rest of the plan is in force");
	return rc;
}

void
config_apply(struct agent *a, const struct Wire__Config *c)
{
	struct secrets_config held = secrets_config(a->secrets), now = { 0 };
	struct secrets_repo repo = { 0 };
	struct err e = { 0 };
	struct buf refused;
	enum rc rc;

	now.version = c->version;
	if (c->caps != NULL) {
		now.up_kbps = c->caps->bandwidth_up_kbps;
		now.down_kbps = c->caps->bandwidth_down_kbps;
	}
	if (held.version == now.version) {
		run_wipe_slot(c->repo);
		plan_wipe(c->plan);
		return;
	}
	if (c->repo != NULL) {
		secrets_repo_from(c->repo, &repo);
		run_wipe_slot(c->repo);
	}
	buf_init(&refused, KIB(4));
	if ((rc = config_put_plan(a, c->plan, &refused, &e)) == RC_OK)
		rc = secrets_put(a->secrets, SECRETS_REPO,
		    c->repo != NULL ? &repo : NULL, &now, &e);
	plan_wipe(c->plan);
	secrets_repo_fini(&repo);
	if (rc != RC_OK) {
		log_error(LOG_CONF, "configuration not stored error=%s", e.msg);
		buf_fini(&refused);
		return;
	}
	/* Of the former repository, it may be. */
	a->stats_at_ms = 0;
	a->repo_known = false;
	log_info(LOG_CONF, "configuration stored version=%llu",
	    (unsigned long long)now.version);
	config_tell(a, now.version, buf_text(&refused));
	buf_fini(&refused);
	schedule_plan(a->schedule);
}
