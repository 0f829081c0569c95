/* SPDX-License-Identifier: GPL-3.0-or-later */
/* API tokens by forms: made, shown once, revoked. */
#include <string.h>

#include "controller/account.h"
#include "controller/account_own.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/shown.h"
#include "controller/sse.h"
#include "controller/tokens.h"
#include "lib/base/mem.h"
#include "lib/store/token_store.h"

static void
account_on_token_made(struct req *r, struct op *op)
{
	struct tokens_made *m = op->in;
	char id[ULID_TEXT_CAP];

	if (op->err.rc != RC_OK) {
		account_show(r, rc_info(op->err.rc)->http_status, "error",
		    op->err.msg);
	} else {
		shown_keep(r->ctl->shown, &r->user_id, &m->id, str_of(m->text));
		ulid_text(&m->id, id);
		req_redirect(r,
		    arena_printf(&r->arena, "/settings/account/tokens/%s", id));
	}
	mem_wipe(m->text, sizeof(m->text));
}

void
account_token_make(struct req *r)
{
	struct tokens_made m = { .role = REC__ROLE__ROLE_NONE };
	struct tokens_in in;
	const char *field;
	struct err e;

	in.name = arena_str(&r->arena, req_field(r, "name"));
	in.role = arena_str(&r->arena, req_field(r, "role"));
	if (!str_i64(str_trim(req_field(r, "expires_in_days")), 0, INT32_MAX,
	        &in.expires_in_days))
		in.expires_in_days = 0;
	if (tokens_check(r, &in, &m, &field, &e) == RC_OK)
		req_submit(r, tokens_create_op(&m), account_on_token_made);
	else
		account_show(r, rc_info(e.rc)->http_status,
		    arena_printf(&r->arena, "error.%s", field), e.msg);
}

/* The asker's own token of vars[0]. */
static const struct Rec__ApiToken *
own_token(struct req *r, struct ulid *id)
{
	const struct Rec__ApiToken *t = NULL;
	struct store_tx *tx;
	struct err e;

	if (req_ulid(r, 0, id) == RC_OK) {
		tx = store_begin_read(r->ctl->state, &r->arena);
		t = token_store_find(tx, id);
		store_abort(tx);
	}
	if (t != NULL && t->user_id.len == sizeof(r->user_id.b) &&
	    memcmp(t->user_id.data, r->user_id.b, sizeof(r->user_id.b)) == 0)
		return t;
	(void)err_set(&e, RC_NOTFOUND,
	    "you have no such API token; it may be revoked already");
	req_fail(r, &e);
	return NULL;
}

void
account_token_page(struct req *r)
{
	struct page_param params[] = { { "id", r->vars[0] },
		{ "shown", STR("1") } };
	struct page_secrets secrets = { 0 };
	struct secret text = { 0 };
	struct ulid id;

	if (own_token(r, &id) == NULL)
		return;
	if (page_may_show(r) &&
	    shown_take(r->ctl->shown, &r->user_id, &id, &text))
		params[1].value = str_of("");
	secrets.token = secret_str(&text);
	page_reply(r, 200, "account_token", params, ARRAY_LEN(params),
	    &secrets);
	secret_fini(&text);
}

static void
account_on_token_revoked(struct req *r, struct op *op)
{
	if (!req_stored(r, op))
		return;
	sse_end_user(r->ctl->sse, &r->user_id);
	req_redirect(r, "/settings/account?done=revoked");
}

void
account_token_revoke(struct req *r)
{
	struct ulid id;

	if (own_token(r, &id) != NULL)
		req_submit(r, tokens_revoke_op(r, &id),
		    account_on_token_revoked);
}
