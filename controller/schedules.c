/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/schedules.h"

#include <string.h>

#include "controller/pb.h"
#include "controller/plan.h"
#include "lib/base/cron.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/next_run.h"
#include "lib/store/schedule_store.h"
#include "lib/store/store.h"

/* ------------------------------------------------------------------- rules */

/* The parser is the agent's own; what parses and never fires is refused, too,
 * such as 30 February. */
static enum rc
check_times(struct store_tx *tx, const struct Rec__Schedule *s,
    const struct Rec__Host *h, const struct schedules_edit *ed)
{
	struct cron c;
	int64_t next;
	struct err e;

	if (s->cron[0] == '\0')
		return store_fail_field(tx, "cron",
		    "cron: an expression such as 0 3 * * * is needed");
	if (s->zone[0] != '\0' &&
	    cron_parse(STR("@daily"), s->zone, &c, &e) != RC_OK)
		return store_fail_field(tx, "zone",
		    "zone: \"%.60s\" is not known here; it takes an IANA name "
		    "such as Europe/Berlin",
		    s->zone);
	if (cron_parse(str_of(s->cron), next_run_zone(s, h, ed->usual_zone), &c,
	        &e) != RC_OK)
		return store_fail_field(tx, "cron", "%s", e.msg);
	if (!cron_next(&c, ed->now_ms, &next))
		return store_fail_field(tx, "cron",
		    "cron: \"%.80s\" never comes true", s->cron);
	if (s->jitter_s > PLAN_JITTER_MAX_S)
		return store_fail_field(tx, "jitter_seconds",
		    "jitter_seconds is at most %d", (int)PLAN_JITTER_MAX_S);
	return RC_OK;
}

static bool
stands_before(const struct Rec__Schedule *s, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (memcmp(s->group_ids[i].data, s->group_ids[at].data,
		        sizeof(struct ulid)) == 0)
			return true;
	return false;
}

static enum rc
check_groups(struct store_tx *tx, const struct plan *p,
    const struct Rec__Schedule *s)
{
	struct ulid id;
	size_t i;

	if (s->n_group_ids == 0)
		return store_fail_field(tx, "source_group_ids",
		    "source_group_ids: at least one source group is needed");
	for (i = 0; i < s->n_group_ids; i++) {
		if (!pb_id_get(&s->group_ids[i], &id) ||
		    plan_group(p, &id) == NULL)
			return store_fail_field(tx, "source_group_ids",
			    "source_group_ids: element %zu is not a source "
			    "group of this host",
			    i + 1);
		if (stands_before(s, i))
			return store_fail_field(tx, "source_group_ids",
			    "source_group_ids: element %zu stands there before",
			    i + 1);
	}
	return RC_OK;
}

/* --------------------------------------------------------------------- put */

static enum rc
apply_groups(struct store_tx *tx, const struct json_strs *ids,
    struct Rec__Schedule *s)
{
	struct arena *a = store_arena(tx);
	struct ulid id;
	size_t i;

	s->group_ids = arena_array(a, ids->n + 1, sizeof(*s->group_ids));
	s->n_group_ids = 0;
	for (i = 0; s->group_ids != NULL && i < ids->n; i++) {
		if (!ulid_parse(str_of(ids->v[i]), &id))
			return store_fail_field(tx, "source_group_ids",
			    "source_group_ids: element %zu is not an id",
			    i + 1);
		s->group_ids[s->n_group_ids++] = pb_id_keep(a, &id);
	}
	return store_rc(tx);
}

/* As the agent sees it (due.h). */
static bool
begins_anew(const struct schedules_edit *ed, const struct Rec__Schedule *s)
{
	return ed->made ||
	       (ed->cron != NULL && strcmp(ed->cron, s->cron) != 0) ||
	       (ed->zone != NULL && strcmp(ed->zone, s->zone) != 0) ||
	       (ed->enabled_given && ed->enabled && !s->enabled);
}

