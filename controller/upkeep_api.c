/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a host's repository is maintained, read and changed. */
#include <string.h>

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "controller/upkeep.h"
#include "controller/upkeep_rules.h"
#include "lib/base/clock.h"
#include "lib/base/cron.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "lib/store/upkeep_store.h"

enum {
	KINDS = 3
};

/* In the order of the arrays below. */
static const struct {
	Rec__JobKind kind;
	const char *name, *cadence, *enabled;
} kinds[KINDS] = {
	{ REC__JOB_KIND__KIND_FORGET, "forget", "forget_cadence",
	    "forget_enabled" },
	{ REC__JOB_KIND__KIND_PRUNE, "prune", "prune_cadence",
	    "prune_enabled" },
	{ REC__JOB_KIND__KIND_CHECK, "check", "check_cadence",
	    "check_enabled" },
};

struct put_in {
	char *cadence[KINDS];
	bool enabled[KINDS], enabled_seen[KINDS];
	bool all, all_seen;
	int64_t pct;
	bool pct_seen;
};

#define NO_HOST "there is no such host"

#define IN(member) offsetof(struct put_in, member)

/* clang-format off */
static const struct json_field put_fields[] = {
	{ "forget_cadence", JSON_STR,  JSON_NULL_OK, 1, UPKEEP_CRON_MAX, IN(cadence[0]), 0, JSON_NO_SEEN },
	{ "prune_cadence",  JSON_STR,  JSON_NULL_OK, 1, UPKEEP_CRON_MAX, IN(cadence[1]), 0, JSON_NO_SEEN },
	{ "check_cadence",  JSON_STR,  JSON_NULL_OK, 1, UPKEEP_CRON_MAX, IN(cadence[2]), 0, JSON_NO_SEEN },
	{ "forget_enabled", JSON_BOOL, 0, 0, 0, IN(enabled[0]), 0, IN(enabled_seen[0]) },
	{ "prune_enabled",  JSON_BOOL, 0, 0, 0, IN(enabled[1]), 0, IN(enabled_seen[1]) },
	{ "check_enabled",  JSON_BOOL, 0, 0, 0, IN(enabled[2]), 0, IN(enabled_seen[2]) },
	{ "enabled",        JSON_BOOL, 0, 0, 0, IN(all), 0, IN(all_seen) },
	{ "check_subset_pct", JSON_INT, 0, 0, UPKEEP_PCT_MAX, IN(pct), 0, IN(pct_seen) },
};
/* clang-format on */

const struct route_json upkeep_put_body = { put_fields, ARRAY_LEN(put_fields),
	sizeof(struct put_in) };

/* --------------------------------------------------------------------- read */

static void
put_state(struct json_out *j, size_t i, const struct Rec__Upkeep *u)
{
	bool waits = u->waiting[0] != '\0';

	json_obj(j, kinds[i].name);
	json_put_time(j, "due_at",
	    !u->enabled ? 0
	    : waits     ? u->waiting_since_ms
	                : u->due_ms);
	json_put(j, "waiting", u->enabled ? u->waiting : "");
	pb_put_id(j, "open_job_id", &u->open_job);
	pb_put_id(j, "last_job_id", &u->last_job);
	json_put(j, "last_status", job_state_name(u->last_state));
	json_put_time(j, "last_at", u->last_at_ms);
	json_put_time(j, "last_success_at", u->last_success_at_ms);
	json_put(j, "last_error", u->last_error);
	json_obj_end(j);
}

static void
put_record(struct json_out *j, const struct Rec__Maintenance *m,
    const char *zone)
{
	const struct Rec__Upkeep *u;
	bool any = false;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		u = upkeep_of(m, kinds[i].kind);
		any |= u->enabled;
		json_put(j, kinds[i].cadence, u->cron);
		json_put_bool(j, kinds[i].enabled, u->enabled);
	}
	json_put_uint(j, "check_subset_pct", m->check_subset_pct);
	json_put_bool(j, "enabled", any);
	json_put(j, "zone", zone);
	json_put_time(j, "updated_at", m->updated_at_ms);
	for (i = 0; i < KINDS; i++)
		put_state(j, i, upkeep_of(m, kinds[i].kind));
}

static void
answer(struct req *r, const struct Rec__Maintenance *m)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(32));
	put_record(&doc.j, m, r->ctl->settings.timezone);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

void
upkeep_get(struct req *r)
{
	const struct Rec__Maintenance *m = NULL;
	struct store_tx *tx;
	struct ulid host;

	if (!req_need_ulid(r, 0, NO_HOST, &host))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	if (host_store_get(tx, &host) != NULL)
		m = upkeep_record(tx, &host);
	if (m == NULL)
		req_fail(r, store_err(tx));
	else
		answer(r, m);
	store_abort(tx);
}

/* ------------------------------------------------------------------- change */

/* op->in: what is given, checked. */
struct change {
	struct ulid host;
	const char *cadence[KINDS]; /* NULL: as it is */
	bool enabled[KINDS], enabled_seen[KINDS];
	uint32_t pct;
	bool pct_seen;
	const char *zone;
	int64_t now_ms;
	/* out, in the op's arena */
	const struct Rec__Maintenance *now;
};

/* What is changed begins anew: nothing is owed by the cadence of before. */
static void
change_one(const struct change *c, size_t i, struct Rec__Upkeep *u)
{
	bool enabled = c->enabled_seen[i] ? c->enabled[i] : u->enabled;
	const char *cron = c->cadence[i] != NULL ? c->cadence[i] : u->cron;

	if (enabled == u->enabled && strcmp(cron, u->cron) == 0)
		return;
	u->enabled = enabled;
	u->cron = pb_text(cron);
	u->waiting = pb_text("");
	u->waiting_since_ms = 0;
	u->retries = 0;
	u->due_ms = upkeep_due(&c->host, kinds[i].kind, u, c->zone, c->now_ms);
}

