/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/host_edit.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/json_doc.h"
#include "lib/store/host_store.h"

/* The body of both, and op->in. */
struct edit {
	int64_t up_kbps, down_kbps, age_s;
	bool always_on;
	bool set_up, set_down, set_age, set_mode;
	/* not of the body */
	struct ulid host;
	const char *action;
	bool changed;
};

#define IN(member) offsetof(struct edit, member)

/* clang-format off */
static const struct json_field bandwidth_fields[] = {
	{ "bandwidth_up_kbps",   JSON_INT, JSON_NULL_OK, -HOST_EDIT_KBPS_MAX, HOST_EDIT_KBPS_MAX, IN(up_kbps), 0, IN(set_up) },
	{ "bandwidth_down_kbps", JSON_INT, JSON_NULL_OK, -HOST_EDIT_KBPS_MAX, HOST_EDIT_KBPS_MAX, IN(down_kbps), 0, IN(set_down) },
};
static const struct json_field mode_fields[] = {
	{ "always_on",     JSON_BOOL, 0, 0, 0, IN(always_on), 0, IN(set_mode) },
	{ "allowed_age_s", JSON_INT, JSON_NULL_OK, 0, HOST_EDIT_AGE_MAX_S, IN(age_s), 0, IN(set_age) },
};
/* clang-format on */

const struct route_json host_edit_bandwidth_body = { bandwidth_fields,
	ARRAY_LEN(bandwidth_fields), sizeof(struct edit) };
const struct route_json host_edit_mode_body = { mode_fields,
	ARRAY_LEN(mode_fields), sizeof(struct edit) };

/* --------------------------------------------------------------------- op */

static uint32_t
cap_of(int64_t kbps)
{
	return kbps <= 0 ? 0 : (uint32_t)kbps;
}

static void
set_u32(uint32_t *to, uint32_t value, bool *changed)
{
	*changed |= *to != value;
	*to = value;
}

/* The agent is told of caps; what else there is matters here alone. */
static void
apply(struct Rec__Host *h, struct edit *ed)
{
	bool caps = false;

	if (ed->set_up)
		set_u32(&h->bandwidth_up_kbps, cap_of(ed->up_kbps), &caps);
	if (ed->set_down)
		set_u32(&h->bandwidth_down_kbps, cap_of(ed->down_kbps), &caps);
	h->config_version += caps;
	if (ed->set_age)
		set_u32(&h->allowed_age_s, (uint32_t)ed->age_s, &ed->changed);
	if (ed->set_mode) {
		ed->changed |= (h->always_on != 0) != ed->always_on;
		h->always_on = ed->always_on;
	}
	ed->changed |= caps;
	/* For the answer: what stands now. */
	ed->up_kbps = h->bandwidth_up_kbps;
	ed->down_kbps = h->bandwidth_down_kbps;
	ed->age_s = h->allowed_age_s;
	ed->always_on = h->always_on;
}

static bool
is_mode(const struct edit *ed)
{
	return strcmp(ed->action, "host.mode_updated") == 0;
}

static void
put_members(struct json_out *j, const struct edit *ed)
{
	if (is_mode(ed)) {
		json_put_bool(j, "always_on", ed->always_on);
		json_put_int(j, "allowed_age_s", ed->age_s);
	} else {
		json_put_int(j, "bandwidth_up_kbps", ed->up_kbps);
		json_put_int(j, "bandwidth_down_kbps", ed->down_kbps);
	}
}

static enum rc
edit_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct edit *ed = op->in;
	struct Rec__Host *h = host_store_get(state, &ed->host);
	struct json_doc doc;

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	apply(h, ed);
	if (!ed->changed)
		return RC_OK;
	host_store_put(state, h);
	json_doc_init(&doc, KIB(1));
	put_members(&doc.j, ed);
	op_audit(state, op, ed->action, "host", &ed->host, h->name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
	return store_rc(state);
}

/* ----------------------------------------------------------------- routes */

