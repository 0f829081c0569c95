/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_OP_H
#define CONTROLLER_OP_H
/*
 * Mutations.  An op is a function that runs on the store thread inside a
 * child transaction of a shared commit (group commit): it validates,
 * changes, audits.  When the commit is on disk, done runs on the loop
 * thread with the outcome; an op that fails is undone alone.
 *
 * An op that touches both environments gets both transactions; the vault
 * is committed first, then state.
 *
 *   struct op *op = op_new(hosts_rename_op, hosts_on_renamed, ctx);
 *   op->in = ...; op_submit(queue, &op);      (op is NULL afterwards)
 *
 * The queue takes from `submit` until `done` returns; then it frees the op
 * with its arena.  done comes exactly once, never from inside op_submit().
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/latency.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct json_strs;
struct loop;
struct op;
struct op_queue;
struct store;
struct store_tx;

/* state is never NULL; vault is NULL unless op->vault was set. */
typedef enum rc op_fn(struct store_tx *state, struct store_tx *vault,
    struct op *op);
typedef void op_done_fn(struct op *op, void *ctx);

/* Who asked, for the audit log. */
struct op_actor {
	struct ulid user; /* zero: none */
	char name[64];    /* user name, "system", "agent:<host>" */
	char address[64];
};

struct op {
	op_fn *run;
	op_done_fn *done;
	void *ctx;
	bool vault; /* needs the vault too */
	struct op_actor actor;
	void *in;           /* usually in the arena */
	void *out;          /* for done; usually in the arena */
	struct arena arena; /* dies with the op */
	struct err err;     /* err.rc is the outcome */
	struct op *next;
};

enum {
	OP_ARENA_MAX = 16 << 20,
	OP_QUEUE_MAX = 10000
};

struct op *op_new(op_fn *run, op_done_fn *done, void *ctx);
/* One without a done, or for req_submit(): op->in is a copy of the size bytes
 * of in. */
struct op *op_with(op_fn *run, const void *in, size_t size);
/* What it keeps of the request: copies in its arena, NULL stays NULL.  A
 * request's body is smaller than the arena. */
char *op_keep(struct op *op, const char *text);
/* z, which may be changed, is overwritten: a request keeps no secret while
 * the op waits for its turn. */
char *op_keep_secret(struct op *op, char *z);
struct json_strs *op_keep_strs(struct op *op, const struct json_strs *from);
/* Takes *op.  Past OP_QUEUE_MAX, done gets RC_BUSY. */
void op_submit(struct op_queue *q, struct op **op);
void op_free(struct op *op); /* one that was never submitted */

MUST_USE enum rc op_queue_new(struct loop *l, struct store *state,
    struct store *vault, struct op_queue **out, struct err *e);
/* Runs what is queued to its end, then stops the thread. */
void op_queue_free(struct op_queue *q);

struct op_stats {
	uint64_t commits, ops, failed;
	uint64_t commit_us_last, commit_us_max;
	struct latency commit;
	unsigned queued;
	bool unhealthy; /* the last commit failed: disk full or I/O error */
};
void op_queue_stats(struct op_queue *q, struct op_stats *out);

/* Audit row from the op's actor; payload is JSON or NULL. */
void op_audit(struct store_tx *state, const struct op *op, const char *action,
    const char *target_kind, const struct ulid *target, const char *target_name,
    const char *payload);
#endif
