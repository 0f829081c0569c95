/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/users_op.h"

#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/sse.h"
#include "controller/tokens.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

/* ------------------------------------------------------------------ checks */

static enum rc
check_role(const char *text, Rec__Role *out, struct err *e)
{
	*out = auth_role_of(str_of(text));
	if (*out == REC__ROLE__ROLE_NONE)
		return err_set(e, RC_INVALID,
		    "the role must be viewer, operator or admin");
	return RC_OK;
}

/* Something on both sides of one @; whether it is read is not for us. */
static bool
email_ok(struct str s)
{
	struct str user, host;
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return str_cut(s, '@', &user, &host) && user.n > 0 && host.n > 0 &&
	       !str_contains(host, STR("@"));
}

static enum rc
check_email(const char *text, char *out, size_t cap, struct err *e)
{
	struct str s = str_trim(str_of(text == NULL ? "" : text));

	if (s.n > 0 && !email_ok(s))
		return err_set(e, RC_INVALID,
		    "the email address must look like name@example.org");
	if (!str_copy(out, cap, s))
		return err_set(e, RC_INVALID,
		    "the email address has more than %d bytes",
		    USERS_EMAIL_MAX);
	return RC_OK;
}

enum rc
users_check_new(const struct users_new_in *in, struct users_act *out,
    const char **field, struct err *e)
{
	*field = "username";
	if (!users_name(in->username, out->name))
		return err_set(e, RC_INVALID,
		    "the user name needs 1 to %d letters, digits or . _ @ -",
		    USERS_NAME_CAP - 1);
	*field = "role";
	if (check_role(in->role, &out->role, e) != RC_OK)
		return e->rc;
	*field = "email";
	return check_email(in->email, out->email, sizeof(out->email), e);
}

enum rc
users_check_patch(const struct users_patch_in *in, struct users_act *out,
    const char **field, struct err *e)
{
	out->patch = *in;
	*field = "role";
	if (in->has_role && check_role(in->role, &out->role, e) != RC_OK)
		return e->rc;
	*field = "email";
	if (!in->has_email)
		return RC_OK;
	return check_email(in->email, out->email, sizeof(out->email), e);
}

/* ------------------------------------------------------------------- audit */

static char *
finish(struct op *op, struct json_doc *doc)
{
	char *z = op_keep(op, json_doc_end(doc));

	json_doc_fini(doc);
	return z;
}

static char *
payload_made(struct op *op, const struct users_act *act)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "role", auth_role_name(act->role));
	json_put(&doc.j, "email", act->email);
	return finish(op, &doc);
}

static char *
payload_words(struct op *op, const char *key, const char *from, const char *to)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(4));
	json_obj(&doc.j, key);
	json_put(&doc.j, "from", from);
	json_put(&doc.j, "to", to);
	json_obj_end(&doc.j);
	return finish(op, &doc);
}

static void
audit(struct store_tx *state, struct op *op, const char *action, char *payload)
{
	const struct users_act *act = op->in;

	op_audit(state, op, action, "user", &act->id, act->name, payload);
}

/* --------------------------------------------------------------------- ops */

/* The user of an op, whose name goes into the audit log. */
static struct Rec__User *
subject(struct store_tx *state, struct op *op)
{
	struct users_act *act = op->in;
	struct Rec__User *u = user_store_get(state, &act->id);

	if (u != NULL &&
	    !str_copy(act->name, sizeof(act->name), str_of(u->name)))
		act->name[0] = '\0';
	return u;
}

struct search {
	struct ulid but;
	bool found;
};

static bool
can_administer(const struct Rec__User *u)
{
	return u->role == REC__ROLE__ROLE_ADMIN && u->disabled_at_ms == 0 &&
	       !u->setup_pending;
}

static bool
users_on_other_admin(void *ctx, struct Rec__User *u)
{
	struct search *s = ctx;
	struct ulid id;

	s->found = can_administer(u) && pb_id_get(&u->id, &id) &&
	           !ulid_eq(&id, &s->but);
	return !s->found;
}

/* M-045 */
static bool
is_last_admin(struct store_tx *state, const struct Rec__User *u)
{
	struct search s = { .found = false };

	if (!can_administer(u) || !pb_id_get(&u->id, &s.but))
		return false;
	user_store_each(state, users_on_other_admin, &s);
	return !s.found;
}

static enum rc
refuse_last(struct store_tx *state, const struct Rec__User *u)
{
	return store_fail_code(state, RC_CONFLICT, "last_admin",
	    "%s is the only administrator who can sign in; make another one "
	    "first",
	    u->name);
}

static void
put_link(struct store_tx *vault, struct Rec__User *u,
    const struct users_act *act)
{
	vault_put_ticket(vault, VAULT_SETUP, &act->id, act->link_hash);
	u->setup_expires_at_ms = act->link_expires_ms;
}

