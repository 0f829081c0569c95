/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/tokens.h"

#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/req.h"
#include "controller/throttle.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/store/token_store.h"
#include "lib/store/vault_store.h"

enum {
	USED_EVERY_MS = 60000,
	SWEEP_ROWS = 500
};

struct tokens {
	struct controller *ctl;
	struct throttle *throttle;
	struct map *used; /* token id -> int64_t: since the last tick */
};

struct tokens *
tokens_new(struct controller *c)
{
	struct tokens *t = MEM_NEW(struct tokens);

	t->ctl = c;
	t->throttle = throttle_new();
	t->used = map_new();
	return t;
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	map_free_all(t->used);
	throttle_free(t->throttle);
	mem_free(t);
}

/* ------------------------------------------------------------ who bears it */

bool
tokens_is(struct str bearer)
{
	return str_starts(bearer, STR(TOKENS_PREFIX));
}

struct Rec__ApiToken *
tokens_find(struct controller *c, struct arena *a,
    const uint8_t hash[CRYPT_HASH_SIZE], struct err *e)
{
	struct store_tx *vault = store_begin_read(c->vault, NULL);
	struct store_tx *state = store_begin_read(c->state, a);
	struct Rec__ApiToken *t = NULL;
	struct ulid id;

	(void)err_set(e, RC_AUTH,
	    "the API token is unknown, expired or revoked");
	if (vault_owner_of_ticket(vault, VAULT_API_TOKEN, hash, &id))
		t = token_store_find(state, &id);
	if (store_rc(vault) != RC_OK)
		*e = *store_err(vault);
	else if (store_rc(state) != RC_OK)
		*e = *store_err(state);
	store_abort(state);
	store_abort(vault);
	return t != NULL && t->expires_at_ms > clock_now_ms() ? t : NULL;
}

static void
note_use(struct tokens *t, const struct Rec__ApiToken *token)
{
	struct str key = str_from(token->id.data, token->id.len);
	int64_t now = clock_now_ms(), *at = map_get(t->used, key);

	if (at == NULL && now - token->last_used_at_ms < USED_EVERY_MS)
		return;
	if (at == NULL) {
		at = MEM_NEW(int64_t);
		map_put(t->used, key, at);
	}
	*at = now;
}

static bool
take_token(struct req *r, const struct Rec__ApiToken *token)
{
	struct store_tx *tx;
	struct ulid user;
	bool good;

	if (token->user_id.len != sizeof(user.b))
		return false;
	memcpy(user.b, token->user_id.data, sizeof(user.b));
	tx = store_begin_read(r->ctl->state, &r->arena);
	good = auth_take_user(r, tx, &user, token->role);
	store_abort(tx);
	return good;
}

/* Guesses count against the address; a token that has been used from there
 * is not held up by them. */
static enum rc
admit(struct tokens *t, struct req *r, const struct Rec__ApiToken *token,
    struct err *e)
{
	char account[ULID_TEXT_CAP];
	struct ulid id;
	unsigned wait_s;

	if (token == NULL) {
		wait_s = throttle_begin(t->throttle, r->address, r->address);
		return wait_s == 0 ? e->rc : auth_wait(r, wait_s, e);
	}
	memcpy(id.b, token->id.data, sizeof(id.b));
	ulid_text(&id, account);
	if (throttle_known(t->throttle, account, r->address))
		return RC_OK;
	wait_s = throttle_begin(t->throttle, account, r->address);
	if (wait_s > 0)
		return auth_wait(r, wait_s, e);
	throttle_succeeded(t->throttle, account, r->address);
	return RC_OK;
}

enum rc
tokens_identify(struct req *r, struct str bearer, struct err *e)
{
	struct tokens *t = r->ctl->tokens;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__ApiToken *token;
	enum rc rc;

	crypt_sha256(bearer, hash);
	token = tokens_find(r->ctl, &r->arena, hash, e);
	if (token == NULL && e->rc != RC_AUTH)
		return e->rc;
	if (token != NULL && !take_token(r, token))
		token = NULL;
	rc = admit(t, r, token, e);
	if (rc != RC_OK || token == NULL) {
		auth_forget(r);
		return rc;
	}
	memcpy(r->session_hash, hash, sizeof(hash));
	r->bearer = true;
	r->bearer_expires_ms = token->expires_at_ms;
	note_use(t, token);
	return RC_OK;
}