static void
host_edit_on_stored(struct req *r, struct op *op)
{
	const struct edit *ed = op->in;
	struct json_doc doc;

	if (!req_stored(r, op))
		return;
	if (ed->changed) {
		sse_host_changed(r->ctl->sse, &ed->host);
		if (!is_mode(ed))
			agents_configure(r->ctl->agents, &ed->host);
	}
	if (r->wants_html) {
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s%s",
		        STR_ARG(r->vars[0]),
		        is_mode(ed) ? "?saved=mode" : "/repo?saved=bandwidth"));
		return;
	}
	json_doc_init(&doc, KIB(1));
	put_members(&doc.j, ed);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static void
submit(struct req *r, const struct edit *from, const char *action)
{
	struct edit ed = *from;

	ed.action = action;
	if (req_need_ulid(r, 0, "there is no such host", &ed.host))
		req_submit(r, op_with(edit_op, &ed, sizeof(ed)),
		    host_edit_on_stored);
}

void
host_edit_bandwidth(struct req *r)
{
	submit(r, r->in, "host.bandwidth_updated");
}

static enum rc
check_age(int64_t age_s, struct err *e)
{
	if (age_s == 0 ||
	    (age_s >= HOST_EDIT_AGE_MIN_S && age_s <= HOST_EDIT_AGE_MAX_S))
		return RC_OK;
	return err_set(e, RC_INVALID,
	    "the allowed age is an hour at least and a year at most, or 0 for "
	    "that of the host's schedules");
}

void
host_edit_mode(struct req *r)
{
	const struct edit *in = r->in;
	struct err e;

	if (check_age(in->age_s, &e) != RC_OK)
		req_fail(r, &e);
	else
		submit(r, in, "host.mode_updated");
}

/* Blank is 0. */
static bool
number(struct req *r, const char *name, int64_t max, int64_t *out)
{
	struct str s = str_trim(req_field(r, name));
	uint64_t n = 0;

	if (s.n > 0 && !str_u64(s, (uint64_t)max, &n))
		return false;
	*out = (int64_t)n;
	return true;
}

void
host_edit_bandwidth_form(struct req *r)
{
	struct edit ed = { .set_up = true, .set_down = true };
	const char *wrong = NULL;
	struct err e;

	if (!number(r, "bandwidth_up_kbps", HOST_EDIT_KBPS_MAX, &ed.up_kbps))
		wrong = "error.bandwidth_up_kbps";
	else if (!number(r, "bandwidth_down_kbps", HOST_EDIT_KBPS_MAX,
	             &ed.down_kbps))
		wrong = "error.bandwidth_down_kbps";
	if (wrong == NULL) {
		submit(r, &ed, "host.bandwidth_updated");
		return;
	}
	(void)err_set(&e, RC_INVALID,
	    "a whole number of KiB/s, at most %d, or nothing for no limit",
	    HOST_EDIT_KBPS_MAX);
	creds_page_again(r, wrong, &e);
}

static void
mode_again(struct req *r, const struct err *e)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "age_typed", req_field(r, "allowed_age_hours") },
		{ "always_on_typed", str_eqz(req_field(r, "always_on"), "1")
		                         ? STR("1")
		                         : STR("0") },
		{ "error.allowed_age_hours",
		    str_of(arena_dup(&r->arena, e->msg)) },
	};

	page_refused(r, "host", params, ARRAY_LEN(params), e);
}

void
host_edit_mode_form(struct req *r)
{
	struct edit ed = { .set_mode = true, .set_age = true };
	struct err e;
	int64_t hours = 0;

	ed.always_on = str_eqz(req_field(r, "always_on"), "1");
	if (!number(r, "allowed_age_hours", HOST_EDIT_AGE_MAX_S / 3600,
	        &hours)) {
		(void)err_set(&e, RC_INVALID,
		    "whole hours, at most %d, or nothing for that of its "
		    "schedules",
		    HOST_EDIT_AGE_MAX_S / 3600);
		mode_again(r, &e);
		return;
	}
	ed.age_s = hours * 3600;
	submit(r, &ed, "host.mode_updated");
}
