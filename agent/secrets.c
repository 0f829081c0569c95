/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/secrets.h"

#include <string.h>

#include "agent/plan.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "proto/agent.pb-c.h"
#include "proto/store.pb-c.h"

#define SECRETS_AD STR("rm-agent-repo-creds-v1")

enum {
	SECRETS_FILE_MAX = 65536 + PLAN_BYTES_MAX
};

struct secrets {
	char *path;
	uint8_t key[CRYPT_KEY_SIZE];
	struct secrets_config config;
	uint64_t untold; /* the version that is put and not told; 0: none */
};

static void
secrets_wipe_text(char *z)
{
	if (z != NULL)
		mem_wipe(z, strlen(z));
}

static void
secrets_wipe_repo(Rec__RepoSecret *r)
{
	size_t i;

	if (r == NULL)
		return;
	secrets_wipe_text(r->url);
	secrets_wipe_text(r->username);
	secrets_wipe_text(r->password);
	for (i = 0; i < r->n_extra; i++)
		secrets_wipe_text(r->extra[i]->value);
}

static void
secrets_free_record(Rec__AgentSecrets *rec)
{
	size_t i;

	if (rec == NULL)
		return;
	secrets_wipe_repo(rec->repo);
	secrets_wipe_repo(rec->admin);
	if (rec->plan.len > 0)
		mem_wipe(rec->plan.data, rec->plan.len);
	for (i = 0; i < rec->n_bearers; i++)
		secrets_wipe_text(rec->bearers[i]);
	rec__agent_secrets__free_unpacked(rec, NULL);
}

/* *out is a record to be freed, an empty one when there is no file. */
static enum rc
secrets_read(struct secrets *s, Rec__AgentSecrets **out, struct err *e)
{
	struct buf sealed, plain;
	enum rc rc;

	buf_init(&sealed, SECRETS_FILE_MAX);
	buf_init(&plain, SECRETS_FILE_MAX);
	rc = fsio_read(s->path, &sealed, e);
	if (rc == RC_OK) {
		rc = crypt_open(s->key, SECRETS_AD, buf_str(&sealed), &plain);
		if (rc != RC_OK)
			err_set(e, rc,
			    "%s does not open with the secrets_key "
			    "of the configuration; restore either of them, or "
			    "move the file away and save the repository "
			    "credentials again",
			    s->path);
	} else if (rc == RC_NOTFOUND) {
		rc = RC_OK;
	}
	if (rc == RC_OK) {
		*out = rec__agent_secrets__unpack(NULL, plain.len,
		    (const uint8_t *)buf_text(&plain));
		if (*out == NULL)
			rc = err_set(e, RC_CORRUPT, "%s is damaged", s->path);
	}
	buf_fini(&sealed);
	buf_wipe_fini(&plain);
	if (rc != RC_OK)
		return rc;
	ASSERT(*out != NULL);
	s->config = (struct secrets_config){ (*out)->config_version,
		(*out)->bandwidth_up_kbps, (*out)->bandwidth_down_kbps };
	if (s->untold != 0)
		s->config.version = s->untold;
	/* What its plan was too new for this agent has grown to know. */
	if ((*out)->refused_format > 0 && (*out)->refused_format <= PLAN_FORMAT)
		s->config.version = 0;
	return RC_OK;
}

static enum rc
secrets_write(struct secrets *s, const Rec__AgentSecrets *rec, struct err *e)
{
	size_t n = rec__agent_secrets__get_packed_size(rec);
	struct buf plain, sealed;
	enum rc rc = RC_LIMIT;
	char *room;

	buf_init(&plain, SECRETS_FILE_MAX);
	buf_init(&sealed, SECRETS_FILE_MAX);
	room = buf_reserve(&plain, n);
	if (room != NULL) {
		buf_added(&plain,
		    rec__agent_secrets__pack(rec, (uint8_t *)room));
		rc = crypt_seal(s->key, SECRETS_AD, buf_str(&plain), &sealed);
	}
	if (rc != RC_OK)
		err_set(e, rc, "the credentials are too large");
	else
		rc = fsio_replace(s->path, buf_str(&sealed), 0600, e);
	buf_wipe_fini(&plain);
	buf_fini(&sealed);
	return rc;
}

enum rc
secrets_open(const char *path, const uint8_t key[CRYPT_KEY_SIZE],
    struct secrets **out, struct err *e)
{
	struct secrets *s = MEM_NEW(struct secrets);
	Rec__AgentSecrets *rec = NULL;
	enum rc rc;

	s->path = mem_strdup(path);
	memcpy(s->key, key, CRYPT_KEY_SIZE);
	rc = secrets_read(s, &rec, e);
	secrets_free_record(rec);
	if (rc == RC_OK)
		*out = s;
	else
		secrets_close(s);
	return rc;
}

