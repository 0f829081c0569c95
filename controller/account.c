/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/account.h"

#include <inttypes.h>
#include <string.h>

#include "controller/account_own.h"
#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "controller/throttle.h"
#include "controller/users.h"
#include "controller/users_own.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

struct password_in {
	char *current;
	char *fresh;
};
#define IN(member) offsetof(struct password_in, member)

/* clang-format off */
static const struct json_field password_fields[] = {
	{ "current_password", JSON_STR, JSON_NULL_OK,  0, 4096, IN(current), 0, JSON_NO_SEEN },
	{ "new_password",     JSON_STR, JSON_REQUIRED, 0, 4096, IN(fresh),   0, JSON_NO_SEEN },
};
static const struct users_notice notices[] = {
	{ "password", "your password is changed; your other sessions are over" },
	{ "sessions", "your other sessions are over" },
	{ "revoked",  "the API token is revoked" },
};
/* clang-format on */

const struct route_json account_password_body = { password_fields,
	ARRAY_LEN(password_fields), sizeof(struct password_in) };

/* ------------------------------------------------------------------- pages */

void
account_settings(struct req *r)
{
	bool admin = r->role == REC__ROLE__ROLE_ADMIN;

	req_redirect(r, admin ? "/settings/users" : "/settings/account");
}

static size_t
count_sessions(const struct req *r)
{
	struct store_tx *tx;
	struct arena a;
	size_t n;

	arena_init(&a, MIB(1));
	tx = store_begin_read(r->ctl->vault, &a);
	n = vault_count_sessions(tx, &r->user_id, clock_now_ms());
	store_abort(tx);
	arena_fini(&a);
	return n;
}

void
account_show(struct req *r, int status, const char *field, const char *sentence)
{
	const struct page_param params[] = {
		{ "sessions",
		    str_of(arena_printf(&r->arena, "%zu", count_sessions(r))) },
		{ "must_change", r->must_change ? STR("1") : str_of("") },
		{ "notice", users_notice(r, notices, ARRAY_LEN(notices)) },
		{ "name", req_field(r, "name") },
		{ "role", req_field(r, "role") },
		{ "expires_in_days", req_field(r, "expires_in_days") },
		{ field, str_of(sentence) },
	};

	page_reply(r, status, "account", params, ARRAY_LEN(params), NULL);
}

void
account_page(struct req *r)
{
	account_show(r, 200, "error", "");
}

void
account_get(struct req *r)
{
	char id[ULID_TEXT_CAP];
	struct json_doc doc;

	ulid_text(&r->user_id, id);
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "user_id", id);
	json_put(&doc.j, "username", r->user_name);
	json_put(&doc.j, "role", auth_role_name(r->role));
	json_put_bool(&doc.j, "must_change_password", r->must_change);
	json_put_uint(&doc.j, "sessions", count_sessions(r));
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

/* ---------------------------------------------------------------- password */

struct refusal {
	const char *field;
	struct err e;
};

static void
refuse(struct req *r, const struct refusal *why)
{
	if (r->wants_html)
		account_show(r, rc_info(why->e.rc)->http_status, why->field,
		    why->e.msg);
	else
		req_fail(r, &why->e);
}

static const struct password_in *
password_input(struct req *r)
{
	struct password_in *in = r->in;

	if (in != NULL)
		return in;
	in = arena_alloc(&r->arena, sizeof(*in));
	if (in == NULL)
		return NULL;
	in->current = arena_str(&r->arena, req_field(r, "current_password"));
	in->fresh = arena_str(&r->arena, req_field(r, "new_password"));
	return in;
}

struct change {
	char password[CRYPT_PASSWORD_CAP];
	uint8_t keep[CRYPT_HASH_SIZE]; /* the session that goes on */
	size_t ended;
};

static enum rc
change_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct change *in = op->in;
	struct Rec__User *u = user_store_get(state, &op->actor.user);
	struct Rec__Password p = REC__PASSWORD__INIT;

	if (u == NULL)
		return store_rc(state);
	if (u->disabled_at_ms != 0)
		return store_fail(state, RC_AUTH, "the account is disabled");
	p.argon2id = in->password;
	u->password_number = vault_put_password(vault, &op->actor.user, &p);
	in->ended = vault_end_sessions(vault, &op->actor.user, in->keep);
	vault_del_ticket(vault, VAULT_SETUP, &op->actor.user);
	u->must_change_password = false;
	u->setup_expires_at_ms = 0;
	user_store_put(state, u);
	op_audit(state, op, "user.password_changed", "user", &op->actor.user,
	    u->name, NULL);
	return store_rc(state);
}

static void
put_ended(struct req *r, size_t ended)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(1));
	json_put_uint(&doc.j, "sessions_ended", ended);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static void
account_on_changed(struct req *r, struct op *op)
{
	struct change *in = op->in;
	struct refusal why = { "error", op->err };

	mem_wipe(in->password, sizeof(in->password));
	if (op->err.rc != RC_OK) {
		refuse(r, &why);
		return;
	}
	sse_end_user(r->ctl->sse, &r->user_id);
	if (r->wants_html)
		req_redirect(r, "/settings/account?done=password");
	else
		put_ended(r, in->ended);
}

