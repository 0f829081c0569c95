/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/hooks_own.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sources.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/vault_store.h"

struct put_in {
	char *pre, *post;
	int64_t limit_s;
	bool pre_seen, post_seen, limit_seen;
};

#define IN(member) offsetof(struct put_in, member)

/* clang-format off */
static const struct json_field put_fields[] = {
	{ "pre_hook",           JSON_STR, JSON_NULL_OK, 0, HOOKS_BODY_MAX,    IN(pre),     0, IN(pre_seen) },
	{ "post_hook",          JSON_STR, JSON_NULL_OK, 0, HOOKS_BODY_MAX,    IN(post),    0, IN(post_seen) },
	{ "hook_limit_seconds", JSON_INT, JSON_NULL_ABSENT, 0, HOOKS_LIMIT_MAX_S, IN(limit_s), 0, IN(limit_seen) },
};
/* clang-format on */

const struct route_json hooks_put_body = { put_fields, ARRAY_LEN(put_fields),
	sizeof(struct put_in) };

/* --------------------------------------------------------------------- op */

/* What is edited stands in the group, or in the host. */
struct place {
	struct Rec__Host *host;
	struct Rec__SourceGroup *group; /* NULL: the host's defaults */
	struct Rec__Hooks *stored;
};

static void
seal_body(struct store_tx *vault, const struct hooks_edit *ed, bool post,
    struct place *at)
{
	ProtobufCBinaryData *out =
	    post ? &at->stored->sealed_post : &at->stored->sealed_pre;
	char *body = post ? ed->post : ed->pre;
	char ad[HOOKS_AD_CAP];
	struct buf b;

	if (body == NULL)
		return;
	*out = (ProtobufCBinaryData){ 0, NULL };
	if (body[0] == '\0')
		return;
	hooks_ad(&ed->host, at->group != NULL ? &ed->group : NULL, post, ad);
	buf_init(&b, HOOKS_BODY_MAX + KIB(1));
	if (crypt_seal(ed->key, str_of(ad), str_of(body), &b) == RC_OK) {
		out->len = b.len;
		out->data = (uint8_t *)(void *)arena_str(store_arena(vault),
		    buf_str(&b));
	} else {
		(void)store_fail(vault, RC_LIMIT, "the hook is too long");
	}
	mem_wipe(body, strlen(body));
	buf_fini(&b);
}

static bool
find_place(struct store_tx *state, struct store_tx *vault,
    const struct hooks_edit *ed, struct place *at)
{
	bool own = !ulid_is_zero(&ed->group);

	at->host = host_store_get(state, &ed->host);
	at->group = own ? plan_store_get(state, &ed->host, &ed->group) : NULL;
	at->stored =
	    vault_find_hooks(vault, &ed->host, own ? &ed->group : NULL);
	if (at->stored == NULL) {
		at->stored =
		    arena_alloc(store_arena(vault), sizeof(*at->stored));
		if (at->stored != NULL)
			rec__hooks__init(at->stored);
	}
	return at->host != NULL && (!own || at->group != NULL) &&
	       at->stored != NULL;
}

static void
audit(struct store_tx *state, const struct op *op, const struct place *at)
{
	const struct hooks_edit *ed = op->in;
	struct json_doc doc;

	json_doc_init(&doc, KIB(4));
	if (at->group != NULL)
		json_put(&doc.j, "source_group", at->group->name);
	json_put_bool(&doc.j, "pre_hook_changed", ed->pre != NULL);
	json_put_bool(&doc.j, "post_hook_changed", ed->post != NULL);
	json_put_bool(&doc.j, "has_pre_hook", ed->has_pre);
	json_put_bool(&doc.j, "has_post_hook", ed->has_post);
	json_put_uint(&doc.j, "hook_limit_seconds", ed->limit_now_s);
	json_put_uint(&doc.j, "config_version", at->host->config_version);
	op_audit(state, op,
	    at->group != NULL ? "source_group.hooks_updated"
	                      : "host.hooks_updated",
	    "host", &ed->host, at->host->name, json_doc_end(&doc));
	json_doc_fini(&doc);
}

/* Whether there is one: known of what is given, else as it was. */
static bool
has_after(const char *given, bool before)
{
	return given != NULL ? given[0] != '\0' : before;
}

