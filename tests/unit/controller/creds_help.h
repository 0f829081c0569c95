/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_CREDS_HELP_H
#define TESTS_UNIT_CONTROLLER_CREDS_HELP_H
/* A host with credentials, edits of them, and what its agent is given. */
#include "tests/unit/controller/op_help.h"

#include "controller/creds.h"
#include "lib/base/buf.h"
#include "lib/store/job_store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

static const uint8_t key[CRYPT_KEY_SIZE] = { 7, 7, 7 };
static const uint8_t other_key[CRYPT_KEY_SIZE] = { 8 };
static const struct ulid host = { { 1 } }, other = { { 2 } }, user = { { 3 } };

static inline struct Rec__RepoSecret
secret_of(const char *url, const char *username, const char *password)
{
	struct Rec__RepoSecret s = REC__REPO_SECRET__INIT;

	s.url = text(url);
	s.username = text(username);
	s.password = text(password);
	return s;
}

static inline void
seal_into(struct Rec__HostSecrets *s, struct buf *b, const uint8_t *with)
{
	struct Rec__RepoSecret repo = secret_of("/old", "ann", "old-password");
	char ad[CREDS_AD_CAP];

	creds_host_ad(&host, CREDS_REPO, ad);
	assert_rc(creds_seal(with, ad, &repo, b), RC_OK);
	s->sealed_repo = bytes_of(b->data, b->len);
}

/* A host whose repository is ready. */
static inline void
put_ready_host(struct fixture *f, const uint8_t *with)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx;
	struct buf b;

	buf_init(&b, CREDS_SEALED_MAX);
	if (with != NULL)
		seal_into(&s, &b, with);
	tx = fixture_write_vault(f);
	vault_put_host(tx, &host, &s);
	fixture_commit(tx);
	buf_fini(&b);
	h.id = id_bytes(&host);
	h.name = text("web-1");
	h.repo_url = text("/old");
	h.repo_username = text("ann");
	h.repo_status = REC__REPO_STATUS__REPO_INIT_FAILED;
	h.repo_status_error = text("it was down");
	h.config_version = 4;
	tx = fixture_write(f);
	host_store_put(tx, &h);
	fixture_commit(tx);
}

static inline enum rc
edit(struct fixture *f, struct creds_edit *ed, struct err *e)
{
	struct op *op = op_new(creds_put_op, NULL, NULL);
	enum rc rc;
	size_t i;

	ed->key = key;
	if (ulid_is_zero(&ed->host))
		ed->host = host;
	if (ed->password != NULL)
		ed->password = arena_dup(&op->arena, ed->password);
	for (i = 0; i < ed->extra.n; i++)
		if (ed->extra.v[i].value != NULL)
			ed->extra.v[i].value =
			    arena_dup(&op->arena, ed->extra.v[i].value);
	op->in = ed;
	op->actor.user = user;
	assert_true(str_fmt(op->actor.name, sizeof(op->actor.name), "ann"));
	rc = op_run(f, op);
	*e = op->err;
	op_free(op);
	return rc;
}

/* "NAME=value NAME=value " */
static inline const char *
variables(const Wire__RepoSlot *s)
{
	static char z[512];
	size_t i, n = 0;

	z[0] = '\0';
	for (i = 0; i < s->n_extra; i++)
		n += (size_t)snprintf(z + n, sizeof(z) - n, "%s=%s ",
		    s->extra[i]->name, s->extra[i]->value);
	return z;
}

struct want {
	const char *url, *username, *password, *extra;
};

/* What an agent would be given. */
static inline void
assert_given(struct fixture *f, enum creds_slot slot, const struct want *w)
{
	struct store_tx *tx = fixture_read_vault(f);
	Wire__RepoSlot *out = NULL;

	assert_rc(creds_for_agent(tx, key, &host, slot, &out), RC_OK);
	assert_string_equal(out->url, w->url);
	assert_string_equal(out->username, w->username);
	assert_string_equal(out->password, w->password);
	assert_string_equal(variables(out), w->extra);
	creds_wipe_slot(out);
	assert_string_equal(out->password, "");
	fixture_end(tx);
}

static inline void
assert_stored(struct fixture *f, const char *url, const char *username,
    const char *password)
{
	const struct want w = { url, username, password, "" };

	assert_given(f, CREDS_REPO, &w);
}
#endif
