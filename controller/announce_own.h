/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ANNOUNCE_OWN_H
#define CONTROLLER_ANNOUNCE_OWN_H
/* Between the files of announce only. */
#include <stdbool.h>
#include <stdint.h>

#include "controller/announce.h"
#include "controller/client.h"
#include "controller/op.h"
#include "lib/base/keyproof.h"
#include "lib/base/list.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct buckets;

struct announce {
	struct controller *ctl;
	struct list streams; /* struct held */
	unsigned open;
	struct buckets *buckets;
};

/* What an agent says of its host: pointers into the message, or into an op's
 * arena. */
struct announce_facts {
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	const char *hostname, *os, *arch;
	const char *agent_version, *restic_version;
};

/* --------------------------------------------------------- announce_op.c */

/* RC_PROTO, RC_INVALID. */
MUST_USE enum rc announce_check(const struct announce_facts *f, struct err *e);

/* What is known of a key.  id: of its row, else as it was. */
struct announce_known {
	struct ulid id;
	bool known;
	Rec__PendingState state;
	bool collision;
	bool full; /* no new row fits */
};
MUST_USE enum rc announce_look(struct controller *c,
    const struct announce_facts *f, struct announce_known *out, struct err *e);

/* Makes the key's row, or refreshes it. */
struct announce_join {
	struct announce_facts facts;
	struct ulid id; /* for a new row; out: of the one it has */
	bool proven;    /* by signature: what it says replaces what is there */
	Rec__PendingState state; /* out, and below */
	int64_t expires_at_ms;
	bool collision;
};
enum rc announce_join_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
/* An op with its own copy of the facts; in: struct announce_join. */
struct op *announce_join_new(const struct announce_facts *f,
    const struct ulid *id, bool proven);

/* A fresh bearer for the host of an accepted row. */
struct announce_handover {
	struct ulid pending;
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	struct ulid host; /* out, and below */
	char bearer[CRYPT_TOKEN_CAP];
};
enum rc announce_handover_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* RC_NOTFOUND unknown, RC_CONFLICT accepted before or the name is taken,
 * RC_GONE rejected or expired. */
struct announce_decide {
	struct ulid pending;
	/* accept */
	struct ulid host; /* fresh */
	const char *repo_url, *repo_username;
	struct str sealed_repo;
	bool allow_duplicate;
	const char *name; /* out */
};
enum rc announce_accept_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
enum rc announce_reject_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
/* out: size_t */
enum rc announce_sweep_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* ------------------------------------------------------------ announce.c */

enum held_step {
	HELD_OPEN,    /* for the first message */
	HELD_NONCE,   /* for the signature */
	HELD_JOINING, /* for a commit */
	HELD_WAITING, /* for an administrator */
	HELD_ENDED
};

/* A stream of Announce.  Lives until the call is closed and its op has come
 * back. */
struct held {
	struct list link; /* in announce.streams until closed */
	struct announce *announce;
	struct grpc_call *grpc; /* NULL: closed */
	enum held_step step;
	bool busy;
	int64_t until_ms; /* monotonic: OPEN and NONCE */
	int64_t beat_ms;  /* monotonic: WAITING */
	int64_t expires_at_ms;
	struct ulid pending;
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	struct keyproof proof;
	char id[ULID_TEXT_CAP];
	char address[CLIENT_ADDRESS_CAP];
	struct op *join; /* made of the announcement, not submitted yet */
};

enum {
	HELD_OPEN_MS = 10000,
	HELD_NONCE_MS = 30000,
	HELD_BEAT_MS = 25000,
	HELD_UNPROVEN_MAX = 16 /* of an address, before they have signed */
};

/* Ends the call; nothing more is said on it. */
void held_fail(struct held *h, const struct err *e);
/* Told of a commit: the row is at rest, h waits.  An older stream of the
 * same row ends. */
void held_wait(struct held *h, int64_t expires_at_ms);
void held_hand_over(struct held *h, const uint8_t *key);
void held_release(struct held *h);

/* Decisions, after their commit: whoever waits is told. */
void announce_accepted(struct announce *a, const struct ulid *pending);
void announce_rejected(struct announce *a, const struct ulid *pending);
/* The error that a rejected agent gets. */
void announce_rejection(struct err *e);
#endif
