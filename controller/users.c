/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/users.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/throttle.h"
#include "controller/users_own.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

/* Of a password nobody knows: what an unknown user's is compared with, so
 * that the answer takes as long as a known one's. */
static const char nobodys_password[] =
    "$argon2id$v=19$m=65536,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$"
    "y0wVHDTWaMsNBHDLlNcWHQDtd2iqTwtoVqWYbkhYhno";

#define IN(member) offsetof(struct users_in, member)

/* clang-format off */
static const struct json_field login_fields[] = {
	{ "username", JSON_STR, JSON_REQUIRED, 0, 1024, IN(username), 0, JSON_NO_SEEN },
	{ "password", JSON_STR, JSON_REQUIRED, 0, 4096, IN(password), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json users_login_body = { login_fields,
	ARRAY_LEN(login_fields), sizeof(struct users_in) };

/* --------------------------------------------------------------- attempts */

const struct users_in *
users_input(struct req *r)
{
	struct users_in *in = r->in;

	if (in == NULL) {
		in = arena_alloc(&r->arena, sizeof(*in));
		if (in == NULL)
			return NULL;
		in->token = arena_str(&r->arena, req_field(r, "token"));
		in->username = arena_str(&r->arena, req_field(r, "username"));
		in->password = arena_str(&r->arena, req_field(r, "password"));
	}
	return in;
}

bool
users_name(const char *text, char out[USERS_NAME_CAP])
{
	size_t i, n = strlen(text);

	out[0] = '\0';
	if (n == 0 || n >= USERS_NAME_CAP)
		return false;
	for (i = 0; i < n; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    memchr("._@-", c, 4) == NULL) {
			out[0] = '\0';
			return false;
		}
		out[i] = c;
	}
	out[n] = '\0';
	return true;
}

static size_t
count_chars(struct str s)
{
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

enum rc
users_password_ok(const char *password, struct err *e)
{
	if (count_chars(str_of(password)) < USERS_PASSWORD_MIN)
		return err_set(e, RC_INVALID,
		    "the password needs at least %d characters",
		    USERS_PASSWORD_MIN);
	if (strlen(password) > USERS_PASSWORD_MAX)
		return err_set(e, RC_INVALID,
		    "the password may have at most %d bytes",
		    USERS_PASSWORD_MAX);
	return RC_OK;
}

struct str
users_notice(struct req *r, const struct users_notice *list, size_t n)
{
	struct str done = req_query(r, "done");
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eqz(done, list[i].done))
			return str_of(list[i].sentence);
	return str_of("");
}

void
users_attempt_free(struct users_attempt *a)
{
	secret_fini(&a->password);
	mem_wipe(a->stored, sizeof(a->stored));
	mem_free(a);
}

static void
attempt_work(void *ctx)
{
	struct users_attempt *a = ctx;
	struct str password = secret_str(&a->password);

	if (!a->verify)
		a->rc = crypt_password_hash(password, a->stored);
	else if (crypt_password_verify(a->stored, password))
		a->rc = RC_OK;
	else
		a->rc = RC_AUTH;
}

static void users_on_worked(void *ctx);

static void
start_first(struct users *u)
{
	struct list *first = list_first(&u->attempts);

	if (first == NULL)
		return;
	u->pending++;
	loop_work(u->ctl->loop, attempt_work, users_on_worked,
	    LIST_ENTRY(first, struct users_attempt, link));
}

static void
users_on_worked(void *ctx)
{
	struct users_attempt *a = ctx;
	struct users *u = a->users;
	struct req *r = a->r;

	list_del(&a->link);
	u->waiting--;
	if (u->gone) {
		users_attempt_free(a);
	} else {
		start_first(u);
		a->done(a);
	}
	req_release(r);
	users_unpin(u);
}

/* Room for it, and what it is to be put before. */
static bool
find_place(struct users *u, const struct users_attempt *a, struct list **before)
{
	unsigned strangers = 0, neighbours = 0;
	const struct users_attempt *other;
	struct list *it, *tmp;

	*before = &u->attempts;
	LIST_FOREACH(it, tmp, &u->attempts)
	{
		other = LIST_ENTRY(it, struct users_attempt, link);
		if (other->trusted)
			continue;
		strangers++;
		neighbours += strcmp(other->r->address, a->r->address) == 0;
		if (a->trusted && *before == &u->attempts &&
		    it != list_first(&u->attempts))
			*before = it;
	}
	return u->waiting < USERS_WAITING_MAX &&
	       (a->trusted || (strangers < USERS_STRANGERS_MAX &&
	                          neighbours < USERS_ADDRESS_MAX));
}

enum rc
users_attempt_start(struct users_attempt *a)
{
	struct users *u = a->users;
	struct list *before;

	a->trusted = !a->verify || !ulid_is_zero(&a->r->user_id) ||
	             throttle_known(u->throttle, a->name, a->r->address);
	if (!find_place(u, a, &before))
		return RC_BUSY;
	req_hold(a->r);
	list_append(before, &a->link);
	if (u->waiting++ == 0)
		start_first(u);
	return RC_OK;
}

/* ---------------------------------------------------------------- sign in */

void
users_login_page(struct req *r)
{
	const struct page_param params[] = {
		{ "ended", req_query(r, "ended") },
	};

	if (users_bootstrap_open(r->ctl->users)) {
		req_redirect(r, "/bootstrap");
		return;
	}
	if (!ulid_is_zero(&r->user_id)) {
		req_redirect(r, "/");
		return;
	}
	auth_form_token(r);
	page_reply(r, 200, "login", params, ARRAY_LEN(params), NULL);
}

/* Browsers get the form again. */
static void
login_refused(struct req *r, const char *name, const struct err *e)
{
	const struct page_param params[] = {
		{ "username", str_of(name) },
		{ "error", str_of(e->msg) },
	};

	if (!r->wants_html) {
		req_fail(r, e);
		return;
	}
	auth_form_token(r);
	page_reply(r, rc_info(e->rc)->http_status, "login", params,
	    ARRAY_LEN(params), NULL);
}

static void
too_many(struct req *r, const char *name, unsigned wait_s)
{
	struct err e;

	(void)auth_wait(r, wait_s, &e);
	login_refused(r, name, &e);
}

static void
find_user(struct users_attempt *a)
{
	struct controller *c = a->r->ctl;
	struct store_tx *state, *vault;
	struct Rec__Password *p = NULL;
	struct Rec__User *u;

	ASSERT(
	    str_copy(a->stored, sizeof(a->stored), str_of(nobodys_password)));
	if (a->name[0] == '\0')
		return;
	state = store_begin_read(c->state, &a->r->arena);
	vault = store_begin_read(c->vault, &a->r->arena);
	u = user_store_find_name(state, str_of(a->name));
	if (u != NULL && u->disabled_at_ms == 0 &&
	    u->id.len == sizeof(a->user.b)) {
		memcpy(a->user.b, u->id.data, sizeof(a->user.b));
		p = vault_find_password(vault, &a->user);
	}
	a->known = p != NULL &&
	           str_copy(a->stored, sizeof(a->stored), str_of(p->argon2id));
	store_abort(vault);
	store_abort(state);
}

static int64_t
lifetime_s(const struct users_session_in *in)
{
	return in->lifetime_s > 0 ? in->lifetime_s : AUTH_SESSION_S;
}

void
users_put_session(struct store_tx *vault, const struct users_session_in *in)
{
	int64_t now = clock_now_ms();
	struct Rec__Session s = REC__SESSION__INIT;

	s.user_id.data = (uint8_t *)(uintptr_t)in->user.b;
	s.user_id.len = sizeof(in->user.b);
	s.created_at_ms = now;
	s.expires_at_ms = now + lifetime_s(in) * 1000;
	s.csrf = (char *)(uintptr_t)in->session.csrf;
	s.address = (char *)(uintptr_t)in->address;
	vault_put_session(vault, in->session.hash, &s, AUTH_SESSIONS_MAX);
}

static enum rc
login_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_session_in *in = op->in;
	struct Rec__User *u = user_store_get(state, &in->user);

	if (u == NULL)
		return store_rc(state);
	if (u->disabled_at_ms != 0)
		return store_fail(state, RC_AUTH, "the account is disabled");
	op->actor.user = in->user;
	memcpy(op->actor.name, in->name, sizeof(op->actor.name));
	u->last_login_ms = clock_now_ms();
	u->setup_pending = false; /* there was a password */
	in->role = u->role;
	vault_settle_password(vault, &in->user);
	users_put_session(vault, in);
	user_store_put(state, u);
	op_audit(state, op, "auth.login", "user", &in->user, in->name, NULL);
	return RC_OK;
}

