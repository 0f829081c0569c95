/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/answer.h"
#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/paging.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/tokens.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

enum {
	LIST_ARENA_MAX = 64 << 20,
	LIST_BODY_MAX = 4 << 20
};

static const int64_t day_ms = 86400000;

#define IN(member) offsetof(struct tokens_in, member)

/* clang-format off */
static const struct json_field create_fields[] = {
	{ "name", JSON_STR, JSON_REQUIRED, 0, 1024, IN(name), 0, JSON_NO_SEEN },
	{ "role", JSON_STR, JSON_REQUIRED, 0, 64,   IN(role), 0, JSON_NO_SEEN },
	{ "expires_in_days", JSON_INT, JSON_REQUIRED, 1, TOKENS_DAYS_MAX, IN(expires_in_days), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json tokens_create_body = { create_fields,
	ARRAY_LEN(create_fields), sizeof(struct tokens_in) };

/* ------------------------------------------------------------------- make */

enum rc
tokens_check(const struct req *r, const struct tokens_in *in,
    struct tokens_made *out, const char **field, struct err *e)
{
	struct str name = str_trim(str_of(in->name));

	*field = "name";
	if (name.n == 0 || !pb_word_ok(in->name, sizeof(out->name) - 1) ||
	    !str_copy(out->name, sizeof(out->name), name))
		return err_set(e, RC_INVALID,
		    "the name needs 1 to %d bytes without control characters",
		    TOKENS_NAME_MAX);
	*field = "role";
	out->role = auth_role_of(str_of(in->role));
	if (out->role == REC__ROLE__ROLE_NONE)
		return err_set(e, RC_INVALID,
		    "the role must be viewer, operator or admin");
	if (out->role > r->role)
		return err_set(e, RC_INVALID,
		    "you are %s: a token of yours cannot be %s",
		    auth_role_name(r->role), auth_role_name(out->role));
	*field = "expires_in_days";
	if (in->expires_in_days < 1 || in->expires_in_days > TOKENS_DAYS_MAX)
		return err_set(e, RC_INVALID, "a token lives for 1 to %d days",
		    TOKENS_DAYS_MAX);
	out->expires_at_ms = clock_now_ms() + in->expires_in_days * day_ms;
	if (r->bearer && out->expires_at_ms > r->bearer_expires_ms)
		return err_set(e, RC_INVALID,
		    "a token cannot make one that outlives it");
	out->user = r->user_id;
	return RC_OK;
}

static bool
tokens_on_counted(void *ctx, struct Rec__ApiToken *t)
{
	(void)t;
	++*(size_t *)ctx;
	return true;
}

static void
put_token(struct store_tx *state, const struct tokens_made *m)
{
	struct Rec__ApiToken t = REC__API_TOKEN__INIT;

	t.id = pb_id(&m->id);
	t.user_id = pb_id(&m->user);
	t.name = pb_text(m->name);
	t.role = m->role;
	t.created_at_ms = clock_now_ms();
	t.expires_at_ms = m->expires_at_ms;
	token_store_put(state, &t);
}

/* What an audit row says of a token: whose, and how mighty. */
static char *
audit_payload(struct op *op, const char *user, Rec__Role role,
    int64_t expires_at_ms)
{
	struct json_doc doc;
	char *z;

	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "user", user);
	json_put(&doc.j, "role", auth_role_name(role));
	json_put_time(&doc.j, "expires_at", expires_at_ms);
	z = op_keep(op, json_doc_end(&doc));
	json_doc_fini(&doc);
	return z;
}

static enum rc
create_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct tokens_made *m = op->in;
	struct Rec__User *u = user_store_get(state, &m->user);
	size_t n = 0;

	if (u == NULL)
		return store_rc(state);
	if (u->disabled_at_ms != 0 || m->role > u->role)
		return store_fail(state, RC_DENIED,
		    "your role has changed meanwhile; load the page again");
	token_store_each(state, &m->user, tokens_on_counted, &n);
	if (n >= TOKENS_PER_USER_MAX)
		return store_fail(state, RC_CONFLICT,
		    "you have %d API tokens; revoke one first",
		    TOKENS_PER_USER_MAX);
	vault_put_ticket(vault, VAULT_API_TOKEN, &m->id, m->hash);
	put_token(state, m);
	op_audit(state, op, "token.created", "api_token", &m->id, m->name,
	    audit_payload(op, u->name, m->role, m->expires_at_ms));
	return store_rc(state);
}

struct op *
tokens_create_op(const struct tokens_made *made)
{
	struct op *op = op_with(create_op, made, sizeof(*made));
	struct tokens_made *m = op->in;
	char random[CRYPT_TOKEN_CAP];

	ulid_new(&m->id);
	crypt_token(random);
	ASSERT(str_fmt(m->text, sizeof(m->text), TOKENS_PREFIX "%s", random));
	mem_wipe(random, sizeof(random));
	crypt_sha256(str_of(m->text), m->hash);
	op->vault = true;
	return op;
}