enum rc
users_create_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_act *act = op->in;
	const struct Rec__User *old =
	    user_store_find_name(state, str_of(act->name));
	struct Rec__User u = REC__USER__INIT;

	if (old != NULL) {
		(void)pb_id_get(&old->id, &act->other);
		if (old->disabled_at_ms != 0)
			return store_fail_code(state, RC_CONFLICT,
			    "user_disabled",
			    "the user %s exists but is disabled; enable it "
			    "instead",
			    act->name);
		return store_fail(state, RC_CONFLICT,
		    "there is a user %s already", act->name);
	}
	ulid_new(&act->id);
	u.id = pb_id(&act->id);
	u.name = act->name;
	u.email = act->email;
	u.role = act->role;
	u.created_at_ms = clock_now_ms();
	u.setup_pending = true;
	put_link(vault, &u, act);
	user_store_put(state, &u);
	audit(state, op, "user.created", payload_made(op, act));
	return store_rc(state);
}

enum rc
users_patch_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_act *act = op->in;
	const struct users_patch_in *p = &act->patch;
	struct Rec__User *u = subject(state, op);

	(void)vault;
	if (u == NULL)
		return store_rc(state);
	if (p->has_role && act->role != u->role) {
		if (act->role != REC__ROLE__ROLE_ADMIN &&
		    is_last_admin(state, u))
			return refuse_last(state, u);
		audit(state, op, "user.role_changed",
		    payload_words(op, "role", auth_role_name(u->role),
		        auth_role_name(act->role)));
		u->role = act->role;
	}
	if (p->has_email && strcmp(act->email, u->email) != 0) {
		audit(state, op, "user.updated",
		    payload_words(op, "email", u->email, act->email));
		u->email = act->email;
	}
	if (p->has_must_change && p->must_change != u->must_change_password) {
		audit(state, op, "user.updated",
		    payload_words(op, "must_change_password",
		        u->must_change_password ? "yes" : "no",
		        p->must_change ? "yes" : "no"));
		u->must_change_password = p->must_change;
	}
	user_store_put(state, u);
	return store_rc(state);
}

/* M-046 */
enum rc
users_disable_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_act *act = op->in;
	struct Rec__User *u = subject(state, op);

	if (u == NULL || u->disabled_at_ms != 0)
		return store_rc(state);
	if (is_last_admin(state, u))
		return refuse_last(state, u);
	act->sessions = vault_end_sessions(vault, &act->id, NULL);
	act->tokens = tokens_delete_all(state, vault, &act->id);
	vault_del_ticket(vault, VAULT_SETUP, &act->id);
	u->setup_expires_at_ms = 0;
	u->disabled_at_ms = clock_now_ms();
	user_store_put(state, u);
	audit(state, op, "user.disabled",
	    arena_printf(&op->arena, "{\"sessions\":%zu,\"tokens\":%zu}",
	        act->sessions, act->tokens));
	return store_rc(state);
}

enum rc
users_enable_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct Rec__User *u = subject(state, op);

	(void)vault;
	if (u == NULL || u->disabled_at_ms == 0)
		return store_rc(state);
	u->disabled_at_ms = 0;
	user_store_put(state, u);
	audit(state, op, "user.enabled", NULL);
	return store_rc(state);
}

/* M-048 */
enum rc
users_link_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct users_act *act = op->in;
	struct Rec__User *u = subject(state, op);

	if (u == NULL)
		return store_rc(state);
	if (u->disabled_at_ms != 0)
		return store_fail_code(state, RC_CONFLICT, "user_disabled",
		    "%s is disabled; enable the user first", u->name);
	put_link(vault, u, act);
	user_store_put(state, u);
	audit(state, op, "user.setup_link_made", NULL);
	return store_rc(state);
}

enum rc
users_logout_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct users_act *act = op->in;

	if (subject(state, op) == NULL)
		return store_rc(state);
	act->sessions = vault_end_sessions(vault, &act->id, NULL);
	audit(state, op, "user.logged_out",
	    arena_printf(&op->arena, "{\"sessions\":%zu}", act->sessions));
	return store_rc(state);
}

struct op *
users_op(op_fn *run, const struct users_act *act)
{
	struct op *op = op_with(run, act, sizeof(*act));
	struct users_act *in = op->in;

	if (run == users_create_op || run == users_link_op) {
		crypt_token(in->link);
		crypt_sha256(str_of(in->link), in->link_hash);
		in->link_expires_ms =
		    clock_now_ms() + (int64_t)USERS_SETUP_S * 1000;
	}
	op->vault = true;
	return op;
}

void
users_changed(struct req *r, const struct ulid *id)
{
	sse_end_user(r->ctl->sse, id);
}

char *
users_link_url(struct req *r, const char *link)
{
	return arena_printf(&r->arena, "%s/setup?token=%s", req_base_url(r),
	    link);
}