static enum rc
login_failed_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct users_session_in *in = op->in;
	bool known = !ulid_is_zero(&in->user);

	(void)vault;
	/* An unknown name may be a password typed into the wrong field. */
	op_audit(state, op, "auth.login_failed", "user",
	    known ? &in->user : NULL, known ? in->name : "", NULL);
	return RC_OK;
}

void
users_signed_in(struct req *r, const struct users_session_in *in, int status)
{
	char id[ULID_TEXT_CAP];
	struct json_doc doc;

	auth_set_cookie(r, AUTH_COOKIE, in->session.cookie, lifetime_s(in));
	if (r->wants_html) {
		auth_set_cookie(r, AUTH_FORM_COOKIE, "", 0);
		req_redirect(r, "/");
		return;
	}
	ulid_text(&in->user, id);
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "user_id", id);
	json_put(&doc.j, "role", auth_role_name(in->role));
	req_doc(r, status, &doc);
	json_doc_fini(&doc);
}

static void
users_on_login(struct req *r, struct op *op)
{
	const struct users_session_in *in = op->in;

	if (op->err.rc != RC_OK) {
		login_refused(r, in->name, &op->err);
		return;
	}
	throttle_succeeded(r->ctl->users->throttle, in->name, in->address);
	users_signed_in(r, in, 200);
}

