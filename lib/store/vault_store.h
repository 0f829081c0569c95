/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_VAULT_STORE_H
#define LIB_STORE_VAULT_STORE_H
/*
 * What nobody but the controller reads: hashes of passwords, sessions,
 * tokens and bearers, sealed credentials.  A target of its own: the renderer
 * does not link it.  What spans state and vault is written here first.
 * Keys: user id | SHA-256 of the cookie | SHA-256 of the token's secret |
 * host id | SHA-256 of the bearer -> host id | SHA-256 of an API token or
 * setup link -> its owner.
 */
#include "lib/base/crypt.h"
#include "lib/store/store.h"

struct Rec__Password *vault_find_password(struct store_tx *tx,
    const struct ulid *user);
/* Returns its number, for User.password_number in the same op; by that a start
 * knows whether the state's half of the change was committed, too. */
uint32_t vault_put_password(struct store_tx *tx, const struct ulid *user,
    const struct Rec__Password *p);
/* It was signed in with: the one before it will not be needed any more. */
void vault_settle_password(struct store_tx *tx, const struct ulid *user);

struct Rec__Session *vault_find_session(struct store_tx *tx,
    const uint8_t hash[CRYPT_HASH_SIZE]);
/* At most max a user: the oldest ends. */
void vault_put_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__Session *s, size_t max);
void vault_del_session(struct store_tx *tx,
    const uint8_t hash[CRYPT_HASH_SIZE]);
/* Ends every session of the user but keep (NULL: none); returns how many. */
size_t vault_end_sessions(struct store_tx *tx, const struct ulid *user,
    const uint8_t *keep);
/* Those that have not expired. */
size_t vault_count_sessions(struct store_tx *tx, const struct ulid *user,
    int64_t now_ms);

struct Rec__EnrolToken *vault_find_token(struct store_tx *tx,
    const uint8_t hash[CRYPT_HASH_SIZE]);
void vault_put_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t);
void vault_del_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE]);
typedef bool vault_token_fn(void *ctx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t);
void vault_each_token(struct store_tx *tx, vault_token_fn *fn, void *ctx);

/*
 * Secrets of which only the hash is kept, one for each owner: API tokens
 * (owner: the token's record in state) and setup links (owner: the user).
 * How long they are good stands in the owner's record.
 */
enum vault_ticket {
	VAULT_API_TOKEN = 0,
	VAULT_SETUP = 1
};
/* Replaces the owner's earlier one. */
void vault_put_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner, const uint8_t hash[CRYPT_HASH_SIZE]);
void vault_del_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner);
bool vault_owner_of_ticket(struct store_tx *tx, enum vault_ticket kind,
    const uint8_t hash[CRYPT_HASH_SIZE], struct ulid *out);

struct Rec__HostSecrets *vault_find_host(struct store_tx *tx,
    const struct ulid *host);
/* Keeps the index from bearer, and from the previous one, to host. */
void vault_put_host(struct store_tx *tx, const struct ulid *host,
    const struct Rec__HostSecrets *h);
/* Hooks of a source group; group NULL: the host's defaults. */
struct Rec__Hooks *vault_find_hooks(struct store_tx *tx,
    const struct ulid *host, const struct ulid *group);
/* Inserts or replaces; with neither of the two the row goes. */
void vault_put_hooks(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group, const struct Rec__Hooks *h);
void vault_del_hooks_of(struct store_tx *tx, const struct ulid *host);
/* Removes those of hosts and groups that state does not know; how many. */
size_t vault_sweep_hooks(struct store_tx *state, struct store_tx *vault);
/* Also its hooks, and the tokens it used: none of them enrols again. */
void vault_del_host(struct store_tx *tx, const struct ulid *host);
bool vault_host_of_bearer(struct store_tx *tx,
    const uint8_t hash[CRYPT_HASH_SIZE], struct ulid *out);
typedef bool vault_host_fn(void *ctx, const struct ulid *host);
void vault_each_host(struct store_tx *tx, vault_host_fn *fn, void *ctx);

/* Removes expired sessions, and tokens expired for more than a day; at most
 * max rows; returns how many. */
size_t vault_sweep(struct store_tx *tx, int64_t now_ms, size_t max);

/*
 * Vault and state cannot be committed as one, and the vault goes first: what
 * it has and state lacks is left of an op that was cut off between the two.
 * Removes the secrets of hosts, hooks, the passwords, sessions and setup links
 * of users and the API tokens that state does not know; a token used by such a
 * host is unused again, and a password that state does not know of gives way to
 * the one before it.  Returns how many rows.  Run by op_queue_new() at start,
 * and by the queue while that found no room.
 */
size_t vault_reconcile(struct store_tx *state, struct store_tx *vault);
/* Every row is as it was in `before`, a look at the vault from before a commit
 * whose state half failed: what is refused has changed nothing. */
void vault_undo(struct store_tx *before, struct store_tx *vault);
#endif
