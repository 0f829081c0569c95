/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol_own.h"
#include "controller/host_make.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/enrol_store.h"
#include "lib/store/vault_store.h"

enum {
	NAME_MAX_BYTES = 253,
	VERSION_MAX_BYTES = 64,
	ENROL_ID_MAX_BYTES = 64
};

/* -------------------------------------------------------------- checking */

static bool
short_text(const char *z, size_t min, size_t max)
{
	struct str s = str_of(z);

	return s.n >= min && s.n <= max && str_utf8_ok(s);
}

enum rc
enrol_check_facts(const struct enrol_in *in, struct err *e)
{
	static const char *const systems[] = { "linux", "windows" };
	size_t i;

	if (!short_text(in->hostname, 1, NAME_MAX_BYTES) ||
	    !short_text(in->arch, 1, VERSION_MAX_BYTES) ||
	    !short_text(in->agent_version, 0, VERSION_MAX_BYTES) ||
	    !short_text(in->restic_version, 0, VERSION_MAX_BYTES))
		return err_set(e, RC_PROTO,
		    "hostname, arch or versions are malformed");
	for (i = 0; i < ARRAY_LEN(systems); i++)
		if (strcmp(in->os, systems[i]) == 0)
			return RC_OK;
	return err_set(e, RC_PROTO, "os must be linux or windows");
}

/* The shape of a request, before anything is looked up. */
static enum rc
check_shape(struct store_tx *tx, const struct enrol_in *in, struct str *secret)
{
	struct str pin;
	struct err e;

	str_cut(str_of(in->token), '.', secret, &pin);
	if (secret->n != ENROL_SECRET_CHARS ||
	    (pin.n != 0 && pin.n != ENROL_SECRET_CHARS))
		return store_fail(tx, RC_PROTO,
		    "the token is malformed; copy "
		    "it whole");
	if (!short_text(in->enrol_id, 0, ENROL_ID_MAX_BYTES))
		return store_fail(tx, RC_PROTO, "enrol_id is malformed");
	if (enrol_check_facts(in, &e) != RC_OK)
		return store_fail(tx, e.rc, "%s", e.msg);
	return RC_OK;
}

/* A rejected enrolment tells the wire nothing of the token. */
static enum rc
refuse(struct store_tx *tx, enum rc rc)
{
	return store_fail(tx, rc,
	    rc == RC_AUTH ? "the token is not known"
	                  : "the token was used or has expired");
}

/* ------------------------------------------------------------ a new host */

/* Opened as the token's, sealed as the host's: gives what is left of it, the
 * names.  A host whose credentials do not open is a host all the same: they
 * can be edited (M-079). */
static const struct Rec__RepoSecret *
reseal(const struct enrol_in *in, const struct Rec__EnrolToken *t,
    struct enrol_out *out, struct arena *a, struct buf *sealed)
{
	struct Rec__RepoSecret *repo = NULL;
	char from[CREDS_AD_CAP], to[CREDS_AD_CAP];
	enum rc rc;

	creds_token_ad(out->token_hash, from);
	creds_host_ad(&out->host, CREDS_REPO, to);
	rc = creds_open(in->ctl->key, from,
	    str_from(t->sealed_repo.data, t->sealed_repo.len), a, &repo);
	if (rc == RC_OK)
		rc = creds_seal(in->ctl->key, to, repo, sealed);
	creds_wipe(repo);
	out->has_repo = rc == RC_OK;
	if (rc == RC_OK)
		return repo;
	buf_reset(sealed);
	log_error(LOG_AGENT,
	    "a token's repository credentials cannot be opened, the host is "
	    "enrolled without them hostname=%s rc=%s",
	    log_safe(str_of(t->hostname)), rc_info(rc)->name);
	return NULL;
}

static void
name_variables(const struct Rec__RepoSecret *repo, struct arena *a,
    struct host_make *m)
{
	size_t i, n = repo == NULL ? 0 : repo->n_extra;
	char **names = arena_array(a, n + 1, sizeof(*names));

	for (i = 0; names != NULL && i < n; i++)
		names[i] = repo->extra[i]->name;
	m->extra_names = names;
	m->n_extra_names = names == NULL ? 0 : n;
}