static void
users_on_login_failed(struct req *r, struct op *op)
{
	const struct users_session_in *in = op->in;
	struct err e;

	(void)err_set(&e, RC_AUTH, "user name or password is wrong");
	login_refused(r, in->name, &e);
}

static void
users_on_verified(struct users_attempt *a)
{
	bool good = a->rc == RC_OK && a->known;
	struct op *op = op_new(good ? login_op : login_failed_op, NULL, NULL);
	struct users_session_in *in = arena_alloc(&op->arena, sizeof(*in));

	ASSERT(in != NULL); /* the op's arena is empty */
	op->in = in;
	op->vault = good;
	memcpy(in->address, a->r->address, sizeof(in->address));
	memcpy(in->name, a->name, sizeof(in->name));
	if (a->known)
		in->user = a->user;
	if (good)
		auth_session_new(&in->session);
	req_submit(a->r, op, good ? users_on_login : users_on_login_failed);
	users_attempt_free(a);
}

void
users_login(struct req *r)
{
	struct users *u = r->ctl->users;
	const struct users_in *in = users_input(r);
	struct users_attempt *a;
	struct err e;
	unsigned wait_s;

	if (in == NULL || strlen(in->password) > USERS_PASSWORD_MAX) {
		(void)err_set(&e, RC_INVALID, "the password is too long");
		login_refused(r, "", &e);
		return;
	}
	a = MEM_NEW(struct users_attempt);
	a->users = u;
	a->r = r;
	a->verify = true;
	a->done = users_on_verified;
	users_name(in->username, a->name);
	wait_s = throttle_begin(u->throttle, a->name, r->address);
	if (wait_s > 0) {
		too_many(r, a->name, wait_s);
		users_attempt_free(a);
		return;
	}
	find_user(a);
	secret_set(&a->password, str_of(in->password));
	if (users_attempt_start(a) == RC_OK)
		return;
	throttle_undo(u->throttle, a->name, r->address);
	(void)err_set(&e, RC_BUSY,
	    "too many people sign in at this moment; try again");
	login_refused(r, a->name, &e);
	users_attempt_free(a);
}

/* --------------------------------------------------------------- sign out */

static enum rc
logout_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	vault_del_session(vault, op->in);
	op_audit(state, op, "auth.logout", "user", &op->actor.user,
	    op->actor.name, NULL);
	return RC_OK;
}

static void
users_on_logout(struct req *r, struct op *op)
{
	if (!req_stored(r, op))
		return;
	auth_set_cookie(r, AUTH_COOKIE, "", 0);
	if (r->wants_html)
		req_redirect(r, "/login");
	else
		req_empty(r, 204);
}

void
users_logout(struct req *r)
{
	struct op *op;
	struct err e;

	if (r->bearer) {
		(void)err_set(&e, RC_INVALID,
		    "an API token has no session to end; revoke it instead");
		req_fail(r, &e);
		return;
	}
	op = op_new(logout_op, NULL, NULL);
	op->vault = true;
	op->in = arena_alloc(&op->arena, sizeof(r->session_hash));
	ASSERT(op->in != NULL);
	memcpy(op->in, r->session_hash, sizeof(r->session_hash));
	req_submit(r, op, users_on_logout);
}