void
secrets_close(struct secrets *s)
{
	if (s == NULL)
		return;
	mem_wipe(s->key, sizeof(s->key));
	mem_free(s->path);
	mem_free(s);
}

static void
secrets_add_extra(struct secrets_repo *repo, const char *name,
    const char *value)
{
	const struct repo_env *what = repo_env_find(str_of(name));

	if (what == NULL || repo->n_extra == ARRAY_LEN(repo->extra)) {
		log_warn(LOG_CONF,
		    "a variable of the repository is not known to this "
		    "agent, left out name=%s",
		    log_safe(str_of(name)));
		return;
	}
	repo->extra[repo->n_extra].what = what;
	secret_set(&repo->extra[repo->n_extra++].value, str_of(value));
}

void
secrets_repo_from(const struct Wire__RepoSlot *slot, struct secrets_repo *out)
{
	size_t i;

	*out = (struct secrets_repo){ 0 };
	secret_set(&out->url, str_of(slot->url));
	secret_set(&out->username, str_of(slot->username));
	secret_set(&out->password, str_of(slot->password));
	for (i = 0; i < slot->n_extra; i++)
		secrets_add_extra(out, slot->extra[i]->name,
		    slot->extra[i]->value);
}

void
secrets_take_extra(struct secrets_repo *to, struct secrets_repo *from)
{
	size_t i;

	for (i = 0; i < from->n_extra; i++) {
		if (to->username.n > 0 &&
		    str_starts(str_of(from->extra[i].what->name),
		        STR("RESTIC_REST_")))
			secret_fini(&from->extra[i].value);
		else
			to->extra[to->n_extra++] = from->extra[i];
	}
	from->n_extra = 0;
}

enum rc
secrets_get(struct secrets *s, enum secrets_slot slot, struct secrets_repo *out,
    struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	const Rec__RepoSecret *r;
	enum rc rc;
	size_t i;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	r = slot == SECRETS_REPO ? rec->repo : rec->admin;
	if (r == NULL) {
		rc = err_code(e, RC_NOTFOUND,
		    slot == SECRETS_REPO ? "no_credentials" : "no_admin_slot",
		    "no %s credentials are stored on this host",
		    slot == SECRETS_REPO ? "repository" : "admin");
	} else {
		*out = (struct secrets_repo){ 0 };
		secret_set(&out->url, str_of(r->url));
		secret_set(&out->username, str_of(r->username));
		secret_set(&out->password, str_of(r->password));
		for (i = 0; i < r->n_extra; i++)
			secrets_add_extra(out, r->extra[i]->name,
			    r->extra[i]->value);
	}
	secrets_free_record(rec);
	return rc;
}

/* A NUL-terminated copy to be wiped and freed with the record. */
static char *
secrets_text(const struct secret *s)
{
	return mem_strndup(s->n > 0 ? s->p : "", s->n);
}

static void
secrets_record_extra(Rec__RepoSecret *r, const struct secrets_repo *repo)
{
	Rec__Variable *v;
	size_t i;

	if (repo->n_extra == 0)
		return;
	r->extra = mem_array(repo->n_extra, sizeof(Rec__Variable *));
	for (i = 0; i < repo->n_extra; i++) {
		v = MEM_NEW(Rec__Variable);
		rec__variable__init(v);
		v->name = mem_strdup(repo->extra[i].what->name);
		v->value = secrets_text(&repo->extra[i].value);
		r->extra[r->n_extra++] = v;
	}
}

static Rec__RepoSecret *
secrets_record(const struct secrets_repo *repo)
{
	Rec__RepoSecret *r;

	if (repo == NULL)
		return NULL;
	r = MEM_NEW(Rec__RepoSecret);
	rec__repo_secret__init(r);
	r->url = secrets_text(&repo->url);
	r->username = secrets_text(&repo->username);
	r->password = secrets_text(&repo->password);
	secrets_record_extra(r, repo);
	return r;
}

enum rc
secrets_put(struct secrets *s, enum secrets_slot slot,
    const struct secrets_repo *repo, const struct secrets_config *config,
    struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	Rec__RepoSecret **field;
	enum rc rc;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	field = slot == SECRETS_REPO ? &rec->repo : &rec->admin;
	if (*field != NULL) {
		secrets_wipe_repo(*field);
		rec__repo_secret__free_unpacked(*field, NULL);
	}
	*field = secrets_record(repo);
	rec->config_version = 0;
	rec->bandwidth_up_kbps = config->up_kbps;
	rec->bandwidth_down_kbps = config->down_kbps;
	if ((rc = secrets_write(s, rec, e)) == RC_OK) {
		s->config = *config;
		s->untold = config->version;
	}
	secrets_free_record(rec);
	return rc;
}

