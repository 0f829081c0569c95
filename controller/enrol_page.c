/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol_own.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"

enum {
	FORM_WORDS_MAX = 1000
};

/* -------------------------------------------------------------- the form */

/* Words of text between separators, blanks around them gone. */
static void
split(struct req *r, struct str text, const char *separators,
    struct json_strs *out)
{
	size_t from = 0, i;
	struct str word;

	out->v = arena_array(&r->arena, FORM_WORDS_MAX + 1, sizeof(*out->v));
	out->n = 0;
	for (i = 0; out->v != NULL && i <= text.n; i++) {
		if (i < text.n && strchr(separators, text.p[i]) == NULL)
			continue;
		word = str_trim(str_sub(text, from, i - from));
		from = i + 1;
		if (word.n > 0 && out->n < FORM_WORDS_MAX)
			out->v[out->n++] = arena_str(&r->arena, word);
	}
}

static char *
field(struct req *r, const char *name)
{
	return arena_str(&r->arena, str_trim(req_field(r, name)));
}

struct str
enrol_pin_base64(struct req *r)
{
	char pin[STR_B64_CAP(CRYPT_HASH_SIZE)];

	str_b64(r->ctl->pin, CRYPT_HASH_SIZE, false, pin, sizeof(pin));
	return str_of(arena_dup(&r->arena, pin));
}

struct str
enrol_pin_hex(struct req *r)
{
	char pin[2 * CRYPT_HASH_SIZE + 1];

	str_hex(r->ctl->pin, CRYPT_HASH_SIZE, pin, sizeof(pin));
	return str_of(arena_dup(&r->arena, pin));
}

/* The form again with what was typed, but passwords. */
static void
form_again(struct req *r, const struct mint_refusal *why)
{
	bool twice = why->e.rc == RC_CONFLICT;
	const struct page_param params[] = {
		{ "hostname", req_field(r, "hostname") },
		{ "tags", req_field(r, "tags") },
		{ "repo_url",
		    creds_url_again(&r->arena, req_field(r, "repo_url")) },
		{ "repo_username", req_field(r, "repo_username") },
		{ "initial_paths", req_field(r, "initial_paths") },
		{ "allow_duplicate", req_field(r, "allow_duplicate") },
		{ "duplicate", twice ? STR("1") : str_of("") },
		{ "pin", enrol_pin_base64(r) },
		{ "pin_hex", enrol_pin_hex(r) },
		{ twice ? "error.hostname" : why->param, str_of(why->e.msg) },
	};

	page_refused(r, "host_new", params, ARRAY_LEN(params), &why->e);
}

static void
enrol_on_form_minted(struct req *r, struct op *op)
{
	struct mint_refusal why = { .param = "error", .e = op->err };
	struct mint_out *out = op->out;
	char hash[2 * CRYPT_HASH_SIZE + 1];

	if (op->err.rc != RC_OK) {
		form_again(r, &why);
		return;
	}
	enrol_keep(r->ctl->enrol, out);
	mem_wipe(out->token, sizeof(out->token));
	str_hex(out->hash, sizeof(out->hash), hash, sizeof(hash));
	req_redirect(r, arena_printf(&r->arena, "/hosts/pending/%s", hash));
}

void
enrol_mint_form(struct req *r)
{
	struct mint_refusal why = { .param = "error" };
	struct mint_in in = { 0 };
	bool generated = false;

	in.hostname = field(r, "hostname");
	in.repo_url = field(r, "repo_url");
	in.repo_username = field(r, "repo_username");
	in.repo_password = field(r, "repo_password");
	in.allow_duplicate = str_eqz(req_field(r, "allow_duplicate"), "1");
	split(r, req_field(r, "tags"), ", \t\r\n", &in.tags);
	split(r, req_field(r, "initial_paths"), "\r\n", &in.initial_paths);
	if (enrol_check_mint(&in, r, &generated, &why) != RC_OK)
		form_again(r, &why);
	else
		enrol_submit_mint(r, &in, generated, enrol_on_form_minted);
}

