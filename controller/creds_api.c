/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/jobs.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"

struct put_in {
	char *url, *username, *password;
};

#define IN(member) offsetof(struct put_in, member)

/* clang-format off */
static const struct json_field put_fields[] = {
	{ "repo_url",      JSON_STR, JSON_NULL_OK, 0, CREDS_URL_MAX,      IN(url),      0, JSON_NO_SEEN },
	{ "repo_username", JSON_STR, JSON_NULL_OK, 0, CREDS_USER_MAX,     IN(username), 0, JSON_NO_SEEN },
	{ "repo_password", JSON_STR, JSON_NULL_OK, 0, CREDS_PASSWORD_MAX, IN(password), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json creds_put_body = { put_fields, ARRAY_LEN(put_fields),
	sizeof(struct put_in) };

/* ---------------------------------------------------------------- answers */

struct shown {
	const char *url, *username;
	bool has_password;
	const struct ulid *job; /* NULL: not part of the answer */
};

static void
answer(struct req *r, const struct shown *s)
{
	char id[ULID_TEXT_CAP];
	struct json_out j;
	struct buf b;

	buf_init(&b, KIB(16));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "repo_url", s->url);
	json_put(&j, "repo_username", s->username);
	json_put_bool(&j, "has_password", s->has_password);
	if (s->job != NULL) {
		ulid_text(s->job, id);
		json_put(&j, "job_id", id);
	}
	json_obj_end(&j);
	req_json(r, 200, &b);
	buf_fini(&b);
}

static void
no_such_host(struct req *r)
{
	struct err e;

	(void)err_set(&e, RC_NOTFOUND, "there is no such host");
	req_fail(r, &e);
}

/* -------------------------------------------------------------------- get */

static bool
password_opens(struct req *r, struct store_tx *vault, const struct ulid *host)
{
	const struct Rec__HostSecrets *s = vault_find_host(vault, host);
	struct Rec__RepoSecret *repo = NULL;
	char ad[CREDS_AD_CAP];
	bool opens;

	if (s == NULL || s->sealed_repo.len == 0)
		return false;
	creds_host_ad(host, ad);
	if (creds_open(r->ctl->key, ad,
	        str_from(s->sealed_repo.data, s->sealed_repo.len), &r->arena,
	        &repo) != RC_OK)
		return false;
	opens = repo->password[0] != '\0';
	creds_wipe(repo);
	return opens;
}

bool
creds_has_password(struct req *r, const struct ulid *host)
{
	struct store_tx *vault = store_begin_read(r->ctl->vault, &r->arena);
	bool has = password_opens(r, vault, host);

	store_abort(vault);
	return has;
}

void
creds_get(struct req *r)
{
	struct store_tx *state, *vault;
	const struct Rec__Host *h;
	struct shown s = { 0 };
	struct ulid host;

	if (req_ulid(r, 0, &host) != RC_OK) {
		no_such_host(r);
		return;
	}
	state = store_begin_read(r->ctl->state, &r->arena);
	vault = store_begin_read(r->ctl->vault, &r->arena);
	h = host_store_find(state, &host);
	if (h != NULL) {
		s.url = h->repo_url;
		s.username = h->repo_username;
		s.has_password = password_opens(r, vault, &host);
	}
	if (store_rc(state) != RC_OK)
		req_fail(r, store_err(state));
	else if (store_rc(vault) != RC_OK)
		req_fail(r, store_err(vault));
	else if (h == NULL)
		no_such_host(r);
	else
		answer(r, &s);
	store_abort(vault);
	store_abort(state);
}

/* --------------------------------------------------------------------- op */

static const char *
or_kept(const char *given, const char *kept)
{
	return given != NULL && given[0] != '\0' ? given : kept;
}

/* What will be sealed; a stored password that is needed has to open. */
static enum rc
merge(struct store_tx *vault, const struct creds_edit *ed,
    const struct Rec__Host *h, struct Rec__HostSecrets *s,
    struct Rec__RepoSecret *out)
{
	struct Rec__RepoSecret *kept = NULL;
	char ad[CREDS_AD_CAP];
	enum rc rc = RC_OK;

	creds_host_ad(&ed->host, ad);
	if (s->sealed_repo.len > 0)
		rc = creds_open(ed->key, ad,
		    str_from(s->sealed_repo.data, s->sealed_repo.len),
		    store_arena(vault), &kept);
	if (ed->new_password)
		creds_wipe(kept);
	out->password = pb_text(ed->new_password ? ed->password
	                        : kept != NULL   ? kept->password
	                                         : "");
	out->url = pb_text(or_kept(ed->url, h->repo_url));
	out->username = pb_text(ed->as_typed && ed->username != NULL
	                            ? ed->username
	                            : or_kept(ed->username, h->repo_username));
	if (rc != RC_OK && out->password[0] == '\0')
		return store_fail(vault, rc,
		    "the stored password of host %s does not open with this "
		    "secret key: give repo_password anew",
		    h->name);
	if (out->password[0] == '\0')
		return store_fail(vault, RC_INVALID,
		    "host %s has no password yet: give repo_password", h->name);
	if (out->url[0] == '\0')
		return store_fail(vault, RC_INVALID,
		    "host %s has no repository yet: give repo_url", h->name);
	if (!ed->new_password && !creds_same_place(h->repo_url, out->url))
		return store_fail_code(vault, RC_INVALID, "password_required",
		    "the repository moves to another server: give its "
		    "password anew, the stored one is not sent there");
	return RC_OK;
}

static enum rc
seal(struct store_tx *vault, const struct creds_edit *ed,
    struct Rec__HostSecrets *s, const struct Rec__RepoSecret *repo)
{
	char ad[CREDS_AD_CAP];
	struct buf b;
	enum rc rc;

	creds_host_ad(&ed->host, ad);
	buf_init(&b, CREDS_SEALED_MAX);
	rc = creds_seal(ed->key, ad, repo, &b);
	if (rc == RC_OK) {
		s->sealed_repo.data = (uint8_t *)(void *)b.data;
		s->sealed_repo.len = b.len;
		vault_put_host(vault, &ed->host, s);
	} else {
		(void)store_fail(vault, rc, "the credentials are too long");
	}
	buf_fini(&b);
	return store_rc(vault);
}

static void
audit(struct store_tx *state, const struct op *op, const struct creds_edit *ed,
    const struct Rec__Host *h)
{
	struct json_out j;
	struct buf b;

	buf_init(&b, KIB(16));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "slot", "repo");
	json_put(&j, "repo_url", ed->new_url);
	json_put(&j, "repo_username", ed->new_username);
	json_put_bool(&j, "password_changed", ed->new_password);
	json_put_uint(&j, "config_version", h->config_version);
	json_obj_end(&j);
	op_audit(state, op, "host.repo_credentials", "host", &ed->host, h->name,
	    buf_text(&b));
	buf_fini(&b);
}