static void
mark(struct store_tx *state, struct hooks_edit *ed, const struct place *at)
{
	struct Rec__SourceGroup *g = at->group;
	struct Rec__Host *h = at->host;
	protobuf_c_boolean *pre =
	    g != NULL ? &g->has_pre_hook : &h->has_pre_hook;
	protobuf_c_boolean *post =
	    g != NULL ? &g->has_post_hook : &h->has_post_hook;
	uint32_t *limit = g != NULL ? &g->hook_limit_s : &h->hook_limit_s;

	*pre = ed->has_pre;
	*post = ed->has_post;
	if (ed->limit_given)
		*limit = ed->limit_s;
	ed->limit_now_s = *limit;
	if (g != NULL)
		plan_store_put(state, g);
}

enum rc
hooks_put_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct hooks_edit *ed = op->in;
	struct place at;
	bool pre, post;

	if (!find_place(state, vault, ed, &at))
		return store_rc(state) != RC_OK ? store_rc(state)
		                                : store_rc(vault);
	pre = at.group != NULL ? at.group->has_pre_hook : at.host->has_pre_hook;
	post =
	    at.group != NULL ? at.group->has_post_hook : at.host->has_post_hook;
	ed->has_pre = has_after(ed->pre, pre);
	ed->has_post = has_after(ed->post, post);
	seal_body(vault, ed, false, &at);
	seal_body(vault, ed, true, &at);
	vault_put_hooks(vault, &ed->host, at.group != NULL ? &ed->group : NULL,
	    at.stored);
	mark(state, ed, &at);
	plan_changed(state, at.host, ed->now_ms);
	host_store_put(state, at.host);
	audit(state, op, &at);
	return store_rc(vault) != RC_OK ? store_rc(vault) : store_rc(state);
}

struct forgotten {
	struct ulid host, group;
};

static enum rc
forget_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct Rec__Hooks none = REC__HOOKS__INIT;
	const struct forgotten *f = op->in;

	(void)state;
	vault_put_hooks(vault, &f->host, &f->group, &none);
	return store_rc(vault);
}

static void
hooks_on_forgotten(struct op *op, void *ctx)
{
	(void)ctx;
	if (op->err.rc != RC_OK)
		log_warn(LOG_STORE,
		    "hooks of a deleted group stay until the next start "
		    "error=%s",
		    log_safe(str_of(op->err.msg)));
}

void
hooks_forget(struct controller *c, const struct ulid *host,
    const struct ulid *group)
{
	struct op *op = op_new(forget_op, hooks_on_forgotten, NULL);
	struct forgotten *f = arena_alloc(&op->arena, sizeof(*f));

	ASSERT(f != NULL); /* the op's arena is empty */
	*f = (struct forgotten){ *host, *group };
	op->in = f;
	op->vault = true;
	op_submit(c->ops, &op);
}

/* ----------------------------------------------------------------- answers */

static void
answer(struct req *r, const struct hooks_edit *ed)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(1));
	json_put_bool(&doc.j, "has_pre_hook", ed->has_pre);
	json_put_bool(&doc.j, "has_post_hook", ed->has_post);
	json_put_uint(&doc.j, "hook_limit_seconds", ed->limit_now_s);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

/* Both variables of the path, or the one of the defaults. */
static bool
read_place(struct req *r, struct ulid *host, struct ulid *group)
{
	static const char no_group[] = "there is no source group with this id";

	*group = (struct ulid){ { 0 } };
	if (r->vars[1].p == NULL)
		return req_need_ulid(r, 0, "there is no host with this id",
		    host);
	return req_need_ulid(r, 0, no_group, host) &&
	       req_need_ulid(r, 1, no_group, group);
}

void
hooks_get(struct req *r)
{
	struct hooks_edit ed = { 0 };
	const struct Rec__SourceGroup *g;
	const struct Rec__Host *h;
	struct store_tx *tx;

	if (!read_place(r, &ed.host, &ed.group))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	h = host_store_get(tx, &ed.host);
	g = h != NULL && !ulid_is_zero(&ed.group)
	        ? plan_store_get(tx, &ed.host, &ed.group)
	        : NULL;
	if (g != NULL) {
		ed.has_pre = g->has_pre_hook;
		ed.has_post = g->has_post_hook;
		ed.limit_now_s = g->hook_limit_s;
	} else if (h != NULL) {
		ed.has_pre = h->has_pre_hook;
		ed.has_post = h->has_post_hook;
		ed.limit_now_s = h->hook_limit_s;
	}
	if (store_rc(tx) != RC_OK)
		req_fail(r, store_err(tx));
	else
		answer(r, &ed);
	store_abort(tx);
}

static void
hooks_on_put(struct req *r, struct op *op)
{
	const struct hooks_edit *ed = op->in;

	if (!req_stored(r, op))
		return;
	sources_tell(r->ctl, &ed->host);
	answer(r, ed);
}

