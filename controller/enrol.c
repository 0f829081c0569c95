/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/enrol.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol_own.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "controller/tags.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/repo_env.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"

enum {
	KEPT_MAX = 1000,
	NAME_MAX_BYTES = 253,
	PATHS_MAX = 1000,
	PATH_MAX_BYTES = 4096,
	PASSWORD_RAW = 24 /* M-068 */
};

#define IN(member) offsetof(struct mint_in, member)
#define EIN(member) offsetof(struct enrol_in, member)

/* clang-format off */
static const struct json_field mint_fields[] = {
	{ "hostname",      JSON_STR,  JSON_REQUIRED, 0, NAME_MAX_BYTES,     IN(hostname),      0, JSON_NO_SEEN },
	{ "tags",          JSON_STRS, JSON_NULL_OK,  0, TAGS_MAX,           IN(tags),          TAG_MAX_BYTES, JSON_NO_SEEN },
	{ "repo_url",      JSON_STR,  JSON_REQUIRED, 0, CREDS_URL_MAX,      IN(repo_url),      0, JSON_NO_SEEN },
	{ "repo_username", JSON_STR,  JSON_NULL_OK,  0, CREDS_USER_MAX,     IN(repo_username), 0, JSON_NO_SEEN },
	{ "repo_password", JSON_STR,  JSON_NULL_OK,  0, CREDS_PASSWORD_MAX, IN(repo_password), 0, JSON_NO_SEEN },
	{ "initial_paths", JSON_STRS, JSON_NULL_OK,  0, PATHS_MAX,          IN(initial_paths), PATH_MAX_BYTES, JSON_NO_SEEN },
	{ "extra",         JSON_PAIRS, JSON_NULL_OK, 0, REPO_ENV_MAX,       IN(extra),         REPO_ENV_FILE_MAX, JSON_NO_SEEN },
	{ "allow_duplicate", JSON_BOOL, JSON_NULL_OK, 0, 0,                 IN(allow_duplicate), 0, JSON_NO_SEEN },
};

