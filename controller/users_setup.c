/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody who has a setup link chooses a password (M-043, M-044). */
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/sse.h"
#include "controller/throttle.h"
#include "controller/users_admin.h"
#include "controller/users_own.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define OVER                                                        \
	"this link was used, was replaced, or has expired; ask an " \
	"administrator for a new one"

/* Inside a transaction or a read: whose link it is, while it is good. */
static struct Rec__User *
link_user(struct store_tx *state, struct store_tx *vault,
    const uint8_t hash[CRYPT_HASH_SIZE], struct ulid *id)
{
	struct Rec__User *u = NULL;

	if (vault_owner_of_ticket(vault, VAULT_SETUP, hash, id))
		u = user_store_find(state, id);
	if (u == NULL || u->disabled_at_ms != 0 ||
	    u->setup_expires_at_ms <= clock_now_ms())
		return NULL;
	return u;
}

/* Guesses count against their address. */
static const struct Rec__User *
find(struct req *r, struct str token, struct err *e)
{
	struct throttle *t = r->ctl->users->links;
	struct store_tx *state = store_begin_read(r->ctl->state, &r->arena);
	struct store_tx *vault = store_begin_read(r->ctl->vault, &r->arena);
	uint8_t hash[CRYPT_HASH_SIZE];
	const struct Rec__User *u;
	struct ulid id;
	unsigned wait_s;

	crypt_sha256(token, hash);
	u = link_user(state, vault, hash, &id);
	(void)err_set(e, RC_GONE, "%s", OVER);
	if (store_rc(vault) != RC_OK)
		*e = *store_err(vault);
	else if (store_rc(state) != RC_OK)
		*e = *store_err(state);
	store_abort(vault);
	store_abort(state);
	if (u != NULL || e->rc != RC_GONE)
		return u;
	wait_s = throttle_begin(t, r->address, r->address);
	if (wait_s > 0)
		(void)auth_wait(r, wait_s, e);
	return NULL;
}

struct form {
	struct str token;
	const char *name; /* NULL: the link is over */
	struct err e;     /* of the password */
};

static void
show(struct req *r, const struct form *f)
{
	struct page_secrets secrets = { .token = f->token };
	const struct page_param params[] = {
		{ "gone", f->name == NULL ? STR("1") : str_of("") },
		{ "username", str_of(f->name == NULL ? "" : f->name) },
		{ f->e.rc == RC_INVALID ? "error.password" : "error",
		    str_of(f->e.msg) },
	};

	if (!r->wants_html && f->e.rc != RC_OK) {
		req_fail(r, &f->e);
		return;
	}
	if (f->name == NULL)
		secrets.token = str_from("", 0);
	auth_form_token(r);
	page_reply(r, f->e.rc == RC_OK ? 200 : rc_info(f->e.rc)->http_status,
	    "setup", params, ARRAY_LEN(params), &secrets);
}

static void
refuse(struct req *r, const struct err *e)
{
	struct form f = { .e = *e };

	if (e->rc == RC_GONE)
		show(r, &f);
	else
		req_fail(r, e);
}

void
users_setup_page(struct req *r)
{
	struct form f = { .token = req_query(r, "token") };
	const struct Rec__User *u = find(r, f.token, &f.e);

	if (u == NULL) {
		refuse(r, &f.e);
		return;
	}
	f.name = u->name;
	f.e = (struct err){ .rc = RC_OK };
	show(r, &f);
}

/* ------------------------------------------------------------ the password */

struct setup {
	struct users_session_in session; /* first: users_signed_in() takes it */
	uint8_t hash[CRYPT_HASH_SIZE];
};

static enum rc
setup_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct setup *in = op->in;
	struct users_session_in *s = &in->session;
	struct Rec__User *u = link_user(state, vault, in->hash, &s->user);
	struct Rec__Password p = REC__PASSWORD__INIT;

	if (u == NULL || !str_copy(s->name, sizeof(s->name), str_of(u->name)))
		return store_fail(state, RC_GONE, "%s", OVER);
	op->actor.user = s->user;
	memcpy(op->actor.name, s->name, sizeof(op->actor.name));
	s->role = u->role;
	p.argon2id = s->password;
	u->password_number = vault_put_password(vault, &s->user, &p);
	vault_del_ticket(vault, VAULT_SETUP, &s->user);
	(void)vault_end_sessions(vault, &s->user, NULL);
	users_put_session(vault, s);
	u->setup_pending = false;
	u->setup_expires_at_ms = 0;
	u->must_change_password = false;
	u->last_login_ms = clock_now_ms();
	user_store_put(state, u);
	op_audit(state, op, "user.setup_completed", "user", &s->user, s->name,
	    NULL);
	return store_rc(state);
}