enum rc
secrets_told(struct secrets *s, struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	enum rc rc;

	if (s->untold == 0)
		return RC_OK;
	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	rec->config_version = s->untold;
	if ((rc = secrets_write(s, rec, e)) == RC_OK)
		s->untold = 0;
	secrets_free_record(rec);
	return rc;
}

enum rc
secrets_plan(struct secrets *s, struct buf *out, struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	enum rc rc;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	if (rec->plan.len == 0)
		rc = err_set(e, RC_NOTFOUND, "this host has no plan yet");
	else
		buf_put(out, rec->plan.data, rec->plan.len);
	secrets_free_record(rec);
	if (rc == RC_OK && buf_rc(out) != RC_OK)
		rc = err_set(e, buf_rc(out), "the plan is too large");
	return rc;
}

static void
secrets_replace_plan(Rec__AgentSecrets *rec, struct str packed)
{
	if (rec->plan.len > 0)
		mem_wipe(rec->plan.data, rec->plan.len);
	mem_free(rec->plan.data);
	rec->plan.len = packed.n;
	rec->plan.data = NULL;
	if (packed.n > 0)
		rec->plan.data = (uint8_t *)mem_strndup(packed.p, packed.n);
}

enum rc
secrets_put_plan(struct secrets *s, const struct str *packed,
    uint32_t refused_format, struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	bool other;
	enum rc rc;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	other = packed != NULL &&
	        !str_eq(*packed, str_from(rec->plan.data, rec->plan.len));
	if (other)
		secrets_replace_plan(rec, *packed);
	if (other || rec->refused_format != refused_format) {
		rec->refused_format = refused_format;
		rc = secrets_write(s, rec, e);
	}
	secrets_free_record(rec);
	return rc;
}

/* ---------------------------------------------------------------- bearers */

/* A record without these says nothing of that agent_token. */
static bool
secrets_follow(const Rec__AgentSecrets *rec, const uint8_t of[CRYPT_HASH_SIZE])
{
	return rec->bearers_of.len == CRYPT_HASH_SIZE &&
	       memcmp(rec->bearers_of.data, of, CRYPT_HASH_SIZE) == 0;
}

enum rc
secrets_bearers(struct secrets *s, const uint8_t of[CRYPT_HASH_SIZE],
    struct secrets_bearers *out, struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	enum rc rc;
	size_t i;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	*out = (struct secrets_bearers){ 0 };
	for (i = 0; secrets_follow(rec, of) && i < rec->n_bearers &&
	            out->n < SECRETS_BEARERS;
	     i++)
		secret_set(&out->v[out->n++], str_of(rec->bearers[i]));
	secrets_free_record(rec);
	return RC_OK;
}

static void
secrets_drop_bearer(Rec__AgentSecrets *rec)
{
	char *z = rec->bearers[--rec->n_bearers];

	secrets_wipe_text(z);
	mem_free(z);
}

static void
secrets_push_bearer(Rec__AgentSecrets *rec, struct str bearer)
{
	char **v;
	size_t i;

	while (rec->n_bearers >= SECRETS_BEARERS)
		secrets_drop_bearer(rec);
	v = mem_array(rec->n_bearers + 1, sizeof(*v));
	v[0] = mem_strndup(bearer.p, bearer.n);
	for (i = 0; i < rec->n_bearers; i++)
		v[i + 1] = rec->bearers[i];
	mem_free(rec->bearers);
	rec->bearers = v;
	rec->n_bearers++;
}

enum rc
secrets_add_bearer(struct secrets *s, const uint8_t of[CRYPT_HASH_SIZE],
    struct str bearer, struct err *e)
{
	Rec__AgentSecrets *rec = NULL;
	enum rc rc;

	if ((rc = secrets_read(s, &rec, e)) != RC_OK)
		return rc;
	if (!secrets_follow(rec, of)) {
		while (rec->n_bearers > 0)
			secrets_drop_bearer(rec);
		mem_free(rec->bearers_of.data);
		rec->bearers_of.data = mem_alloc(CRYPT_HASH_SIZE);
		memcpy(rec->bearers_of.data, of, CRYPT_HASH_SIZE);
		rec->bearers_of.len = CRYPT_HASH_SIZE;
	}
	secrets_push_bearer(rec, bearer);
	rc = secrets_write(s, rec, e);
	secrets_free_record(rec);
	return rc;
}

void
secrets_bearers_fini(struct secrets_bearers *b)
{
	while (b->n > 0)
		secret_fini(&b->v[--b->n]);
}

void
secrets_repo_fini(struct secrets_repo *r)
{
	secret_fini(&r->url);
	secret_fini(&r->username);
	secret_fini(&r->password);
	while (r->n_extra > 0)
		secret_fini(&r->extra[--r->n_extra].value);
}

struct secrets_config
secrets_config(const struct secrets *s)
{
	return s->config;
}
