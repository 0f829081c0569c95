/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Editing a slot: what is kept, what must be given anew, what goes. */
#include <string.h>

#include "controller/creds.h"
#include "controller/creds_own.h"
#include "controller/jobs.h"
#include "controller/pb.h"
#include "controller/upkeep.h"
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/repo_env.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"

/* One edit on its way. */
struct merge {
	struct creds_edit *ed;
	struct Rec__Host *h;
	struct store_tx *vault;
	struct Rec__RepoSecret *kept; /* NULL: none, or it does not open */
	enum rc kept_rc;
	const char *place; /* where the new secrets go: a URL */
	bool moved;        /* what is kept was for another one */
	struct Rec__RepoSecret *out;
};

static const char *
or_kept(const char *given, const char *kept)
{
	return given != NULL && given[0] != '\0' ? given : kept;
}

static bool
is_admin(const struct merge *m)
{
	return m->ed->slot == CREDS_ADMIN;
}

/* ---------------------------------------------------------------- merging */

static void
merge_place(struct merge *m)
{
	const struct creds_edit *ed = m->ed;
	const char *had_url = is_admin(m) ? m->h->admin_url : m->h->repo_url;
	const char *had_user =
	    is_admin(m) ? m->h->admin_username : m->h->repo_username;
	bool url_typed = ed->as_typed && ed->url != NULL && is_admin(m);
	bool user_typed = ed->as_typed && ed->username != NULL;

	m->out->url = pb_text(url_typed ? ed->url : or_kept(ed->url, had_url));
	m->out->username = pb_text(
	    user_typed ? ed->username : or_kept(ed->username, had_user));
	m->place = or_kept(m->out->url, m->h->repo_url);
	m->moved =
	    !creds_same_place(or_kept(had_url, m->h->repo_url), m->place);
}

static enum rc
need_password(const struct merge *m)
{
	const char *name = m->h->name;

	if (m->kept_rc != RC_OK && m->kept_rc != RC_NOTFOUND)
		return store_fail(m->vault, m->kept_rc,
		    "the stored password of host %s does not open with this "
		    "secret key: give repo_password anew",
		    name);
	return store_fail(m->vault, RC_INVALID,
	    "host %s has no password yet: give repo_password", name);
}

static enum rc
another_server(const struct merge *m)
{
	return store_fail_code(m->vault, RC_INVALID, "password_required",
	    is_admin(m)
	        ? "these credentials lead to another server than before: give "
	          "their password anew, none that is stored is sent there"
	        : "the repository moves to another server: give its "
	          "password anew, the stored one is not sent there");
}

/* Blank is a choice for the admin slot alone: then the everyday slot's is
 * used, as long as it goes where that one goes. */
static enum rc
merge_password(struct merge *m)
{
	const struct creds_edit *ed = m->ed;
	const char *kept = m->kept != NULL ? m->kept->password : "";

	if (ed->new_password) {
		m->out->password = ed->password;
		return RC_OK;
	}
	if (m->moved && !is_admin(m) && kept[0] != '\0')
		return another_server(m);
	m->out->password = pb_text(m->moved ? "" : kept);
	if (m->out->password[0] != '\0')
		return RC_OK;
	if (!is_admin(m))
		return need_password(m);
	if (m->moved && kept[0] != '\0')
		return another_server(m);
	return creds_same_place(m->place, m->h->repo_url) ? RC_OK
	                                                  : another_server(m);
}

static const struct json_pair *
given(const struct creds_edit *ed, const char *name)
{
	size_t i;

	for (i = 0; i < ed->extra.n; i++)
		if (strcmp(ed->extra.v[i].name, name) == 0)
			return &ed->extra.v[i];
	return NULL;
}

static bool
has_value(const struct json_pair *p)
{
	return p->value != NULL && p->value[0] != '\0';
}

static enum rc
add_variable(struct merge *m, char *name, char *value)
{
	struct Rec__Variable *v =
	    arena_alloc(store_arena(m->vault), sizeof(*v));
	struct err e;

	if (v == NULL)
		return store_fail(m->vault, RC_LIMIT, "not enough memory");
	if (m->out->n_extra == REPO_ENV_MAX)
		return store_fail(m->vault, RC_INVALID,
		    "a repository has at most %d variables", REPO_ENV_MAX);
	if (repo_env_check(str_of(m->place), str_of(name), str_of(value), &e) !=
	    RC_OK)
		return store_fail(m->vault, e.rc, "%s", e.msg);
	rec__variable__init(v);
	v->name = name;
	v->value = value;
	m->out->extra[m->out->n_extra++] = v;
	return RC_OK;
}