/* The form, and the enrolments there are; was: the one whose page led here. */
void
enrol_new_page(struct req *r)
{
	const struct page_param params[] = {
		{ "page", req_query(r, "page") },
		{ "was", req_query(r, "was") },
		{ "pin", enrol_pin_base64(r) },
		{ "pin_hex", enrol_pin_hex(r) },
	};

	page_reply(r, 200, "host_new", params, ARRAY_LEN(params), NULL);
}

/* ------------------------------------------------------ the pending page */

enum {
	PENDING_PARAMS = 3
};

/* What the page needs beside the record that it reads itself. */
static void
fill_params(struct req *r, const uint8_t hash[CRYPT_HASH_SIZE],
    const char *password, struct page_param out[PENDING_PARAMS])
{
	char hex[2 * CRYPT_HASH_SIZE + 1];

	str_hex(hash, CRYPT_HASH_SIZE, hex, sizeof(hex));
	out[0] =
	    (struct page_param){ "hash", str_of(arena_dup(&r->arena, hex)) };
	out[1] = (struct page_param){ "pin", enrol_pin_base64(r) };
	out[2] = (struct page_param){ "secrets",
		str_of(arena_printf(&r->arena, "%s%s",
		    *enrol_kept(r->ctl->enrol, hash) != '\0' ? "token " : "",
		    *password != '\0' ? "password" : "")) };
}

/* {hash}: 64 hex digits.  A raw token is sent to the page of its hash, so
 * that it stays in no history. */
static bool
take_hash(struct req *r, uint8_t hash[CRYPT_HASH_SIZE])
{
	struct str secret, pin;
	char hex[2 * CRYPT_HASH_SIZE + 1];
	struct err e = { 0 };

	if (str_unhex(r->vars[0], hash, CRYPT_HASH_SIZE))
		return true;
	str_cut(r->vars[0], '.', &secret, &pin);
	if (secret.n != ENROL_SECRET_CHARS) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such enrolment");
		req_fail(r, &e);
		return false;
	}
	crypt_sha256(secret, hash);
	str_hex(hash, CRYPT_HASH_SIZE, hex, sizeof(hex));
	req_redirect(r, arena_printf(&r->arena, "/hosts/pending/%s", hex));
	return false;
}

/* Shows the secrets; each view is in the audit log first (W-30). */
static enum rc
view_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct ulid none = { { 0 } };

	(void)vault;
	op_audit(state, op, "enrollment_token.viewed", "enrollment_token",
	    &none, op->in, NULL);
	return store_rc(state);
}

/* The password while the vault still has it: NULL when it does not. */
static enum rc
open_password(struct req *r, const uint8_t hash[CRYPT_HASH_SIZE],
    struct Rec__RepoSecret **out, struct err *e)
{
	struct store_tx *tx = store_begin_read(r->ctl->vault, &r->arena);
	const struct Rec__EnrolToken *t = vault_find_token(tx, hash);
	char ad[CREDS_AD_CAP];
	enum rc rc = store_rc(tx);

	*out = NULL;
	if (rc != RC_OK)
		*e = *store_err(tx);
	store_abort(tx);
	if (rc != RC_OK || t == NULL || !t->password_generated)
		return rc;
	creds_token_ad(hash, ad);
	rc = creds_open(r->ctl->key, ad,
	    str_from(t->sealed_repo.data, t->sealed_repo.len), &r->arena, out);
	if (rc != RC_OK)
		return err_set(e, rc,
		    "the credentials of this enrolment do not open with "
		    "secret.key; revoke it and add the host anew");
	return RC_OK;
}

