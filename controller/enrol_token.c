/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokens once they are made: shown, revoked, replaced by another one. */
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol_own.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"

enum {
	RECORDS_MAX = 4 << 20,
	PAGE_DEFAULT = 100,
	PAGE_MAX = 500,
	ANSWER_MAX = 4 << 20
};

void
enrol_record(struct store_tx *state, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t, const char *by)
{
	struct Rec__Enrolment e = REC__ENROLMENT__INIT;

	e.hostname = t->hostname;
	e.tags = t->tags;
	e.n_tags = t->n_tags;
	e.repo_url = t->repo_url;
	e.repo_username = t->repo_username;
	e.password_generated = t->password_generated;
	e.created_at_ms = t->created_at_ms;
	e.expires_at_ms = t->expires_at_ms;
	e.created_by = t->created_by;
	e.created_by_name = pb_text(by);
	enrol_store_put(state, hash, &e);
}

void
enrol_put_id(struct json_out *j, const char *name,
    const uint8_t hash[CRYPT_HASH_SIZE])
{
	char hex[2 * CRYPT_HASH_SIZE + 1];

	str_hex(hash, CRYPT_HASH_SIZE, hex, sizeof(hex));
	json_put(j, name, hex);
}

/* ---------------------------------------------------------------- the list */

static const char *
state_name(enum enrol_state s)
{
	static const char *const names[] = {
		[ENROL_AWAITING] = "awaiting",
		[ENROL_USED] = "used",
		[ENROL_EXPIRED] = "expired",
		[ENROL_REVOKED] = "revoked",
		[ENROL_REPLACED] = "replaced",
	};

	return names[s];
}

static void
put_row(struct json_out *j, const struct enrol_row *row, int64_t now_ms)
{
	const struct Rec__Enrolment *e = row->rec;
	char host[ULID_TEXT_CAP] = "";
	struct ulid id;

	json_obj(j, NULL);
	enrol_put_id(j, "id", row->hash);
	json_put(j, "state", state_name(enrol_store_state(e, now_ms)));
	json_put(j, "hostname", e->hostname);
	json_put_strs(j, "tags", e->tags, e->n_tags);
	json_put(j, "repo_url", e->repo_url);
	json_put(j, "repo_username", e->repo_username);
	json_put(j, "created_by", e->created_by_name);
	json_put_time(j, "created_at", e->created_at_ms);
	json_put_time(j, "expires_at", e->expires_at_ms);
	json_put_time(j, "used_at", e->used_at_ms);
	json_put_time(j, "revoked_at", e->revoked_at_ms);
	if (pb_id_get(&e->used_host, &id)) {
		ulid_text(&id, host);
		json_put(j, "host_id", host);
	} else {
		json_put_null(j, "host_id");
	}
	json_obj_end(j);
}

static uint64_t
query_number(struct req *r, const char *name, uint64_t dflt, uint64_t max)
{
	uint64_t n;

	if (!str_u64(req_query(r, name), max, &n) || n == 0)
		return dflt;
	return n;
}

void
enrol_list(struct req *r)
{
	uint64_t page = query_number(r, "page", 1, UINT32_MAX);
	uint64_t per_page = query_number(r, "per_page", PAGE_DEFAULT, PAGE_MAX);
	int64_t now_ms = clock_now_ms();
	const struct enrol_row *rows;
	struct json_out *j;
	struct answer an;
	size_t n, i;

	j = answer_begin(&an, r, ANSWER_MAX, RECORDS_MAX);
	rows = enrol_store_list(an.tx, now_ms, &n);
	json_arr(j, "items");
	for (i = (size_t)((page - 1) * per_page); i < n && i < page * per_page;
	     i++)
		put_row(j, &rows[i], now_ms);
	json_arr_end(j);
	json_put_uint(j, "total", n);
	json_put_uint(j, "page", page);
	json_put_uint(j, "per_page", per_page);
	answer_end(&an, 200);
}

/* ---------------------------------------------------------------- revoking */

/* What both changes work on. */
struct token_op {
	uint8_t hash[CRYPT_HASH_SIZE];
	const uint8_t *key;
	struct ulid user;
	struct mint_out made; /* in its place */
	const char *repo_username;
	const char *repo_password;
};

