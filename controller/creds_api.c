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
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/repo_env.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"
#include "proto/store.pb-c.h"

struct put_in {
	char *url, *username, *password;
	struct json_pairs extra;
};

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
	struct json_out j;
	struct buf b;

	buf_init(&b, KIB(16));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "repo_url", s->url);
	json_put(&j, "repo_username", s->username);
	json_put_bool(&j, "has_password", s->has_password);
	json_put_strs(&j, "extra_names", s->names, s->n_names);
	if (s->slot == CREDS_ADMIN) {
		json_put_bool(&j, "set", s->set);
	} else if (s->edited != NULL) {
		json_put_ulid(&j, "job_id", &s->edited->job);
		json_put_bool(&j, "admin_removed", s->edited->admin_removed);
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

	if (req_ulid(r, 0, &host) != RC_OK) {
		no_such_host(r);
		return;
	}
	state = store_begin_read(r->ctl->state, &r->arena);
	vault = store_begin_read(r->ctl->vault, &r->arena);
	h = host_store_find(state, &host);
	if (h != NULL) {
		look(h, &s);
		s.has_password = password_opens(r, vault, &host, slot);
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

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
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

/* NULL stays NULL. */
static char *
copy(struct op *op, const char *z)
{
	return z != NULL ? arena_dup(&op->arena, z) : NULL;
}

/* The request keeps no secret while the op waits for its turn. */
static char *
move(struct op *op, char *z)
{
	char *out = copy(op, z);

	if (z != NULL)
		mem_wipe(z, strlen(z));
	return out;
}

void
creds_submit(struct req *r, const struct creds_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_new(creds_put_op, NULL, NULL);
	struct creds_edit *ed = arena_alloc(&op->arena, sizeof(*ed));
	size_t i;

	ASSERT(ed != NULL); /* the op's arena is empty */
	*ed = *from;
	ed->key = r->ctl->key;
	ed->url = copy(op, from->url);
	ed->username = copy(op, from->username);
	ed->password = move(op, from->password);
	ed->extra.v =
	    arena_array(&op->arena, from->extra.n + 1, sizeof(*ed->extra.v));
	ASSERT(ed->extra.v != NULL); /* a request's body is small */
	for (i = 0; i < from->extra.n; i++) {
		ed->extra.v[i].name = copy(op, from->extra.v[i].name);
		ed->extra.v[i].value = move(op, from->extra.v[i].value);
	}
	op->in = ed;
	op->vault = true;
	req_submit(r, op, done);
}

static void
put(struct req *r, enum creds_slot slot)
{
	const struct put_in *in = r->in;
	struct creds_edit ed = { .slot = slot };
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

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	if (x->removed)
		sse_host_changed(r->ctl->sse, &x->host);
	req_empty(r, 204);
}

void
creds_submit_removal(struct req *r, void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_new(creds_delete_op, NULL, NULL);
	struct creds_removal *x = arena_alloc(&op->arena, sizeof(*x));

	ASSERT(x != NULL);
	if (req_ulid(r, 0, &x->host) != RC_OK) {
		op_free(op);
		no_such_host(r);
		return;
	}
	op->in = x;
	op->vault = true;
	req_submit(r, op, done);
}

void
creds_delete_admin(struct req *r)
{
	creds_submit_removal(r, creds_on_deleted);
}
