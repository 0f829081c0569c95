/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol_own.h"
#include "controller/page.h"
#include "controller/req.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"
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

/* What was typed as the repository, without user:password@: a page must not
 * hold a password, not even one typed into the wrong field. */
static struct str
url_again(struct req *r)
{
	struct str url = req_field(r, "repo_url"), rest, host;
	size_t n = 0;

	while (n < url.n && !str_starts(str_sub(url, n, url.n), STR("://")))
		n++;
	rest = str_sub(url, n, url.n);
	if (!str_cut(rest, '@', &rest, &host) ||
	    !str_contains(str_sub(rest, 3, rest.n), STR(":")))
		return url;
	return str_of(arena_printf(&r->arena, "%.*s://%.*s",
	    STR_ARG(str_sub(url, 0, n)), STR_ARG(host)));
}

/* The form again with what was typed, but passwords. */
static void
form_again(struct req *r, const struct mint_refusal *why)
{
	bool twice = why->e.rc == RC_CONFLICT;
	const struct page_param params[] = {
		{ "hostname", req_field(r, "hostname") },
		{ "tags", req_field(r, "tags") },
		{ "repo_url", url_again(r) },
		{ "repo_username", req_field(r, "repo_username") },
		{ "initial_paths", req_field(r, "initial_paths") },
		{ "allow_duplicate", req_field(r, "allow_duplicate") },
		{ "duplicate", twice ? STR("1") : str_of("") },
		{ twice ? "error.hostname" : why->param, str_of(why->e.msg) },
	};

	page_reply(r, rc_info(why->e.rc)->http_status, "host_new", params,
	    ARRAY_LEN(params), NULL);
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

void
enrol_new_page(struct req *r)
{
	page_reply(r, 200, "host_new", NULL, 0, NULL);
}

/* ------------------------------------------------------ the pending page */

static const char *
token_state(const struct Rec__EnrolToken *t)
{
	if (t->used_at_ms != 0)
		return "connected";
	return t->expires_at_ms <= clock_now_ms() ? "expired" : "awaiting";
}

static struct str
joined(struct arena *a, char *const *words, size_t n)
{
	const char *all = "";
	size_t i;

	for (i = 0; i < n; i++)
		all =
		    arena_printf(a, "%s%s%s", all, i > 0 ? ", " : "", words[i]);
	return str_of(all);
}

static struct str
user_name(struct req *r, const struct Rec__EnrolToken *t)
{
	struct store_tx *tx;
	struct Rec__User *u;
	struct ulid id;
	struct str name = str_of("");

	if (t->created_by.len != sizeof(id.b))
		return name;
	memcpy(id.b, t->created_by.data, sizeof(id.b));
	tx = store_begin_read(r->ctl->state, &r->arena);
	if ((u = user_store_find(tx, &id)) != NULL)
		name = str_of(u->name);
	store_abort(tx);
	return name;
}

static struct Rec__EnrolToken *
find(struct req *r, const uint8_t hash[CRYPT_HASH_SIZE], struct err *e)
{
	struct store_tx *tx = store_begin_read(r->ctl->vault, &r->arena);
	struct Rec__EnrolToken *t = vault_find_token(tx, hash);

	if (store_rc(tx) != RC_OK)
		*e = *store_err(tx);
	else if (t == NULL)
		(void)err_set(e, RC_NOTFOUND,
		    "there is no such enrolment; it may have expired long ago");
	store_abort(tx);
	return t;
}

static void
add(struct page_param *out, size_t *n, const char *name, struct str value)
{
	ASSERT(*n < ENROL_PENDING_PARAMS);
	out[*n].name = name;
	out[*n].value = value;
	(*n)++;
}

static struct str
number(struct arena *a, int64_t v)
{
	return str_of(arena_printf(a, "%" PRId64, v));
}

static void
fill_params(struct req *r, const struct Rec__EnrolToken *t,
    const uint8_t hash[CRYPT_HASH_SIZE], struct page_param *out, size_t *n)
{
	struct arena *a = &r->arena;
	char hex[2 * CRYPT_HASH_SIZE + 1], host[ULID_TEXT_CAP] = "";
	struct ulid id;

	str_hex(hash, CRYPT_HASH_SIZE, hex, sizeof(hex));
	if (t->used_host.len == sizeof(id.b)) {
		memcpy(id.b, t->used_host.data, sizeof(id.b));
		ulid_text(&id, host);
	}
	*n = 0;
	add(out, n, "hash", str_of(arena_dup(a, hex)));
	add(out, n, "state", str_of(token_state(t)));
	add(out, n, "hostname", str_of(t->hostname));
	add(out, n, "tags", joined(a, t->tags, t->n_tags));
	add(out, n, "repo_url", str_of(t->repo_url));
	add(out, n, "repo_username", str_of(t->repo_username));
	add(out, n, "expires_at_ms", number(a, t->expires_at_ms));
	add(out, n, "created_at_ms", number(a, t->created_at_ms));
	add(out, n, "created_by", user_name(r, t));
	add(out, n, "host", str_of(arena_dup(a, host)));
	add(out, n, "has_password", STR("1"));
	add(out, n, "password_generated",
	    t->password_generated ? STR("1") : str_of(""));
}

enum rc
enrol_pending_params(struct req *r, const uint8_t hash[CRYPT_HASH_SIZE],
    struct page_param *out, size_t *n, struct err *e)
{
	struct Rec__EnrolToken *t = find(r, hash, e);

	if (t == NULL)
		return e->rc;
	fill_params(r, t, hash, out, n);
	return RC_OK;
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
struct view {
	struct Rec__EnrolToken *token;
	uint8_t hash[CRYPT_HASH_SIZE];
};

static enum rc
view_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct ulid none = { { 0 } };

	(void)vault;
	op_audit(state, op, "enrollment_token.viewed", "enrollment_token",
	    &none, op->in, NULL);
	return store_rc(state);
}

static void
show(struct req *r, const struct view *v)
{
	struct page_param params[ENROL_PENDING_PARAMS];
	struct Rec__RepoSecret *repo = NULL;
	struct page_secrets secrets = { 0 };
	struct err e = { 0 };
	char ad[CREDS_AD_CAP];
	size_t n = 0;
	enum rc rc;

	fill_params(r, v->token, v->hash, params, &n);
	creds_token_ad(v->hash, ad);
	rc = creds_open(r->ctl->key, ad,
	    str_from(v->token->sealed_repo.data, v->token->sealed_repo.len),
	    &r->arena, &repo);
	if (rc != RC_OK) {
		(void)err_set(&e, rc,
		    "the credentials of this enrolment do "
		    "not open with secret.key; create a new one");
		req_fail(r, &e);
		return;
	}
	secrets.token = str_of(enrol_kept(r->ctl->enrol, v->hash));
	secrets.password = str_of(repo->password);
	page_reply(r, 200, "pending", params, n, &secrets);
	creds_wipe(repo);
}

static void
enrol_on_view_audited(struct req *r, struct op *op)
{
	struct err e = { 0 };
	struct view v;

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	if (!str_unhex(r->vars[0], v.hash, sizeof(v.hash)) ||
	    (v.token = find(r, v.hash, &e)) == NULL)
		req_fail(r, &e);
	else
		show(r, &v);
}

void
enrol_pending(struct req *r)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__EnrolToken *t;
	struct err e = { 0 };
	struct ulid host;
	char id[ULID_TEXT_CAP];
	struct op *op;

	if (!take_hash(r, hash))
		return;
	if ((t = find(r, hash, &e)) == NULL) {
		req_fail(r, &e);
	} else if (t->used_host.len == sizeof(host.b)) {
		memcpy(host.b, t->used_host.data, sizeof(host.b));
		ulid_text(&host, id);
		req_redirect(r, arena_printf(&r->arena, "/hosts/%s", id));
	} else if (t->expires_at_ms <= clock_now_ms() ||
	           *enrol_kept(r->ctl->enrol, hash) == '\0') {
		/* Over, or its text is gone with an earlier process. */
		req_redirect(r, "/hosts/new");
	} else {
		op = op_new(view_op, NULL, NULL);
		op->in = arena_dup(&op->arena, t->hostname);
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
		(void)err_set(&e, rc, "the page could not be made");
		req_fail(r, &e);
	}
	req_release(r);
}

void
enrol_awaiting(struct req *r)
{
	struct page_param params[ENROL_PENDING_PARAMS];
	uint8_t hash[CRYPT_HASH_SIZE];
	struct err e = { 0 };
	size_t n = 0;

	if (!take_hash(r, hash))
		return;
	if (enrol_pending_params(r, hash, params, &n, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	req_hold(r);
	page_fragment(r, "pending", "enrol.state", params, n, enrol_on_fragment,
	    r);
}
