/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_TOKENS_H
#define CONTROLLER_TOKENS_H
/*
 * API tokens: "rmt_" and 32 random bytes as base64url, sent as
 * `Authorization: Bearer`.  The vault has the hash, state what pages show.
 * A token acts for its user with the lower of its role and the user's
 * present one; a disabled user's are deleted.
 *
 * A token's bearer gets past the throttle from where it was used before, so
 * that strangers who guess behind the same address do not stop it.
 * Loop thread; functions that take a store_tx run inside ops.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct arena;
struct controller;
struct op;
struct req;
struct store_tx;
struct tokens;

#define TOKENS_PREFIX "rmt_"

enum {
	TOKENS_TEXT_CAP = CRYPT_TOKEN_CAP + 4,
	TOKENS_PER_USER_MAX = 50,
	TOKENS_NAME_MAX = 64,
	TOKENS_DAYS_MAX = 365,
	TOKENS_LIST_MAX = 100 /* a page of the JSON list */
};

struct tokens *tokens_new(struct controller *c);
void tokens_free(struct tokens *t);
/* Every minute: stores when tokens were used, removes expired ones. */
void tokens_tick(struct tokens *t);

/* Whether a bearer text is one of ours, good or not. */
bool tokens_is(struct str bearer);
/* Signs r in by it.  RC_AUTH: unknown, expired, revoked, its user disabled;
 * RC_RATE: too many such from this address. */
MUST_USE enum rc tokens_identify(struct req *r, struct str bearer,
    struct err *e);
/* The token of that hash unless it has expired, in the arena; NULL and
 * e->rc RC_AUTH, or what kept us from looking. */
struct Rec__ApiToken *tokens_find(struct controller *c, struct arena *a,
    const uint8_t hash[CRYPT_HASH_SIZE], struct err *e);

/* Deletes every token of the user, in an op; returns how many. */
size_t tokens_delete_all(struct store_tx *state, struct store_tx *vault,
    const struct ulid *user);

/* What is asked for, from JSON or from a form. */
struct tokens_in {
	char *name;
	char *role;
	int64_t expires_in_days;
};
extern const struct route_json tokens_create_body;

/* What was made; text is wiped by whoever shows it. */
struct tokens_made {
	struct ulid id, user;
	char name[TOKENS_NAME_MAX + 1];
	Rec__Role role;
	int64_t expires_at_ms;
	uint8_t hash[CRYPT_HASH_SIZE];
	char text[TOKENS_TEXT_CAP];
};
/* Checks the input against who asks; field: the one that is wrong. */
MUST_USE enum rc tokens_check(const struct req *r, const struct tokens_in *in,
    struct tokens_made *out, const char **field, struct err *e);
/* An op that makes it; op->in is a struct tokens_made afterwards. */
struct op *tokens_create_op(const struct tokens_made *made);
/* An op that revokes it: the asker's own, or anybody's for an admin. */
struct op *tokens_revoke_op(const struct req *r, const struct ulid *id);

void tokens_list(struct req *r);   /* GET /api/tokens */
void tokens_create(struct req *r); /* POST /api/tokens */
void tokens_revoke(struct req *r); /* DELETE /api/tokens/{id} */
#endif