static void
make(struct store_tx *state, struct store_tx *vault, const struct enrol_in *in,
    const struct Rec__EnrolToken *t, struct enrol_out *out)
{
	struct host_make m = { .id = &out->host };
	struct buf sealed;

	buf_init(&sealed, CREDS_SEALED_MAX);
	name_variables(reseal(in, t, out, store_arena(vault), &sealed),
	    store_arena(vault), &m);
	m.name = t->hostname;
	m.reported_name = in->hostname;
	m.os = in->os;
	m.arch = in->arch;
	m.agent_version = in->agent_version;
	m.restic_version = in->restic_version;
	m.tags = t->tags;
	m.n_tags = t->n_tags;
	m.paths = t->initial_paths;
	m.n_paths = t->n_initial_paths;
	m.repo_url = t->repo_url;
	m.repo_username = t->repo_username;
	m.sealed_repo = buf_str(&sealed);
	host_make(state, vault, &m);
	buf_fini(&sealed);
}

/* For a new host, and in place of a bearer whose reply was lost: the
 * credentials may have been edited meanwhile and stay as they are. */
static bool
give_bearer(struct store_tx *vault, const struct Rec__EnrolToken *t,
    struct enrol_out *out)
{
	if (out->repeated)
		memcpy(out->host.b, t->used_host.data, sizeof(out->host.b));
	return host_make_bearer(vault, &out->host, out->bearer, &out->has_repo);
}

static void
audit(struct store_tx *state, const struct op *op, const struct enrol_in *in,
    const char *name, const struct enrol_out *out)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "hostname", in->hostname);
	json_put(&doc.j, "os", in->os);
	json_put(&doc.j, "arch", in->arch);
	json_put_bool(&doc.j, "has_repo_creds", out->has_repo);
	json_put_bool(&doc.j, "repeated", out->repeated);
	op_audit(state, op, "host.enrolled", "host", &out->host, name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

static void
mark_used(struct store_tx *vault, struct Rec__EnrolToken *t,
    const struct enrol_in *in, struct enrol_out *out)
{
	uint8_t id_hash[CRYPT_HASH_SIZE];

	crypt_sha256(str_of(in->enrol_id), id_hash);
	t->used_at_ms = clock_now_ms();
	t->used_host.data = out->host.b;
	t->used_host.len = sizeof(out->host.b);
	t->enrol_id_hash.data = id_hash;
	t->enrol_id_hash.len = sizeof(id_hash);
	vault_put_token(vault, out->token_hash, t);
}

/* What pages show of it.  A token of an earlier version has no record. */
static void
show_used(struct store_tx *state, const struct op *op,
    const struct enrol_out *out)
{
	struct Rec__Enrolment *e = enrol_store_find(state, out->token_hash);

	if (e == NULL)
		return;
	e->used_at_ms = clock_now_ms();
	e->used_host.data = (uint8_t *)(uintptr_t)out->host.b;
	e->used_host.len = sizeof(out->host.b);
	e->used_from = (char *)(uintptr_t)op->actor.address;
	enrol_store_put(state, out->token_hash, e);
}

/* Whether this is the same request again, whose reply was lost. */
static bool
is_repeat(const struct Rec__EnrolToken *t, const struct enrol_in *in)
{
	uint8_t id_hash[CRYPT_HASH_SIZE];

	if (in->enrol_id[0] == '\0' ||
	    t->enrol_id_hash.len != sizeof(id_hash) ||
	    t->used_host.len != sizeof(((struct ulid *)0)->b))
		return false;
	crypt_sha256(str_of(in->enrol_id), id_hash);
	return crypt_eq(id_hash, t->enrol_id_hash.data, sizeof(id_hash));
}

enum rc
enrol_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct enrol_in *in = op->in;
	struct enrol_out *out = arena_alloc(&op->arena, sizeof(*out));
	struct Rec__EnrolToken *t;
	struct str secret;

	ASSERT(out != NULL); /* the arena holds the request and little else */
	if (check_shape(state, in, &secret) != RC_OK)
		return store_rc(state);
	crypt_sha256(secret, out->token_hash);
	t = vault_find_token(vault, out->token_hash);
	if (t == NULL)
		return refuse(state, RC_AUTH);
	out->repeated = t->used_at_ms != 0 && is_repeat(t, in);
	if (t->expires_at_ms <= clock_now_ms() ||
	    (t->used_at_ms != 0 && !out->repeated))
		return refuse(state, RC_GONE);
	if (!out->repeated) {
		ulid_new(&out->host);
		make(state, vault, in, t, out);
		mark_used(vault, t, in, out);
		show_used(state, op, out);
	}
	if (!give_bearer(vault, t, out))
		return refuse(state, RC_GONE);
	audit(state, op, in, t->hostname, out);
	op->out = out;
	return store_rc(state);
}