/* Those that are kept, then those that are given. */
static enum rc
merge_variables(struct merge *m)
{
	const struct creds_edit *ed = m->ed;
	size_t i, n = m->kept != NULL && !m->moved ? m->kept->n_extra : 0;
	enum rc rc = RC_OK;

	m->out->extra = arena_array(store_arena(m->vault), REPO_ENV_MAX,
	    sizeof(*m->out->extra));
	if (m->out->extra == NULL)
		return store_fail(m->vault, RC_LIMIT, "not enough memory");
	for (i = 0; rc == RC_OK && i < n; i++) {
		struct Rec__Variable *v = m->kept->extra[i];

		if (given(ed, v->name) == NULL)
			rc = add_variable(m, v->name, v->value);
	}
	for (i = 0; rc == RC_OK && i < ed->extra.n; i++)
		if (has_value(&ed->extra.v[i]))
			rc = add_variable(m, ed->extra.v[i].name,
			    ed->extra.v[i].value);
	return rc;
}

static enum rc
merge(struct merge *m)
{
	enum rc rc;

	merge_place(m);
	if (m->place[0] == '\0')
		return store_fail(m->vault, RC_INVALID,
		    "host %s has no repository yet: give repo_url", m->h->name);
	rc = merge_password(m);
	if (rc == RC_OK)
		rc = merge_variables(m);
	if (rc == RC_OK && is_admin(m) && m->out->url[0] == '\0' &&
	    m->out->username[0] == '\0' && m->out->password[0] == '\0' &&
	    m->out->n_extra == 0)
		rc = store_fail(m->vault, RC_INVALID,
		    "give what is other than the everyday credentials: "
		    "repo_url, repo_username, repo_password or extra");
	return rc;
}

/* ---------------------------------------------------------------- storing */

/* What is sealed is packed at once, so it may be lent. */
static enum rc
seal(struct merge *m, struct Rec__HostSecrets *s)
{
	const struct creds_edit *ed = m->ed;
	ProtobufCBinaryData *slot =
	    is_admin(m) ? &s->sealed_admin : &s->sealed_repo;
	char ad[CREDS_AD_CAP];
	struct buf b;
	enum rc rc;

	creds_host_ad(&ed->host, ed->slot, ad);
	buf_init(&b, CREDS_SEALED_MAX);
	rc = creds_seal(ed->key, ad, m->out, &b);
	if (rc == RC_OK) {
		*slot = pb_bytes(b.data, b.len);
		if (ed->admin_removed)
			s->sealed_admin = pb_bytes(NULL, 0);
		vault_put_host(m->vault, &ed->host, s);
	} else {
		(void)store_fail(m->vault, rc, "the credentials are too long");
	}
	buf_fini(&b);
	return store_rc(m->vault);
}

/* Admin credentials were given for the repository as it was: those with a
 * URL of their own for that very one, others for its server. */
static bool
admin_goes(const struct merge *m)
{
	const struct Rec__Host *h = m->h;

	if (is_admin(m) || !h->has_admin)
		return false;
	return m->moved || (h->admin_url[0] != '\0' &&
	                       strcmp(h->repo_url, m->out->url) != 0);
}

static void
forget_admin(struct Rec__Host *h)
{
	h->has_admin = false;
	h->admin_url = pb_text("");
	h->admin_username = pb_text("");
	h->n_admin_extra_names = 0;
}

/* What pages show of it. */
static void
show(struct Rec__Host *h, const struct creds_edit *ed)
{
	if (ed->slot == CREDS_ADMIN) {
		h->has_admin = true;
		h->admin_url = pb_text(ed->new_url);
		h->admin_username = pb_text(ed->new_username);
		h->admin_extra_names = ed->names;
		h->n_admin_extra_names = ed->n_names;
		return;
	}
	h->repo_url = pb_text(ed->new_url);
	h->repo_username = pb_text(ed->new_username);
	h->extra_names = ed->names;
	h->n_extra_names = ed->n_names;
	h->config_version++;
	h->repo_status = REC__REPO_STATUS__REPO_UNKNOWN;
	h->repo_status_error = pb_text("");
	if (ed->admin_removed)
		forget_admin(h);
}