static const struct json_field agent_fields[] = {
	{ "token",          JSON_STR, JSON_REQUIRED, 0, 128, EIN(token),          0, JSON_NO_SEEN },
	{ "enrol_id",       JSON_STR, JSON_NULL_OK,  0, 64,  EIN(enrol_id),       0, JSON_NO_SEEN },
	{ "hostname",       JSON_STR, JSON_REQUIRED, 0, 255, EIN(hostname),       0, JSON_NO_SEEN },
	{ "os",             JSON_STR, JSON_REQUIRED, 0, 64,  EIN(os),             0, JSON_NO_SEEN },
	{ "arch",           JSON_STR, JSON_REQUIRED, 0, 64,  EIN(arch),           0, JSON_NO_SEEN },
	{ "agent_version",  JSON_STR, JSON_NULL_OK,  0, 64,  EIN(agent_version),  0, JSON_NO_SEEN },
	{ "restic_version", JSON_STR, JSON_NULL_OK,  0, 64,  EIN(restic_version), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json enrol_mint_body = { mint_fields, ARRAY_LEN(mint_fields),
	sizeof(struct mint_in) };
const struct route_json enrol_agent_body = { agent_fields,
	ARRAY_LEN(agent_fields), sizeof(struct enrol_in) };

/* ------------------------------------------------- texts kept in memory */

struct kept {
	struct secret token;
	int64_t expires_at_ms;
};

struct enrol {
	struct map *kept; /* hash -> struct kept */
};

static struct str
hash_key(const uint8_t hash[CRYPT_HASH_SIZE])
{
	return str_from(hash, CRYPT_HASH_SIZE);
}

static void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	secret_fini(&k->token);
	mem_free(k);
}

struct enrol *
enrol_new(struct controller *c)
{
	struct enrol *en = MEM_NEW(struct enrol);

	(void)c;
	en->kept = map_new();
	return en;
}

/* Forgets what expires before limit. */
static void
sweep(struct enrol *en, int64_t limit)
{
	struct str key;
	void *value;
	size_t pos = 0;

	while (map_next(en->kept, &pos, &key, &value)) {
		struct kept *k = value;

		if (k->expires_at_ms >= limit)
			continue;
		(void)map_del(en->kept, key);
		kept_free(k);
	}
}

void
enrol_free(struct enrol *en)
{
	if (en == NULL)
		return;
	sweep(en, INT64_MAX);
	map_free(en->kept);
	mem_free(en);
}

void
enrol_tick(struct enrol *en)
{
	sweep(en, clock_now_ms());
}

const char *
enrol_kept(const struct enrol *en, const uint8_t hash[CRYPT_HASH_SIZE])
{
	const struct kept *k = map_get(en->kept, hash_key(hash));

	return k != NULL ? k->token.p : "";
}

void
enrol_keep(struct enrol *en, const struct mint_out *out)
{
	struct kept *k;

	if (map_count(en->kept) >= KEPT_MAX)
		return; /* the answer shows it; only reloads cannot */
	k = MEM_NEW(struct kept);
	secret_set(&k->token, str_of(out->token));
	k->expires_at_ms = out->expires_at_ms;
	kept_free(map_put(en->kept, hash_key(out->hash), k));
}

void
enrol_forget(struct enrol *en, const uint8_t hash[CRYPT_HASH_SIZE])
{
	kept_free(map_del(en->kept, hash_key(hash)));
}

/* -------------------------------------------------------------- checking */

static bool
name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool
enrol_name_ok(const char *z)
{
	const char *p;

	for (p = z; *p != '\0'; p++)
		if (!name_char(*p))
			return false;
	return p != z && *z != '-' && *z != '.';
}

static bool
absolute(const char *z)
{
	return creds_printable(z) &&
	       (z[0] == '/' || (z[0] != '\0' && z[1] == ':' && z[2] == '\\'));
}

static enum rc
check_lists(struct mint_in *in, struct mint_refusal *why)
{
	size_t i;

	why->param = "error.tags";
	if (tags_check(&in->tags, &why->e) != RC_OK)
		return why->e.rc;
	why->param = "error.initial_paths";
	for (i = 0; i < in->initial_paths.n; i++)
		if (!absolute(in->initial_paths.v[i]))
			return err_set(&why->e, RC_INVALID,
			    "path %zu is not "
			    "absolute; begin it with /",
			    i + 1);
	return RC_OK;
}

static void
complete(struct mint_in *in, struct req *r, bool *generated)
{
	uint8_t raw[PASSWORD_RAW];
	char text[STR_B64_CAP(PASSWORD_RAW)];

	if (in->repo_username == NULL || in->repo_username[0] == '\0')
		in->repo_username = in->hostname; /* M-069 */
	*generated = in->repo_password == NULL || in->repo_password[0] == '\0';
	if (!*generated)
		return;
	crypt_random(raw, sizeof(raw));
	str_b64(raw, sizeof(raw), true, text, sizeof(text));
	in->repo_password = arena_dup(&r->arena, text);
	mem_wipe(raw, sizeof(raw));
	mem_wipe(text, sizeof(text));
}

enum rc
enrol_check_mint(struct mint_in *in, struct req *r, bool *generated,
    struct mint_refusal *why)
{
	why->param = "error.hostname";
	if (in->hostname == NULL || !enrol_name_ok(in->hostname))
		return err_set(&why->e, RC_INVALID,
		    "the hostname needs 1 to "
		    "253 letters, digits or . - _");
	why->param = "error.repo_url";
	if (creds_check_url(in->repo_url, &why->e) != RC_OK)
		return why->e.rc;
	why->param = "error.repo_username";
	if (creds_check_username(in->repo_username, &why->e) != RC_OK)
		return why->e.rc;
	why->param = "error.repo_password";
	if (creds_check_password(in->repo_password, &why->e) != RC_OK)
		return why->e.rc;
	if (check_lists(in, why) != RC_OK)
		return why->e.rc;
	why->param = "error";
	if (creds_check_extra(in->repo_url, &in->extra, &why->e) != RC_OK)
		return why->e.rc;
	complete(in, r, generated);
	return RC_OK;
}

/* --------------------------------------------------------------- minting */

struct mint_op {
	struct mint_in in;
	bool generated;
	struct ulid user;
	uint8_t *sealed;
	size_t sealed_n;
	struct mint_out out;
};

void
enrol_new_token(const uint8_t pin[CRYPT_HASH_SIZE], struct mint_out *out)
{
	char secret[CRYPT_TOKEN_CAP], text[STR_B64_CAP(CRYPT_HASH_SIZE)];

	crypt_token(secret);
	str_b64(pin, CRYPT_HASH_SIZE, true, text, sizeof(text));
	ASSERT(str_fmt(out->token, sizeof(out->token), "%s.%s", secret, text));
	crypt_sha256(str_of(secret), out->hash);
	out->expires_at_ms = clock_now_ms() + ENROL_TTL_MS;
	mem_wipe(secret, sizeof(secret));
}

static enum rc
mint_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct mint_op *m = op->in;
	struct Rec__EnrolToken t = REC__ENROL_TOKEN__INIT;
	struct ulid none = { { 0 } };

	if (!m->in.allow_duplicate &&
	    host_store_find_name(state, str_of(m->in.hostname)) != NULL)
		return store_fail_code(state, RC_CONFLICT, "duplicate_hostname",
		    "there is a host named %s already; "
		    "set allow_duplicate to add another one",
		    m->in.hostname);
	if (enrol_store_full(state))
		return store_fail(state, RC_LIMIT,
		    "there are too many enrolments of the last day; wait "
		    "until some of them are forgotten");
	t.hostname = m->in.hostname;
	t.tags = m->in.tags.v;
	t.n_tags = m->in.tags.n;
	t.initial_paths = m->in.initial_paths.v;
	t.n_initial_paths = m->in.initial_paths.n;
	t.sealed_repo.data = m->sealed;
	t.sealed_repo.len = m->sealed_n;
	t.created_at_ms = clock_now_ms();
	t.expires_at_ms = m->out.expires_at_ms;
	t.created_by.data = m->user.b;
	t.created_by.len = sizeof(m->user.b);
	t.allow_duplicate = m->in.allow_duplicate;
	t.repo_url = m->in.repo_url;
	t.repo_username = m->in.repo_username;
	t.password_generated = m->generated;
	vault_put_token(vault, m->out.hash, &t);
	enrol_record(state, m->out.hash, &t, op->actor.name);
	op_audit(state, op, "enrollment_token.created", "enrollment_token",
	    &none, m->in.hostname, NULL);
	op->out = &m->out;
	return store_rc(vault);
}