static enum rc
refuse_unknown(struct store_tx *state)
{
	return store_fail(state, RC_NOTFOUND,
	    "there is no such enrolment; it may have been forgotten, which "
	    "happens a day after it expires");
}

static enum rc
refuse_used(struct store_tx *state)
{
	return store_fail_code(state, RC_CONFLICT, "token_used",
	    "the token was used, its host is enrolled");
}

static void
audit(struct store_tx *state, const struct op *op, const char *action,
    const struct token_op *t, const char *name)
{
	static const struct ulid none = { { 0 } };
	bool remade = t->made.expires_at_ms != 0;
	struct json_doc doc;

	json_doc_init(&doc, KIB(1));
	enrol_put_id(&doc.j, "token_id", t->hash);
	if (remade)
		enrol_put_id(&doc.j, "replaced_by", t->made.hash);
	op_audit(state, op, action, "enrollment_token", &none, name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

/* A second time it changes nothing. */
static enum rc
revoke_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct token_op *t = op->in;
	struct Rec__Enrolment *e = enrol_store_find(state, t->hash);

	if (e == NULL)
		return refuse_unknown(state);
	if (e->used_at_ms != 0)
		return refuse_used(state);
	vault_del_token(vault, t->hash);
	if (e->revoked_at_ms != 0)
		return store_rc(state);
	e->revoked_at_ms = clock_now_ms();
	enrol_store_put(state, t->hash, e);
	audit(state, op, "enrollment_token.revoked", t, e->hostname);
	return store_rc(state);
}

/* ------------------------------------------------------------ regenerating */

/* The credentials of the old token, sealed to the new one. */
static enum rc
reseal(struct store_tx *state, struct op *op, struct token_op *t,
    struct Rec__EnrolToken *token, struct buf *sealed)
{
	struct Rec__RepoSecret *repo = NULL;
	char from[CREDS_AD_CAP], to[CREDS_AD_CAP];
	enum rc rc;

	creds_token_ad(t->hash, from);
	creds_token_ad(t->made.hash, to);
	rc = creds_open(t->key, from,
	    str_from(token->sealed_repo.data, token->sealed_repo.len),
	    &op->arena, &repo);
	if (rc == RC_OK)
		rc = creds_seal(t->key, to, repo, sealed);
	creds_wipe(repo);
	if (rc != RC_OK)
		return store_fail(state, RC_CORRUPT,
		    "the credentials of this enrolment do not open with "
		    "secret.key; revoke it and add the host anew");
	token->sealed_repo = pb_bytes(sealed->data, sealed->len);
	return RC_OK;
}

/* What speaks against another token in its place. */
static enum rc
check_remake(struct store_tx *state, const struct Rec__Enrolment *e,
    const struct Rec__EnrolToken *token)
{
	if (e == NULL)
		return refuse_unknown(state);
	if (e->used_at_ms != 0)
		return refuse_used(state);
	if (token == NULL)
		return store_fail(state, RC_GONE,
		    "this enrolment was revoked and its credentials are "
		    "gone; add the host anew");
	if (!token->allow_duplicate &&
	    host_store_find_name(state, str_of(token->hostname)) != NULL)
		return store_fail_code(state, RC_CONFLICT, "duplicate_hostname",
		    "there is a host named %s by now", token->hostname);
	return RC_OK;
}

static enum rc
regenerate_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct token_op *t = op->in;
	struct Rec__Enrolment *e = enrol_store_find(state, t->hash);
	struct Rec__EnrolToken *token = vault_find_token(vault, t->hash);
	struct buf sealed;
	enum rc rc;

	if (check_remake(state, e, token) != RC_OK)
		return store_rc(state);
	buf_init(&sealed, CREDS_SEALED_MAX);
	rc = reseal(state, op, t, token, &sealed);
	if (rc == RC_OK) {
		token->created_at_ms = clock_now_ms();
		token->expires_at_ms = t->made.expires_at_ms;
		token->created_by = pb_id(&t->user);
		vault_del_token(vault, t->hash);
		vault_put_token(vault, t->made.hash, token);
		enrol_record(state, t->made.hash, token, op->actor.name);
		e->revoked_at_ms = clock_now_ms();
		e->replaced_by = pb_bytes(t->made.hash, sizeof(t->made.hash));
		enrol_store_put(state, t->hash, e);
		audit(state, op, "enrollment_token.regenerated", t,
		    e->hostname);
	}
	buf_fini(&sealed);
	return rc == RC_OK ? store_rc(state) : rc;
}