/* ------------------------------------------------------------------ upkeep */

struct use {
	struct ulid id;
	int64_t at_ms;
};

struct upkeep {
	struct use *uses;
	size_t n;
	int64_t now_ms;
	struct store_tx *state, *vault;
	size_t expired;
};

static void
delete_token(struct store_tx *state, struct store_tx *vault,
    const struct Rec__ApiToken *t)
{
	struct ulid id;

	if (t->id.len != sizeof(id.b))
		return;
	memcpy(id.b, t->id.data, sizeof(id.b));
	vault_del_ticket(vault, VAULT_API_TOKEN, &id);
	token_store_del(state, &id);
}

static bool
tokens_on_expired(void *ctx, struct Rec__ApiToken *t)
{
	struct upkeep *u = ctx;

	if (t->expires_at_ms > u->now_ms)
		return true;
	delete_token(u->state, u->vault, t);
	return ++u->expired < SWEEP_ROWS;
}

static enum rc
upkeep_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct upkeep *u = op->in;
	struct Rec__ApiToken *t;
	size_t i;

	u->state = state;
	u->vault = vault;
	for (i = 0; i < u->n; i++) {
		t = token_store_find(state, &u->uses[i].id);
		if (t == NULL || t->last_used_at_ms >= u->uses[i].at_ms)
			continue;
		t->last_used_at_ms = u->uses[i].at_ms;
		token_store_put(state, t);
	}
	token_store_each(state, NULL, tokens_on_expired, u);
	return store_rc(state);
}

static void
tokens_on_kept(struct op *op, void *ctx)
{
	(void)ctx;
	if (op->err.rc != RC_OK)
		log_warn(LOG_AUTH, "API tokens not kept up: %s", op->err.msg);
}

static bool
tokens_on_due(void *ctx, struct Rec__ApiToken *t)
{
	bool *due = ctx;

	*due = t->expires_at_ms <= clock_now_ms();
	return !*due;
}

static bool
any_expired(struct tokens *t)
{
	struct store_tx *tx;
	struct arena a;
	bool due = false;

	arena_init(&a, MIB(64));
	tx = store_begin_read(t->ctl->state, &a);
	token_store_each(tx, NULL, tokens_on_due, &due);
	store_abort(tx);
	arena_fini(&a);
	return due;
}

static void
take_uses(struct tokens *t, struct upkeep *u)
{
	size_t pos = 0;
	struct str key;
	void *value;

	while (map_next(t->used, &pos, &key, &value)) {
		memcpy(u->uses[u->n].id.b, key.p, key.n);
		u->uses[u->n++].at_ms = *(const int64_t *)value;
		mem_free(map_del(t->used, key));
	}
}

void
tokens_tick(struct tokens *t)
{
	size_t n = map_count(t->used);
	struct upkeep *u;
	struct op *op;

	throttle_tick(t->throttle);
	if (n == 0 && !any_expired(t))
		return;
	op = op_new(upkeep_op, tokens_on_kept, NULL);
	u = arena_alloc(&op->arena, sizeof(*u));
	ASSERT(u != NULL);
	u->uses = arena_array(&op->arena, n + 1, sizeof(*u->uses));
	if (u->uses != NULL)
		take_uses(t, u);
	u->now_ms = clock_now_ms();
	op->in = u;
	op->vault = true;
	op_submit(t->ctl->ops, &op);
}

struct removal {
	struct store_tx *state, *vault;
	size_t n;
};

static bool
tokens_on_delete(void *ctx, struct Rec__ApiToken *t)
{
	struct removal *d = ctx;

	delete_token(d->state, d->vault, t);
	d->n++;
	return true;
}

size_t
tokens_delete_all(struct store_tx *state, struct store_tx *vault,
    const struct ulid *user)
{
	struct removal d = { state, vault, 0 };

	token_store_each(state, user, tokens_on_delete, &d);
	return d.n;
}