/* Seals here, on the loop: it takes microseconds, and the op's own copy
 * needs no password. */
static enum rc
seal(struct req *r, const struct mint_in *in, struct op *op, struct mint_op *m)
{
	struct Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	char ad[CREDS_AD_CAP];
	struct buf b;
	size_t i;
	enum rc rc;

	repo.url = in->repo_url;
	repo.username = in->repo_username;
	repo.password = in->repo_password;
	creds_lend_extra(&repo, &in->extra, &r->arena);
	creds_token_ad(m->out.hash, ad);
	buf_init(&b, CREDS_SEALED_MAX);
	rc = creds_seal(r->ctl->key, ad, &repo, &b);
	if (rc == RC_OK) {
		m->sealed = (uint8_t *)arena_str(&op->arena, buf_str(&b));
		m->sealed_n = b.len;
	}
	buf_fini(&b);
	for (i = 0; i < repo.n_extra; i++)
		mem_wipe(repo.extra[i]->value, strlen(repo.extra[i]->value));
	return rc;
}

void
enrol_submit_mint(struct req *r, const struct mint_in *in, bool generated,
    enrol_minted_fn *done)
{
	struct op *op = op_new(mint_op, NULL, NULL);
	struct mint_op *m = arena_alloc(&op->arena, sizeof(*m));
	struct err e = { 0 };

	ASSERT(m != NULL); /* the op's arena is empty */
	m->user = r->user_id;
	m->generated = generated;
	enrol_new_token(r->ctl->pin, &m->out);
	m->in.hostname = arena_dup(&op->arena, in->hostname);
	m->in.repo_url = arena_dup(&op->arena, in->repo_url);
	m->in.repo_username = arena_dup(&op->arena, in->repo_username);
	m->in.allow_duplicate = in->allow_duplicate;
	m->in.tags = *op_keep_strs(op, &in->tags);
	m->in.initial_paths = *op_keep_strs(op, &in->initial_paths);
	if (seal(r, in, op, m) != RC_OK || arena_rc(&op->arena) != RC_OK) {
		op_free(op);
		(void)err_set(&e, RC_LIMIT, "the credentials are too long");
		req_fail(r, &e);
		return;
	}
	op->in = m;
	op->vault = true;
	req_submit(r, op, done);
}