static void
account_on_hashed(struct users_attempt *a)
{
	struct refusal why = { .field = "error" };
	struct change *in;
	struct op *op;

	if (a->rc != RC_OK) {
		(void)err_set(&why.e, RC_BUSY,
		    "the password was not hashed for want of memory; try "
		    "again");
		refuse(a->r, &why);
	} else {
		op = op_new(change_op, NULL, NULL);
		in = arena_alloc(&op->arena, sizeof(*in));
		ASSERT(in != NULL); /* the op's arena is empty */
		memcpy(in->password, a->stored, sizeof(in->password));
		memcpy(in->keep, a->r->session_hash, sizeof(in->keep));
		op->in = in;
		op->vault = true;
		req_submit(a->r, op, account_on_changed);
	}
	users_attempt_free(a);
}

static void
start_hash(struct req *r)
{
	struct refusal why = { .field = "error" };
	struct users_attempt *a = MEM_NEW(struct users_attempt);

	a->users = r->ctl->users;
	a->r = r;
	a->done = account_on_hashed;
	secret_set(&a->password, str_of(password_input(r)->fresh));
	if (users_attempt_start(a) == RC_OK)
		return;
	users_attempt_free(a);
	(void)err_set(&why.e, RC_BUSY, "too busy; try again");
	refuse(r, &why);
}

static void
account_on_verified(struct users_attempt *a)
{
	struct refusal why = { .field = "error.current_password" };
	struct req *r = a->r;

	if (a->rc == RC_OK) {
		throttle_succeeded(a->users->throttle, r->user_name,
		    r->address);
		start_hash(r);
	} else {
		/* 422: a browser would be led to sign in by a 401. */
		(void)err_code(&why.e, RC_INVALID, "wrong_password",
		    "the current password is wrong");
		refuse(r, &why);
	}
	users_attempt_free(a);
}

static bool
stored_password(struct req *r, char out[CRYPT_PASSWORD_CAP])
{
	struct store_tx *tx = store_begin_read(r->ctl->vault, &r->arena);
	const struct Rec__Password *p = vault_find_password(tx, &r->user_id);
	bool found =
	    p != NULL && str_copy(out, CRYPT_PASSWORD_CAP, str_of(p->argon2id));

	store_abort(tx);
	return found;
}

/* Guesses count as those of the sign-in do. */
static void
start_verify(struct req *r, const struct password_in *in)
{
	struct refusal why = { .field = "error" };
	struct users *u = r->ctl->users;
	struct users_attempt *a;
	unsigned wait_s = throttle_begin(u->throttle, r->user_name, r->address);

	if (wait_s > 0) {
		(void)auth_wait(r, wait_s, &why.e);
		refuse(r, &why);
		return;
	}
	a = MEM_NEW(struct users_attempt);
	a->users = u;
	a->r = r;
	a->verify = true;
	a->done = account_on_verified;
	secret_set(&a->password, str_of(in->current));
	if (stored_password(r, a->stored) && users_attempt_start(a) == RC_OK)
		return;
	users_attempt_free(a);
	throttle_undo(u->throttle, r->user_name, r->address);
	(void)err_set(&why.e, RC_BUSY, "too busy; try again");
	refuse(r, &why);
}

void
account_password(struct req *r)
{
	const struct password_in *in = password_input(r);
	struct refusal why = { .field = "error" };
	/* M-027: who was told to choose one has signed in a moment ago. */
	bool free_choice = r->must_change && !r->bearer;

	if (in == NULL) {
		(void)err_set(&why.e, RC_LIMIT, "the form is too large");
	} else if (!free_choice &&
	           (in->current == NULL || *in->current == '\0' ||
	               strlen(in->current) > USERS_PASSWORD_MAX)) {
		why.field = "error.current_password";
		(void)err_set(&why.e, RC_INVALID,
		    "the current password is missing or too long");
	} else {
		why.field = "error.new_password";
		if (users_password_ok(in->fresh, &why.e) == RC_OK) {
			if (free_choice)
				start_hash(r);
			else
				start_verify(r, in);
			return;
		}
	}
	refuse(r, &why);
}

/* ---------------------------------------------------------------- sessions */

static enum rc
end_others_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct change *in = op->in;

	in->ended = vault_end_sessions(vault, &op->actor.user, in->keep);
	op_audit(state, op, "user.logged_out", "user", &op->actor.user,
	    op->actor.name,
	    arena_printf(&op->arena, "{\"sessions\":%zu}", in->ended));
	return store_rc(state);
}

static void
account_on_others_ended(struct req *r, struct op *op)
{
	if (!req_stored(r, op))
		return;
	sse_end_user(r->ctl->sse, &r->user_id);
	req_redirect(r, "/settings/account?done=sessions");
}

void
account_end_others(struct req *r)
{
	struct change in = { 0 };
	struct op *op;

	memcpy(in.keep, r->session_hash, sizeof(in.keep));
	op = op_with(end_others_op, &in, sizeof(in));
	op->vault = true;
	req_submit(r, op, account_on_others_ended);
}