static void
tokens_on_created(struct req *r, struct op *op)
{
	struct tokens_made *m = op->in;
	char id[ULID_TEXT_CAP];
	struct json_doc doc;

	if (!req_stored(r, op)) {
		mem_wipe(m->text, sizeof(m->text));
		return;
	}
	ulid_text(&m->id, id);
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "id", id);
	json_put(&doc.j, "token", m->text);
	json_put_time(&doc.j, "expires_at", m->expires_at_ms);
	req_doc(r, 201, &doc);
	json_doc_wipe_fini(&doc);
	mem_wipe(m->text, sizeof(m->text));
}

void
tokens_create(struct req *r)
{
	struct tokens_made m = { .role = REC__ROLE__ROLE_NONE };
	const char *field;
	struct err e;

	if (tokens_check(r, r->in, &m, &field, &e) != RC_OK)
		req_fail(r, &e);
	else
		req_submit(r, tokens_create_op(&m), tokens_on_created);
}

/* ------------------------------------------------------------------ revoke */

struct revocation {
	struct ulid id;
	bool any; /* not only the actor's own */
};

static enum rc
revoke_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct revocation *in = op->in;
	struct Rec__ApiToken *t = token_store_find(state, &in->id);
	struct Rec__User *u = NULL;
	struct ulid owner;

	if (t != NULL && pb_id_get(&t->user_id, &owner) &&
	    (in->any || ulid_eq(&owner, &op->actor.user)))
		u = user_store_find(state, &owner);
	if (u == NULL)
		return store_fail(state, RC_NOTFOUND,
		    "there is no such API token; it may be revoked already");
	op_audit(state, op, "token.revoked", "api_token", &in->id, t->name,
	    audit_payload(op, u->name, t->role, t->expires_at_ms));
	vault_del_ticket(vault, VAULT_API_TOKEN, &in->id);
	token_store_del(state, &in->id);
	return store_rc(state);
}

struct op *
tokens_revoke_op(const struct req *r, const struct ulid *id)
{
	struct op *op = op_new(revoke_op, NULL, NULL);
	struct revocation *in = arena_alloc(&op->arena, sizeof(*in));

	ASSERT(in != NULL); /* the op's arena is empty */
	in->id = *id;
	in->any = r->role == REC__ROLE__ROLE_ADMIN;
	op->in = in;
	op->vault = true;
	return op;
}

static void
tokens_on_revoked(struct req *r, struct op *op)
{
	if (req_stored(r, op))
		req_empty(r, 204);
}

void
tokens_revoke(struct req *r)
{
	struct ulid id = { { 0 } };

	if (req_need_ulid(r, 0, "there is no such API token", &id))
		req_submit(r, tokens_revoke_op(r, &id), tokens_on_revoked);
}

/* -------------------------------------------------------------------- list */

struct listing {
	struct store_tx *tx;
	struct json_out *j;
	struct paging paging;
};

static const char *
user_name(struct store_tx *tx, const struct Rec__ApiToken *t)
{
	const struct Rec__User *u = NULL;
	struct ulid id;

	if (pb_id_get(&t->user_id, &id))
		u = user_store_find(tx, &id);
	return u != NULL ? u->name : "";
}

static bool
tokens_on_listed(void *ctx, struct Rec__ApiToken *t)
{
	struct listing *l = ctx;

	if (!paging_shows(&l->paging))
		return true;
	json_obj(l->j, NULL);
	pb_put_id(l->j, "id", &t->id);
	pb_put_id(l->j, "user_id", &t->user_id);
	json_put(l->j, "username", user_name(l->tx, t));
	json_put(l->j, "name", t->name);
	json_put(l->j, "role", auth_role_name(t->role));
	json_put_time(l->j, "created_at", t->created_at_ms);
	json_put_time(l->j, "expires_at", t->expires_at_ms);
	json_put_time(l->j, "last_used_at", t->last_used_at_ms);
	json_obj_end(l->j);
	return true;
}

void
tokens_list(struct req *r)
{
	bool all = r->role == REC__ROLE__ROLE_ADMIN;
	struct answer an;
	struct listing l;
	struct err e;

	if (paging_begin(&l.paging, r, TOKENS_LIST_MAX, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	l.j = answer_begin(&an, r, LIST_BODY_MAX, LIST_ARENA_MAX);
	l.tx = an.tx;
	json_arr(l.j, "items");
	token_store_each(l.tx, all ? NULL : &r->user_id, tokens_on_listed, &l);
	json_arr_end(l.j);
	paging_put(&l.paging, l.j);
	answer_end(&an, 200);
}
