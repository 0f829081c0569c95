/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <unistd.h>

#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/throttle.h"
#include "controller/users.h"
#include "controller/users_own.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define RULE "================================================================"
#define TOKEN_FILE "bootstrap-token"
#define IN(member) offsetof(struct users_in, member)

/* clang-format off */
static const struct json_field bootstrap_fields[] = {
	{ "token",    JSON_STR, JSON_NULL_OK,  0, 256,  IN(token),    0, JSON_NO_SEEN },
	{ "username", JSON_STR, JSON_REQUIRED, 0, 1024, IN(username), 0, JSON_NO_SEEN },
	{ "password", JSON_STR, JSON_REQUIRED, 0, 4096, IN(password), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json users_bootstrap_body = { bootstrap_fields,
	ARRAY_LEN(bootstrap_fields), sizeof(struct users_in) };

/* -------------------------------------------------------------- first run */

static void
print_banner(const struct settings *s, const char *token)
{
	struct err e;
	struct buf b;

	buf_init(&b, KIB(4));
	buf_puts(&b, RULE "\n FIRST RUN \u2014 no admin user exists yet.\n\n");
	if (s->base_url != NULL)
		buf_printf(&b, " %s/bootstrap\n", s->base_url);
	else
		buf_puts(&b,
		    " Open the server URL in a browser; you'll be sent to "
		    "/bootstrap.\n"
		    " (Set RM_BASE_URL to have a clickable link printed "
		    "here.)\n");
	buf_printf(&b,
	    "\n Headless? POST {token, username, password} to "
	    "/api/bootstrap\n"
	    " with this one-shot bootstrap token (valid until first user "
	    "exists):\n"
	    "     %s\n" RULE "\n",
	    token);
	/* Nobody reads standard error: the token file is still there. */
	if (fsio_write_all(STDERR_FILENO, buf_str(&b), &e) != RC_OK)
		log_warn(LOG_AUTH, "first-run banner not printed: %s", e.msg);
	buf_wipe_fini(&b);
}

static bool
token_path(const struct settings *s, char *dst, size_t cap)
{
	return fsio_join(dst, cap, s->runtime_dir, TOKEN_FILE) == RC_OK;
}

static void
remove_token_file(void *ctx)
{
	const struct users *u = ctx;
	char path[4096];
	struct err e;

	if (token_path(&u->ctl->settings, path, sizeof(path)) &&
	    fsio_remove(path, &e) != RC_OK)
		log_warn(LOG_AUTH, "bootstrap token not removed: %s", e.msg);
}

static void
users_on_file_removed(void *ctx)
{
	users_unpin(ctx);
}

/* The file is for programs; people read the banner. */
static void
open_bootstrap(struct users *u)
{
	const struct settings *s = &u->ctl->settings;
	char token[CRYPT_TOKEN_CAP], path[4096];
	struct err e;

	crypt_token(token);
	crypt_sha256(str_of(token), u->token_hash);
	u->open = true;
	if (token_path(s, path, sizeof(path)) &&
	    fsio_replace(path, str_of(token), 0600, &e) != RC_OK)
		log_warn(LOG_AUTH, "bootstrap token not written: %s", e.msg);
	print_banner(s, token);
	mem_wipe(token, sizeof(token));
}

struct users *
users_new(struct controller *c)
{
	struct users *u = MEM_NEW(struct users);
	struct store_tx *tx = store_begin_read(c->state, NULL);
	bool empty = user_store_count(tx) == 0 && store_rc(tx) == RC_OK;

	store_abort(tx);
	u->ctl = c;
	u->throttle = throttle_new();
	u->links = throttle_new();
	list_init(&u->attempts);
	if (empty)
		open_bootstrap(u);
	else
		remove_token_file(u);
	return u;
}

static void
destroy(struct users *u)
{
	throttle_free(u->throttle);
	throttle_free(u->links);
	mem_wipe(u, sizeof(*u));
	mem_free(u);
}

void
users_unpin(struct users *u)
{
	if (--u->pending == 0 && u->gone)
		destroy(u);
}

void
users_free(struct users *u)
{
	struct list *el;
	struct list *next;

	if (u == NULL)
		return;
	u->gone = true;
	/* The first attempt is with the pool and comes back on its own. */
	LIST_FOREACH(el, next, &u->attempts)
	{
		struct users_attempt *a =
		    LIST_ENTRY(el, struct users_attempt, link);

		if (el == list_first(&u->attempts))
			continue;
		list_del(el);
		req_release(a->r);
		users_attempt_free(a);
	}
	if (u->pending == 0)
		destroy(u);
}

bool
users_bootstrap_open(const struct users *u)
{
	return u->open;
}

void
users_tick(struct users *u)
{
	throttle_tick(u->throttle);
	throttle_tick(u->links);
	users_sweep_links(u);
}

static void
close_bootstrap(struct users *u)
{
	if (!u->open)
		return;
	u->open = false;
	mem_wipe(u->token_hash, sizeof(u->token_hash));
	u->pending++;
	loop_work(u->ctl->loop, remove_token_file, users_on_file_removed, u);
}

/* --------------------------------------------------------------- the page */

static void
bootstrap_form(struct req *r, const char *name, const char *field,
    const struct err *e)
{
	char pin[2 * CRYPT_HASH_SIZE + 1];
	const struct page_param params[] = {
		{ "username", str_of(name) },
		{ "need_token", r->loopback ? str_of("") : STR("1") },
		{ "fingerprint", str_of(pin) },
		{ field, e != NULL ? str_of(e->msg) : str_of("") },
	};

	str_hex(r->ctl->pin, sizeof(r->ctl->pin), pin, sizeof(pin));
	auth_form_token(r);
	page_reply(r, e != NULL ? rc_info(e->rc)->http_status : 200,
	    "bootstrap", params, ARRAY_LEN(params), NULL);
}

void
users_bootstrap_page(struct req *r)
{
	if (users_bootstrap_open(r->ctl->users))
		bootstrap_form(r, "", "error", NULL);
	else
		req_redirect(r, "/login");
}

/* ------------------------------------------------------- the first account */

struct refusal {
	const char *field; /* page parameter that carries the sentence */
	struct err e;
};

static void
refuse(struct req *r, const char *name, const struct refusal *why)
{
	if (r->wants_html && why->e.rc != RC_CONFLICT)
		bootstrap_form(r, name, why->field, &why->e);
	else
		req_fail(r, &why->e);
}

static bool
token_ok(const struct req *r, const char *token)
{
	const struct users *u = r->ctl->users;
	uint8_t hash[CRYPT_HASH_SIZE];

	if (token == NULL || *token == '\0')
		return r->loopback;
	crypt_sha256(str_of(token), hash);
	return crypt_eq(hash, u->token_hash, sizeof(hash));
}

static enum rc
check_input(struct req *r, const struct users_in *in, char name[USERS_NAME_CAP],
    struct refusal *why)
{
	why->field = "error";
	if (!users_bootstrap_open(r->ctl->users))
		return err_set(&why->e, RC_CONFLICT,
		    "the first user exists already; sign in instead");
	why->field = "error.token";
	if (!token_ok(r, in->token))
		return err_code(&why->e, RC_AUTH, "bootstrap_token",
		    "the bootstrap token is missing or wrong; the controller "
		    "printed it when it started");
	why->field = "error.username";
	if (!users_name(in->username, name))
		return err_set(&why->e, RC_INVALID,
		    "the user name needs 1 to %d letters, digits or . _ @ -",
		    USERS_NAME_CAP - 1);
	why->field = "error.password";
	return users_password_ok(in->password, &why->e);
}

static enum rc
bootstrap_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_session_in *in = op->in;
	struct Rec__Password p = REC__PASSWORD__INIT;
	struct Rec__User u = REC__USER__INIT;
	int64_t now = clock_now_ms();

	if (user_store_count(state) != 0)
		return store_fail(state, RC_CONFLICT,
		    "the first user exists already; sign in instead");
	ulid_new(&in->user);
	in->role = REC__ROLE__ROLE_ADMIN;
	op->actor.user = in->user;
	memcpy(op->actor.name, in->name, sizeof(op->actor.name));
	u.id.data = in->user.b;
	u.id.len = sizeof(in->user.b);
	u.name = in->name;
	u.role = in->role;
	u.created_at_ms = now;
	u.last_login_ms = now;
	p.argon2id = in->password;
	u.password_number = vault_put_password(vault, &in->user, &p);
	users_put_session(vault, in);
	user_store_put(state, &u);
	op_audit(state, op, "auth.bootstrap", "user", &in->user, in->name,
	    NULL);
	return RC_OK;
}

static void
users_on_bootstrapped(struct req *r, struct op *op)
{
	struct users_session_in *in = op->in;
	struct refusal why = { "error", op->err };

	if (op->err.rc == RC_OK || op->err.rc == RC_CONFLICT)
		close_bootstrap(r->ctl->users);
	if (op->err.rc == RC_OK) {
		log_info(LOG_AUTH, "first admin created user=%s address=%s",
		    in->name, in->address);
		users_signed_in(r, in, 200);
	} else {
		refuse(r, in->name, &why);
	}
	mem_wipe(in->password, sizeof(in->password));
}

static void
users_on_hashed(struct users_attempt *a)
{
	struct op *op = op_new(bootstrap_op, NULL, NULL);
	struct users_session_in *in = arena_alloc(&op->arena, sizeof(*in));
	struct refusal why = { .field = "error" };

	ASSERT(in != NULL); /* the op's arena is empty */
	if (a->rc != RC_OK) {
		(void)err_set(&why.e, RC_IO, "the password was not hashed");
		refuse(a->r, a->name, &why);
		op_free(op);
	} else {
		op->in = in;
		op->vault = true;
		memcpy(in->name, a->name, sizeof(in->name));
		memcpy(in->password, a->stored, sizeof(in->password));
		memcpy(in->address, a->r->address, sizeof(in->address));
		auth_session_new(&in->session);
		req_submit(a->r, op, users_on_bootstrapped);
	}
	users_attempt_free(a);
}

void
users_bootstrap(struct req *r)
{
	const struct users_in *in = users_input(r);
	struct refusal why = { .field = "error" };
	struct users_attempt *a;
	char name[USERS_NAME_CAP] = "";

	if (in == NULL) {
		(void)err_set(&why.e, RC_LIMIT, "the form is too large");
		refuse(r, name, &why);
		return;
	}
	if (check_input(r, in, name, &why) != RC_OK) {
		refuse(r, name, &why);
		return;
	}
	a = MEM_NEW(struct users_attempt);
	a->users = r->ctl->users;
	a->r = r;
	a->done = users_on_hashed;
	memcpy(a->name, name, sizeof(a->name));
	secret_set(&a->password, str_of(in->password));
	if (users_attempt_start(a) == RC_OK)
		return;
	why.field = "error";
	(void)err_set(&why.e, RC_BUSY, "too busy; try again");
	refuse(r, name, &why);
	users_attempt_free(a);
}