static void
enrol_on_minted(struct req *r, struct op *op)
{
	const struct mint_in *in = r->in;
	struct mint_out *out = op->out;
	struct json_doc doc;

	if (!req_stored(r, op))
		return;
	enrol_keep(r->ctl->enrol, out);
	json_doc_init(&doc, KIB(8));
	enrol_put_id(&doc.j, "id", out->hash);
	json_put(&doc.j, "token", out->token);
	json_put_time(&doc.j, "expires_at", out->expires_at_ms);
	json_put(&doc.j, "repo_username", in->repo_username);
	json_put(&doc.j, "repo_password", in->repo_password);
	req_doc(r, 200, &doc);
	json_doc_wipe_fini(&doc);
	mem_wipe(out->token, sizeof(out->token));
}

void
enrol_mint(struct req *r)
{
	struct mint_refusal why = { .param = "error" };
	struct mint_in *in = r->in;
	bool generated = false;

	if (enrol_check_mint(in, r, &generated, &why) != RC_OK)
		req_fail(r, &why.e);
	else
		enrol_submit_mint(r, in, generated, enrol_on_minted);
}

/* ---------------------------------------------------------- consuming */

void
enrol_consumed(struct controller *c, const struct enrol_out *out)
{
	char id[ULID_TEXT_CAP];

	ulid_text(&out->host, id);
	log_info(LOG_AGENT, "host enrolled host=%s repeated=%d", id,
	    out->repeated);
	/* Its text stays: the agent's reply could be lost. */
	sse_token_changed(c->sse, out->token_hash);
	sse_host_changed(c->sse, &out->host);
}

static void
enrol_on_enrolled(struct req *r, struct op *op)
{
	struct enrol_out *out = op->out;
	char id[ULID_TEXT_CAP], pin[2 * CRYPT_HASH_SIZE + 1];
	struct json_doc doc;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_AGENT, "enrolment refused address=%s error=%s",
		    r->address, op->err.msg);
		req_fail(r, &op->err);
		return;
	}
	enrol_consumed(r->ctl, out);
	ulid_text(&out->host, id);
	str_hex(r->ctl->pin, sizeof(r->ctl->pin), pin, sizeof(pin));
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "host_id", id);
	json_put(&doc.j, "agent_token", out->bearer);
	json_put(&doc.j, "cert_pin_sha256", pin);
	req_doc(r, 200, &doc);
	json_doc_wipe_fini(&doc);
	mem_wipe(out->bearer, sizeof(out->bearer));
}

static const char *
or_empty(struct op *op, const char *z)
{
	return arena_dup(&op->arena, z != NULL ? z : "");
}

void
enrol_agent(struct req *r)
{
	const struct enrol_in *in = r->in;
	struct op *op = op_new(enrol_op, NULL, NULL);
	struct enrol_in *copy = arena_alloc(&op->arena, sizeof(*copy));

	ASSERT(copy != NULL); /* the op's arena is empty */
	copy->token = or_empty(op, in->token);
	copy->enrol_id = or_empty(op, in->enrol_id);
	copy->hostname = or_empty(op, in->hostname);
	copy->os = or_empty(op, in->os);
	copy->arch = or_empty(op, in->arch);
	copy->agent_version = or_empty(op, in->agent_version);
	copy->restic_version = or_empty(op, in->restic_version);
	copy->ctl = r->ctl;
	op->in = copy;
	op->vault = true;
	req_submit(r, op, enrol_on_enrolled);
}
