/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/creds_own.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/base/repo_env.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"
#include "proto/store.pb-c.h"

struct put_in {
	char *url, *username, *password;
	struct json_pairs extra;
};

#define NO_HOST "there is no such host"

#define IN(member) offsetof(struct put_in, member)

/* clang-format off */
static const struct json_field put_fields[] = {
	{ "repo_url",      JSON_STR, JSON_NULL_OK, 0, CREDS_URL_MAX,      IN(url),      0, JSON_NO_SEEN },
	{ "repo_username", JSON_STR, JSON_NULL_OK, 0, CREDS_USER_MAX,     IN(username), 0, JSON_NO_SEEN },
	{ "repo_password", JSON_STR, JSON_NULL_OK, 0, CREDS_PASSWORD_MAX, IN(password), 0, JSON_NO_SEEN },
	{ "extra",         JSON_PAIRS, JSON_NULL_OK, 0, REPO_ENV_MAX,     IN(extra), REPO_ENV_FILE_MAX, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json creds_put_body = { put_fields, ARRAY_LEN(put_fields),
	sizeof(struct put_in) };

/* ---------------------------------------------------------------- answers */

struct shown {
	enum creds_slot slot;
	const char *url, *username;
	bool set, has_password;
	char **names;
	size_t n_names;
	const struct creds_edit *edited; /* NULL: only asked for */
};

static void
answer(struct req *r, const struct shown *s)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(16));
	json_put(&doc.j, "repo_url", s->url);
	json_put(&doc.j, "repo_username", s->username);
	json_put_bool(&doc.j, "has_password", s->has_password);
	json_put_strs(&doc.j, "extra_names", s->names, s->n_names);
	if (s->slot == CREDS_ADMIN) {
		json_put_bool(&doc.j, "set", s->set);
	} else if (s->edited != NULL) {
		json_put_ulid(&doc.j, "job_id", &s->edited->job);
		json_put_bool(&doc.j, "admin_removed",
		    s->edited->admin_removed);
	}
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static bool
need_host(struct req *r, struct ulid *host)
{
	return req_need_ulid(r, 0, NO_HOST, host);
}

/* -------------------------------------------------------------------- get */

static bool
password_opens(struct req *r, struct store_tx *vault, const struct ulid *host,
    enum creds_slot slot)
{
	struct Rec__RepoSecret *repo = NULL;
	bool opens;

	if (creds_open_slot(vault, r->ctl->key, host, slot, &repo) != RC_OK)
		return false;
	opens = repo->password[0] != '\0';
	creds_wipe(repo);
	return opens;
}

bool
creds_has_password(struct req *r, const struct ulid *host, enum creds_slot slot)
{
	struct store_tx *vault = store_begin_read(r->ctl->vault, &r->arena);
	bool has = password_opens(r, vault, host, slot);

	store_abort(vault);
	return has;
}

static void
look(const struct Rec__Host *h, struct shown *s)
{
	bool admin = s->slot == CREDS_ADMIN;

	s->set = admin ? h->has_admin : h->repo_url[0] != '\0';
	s->url = admin ? h->admin_url : h->repo_url;
	s->username = admin ? h->admin_username : h->repo_username;
	s->names = admin ? h->admin_extra_names : h->extra_names;
	s->n_names = admin ? h->n_admin_extra_names : h->n_extra_names;
}

static void
get(struct req *r, enum creds_slot slot)
{
	struct store_tx *state, *vault;
	const struct Rec__Host *h;
	struct shown s = { .slot = slot };
	struct ulid host;

	if (!need_host(r, &host))
		return;
	state = store_begin_read(r->ctl->state, &r->arena);
	vault = store_begin_read(r->ctl->vault, &r->arena);
	h = host_store_find(state, &host);
	if (h == NULL)
		(void)store_fail(state, RC_NOTFOUND, NO_HOST);
	else
		look(h, &s);
	s.has_password = h != NULL && password_opens(r, vault, &host, slot);
	if (store_rc(state) != RC_OK)
		req_fail(r, store_err(state));
	else if (store_rc(vault) != RC_OK)
		req_fail(r, store_err(vault));
	else
		answer(r, &s);
	store_abort(vault);
	store_abort(state);
}

void
creds_get(struct req *r)
{
	get(r, CREDS_REPO);
}

void
creds_get_admin(struct req *r)
{
	get(r, CREDS_ADMIN);
}

/* -------------------------------------------------------------------- put */

void
creds_tell(struct controller *c, const struct creds_edit *ed)
{
	sse_host_changed(c->sse, &ed->host);
	if (ed->slot != CREDS_REPO)
		return;
	agents_configure(c->agents, &ed->host);
	sse_job_changed(c->sse, &ed->host, &ed->job);
	courier_queued(c->courier, &ed->host, &ed->job);
}

static void
creds_on_put(struct req *r, struct op *op)
{
	const struct creds_edit *ed = op->in;
	const struct shown s = { .slot = ed->slot,
		.url = ed->new_url,
		.username = ed->new_username,
		.set = true,
		.has_password = ed->has_password,
		.names = ed->names,
		.n_names = ed->n_names,
		.edited = ed };

	if (!req_stored(r, op))
		return;
	creds_tell(r->ctl, ed);
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

void
creds_submit(struct req *r, const struct creds_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(creds_put_op, from, sizeof(*from));
	struct creds_edit *ed = op->in;
	size_t i;

	ed->key = r->ctl->key;
	ed->url = op_keep(op, from->url);
	ed->username = op_keep(op, from->username);
	ed->password = op_keep_secret(op, from->password);
	ed->extra.v =
	    arena_array(&op->arena, from->extra.n + 1, sizeof(*ed->extra.v));
	ASSERT(ed->extra.v != NULL); /* a request's body is small */
	for (i = 0; i < from->extra.n; i++) {
		ed->extra.v[i].name = op_keep(op, from->extra.v[i].name);
		ed->extra.v[i].value =
		    op_keep_secret(op, from->extra.v[i].value);
	}
	op->vault = true;
	req_submit(r, op, done);
}

static void
put(struct req *r, enum creds_slot slot)
{
	const struct put_in *in = r->in;
	struct creds_edit ed = { .slot = slot };
	struct err e;

	if (!need_host(r, &ed.host))
		return;
	if (check(in, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	ed.url = in->url;
	ed.username = in->username;
	ed.password = in->password;
	ed.extra = in->extra;
	creds_submit(r, &ed, creds_on_put);
}

void
creds_put(struct req *r)
{
	put(r, CREDS_REPO);
}

void
creds_put_admin(struct req *r)
{
	put(r, CREDS_ADMIN);
}

/* ----------------------------------------------------------------- delete */

static void
creds_on_deleted(struct req *r, struct op *op)
{
	const struct creds_removal *x = op->in;

	if (!req_stored(r, op))
		return;
	if (x->removed)
		sse_host_changed(r->ctl->sse, &x->host);
	req_empty(r, 204);
}

void
creds_submit_removal(struct req *r, void (*done)(struct req *r, struct op *op))
{
	struct creds_removal x = { 0 };
	struct op *op;

	if (!need_host(r, &x.host))
		return;
	op = op_with(creds_delete_op, &x, sizeof(x));
	op->vault = true;
	req_submit(r, op, done);
}

void
creds_delete_admin(struct req *r)
{
	creds_submit_removal(r, creds_on_deleted);
}
