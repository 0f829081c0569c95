/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bearers of made-up hosts, so that made-up agents (tests/load) get in. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/ulid.h"
#include "lib/store/host_store.h"
#include "lib/store/vault_store.h"
#include "tests/tools/fleet.h"

enum {
	PATH_CAP = 4096
};

struct giving {
	struct store_tx *vault;
	struct buf lines;
};

static bool
give(void *ctx, const struct Rec__Host *h)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	char bearer[CRYPT_TOKEN_CAP], text[ULID_TEXT_CAP];
	uint8_t hash[CRYPT_HASH_SIZE];
	struct giving *g = ctx;
	struct ulid id;

	memcpy(id.b, h->id.data, sizeof(id.b));
	crypt_token(bearer);
	crypt_sha256(str_of(bearer), hash);
	s.bearer_hash.data = hash;
	s.bearer_hash.len = sizeof(hash);
	vault_put_host(g->vault, &id, &s);
	ulid_text(&id, text);
	buf_printf(&g->lines, "%s %s\n", text, bearer);
	return true;
}

static enum rc
open_store(const struct fleet_opts *o, enum store_env env, const char *below,
    struct store **out, struct err *e)
{
	char path[PATH_CAP];

	if (!str_fmt(path, sizeof(path), "%s/%s", o->dir, below))
		return err_set(e, RC_LIMIT, "%s: the path is too long", o->dir);
	if (fsio_mkdirs(path, env == STORE_VAULT ? 0700 : 0750, e) != RC_OK)
		return e->rc;
	return store_open(env, STORE_WRITER, path, out, e);
}

static enum rc
give_all(struct store *state, struct store *vault, struct giving *g,
    struct err *e)
{
	struct arena a, b;
	struct store_tx *tx;
	enum rc rc;

	arena_init(&a, GIB(1));
	arena_init(&b, GIB(1));
	tx = store_begin_read(state, &a);
	g->vault = store_begin_write(vault, &b);
	host_store_each(tx, give, g);
	if ((rc = store_rc(tx)) != RC_OK)
		*e = *store_err(tx);
	store_abort(tx);
	if (rc == RC_OK)
		rc = store_commit(g->vault, e);
	else
		store_abort(g->vault);
	arena_fini(&a);
	arena_fini(&b);
	return rc;
}

enum rc
fleet_put_bearers(const struct fleet_opts *o, struct err *e)
{
	struct store *state = NULL, *vault = NULL;
	struct giving g = { .vault = NULL };
	enum rc rc;

	if (o->bearers == NULL)
		return RC_OK;
	buf_init(&g.lines, MIB(16));
	if ((rc = open_store(o, STORE_STATE, "db/state", &state, e)) != RC_OK)
		goto out;
	if ((rc = open_store(o, STORE_VAULT, "db/vault", &vault, e)) != RC_OK)
		goto out;
	if ((rc = give_all(state, vault, &g, e)) == RC_OK)
		rc = fsio_replace(o->bearers, buf_str(&g.lines), 0600, e);
out:
	store_close(vault);
	store_close(state);
	buf_wipe_fini(&g.lines);
	return rc;
}