static enum rc
apply(struct store_tx *tx, const struct schedules_edit *ed,
    struct Rec__Schedule *s)
{
	if (begins_anew(ed, s))
		s->since_ms = ed->now_ms;
	if (ed->cron != NULL)
		s->cron = pb_text(ed->cron);
	if (ed->zone != NULL)
		s->zone = pb_text(ed->zone);
	if (ed->enabled_given)
		s->enabled = ed->enabled;
	if (ed->jitter_given)
		s->jitter_s = ed->jitter_s;
	s->updated_at_ms = ed->now_ms;
	return ed->groups != NULL ? apply_groups(tx, ed->groups, s) : RC_OK;
}

/* NULL: the transaction says why. */
static struct Rec__Schedule *
begin(struct store_tx *tx, struct schedules_edit *ed, const struct plan *p)
{
	struct Rec__Schedule *s;

	ed->made = ulid_is_zero(&ed->schedule);
	if (!ed->made)
		return schedule_store_get(tx, &ed->host, &ed->schedule);
	if (p->n_schedules == PLAN_SCHEDULES_MAX) {
		(void)store_fail_code(tx, RC_CONFLICT, "too_many_schedules",
		    "a host has at most %d schedules", (int)PLAN_SCHEDULES_MAX);
		return NULL;
	}
	s = arena_alloc(store_arena(tx), sizeof(*s));
	if (s == NULL)
		return NULL;
	rec__schedule__init(s);
	ulid_new(&ed->schedule);
	s->id = pb_id(&ed->schedule);
	s->host_id = pb_id(&ed->host);
	s->enabled = true;
	s->created_at_ms = ed->now_ms;
	return s;
}

static void
audit(struct store_tx *tx, const struct op *op, const char *action,
    const struct Rec__Host *h, const struct Rec__Schedule *s)
{
	struct json_doc doc;
	struct ulid host;
	size_t i;

	(void)pb_id_get(&h->id, &host);
	json_doc_init(&doc, KIB(16));
	pb_put_id(&doc.j, "schedule_id", &s->id);
	json_put(&doc.j, "cron", s->cron);
	json_put(&doc.j, "zone", s->zone);
	json_put_bool(&doc.j, "enabled", s->enabled);
	json_put_uint(&doc.j, "jitter_seconds", s->jitter_s);
	json_arr(&doc.j, "source_group_ids");
	for (i = 0; i < s->n_group_ids; i++)
		pb_put_id(&doc.j, NULL, &s->group_ids[i]);
	json_arr_end(&doc.j);
	json_put_uint(&doc.j, "config_version", h->config_version);
	op_audit(tx, op, action, "host", &host, h->name, json_doc_end(&doc));
	json_doc_fini(&doc);
}

enum rc
schedules_put_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct schedules_edit *ed = op->in;
	struct plan *p = arena_alloc(&op->arena, sizeof(*p));
	struct Rec__Host *h = host_store_get(state, &ed->host);
	struct Rec__Schedule *s, was;
	int64_t was_ms;

	(void)vault;
	if (h == NULL || p == NULL)
		return store_rc(state);
	plan_load(state, &ed->host, p);
	s = begin(state, ed, p);
	if (s == NULL)
		return store_rc(state);
	was = *s;
	was.updated_at_ms = ed->now_ms;
	was_ms = s->updated_at_ms;
	if (apply(state, ed, s) != RC_OK ||
	    plan_check_seen(state, ed->seen_ms, was_ms, &was.base, &s->base) !=
	        RC_OK ||
	    check_times(state, s, h, ed) != RC_OK ||
	    check_groups(state, p, s) != RC_OK)
		return store_rc(state);
	schedule_store_put(state, s);
	plan_changed(state, h, ed->now_ms);
	host_store_put(state, h);
	audit(state, op, ed->made ? "schedule.created" : "schedule.updated", h,
	    s);
	return store_rc(state);
}

/* ------------------------------------------------------------------ delete */

enum rc
schedules_delete_op(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	const struct schedules_gone *gone = op->in;
	struct Rec__Host *h = host_store_get(state, &gone->host);
	const struct Rec__Schedule *s;

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	s = schedule_store_get(state, &gone->host, &gone->schedule);
	if (s == NULL)
		return store_rc(state);
	schedule_store_del(state, &gone->host, &gone->schedule);
	plan_changed(state, h, gone->now_ms);
	host_store_put(state, h);
	audit(state, op, "schedule.deleted", h, s);
	return store_rc(state);
}
