/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/announce_own.h"
#include "controller/answer.h"
#include "controller/bucket.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/pending_store.h"

struct post_in {
	char *hostname, *os, *arch;
	char *agent_version, *restic_version;
	char *public_key;
};
struct accept_in {
	char *repo_url, *repo_username, *repo_password;
	bool allow_duplicate;
};

#define PIN(member) offsetof(struct post_in, member)
#define AIN(member) offsetof(struct accept_in, member)

/* clang-format off */
static const struct json_field post_fields[] = {
	{ "hostname",       JSON_STR, JSON_REQUIRED, 1, 253, PIN(hostname),       0, JSON_NO_SEEN },
	{ "os",             JSON_STR, JSON_REQUIRED, 1, 64,  PIN(os),             0, JSON_NO_SEEN },
	{ "arch",           JSON_STR, JSON_REQUIRED, 1, 64,  PIN(arch),           0, JSON_NO_SEEN },
	{ "agent_version",  JSON_STR, JSON_NULL_OK,  0, 64,  PIN(agent_version),  0, JSON_NO_SEEN },
	{ "restic_version", JSON_STR, JSON_NULL_OK,  0, 64,  PIN(restic_version), 0, JSON_NO_SEEN },
	{ "public_key",     JSON_STR, JSON_REQUIRED, 1, 64,  PIN(public_key),     0, JSON_NO_SEEN },
};
static const struct json_field accept_fields[] = {
	{ "repo_url",        JSON_STR,  JSON_REQUIRED, 0, CREDS_URL_MAX,      AIN(repo_url),        0, JSON_NO_SEEN },
	{ "repo_username",   JSON_STR,  JSON_NULL_OK,  0, CREDS_USER_MAX,     AIN(repo_username),   0, JSON_NO_SEEN },
	{ "repo_password",   JSON_STR,  JSON_REQUIRED, 0, CREDS_PASSWORD_MAX, AIN(repo_password),   0, JSON_NO_SEEN },
	{ "allow_duplicate", JSON_BOOL, JSON_NULL_OK,  0, 0,                  AIN(allow_duplicate), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json announce_post_body = { post_fields,
	ARRAY_LEN(post_fields), sizeof(struct post_in) };
const struct route_json announce_accept_body = { accept_fields,
	ARRAY_LEN(accept_fields), sizeof(struct accept_in) };

/* --------------------------------------------------------- announcing */

static void
announce_on_posted(struct req *r, struct op *op)
{
	const struct announce_join *j = op->in;
	uint8_t hash[CRYPT_HASH_SIZE];
	char id[ULID_TEXT_CAP], fingerprint[KEYPROOF_TEXT_CAP];
	struct json_doc doc;
	struct err e;

	if (!req_stored(r, op))
		return;
	sse_pending_changed(r->ctl->sse);
	if (j->state == REC__PENDING_STATE__PENDING_REJECTED) {
		announce_rejection(&e);
		req_fail(r, &e);
		return;
	}
	ulid_text(&j->id, id);
	keyproof_fingerprint(j->facts.key, hash);
	keyproof_text(hash, fingerprint);
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "pending_id", id);
	json_put(&doc.j, "fingerprint", fingerprint);
	json_put_bool(&doc.j, "hostname_collision", j->collision);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static bool
read_key(const char *text, uint8_t key[CRYPT_SIGN_PUBLIC_SIZE])
{
	size_t n = 0;

	return str_unb64(str_of(text), false, key, CRYPT_SIGN_PUBLIC_SIZE,
	           &n) &&
	       n == CRYPT_SIGN_PUBLIC_SIZE;
}

static enum rc
check_post(struct req *r, struct announce_facts *f, struct err *e)
{
	const struct post_in *in = r->in;
	unsigned wait_s = buckets_take(r->ctl->announce->buckets, r->address);

	if (wait_s > 0) {
		req_add_field(r, "retry-after",
		    arena_printf(&r->arena, "%u", wait_s));
		return err_set(e, RC_RATE,
		    "more than %d announcements a minute from this address",
		    (int)ANNOUNCE_PER_MINUTE);
	}
	f->hostname = in->hostname;
	f->os = in->os;
	f->arch = in->arch;
	f->agent_version = in->agent_version != NULL ? in->agent_version : "";
	f->restic_version =
	    in->restic_version != NULL ? in->restic_version : "";
	if (!read_key(in->public_key, f->key))
		return err_set(e, RC_PROTO,
		    "public_key is not the base64 of 32 bytes (Ed25519)");
	return announce_check(f, e);
}

void
announce_post(struct req *r)
{
	struct announce_facts f;
	struct ulid id;
	struct err e;

	if (check_post(r, &f, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	ulid_new(&id);
	req_submit(r, announce_join_new(&f, &id, false), announce_on_posted);
}

/* ------------------------------------------------------------------ listing */

struct listing {
	struct store_tx *tx;
	struct json_out *j;
	int64_t now_ms;
};

static bool
announce_on_listed(void *ctx, const struct Rec__PendingHost *p)
{
	struct listing *l = ctx;
	char id[ULID_TEXT_CAP], fingerprint[KEYPROOF_TEXT_CAP];
	struct ulid u;

	if (!pending_store_waits(p, l->now_ms) || !pb_id_get(&p->id, &u) ||
	    p->fingerprint.len != CRYPT_HASH_SIZE)
		return true;
	ulid_text(&u, id);
	keyproof_text(p->fingerprint.data, fingerprint);
	json_obj(l->j, NULL);
	json_put(l->j, "id", id);
	json_put(l->j, "hostname", p->hostname);
	json_put(l->j, "os", p->os);
	json_put(l->j, "arch", p->arch);
	json_put(l->j, "agent_version", p->agent_version);
	json_put(l->j, "restic_version", p->restic_version);
	json_put(l->j, "fingerprint", fingerprint);
	json_put(l->j, "announced_from_ip", p->address);
	json_put_time(l->j, "first_seen_at", p->first_seen_at_ms);
	json_put_time(l->j, "last_seen_at", p->last_seen_at_ms);
	json_put_time(l->j, "expires_at", p->expires_at_ms);
	json_put_bool(l->j, "hostname_collision",
	    pending_store_collides(l->tx, p, l->now_ms));
	json_obj_end(l->j);
	return true;
}

void
announce_list(struct req *r)
{
	struct listing l = { .now_ms = clock_now_ms() };
	struct answer an;

	l.j = answer_begin(&an, r, MIB(1), MIB(64));
	l.tx = an.tx;
	json_arr(l.j, "items");
	pending_store_each(an.tx, announce_on_listed, &l);
	json_arr_end(l.j);
	answer_end(&an, 200);
}

/* ----------------------------------------------------------------- deciding */

/* What a refused form is told, and at which field. */
struct refusal {
	const char *param;
	struct err e;
};

/* The panel again with what was typed, but the password. */
static void
refuse(struct req *r, const struct refusal *why)
{
	const struct page_param params[] = {
		{ "pending", r->vars[0] },
		{ "repo_url",
		    creds_url_again(&r->arena, req_field(r, "repo_url")) },
		{ "repo_username", req_field(r, "repo_username") },
		{ "allow_duplicate", req_field(r, "allow_duplicate") },
		{ why->param, str_of(why->e.msg) },
	};
	bool form = why->e.rc == RC_INVALID ||
	            (why->e.code != NULL &&
	                strcmp(why->e.code, "duplicate_hostname") == 0);

	if (r->wants_html && form)
		page_refused(r, "dashboard", params, ARRAY_LEN(params),
		    &why->e);
	else
		req_fail(r, &why->e);
}

static void
answer(struct req *r, const struct announce_decide *d, const char *status)
{
	char pending[ULID_TEXT_CAP], host[ULID_TEXT_CAP];
	bool made = !ulid_is_zero(&d->host);
	struct json_doc doc;

	ulid_text(&d->pending, pending);
	ulid_text(&d->host, host);
	if (r->wants_html) {
		req_redirect(r, made
		                    ? arena_printf(&r->arena, "/hosts/%s", host)
		                    : "/?decided=rejected");
		return;
	}
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "pending_id", pending);
	json_put(&doc.j, "status", status);
	if (made)
		json_put(&doc.j, "host_id", host);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static void
announce_on_accept(struct req *r, struct op *op)
{
	const struct announce_decide *d = op->in;
	struct refusal why = { .param = "error.allow_duplicate", .e = op->err };

	if (op->err.rc != RC_OK) {
		refuse(r, &why);
		return;
	}
	log_info(LOG_AGENT, "pending host accepted hostname=%s",
	    log_safe(str_of(d->name)));
	announce_accepted(r->ctl->announce, &d->pending);
	sse_pending_changed(r->ctl->sse);
	sse_host_changed(r->ctl->sse, &d->host);
	answer(r, d, "accepted");
}

static void
announce_on_reject(struct req *r, struct op *op)
{
	const struct announce_decide *d = op->in;

	if (!req_stored(r, op))
		return;
	log_info(LOG_AGENT, "pending host rejected hostname=%s",
	    log_safe(str_of(d->name)));
	announce_rejected(r->ctl->announce, &d->pending);
	sse_pending_changed(r->ctl->sse);
	answer(r, d, "rejected");
}

static struct op *
decide(struct req *r, op_fn *run)
{
	struct announce_decide d = { 0 };

	if (!req_need_ulid(r, 0,
	        "there is no such pending host; it may have expired",
	        &d.pending))
		return NULL;
	return op_with(run, &d, sizeof(d));
}

void
announce_reject(struct req *r)
{
	struct op *op = decide(r, announce_reject_op);

	if (op != NULL)
		req_submit(r, op, announce_on_reject);
}

static char *
field(struct req *r, const char *name)
{
	return arena_str(&r->arena, str_trim(req_field(r, name)));
}

static const struct accept_in *
read_accept(struct req *r)
{
	struct accept_in *in = r->in;

	if (in != NULL)
		return in;
	in = arena_alloc(&r->arena, sizeof(*in));
	ASSERT(in != NULL); /* the form itself fitted */
	in->repo_url = field(r, "repo_url");
	in->repo_username = field(r, "repo_username");
	in->repo_password = arena_str(&r->arena, req_field(r, "repo_password"));
	in->allow_duplicate = str_eqz(req_field(r, "allow_duplicate"), "1");
	return in;
}

static bool
too_long(const char *z, size_t max)
{
	return z != NULL && strlen(z) > max;
}

static enum rc
check_accept(const struct accept_in *in, struct refusal *why)
{
	why->param = "error.repo_url";
	if (creds_check_url(in->repo_url, &why->e) != RC_OK)
		return why->e.rc;
	if (too_long(in->repo_url, CREDS_URL_MAX))
		return err_set(&why->e, RC_INVALID, "at most %d bytes",
		    (int)CREDS_URL_MAX);
	why->param = "error.repo_username";
	if (creds_check_username(in->repo_username, &why->e) != RC_OK)
		return why->e.rc;
	if (too_long(in->repo_username, CREDS_USER_MAX))
		return err_set(&why->e, RC_INVALID, "at most %d bytes",
		    (int)CREDS_USER_MAX);
	why->param = "error.repo_password";
	if (in->repo_password == NULL || in->repo_password[0] == '\0')
		return err_set(&why->e, RC_INVALID,
		    "the repository's password is needed; it encrypts the "
		    "backups");
	if (too_long(in->repo_password, CREDS_PASSWORD_MAX))
		return err_set(&why->e, RC_INVALID, "at most %d bytes",
		    (int)CREDS_PASSWORD_MAX);
	return creds_check_password(in->repo_password, &why->e);
}

/* What a blank user name becomes (M-069). */
static const char *
default_username(struct req *r, const struct ulid *pending)
{
	struct store_tx *tx = store_begin_read(r->ctl->state, &r->arena);
	const struct Rec__PendingHost *p = pending_store_find(tx, pending);

	store_abort(tx);
	return p != NULL ? p->hostname : "";
}

/* Seals here, on the loop, as minting does: the op needs no password. */
static enum rc
seal(struct req *r, const struct accept_in *in, struct op *op)
{
	struct Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	struct announce_decide *d = op->in;
	char ad[CREDS_AD_CAP];
	struct buf b;
	enum rc rc;

	ulid_new(&d->host);
	d->repo_url = arena_dup(&op->arena, in->repo_url);
	d->repo_username = arena_dup(&op->arena,
	    in->repo_username != NULL && in->repo_username[0] != '\0'
	        ? in->repo_username
	        : default_username(r, &d->pending));
	d->allow_duplicate = in->allow_duplicate;
	repo.url = in->repo_url;
	repo.username = pb_text(d->repo_username);
	repo.password = in->repo_password;
	creds_host_ad(&d->host, CREDS_REPO, ad);
	buf_init(&b, CREDS_SEALED_MAX);
	rc = creds_seal(r->ctl->key, ad, &repo, &b);
	if (rc == RC_OK) {
		d->sealed_repo =
		    str_from(arena_str(&op->arena, buf_str(&b)), b.len);
		rc = arena_rc(&op->arena);
	}
	buf_fini(&b);
	return rc;
}

void
announce_accept(struct req *r)
{
	struct refusal why = { .param = "error" };
	const struct accept_in *in = read_accept(r);
	struct op *op;

	if (check_accept(in, &why) != RC_OK) {
		refuse(r, &why);
		return;
	}
	op = decide(r, announce_accept_op);
	if (op == NULL)
		return;
	if (seal(r, in, op) != RC_OK) {
		op_free(op);
		(void)err_set(&why.e, RC_LIMIT, "the credentials are too long");
		req_fail(r, &why.e);
		return;
	}
	mem_wipe(in->repo_password, strlen(in->repo_password));
	op->vault = true;
	req_submit(r, op, announce_on_accept);
}