/* ------------------------------------------------------------------ routes */

/* NULL: r is answered. */
static struct op *
token_op_new(struct req *r, op_fn *run)
{
	struct token_op t = { .key = r->ctl->key, .user = r->user_id };
	struct op *op;
	struct err e;

	if (!str_unhex(r->vars[0], t.hash, sizeof(t.hash))) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such enrolment");
		req_fail(r, &e);
		return NULL;
	}
	op = op_with(run, &t, sizeof(t));
	op->vault = true;
	return op;
}

static void
enrol_on_revoked(struct req *r, struct op *op)
{
	const struct token_op *t = op->in;

	if (!req_stored(r, op))
		return;
	enrol_forget(r->ctl->enrol, t->hash);
	sse_token_changed(r->ctl->sse, t->hash);
	if (r->wants_html)
		req_redirect(r, "/hosts/new");
	else
		req_empty(r, 204);
}

void
enrol_revoke(struct req *r)
{
	struct op *op = token_op_new(r, revoke_op);

	if (op != NULL)
		req_submit(r, op, enrol_on_revoked);
}

static void
tell_token(struct req *r, const struct mint_out *made)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(4));
	enrol_put_id(&doc.j, "id", made->hash);
	json_put(&doc.j, "token", made->token);
	json_put_time(&doc.j, "expires_at", made->expires_at_ms);
	req_doc(r, 200, &doc);
	json_doc_wipe_fini(&doc);
}

static void
enrol_on_regenerated(struct req *r, struct op *op)
{
	struct token_op *t = op->in;
	char hash[2 * CRYPT_HASH_SIZE + 1];

	if (!req_stored(r, op))
		return;
	enrol_forget(r->ctl->enrol, t->hash);
	enrol_keep(r->ctl->enrol, &t->made);
	sse_token_changed(r->ctl->sse, t->hash);
	if (r->wants_html) {
		str_hex(t->made.hash, sizeof(t->made.hash), hash, sizeof(hash));
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/pending/%s", hash));
	} else {
		tell_token(r, &t->made);
	}
	mem_wipe(t->made.token, sizeof(t->made.token));
}

void
enrol_regenerate(struct req *r)
{
	struct op *op = token_op_new(r, regenerate_op);
	struct token_op *t;

	if (op == NULL)
		return;
	t = op->in;
	enrol_new_token(r->ctl->pin, &t->made);
	req_submit(r, op, enrol_on_regenerated);
}

/* -------------------------------------------------------------- at a start */

/* Of two commits the vault's is first: a token that is gone there and still
 * shown as waiting was revoked by a change that was not finished. */
static enum rc
mend_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct Rec__Enrolment *e;
	struct enrol_row *rows;
	size_t n, i;

	(void)op;
	rows = enrol_store_list(state, clock_now_ms(), &n);
	for (i = 0; i < n; i++) {
		if (rows[i].rec->used_at_ms != 0 ||
		    rows[i].rec->revoked_at_ms != 0 ||
		    vault_find_token(vault, rows[i].hash) != NULL ||
		    store_rc(vault) != RC_OK)
			continue;
		e = enrol_store_find(state, rows[i].hash);
		if (e == NULL)
			continue;
		e->revoked_at_ms = clock_now_ms();
		enrol_store_put(state, rows[i].hash, e);
	}
	return RC_OK;
}

static void
enrol_on_mended(struct op *op, void *ctx)
{
	(void)ctx;
	if (op->err.rc != RC_OK)
		log_warn(LOG_STORE, "enrolments not checked error=%s",
		    log_safe(str_of(op->err.msg)));
}

void
enrol_mend(struct controller *c)
{
	struct op *op = op_new(mend_op, enrol_on_mended, NULL);

	op->vault = true;
	op_submit(c->ops, &op);
}