static void
audit(struct store_tx *state, const struct op *op, const char *name)
{
	const struct change *c = op->in;
	const struct Rec__Upkeep *u;
	struct json_doc doc;
	size_t i;

	json_doc_init(&doc, KIB(8));
	for (i = 0; i < KINDS; i++) {
		u = upkeep_of(c->now, kinds[i].kind);
		json_put(&doc.j, kinds[i].cadence, u->cron);
		json_put_bool(&doc.j, kinds[i].enabled, u->enabled);
	}
	json_put_uint(&doc.j, "check_subset_pct", c->now->check_subset_pct);
	op_audit(state, op, "host.repo_maintenance", "host", &c->host, name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

static enum rc
change_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct change *c = op->in;
	const struct Rec__Host *h = host_store_get(state, &c->host);
	struct Rec__Maintenance *m;
	size_t i;

	(void)vault;
	if (h == NULL || (m = upkeep_record(state, &c->host)) == NULL)
		return store_rc(state);
	for (i = 0; i < KINDS; i++)
		change_one(c, i, upkeep_of(m, kinds[i].kind));
	if (c->pct_seen)
		m->check_subset_pct = c->pct;
	m->updated_at_ms = c->now_ms;
	upkeep_store_put(state, m);
	c->now = m;
	audit(state, op, h->name);
	return store_rc(state);
}

static enum rc
check_cadence(struct req *r, const char *text, struct err *e)
{
	int64_t at;
	struct cron c;
	enum rc rc;

	rc = cron_parse(str_of(text), r->ctl->settings.timezone, &c, e);
	if (rc == RC_OK && !cron_next(&c, clock_now_ms(), &at))
		rc = err_set(e, RC_INVALID,
		    "there is no such day within %d years",
		    (int)CRON_HORIZON_YEARS);
	return rc;
}

/* NULL: r is answered. */
static struct change *
begin(struct req *r, struct op **out)
{
	struct change c = { .zone = r->ctl->settings.timezone,
		.now_ms = clock_now_ms() };

	if (!req_need_ulid(r, 0, NO_HOST, &c.host))
		return NULL;
	*out = op_with(change_op, &c, sizeof(c));
	return (*out)->in;
}

static void
upkeep_on_put(struct req *r, struct op *op)
{
	const struct change *c = op->in;

	if (!req_stored(r, op))
		return;
	sse_host_changed(r->ctl->sse, &c->host);
	answer(r, c->now);
}

void
upkeep_put(struct req *r)
{
	const struct put_in *in = r->in;
	enum rc rc = RC_OK;
	struct change *c;
	struct op *op;
	struct err e;
	size_t i;

	c = begin(r, &op);
	if (c == NULL)
		return;
	for (i = 0; rc == RC_OK && i < KINDS; i++) {
		c->enabled_seen[i] = in->all_seen || in->enabled_seen[i];
		c->enabled[i] = in->enabled_seen[i] ? in->enabled[i] : in->all;
		if (in->cadence[i] == NULL)
			continue;
		c->cadence[i] = arena_dup(&op->arena, in->cadence[i]);
		rc = check_cadence(r, in->cadence[i], &e);
		if (rc != RC_OK)
			err_wrap(&e, "%s", kinds[i].cadence);
	}
	c->pct_seen = in->pct_seen;
	c->pct = (uint32_t)in->pct;
	if (rc == RC_OK) {
		req_submit(r, op, upkeep_on_put);
		return;
	}
	op_free(op);
	req_fail(r, &e);
}

/* --------------------------------------------------------------------- form */

static void
upkeep_on_form(struct req *r, struct op *op)
{
	const struct change *c = op->in;

	if (op->err.rc != RC_OK) {
		creds_page_again(r, "error", &op->err);
		return;
	}
	sse_host_changed(r->ctl->sse, &c->host);
	req_redirect(r,
	    arena_printf(&r->arena, "/hosts/%.*s/repo?saved=maintenance",
	        STR_ARG(r->vars[0])));
}

static enum rc
read_cadence(struct req *r, struct op *op, struct change *c, size_t i,
    struct err *e)
{
	struct str s = str_trim(req_field(r, kinds[i].cadence));

	if (s.n == 0 || s.n > UPKEEP_CRON_MAX)
		return err_set(e, RC_INVALID,
		    "five fields are needed, for example 0 3 * * *");
	c->cadence[i] = arena_str(&op->arena, s);
	c->enabled_seen[i] = true;
	c->enabled[i] = str_eqz(req_field(r, kinds[i].enabled), "1");
	return check_cadence(r, c->cadence[i], e);
}

/* A box that is not ticked sends nothing, so every field counts. */
void
upkeep_form(struct req *r)
{
	const char *wrong = NULL;
	struct change *c;
	struct op *op;
	struct err e;
	uint64_t pct;
	size_t i;

	c = begin(r, &op);
	if (c == NULL)
		return;
	for (i = 0; wrong == NULL && i < KINDS; i++)
		if (read_cadence(r, op, c, i, &e) != RC_OK)
			wrong = arena_printf(&r->arena, "error.%s",
			    kinds[i].cadence);
	if (wrong == NULL &&
	    !str_u64(str_trim(req_field(r, "check_subset_pct")), UPKEEP_PCT_MAX,
	        &pct)) {
		(void)err_set(&e, RC_INVALID, "a whole number from 0 to 100");
		wrong = "error.check_subset_pct";
	}
	if (wrong == NULL) {
		c->pct_seen = true;
		c->pct = (uint32_t)pct;
		req_submit(r, op, upkeep_on_form);
		return;
	}
	op_free(op);
	creds_page_again(r, wrong, &e);
}