static void
enrol_on_view_audited(struct req *r, struct op *op)
{
	struct page_param params[PENDING_PARAMS];
	struct page_secrets secrets = { 0 };
	struct Rec__RepoSecret *repo = NULL;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct err e = op->err;

	if (e.rc == RC_OK && !str_unhex(r->vars[0], hash, sizeof(hash)))
		(void)err_set(&e, RC_NOTFOUND, "there is no such enrolment");
	if (e.rc != RC_OK || open_password(r, hash, &repo, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	secrets.token = str_of(enrol_kept(r->ctl->enrol, hash));
	secrets.password = str_of(repo != NULL ? repo->password : "");
	fill_params(r, hash, repo != NULL ? repo->password : "", params);
	/* What is shown once must not be kept by anybody on the way. */
	page_reply(r, 200, "pending", params, PENDING_PARAMS, &secrets);
	creds_wipe(repo);
}

static const char *
pending_path(struct req *r, const char *before, ProtobufCBinaryData hash)
{
	char hex[2 * CRYPT_HASH_SIZE + 1];

	str_hex(hash.data, hash.len, hex, sizeof(hex));
	return arena_printf(&r->arena, "%s%s", before, hex);
}

/* Of a used token: its host once nothing is left to wait for. */
static const char *
host_path(struct req *r, struct store_tx *tx, const struct Rec__Enrolment *en)
{
	const struct Rec__Host *h = NULL;
	char id[ULID_TEXT_CAP];
	struct ulid host;

	if (pb_id_get(&en->used_host, &host))
		h = host_store_find(tx, &host);
	if (h == NULL)
		return "/hosts/new";
	if (h->repo_status != REC__REPO_STATUS__REPO_READY)
		return NULL;
	ulid_text(&host, id);
	return arena_printf(&r->arena, "/hosts/%s", id);
}

/* Where a page that is over leads; NULL: it is not. */
static const char *
leads_to(struct req *r, struct store_tx *tx, const struct Rec__Enrolment *en)
{
	ProtobufCBinaryData was = pb_bytes(NULL, 0);
	uint8_t hash[CRYPT_HASH_SIZE];

	switch (enrol_store_state(en, clock_now_ms())) {
	case ENROL_AWAITING:
		return NULL;
	case ENROL_USED:
		return host_path(r, tx, en);
	case ENROL_REPLACED:
		if (en->replaced_by.len == CRYPT_HASH_SIZE)
			return pending_path(r, "/hosts/pending/",
			    en->replaced_by);
		break;
	case ENROL_EXPIRED:
	case ENROL_REVOKED:
		break;
	}
	if (str_unhex(r->vars[0], hash, sizeof(hash)))
		was = pb_bytes(hash, sizeof(hash));
	return pending_path(r, "/hosts/new?was=", was);
}

void
enrol_pending(struct req *r)
{
	const struct Rec__Enrolment *en;
	uint8_t hash[CRYPT_HASH_SIZE];
	const char *elsewhere = NULL;
	struct store_tx *tx;
	struct err e = { 0 };
	struct op *op;

	if (!take_hash(r, hash))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	en = enrol_store_find(tx, hash);
	if (en != NULL)
		elsewhere = leads_to(r, tx, en);
	if (store_rc(tx) != RC_OK)
		e = *store_err(tx);
	else if (en == NULL)
		(void)err_set(&e, RC_NOTFOUND,
		    "there is no such enrolment; it may have expired long ago");
	store_abort(tx);
	if (en == NULL || e.rc != RC_OK) {
		req_fail(r, &e);
	} else if (elsewhere != NULL) {
		req_redirect(r, elsewhere);
	} else {
		op = op_new(view_op, NULL, NULL);
		op->in = arena_dup(&op->arena, en->hostname);
		req_submit(r, op, enrol_on_view_audited);
	}
}

static void
enrol_on_fragment(void *ctx, enum rc rc, struct str html)
{
	struct req *r = ctx;
	struct err e = { 0 };

	if (rc == RC_OK) {
		req_text(r, 200, "text/html; charset=utf-8", html);
	} else {
		(void)err_set(&e, rc,
		    rc == RC_NOTFOUND ? "there is no such enrolment"
		                      : "the page could not be made");
		req_fail(r, &e);
	}
	req_release(r);
}

void
enrol_awaiting(struct req *r)
{
	struct page_param params[PENDING_PARAMS];
	uint8_t hash[CRYPT_HASH_SIZE];
	bool known;
	struct store_tx *tx;
	struct err e = { 0 };

	if (!take_hash(r, hash))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	known = enrol_store_find(tx, hash) != NULL;
	store_abort(tx);
	if (!known) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such enrolment");
		req_fail(r, &e);
		return;
	}
	fill_params(r, hash, "", params);
	req_hold(r);
	page_fragment(r, "pending", "enrol.state", params, PENDING_PARAMS,
	    enrol_on_fragment, r);
}