static void
users_on_set_up(struct req *r, struct op *op)
{
	struct setup *in = op->in;

	mem_wipe(in->session.password, sizeof(in->session.password));
	if (op->err.rc != RC_OK) {
		refuse(r, &op->err);
		return;
	}
	log_info(LOG_AUTH, "setup completed user=%s address=%s",
	    in->session.name, in->session.address);
	sse_end_user(r->ctl->sse, &in->session.user);
	users_signed_in(r, &in->session, 200);
}

static void
users_on_setup_hashed(struct users_attempt *a)
{
	struct op *op;
	struct setup *in;
	struct err e;

	if (a->rc != RC_OK) {
		(void)err_set(&e, RC_BUSY,
		    "the password was not hashed for want of memory; try "
		    "again");
		req_fail(a->r, &e);
		users_attempt_free(a);
		return;
	}
	op = op_new(setup_op, NULL, NULL);
	in = arena_alloc(&op->arena, sizeof(*in));
	ASSERT(in != NULL); /* the op's arena is empty */
	op->in = in;
	op->vault = true;
	crypt_sha256(req_field(a->r, "token"), in->hash);
	memcpy(in->session.password, a->stored, sizeof(a->stored));
	memcpy(in->session.address, a->r->address, sizeof(a->r->address));
	in->session.lifetime_s = USERS_SETUP_SESSION_S;
	auth_session_new(&in->session.session);
	req_submit(a->r, op, users_on_set_up);
	users_attempt_free(a);
}

void
users_setup(struct req *r)
{
	struct form f = { .token = req_field(r, "token") };
	const char *password = arena_str(&r->arena, req_field(r, "password"));
	const struct Rec__User *u = find(r, f.token, &f.e);
	struct users_attempt *a;

	if (u == NULL) {
		refuse(r, &f.e);
		return;
	}
	f.name = u->name;
	if (users_password_ok(password, &f.e) != RC_OK) {
		show(r, &f);
		return;
	}
	a = MEM_NEW(struct users_attempt);
	a->users = r->ctl->users;
	a->r = r;
	a->done = users_on_setup_hashed;
	secret_set(&a->password, str_of(password));
	if (users_attempt_start(a) == RC_OK)
		return;
	users_attempt_free(a);
	(void)err_set(&f.e, RC_BUSY, "too busy; try again");
	show(r, &f);
}

/* ------------------------------------------------------------ expired links */

struct sweep {
	struct store_tx *state, *vault; /* vault NULL: only look */
	int64_t now_ms;
	size_t n;
};

static bool
users_on_link(void *ctx, struct Rec__User *u)
{
	struct sweep *s = ctx;
	struct ulid id;

	if (u->setup_expires_at_ms == 0 || u->setup_expires_at_ms > s->now_ms)
		return true;
	s->n++;
	if (s->vault == NULL)
		return false;
	if (pb_id_get(&u->id, &id))
		vault_del_ticket(s->vault, VAULT_SETUP, &id);
	u->setup_expires_at_ms = 0;
	user_store_put(s->state, u);
	return true;
}

static enum rc
sweep_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct sweep s = { state, vault, clock_now_ms(), 0 };

	(void)op;
	user_store_each(state, users_on_link, &s);
	return store_rc(state);
}

static void
users_on_swept(struct op *op, void *ctx)
{
	(void)ctx;
	if (op->err.rc != RC_OK)
		log_warn(LOG_AUTH, "expired setup links not removed: %s",
		    op->err.msg);
}

void
users_sweep_links(struct users *u)
{
	struct sweep s = { .now_ms = clock_now_ms() };
	struct arena a;
	struct op *op;

	arena_init(&a, MIB(64));
	s.state = store_begin_read(u->ctl->state, &a);
	user_store_each(s.state, users_on_link, &s);
	store_abort(s.state);
	arena_fini(&a);
	if (s.n == 0)
		return;
	op = op_new(sweep_op, users_on_swept, NULL);
	op->vault = true;
	op_submit(u->ctl->ops, &op);
}