static void
keep_names(struct merge *m, struct arena *a)
{
	struct creds_edit *ed = m->ed;
	size_t i;

	ed->names = arena_array(a, m->out->n_extra + 1, sizeof(*ed->names));
	if (ed->names == NULL)
		return;
	for (i = 0; i < m->out->n_extra; i++)
		ed->names[i] = arena_dup(a, m->out->extra[i]->name);
	ed->n_names = i;
}

static void
audit(struct store_tx *state, const struct op *op, const struct creds_edit *ed,
    const struct Rec__Host *h)
{
	bool admin = ed->slot == CREDS_ADMIN;
	struct json_doc doc;

	json_doc_init(&doc, KIB(16));
	json_put(&doc.j, "slot", admin ? "admin" : "repo");
	json_put(&doc.j, "repo_url", ed->new_url);
	json_put(&doc.j, "repo_username", ed->new_username);
	json_put_bool(&doc.j, "password_changed", ed->new_password);
	json_put_strs(&doc.j, "extra_names", ed->names, ed->n_names);
	if (ed->admin_removed)
		json_put_bool(&doc.j, "admin_removed", true);
	if (!admin)
		json_put_uint(&doc.j, "config_version", h->config_version);
	op_audit(state, op,
	    admin ? "host.admin_credentials" : "host.repo_credentials", "host",
	    &ed->host, h->name, json_doc_end(&doc));
	json_doc_fini(&doc);
}

enum rc
creds_put_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct creds_edit *ed = op->in;
	struct Rec__Host *h = host_store_get(state, &ed->host);
	struct Rec__HostSecrets *s = vault_find_host(vault, &ed->host);
	struct Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	struct merge m = { .ed = ed, .h = h, .vault = vault, .out = &repo };
	enum rc rc;

	if (h == NULL)
		return store_rc(state);
	ed->new_password = ed->password != NULL && ed->password[0] != '\0';
	if (s == NULL)
		return store_fail(vault, RC_CORRUPT,
		    "the secrets of host %s are missing: enrol it anew",
		    h->name);
	m.kept_rc =
	    creds_open_slot(vault, ed->key, &ed->host, ed->slot, &m.kept);
	rc = merge(&m);
	ed->admin_removed = rc == RC_OK && admin_goes(&m);
	ed->dropped = ed->admin_removed || (m.moved && ed->slot == CREDS_REPO &&
	                                       h->n_extra_names > 0);
	ed->has_password = repo.password[0] != '\0';
	if (rc == RC_OK)
		rc = seal(&m, s);
	keep_names(&m, &op->arena);
	creds_wipe(m.kept);
	creds_wipe(&repo);
	if (rc != RC_OK)
		return rc;
	ed->new_url = repo.url;
	ed->new_username = repo.username;
	show(h, ed);
	if (ed->slot == CREDS_REPO &&
	    jobs_probe(state, op, h, &ed->job) != RC_OK)
		return store_rc(state);
	host_store_put(state, h);
	upkeep_wake(state, &ed->host, clock_now_ms());
	audit(state, op, ed, h);
	return store_rc(state);
}

enum rc
creds_delete_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct creds_removal *x = op->in;
	struct Rec__Host *h = host_store_get(state, &x->host);
	struct Rec__HostSecrets *s = vault_find_host(vault, &x->host);

	if (h == NULL)
		return store_rc(state);
	x->removed = h->has_admin || (s != NULL && s->sealed_admin.len > 0);
	if (!x->removed)
		return RC_OK;
	if (s != NULL) {
		s->sealed_admin = pb_bytes(NULL, 0);
		vault_put_host(vault, &x->host, s);
	}
	forget_admin(h);
	host_store_put(state, h);
	op_audit(state, op, "host.admin_credentials_deleted", "host", &x->host,
	    h->name, "{\"slot\":\"admin\"}");
	return store_rc(vault) != RC_OK ? store_rc(vault) : store_rc(state);
}