static void
submit(struct req *r, const struct hooks_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(hooks_put_op, from, sizeof(*from));
	struct hooks_edit *ed = op->in;

	ed->key = r->ctl->key;
	ed->now_ms = clock_now_ms();
	ed->pre = op_keep_secret(op, from->pre);
	ed->post = op_keep_secret(op, from->post);
	op->vault = true;
	req_submit(r, op, done);
}

void
hooks_put(struct req *r)
{
	const struct put_in *in = r->in;
	struct hooks_edit ed = { 0 };
	static char none[] = "";

	if (!read_place(r, &ed.host, &ed.group))
		return;
	ed.pre = in->pre_seen && in->pre == NULL ? none : in->pre;
	ed.post = in->post_seen && in->post == NULL ? none : in->post;
	ed.limit_given = in->limit_seen;
	ed.limit_s = (uint32_t)in->limit_s;
	submit(r, &ed, hooks_on_put);
}

static void
hooks_on_deleted(struct req *r, struct op *op)
{
	const struct hooks_edit *ed = op->in;

	if (!req_stored(r, op))
		return;
	sources_tell(r->ctl, &ed->host);
	req_empty(r, 204);
}

void
hooks_delete(struct req *r)
{
	struct hooks_edit ed = { .limit_given = true };
	static char none[] = "";

	if (!read_place(r, &ed.host, &ed.group))
		return;
	ed.pre = ed.post = none;
	submit(r, &ed, hooks_on_deleted);
}

/* ------------------------------------------------------------------- forms */

/* The page that the form stands on. */
static void
page_again(struct req *r, const struct err *e)
{
	const char *param = e->field != NULL
	                        ? arena_printf(&r->arena, "error.%s", e->field)
	                        : "error";
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "group", r->vars[1] },
		{ "hook_limit_seconds", req_field(r, "hook_limit_seconds") },
		{ e->field != NULL ? "error.hooks" : "error",
		    str_of(arena_dup(&r->arena, e->msg)) },
	};

	if (r->vars[1].p == NULL)
		creds_page_again(r, param, e);
	else
		page_refused(r, "host_source", params, ARRAY_LEN(params), e);
}

static void
hooks_on_form(struct req *r, struct op *op)
{
	const struct hooks_edit *ed = op->in;
	struct str id = r->vars[0], gid = r->vars[1];

	if (op->err.rc != RC_OK) {
		page_again(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &ed->host);
	if (gid.p != NULL)
		req_redirect(r, arena_printf(&r->arena,
		                    "/hosts/%.*s/sources/%.*s/edit?saved=hooks",
		                    STR_ARG(id), STR_ARG(gid)));
	else
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s/repo?saved=hooks",
		        STR_ARG(id)));
}

/* A browser ends lines by CR LF, a shell does not. */
static char *
typed_body(struct req *r, const char *name)
{
	struct str s = req_field(r, name);
	char *out = arena_str(&r->arena, s);
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		if (out[i] != '\r' || i + 1 == s.n || out[i + 1] != '\n')
			out[n++] = out[i];
	out[n] = '\0';
	return str_trim(str_from(out, n)).n > 0 ? out : NULL;
}

static enum rc
read_body(struct req *r, const char *name, char **out, struct err *e)
{
	static char none[] = "";
	const char *remove = arena_printf(&r->arena, "remove_%s", name);

	*out = typed_body(r, name);
	if (*out != NULL && strlen(*out) > HOOKS_BODY_MAX)
		return err_field(e, name, "at most %d bytes fit here",
		    (int)HOOKS_BODY_MAX);
	if (*out == NULL && str_eqz(req_field(r, remove), "1"))
		*out = none;
	return RC_OK;
}

void
hooks_form(struct req *r)
{
	struct str limit = str_trim(req_field(r, "hook_limit_seconds"));
	struct hooks_edit ed = { .limit_given = true };
	uint64_t v = 0;
	struct err e;
	enum rc rc;

	if (!read_place(r, &ed.host, &ed.group))
		return;
	rc = read_body(r, "pre_hook", &ed.pre, &e);
	if (rc == RC_OK)
		rc = read_body(r, "post_hook", &ed.post, &e);
	if (rc == RC_OK && limit.n > 0 &&
	    !str_u64(limit, HOOKS_LIMIT_MAX_S, &v))
		rc = err_field(&e, "hook_limit_seconds",
		    "a whole number of seconds, at most %d",
		    (int)HOOKS_LIMIT_MAX_S);
	if (rc != RC_OK) {
		page_again(r, &e);
		return;
	}
	ed.limit_s = (uint32_t)v;
	submit(r, &ed, hooks_on_form);
}