static void
change_host(struct Rec__Host *h, const struct creds_edit *ed)
{
	h->repo_url = pb_text(ed->new_url);
	h->repo_username = pb_text(ed->new_username);
	h->config_version++;
	h->repo_status = REC__REPO_STATUS__REPO_UNKNOWN;
	h->repo_status_error = pb_text("");
}

enum rc
creds_put_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct creds_edit *ed = op->in;
	struct Rec__Host *h = host_store_get(state, &ed->host);
	struct Rec__HostSecrets *s = vault_find_host(vault, &ed->host);
	struct Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	enum rc rc;

	if (h == NULL)
		return store_rc(state);
	ed->new_password = ed->password != NULL && ed->password[0] != '\0';
	if (s == NULL)
		return store_fail(vault, RC_CORRUPT,
		    "the secrets of host %s are missing: enrol it anew",
		    h->name);
	if ((rc = merge(vault, ed, h, s, &repo)) == RC_OK)
		rc = seal(vault, ed, s, &repo);
	creds_wipe(&repo);
	if (rc != RC_OK)
		return rc;
	ed->new_url = repo.url;
	ed->new_username = repo.username;
	change_host(h, ed);
	if (jobs_probe(state, op, h, &ed->job) != RC_OK)
		return store_rc(state);
	host_store_put(state, h);
	audit(state, op, ed, h);
	return store_rc(state);
}

/* -------------------------------------------------------------------- put */

void
creds_tell(struct controller *c, const struct creds_edit *ed)
{
	agents_configure(c->agents, &ed->host);
	sse_job_changed(c->sse, &ed->host, &ed->job);
	sse_host_changed(c->sse, &ed->host);
	courier_queued(c->courier, &ed->host, &ed->job);
}

static void
creds_on_put(struct req *r, struct op *op)
{
	const struct creds_edit *ed = op->in;
	struct shown s;

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	creds_tell(r->ctl, ed);
	s = (struct shown){ ed->new_url, ed->new_username, true, &ed->job };
	answer(r, &s);
}

static enum rc
check(const struct put_in *in, struct err *e)
{
	enum rc rc = RC_OK;

	if (in->url != NULL && in->url[0] != '\0')
		rc = creds_check_url(in->url, e);
	if (rc == RC_OK)
		rc = creds_check_username(in->username, e);
	if (rc == RC_OK)
		rc = creds_check_password(in->password, e);
	return rc;
}

/* NULL stays NULL. */
static char *
copy(struct op *op, const char *z)
{
	return z != NULL ? arena_dup(&op->arena, z) : NULL;
}

void
creds_submit(struct req *r, const struct creds_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_new(creds_put_op, NULL, NULL);
	struct creds_edit *ed = arena_alloc(&op->arena, sizeof(*ed));

	ASSERT(ed != NULL); /* the op's arena is empty */
	*ed = *from;
	ed->key = r->ctl->key;
	ed->url = copy(op, from->url);
	ed->username = copy(op, from->username);
	ed->password = copy(op, from->password);
	if (from->password != NULL)
		mem_wipe(from->password, strlen(from->password));
	op->in = ed;
	op->vault = true;
	req_submit(r, op, done);
}

void
creds_put(struct req *r)
{
	const struct put_in *in = r->in;
	struct creds_edit ed = { 0 };
	struct err e;

	if (req_ulid(r, 0, &ed.host) != RC_OK) {
		no_such_host(r);
		return;
	}
	if (check(in, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	ed.url = in->url;
	ed.username = in->username;
	ed.password = in->password;
	creds_submit(r, &ed, creds_on_put);
}
