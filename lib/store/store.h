/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_STORE_H
#define LIB_STORE_STORE_H
/*
 * LMDB environments and transactions.  Records are protobuf messages of
 * proto/store.proto; every table is one row in store.c's list (name,
 * environment, key layout).
 *
 * A transaction carries a sticky error: after the first failure puts do
 * nothing and gets say absent; check store_rc() once.  _get treats absence
 * as RC_NOTFOUND, _find as normal.  Records are unpacked into the arena
 * given at the beginning and die with it; peeked bytes die with the
 * transaction.
 * Threads: a read transaction belongs to one thread at a time and never
 * outlives one function or loop turn; write transactions belong to the
 * thread that began them (the controller's store thread).
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

struct arena;
struct ulid;
struct store;
struct store_tx;

enum store_env {
	STORE_STATE, /* db/state: what pages show */
	STORE_VAULT, /* db/vault: hashes, sessions, sealed secrets */
	STORE_LIVE   /* run/live: presence, progress; not synced */
};

enum store_mode {
	STORE_WRITER,  /* the controller; makes what is missing */
	STORE_READER,  /* another process under the controller's pin:
	                 MDB_RDONLY|MDB_NOLOCK */
	STORE_OFFLINE, /* tools: RC_BUSY while a controller runs */
	STORE_COPIER   /* tools, also while a controller runs: for
	                  store_backup() and nothing else */
};

enum {
	STORE_SCHEMA = 3
};

/* dir is the environment's directory.  Writer: group ownership and modes as
 * architecture.md section 2 (data.mdb 0640, lock 0600).  A newer schema is
 * RC_VERSION, an older one is migrated after a copy.  Reader: RC_BUSY while
 * there is no meta record yet; the version is checked by the first
 * transaction, which is under the pin. */
MUST_USE enum rc store_open(enum store_env env, enum store_mode mode,
    const char *dir, struct store **out, struct err *e);
void store_close(struct store *s);

/* Told how long each transaction of the calling thread took, from its begin
 * to its end: the thread did nothing else meanwhile. */
typedef void store_watch_fn(void *ctx, int64_t us);
void store_watch(struct store *s, store_watch_fn *fn, void *ctx);
/* Random for each start of the writer; part of every ETag.  A reader knows
 * it from its first transaction on. */
uint64_t store_instance(const struct store *s);

/* a may be NULL when nothing is unpacked.  Never NULL; a failure to begin is
 * the transaction's sticky error. */
struct store_tx *store_begin_read(struct store *s, struct arena *a);
struct store_tx *store_begin_write(struct store *s, struct arena *a);
/* A child of a write transaction: its changes are all kept or all undone. */
struct store_tx *store_begin_child(struct store_tx *parent, struct arena *a);
/* Commits when there is no sticky error, else aborts; frees tx. */
MUST_USE enum rc store_commit(struct store_tx *tx, struct err *e);
void store_abort(struct store_tx *tx); /* also the end of every read */

enum rc store_rc(const struct store_tx *tx);
/* The failure in words. */
const struct err *store_err(const struct store_tx *tx);
/* Sets the sticky error; returns its rc. */
enum rc store_fail(struct store_tx *tx, enum rc rc, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
enum rc store_fail_code(struct store_tx *tx, enum rc rc, const char *code,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* RC_INVALID, about that field of what was asked for. */
enum rc store_fail_field(struct store_tx *tx, const char *field,
    const char *fmt, ...) PRINTF_LIKE(3, 4);
struct arena *store_arena(struct store_tx *tx);
/* Transaction number: of the snapshot, or the one being written. */
uint64_t store_txid(const struct store_tx *tx);

/* Pins the newest snapshot for readers in other processes, from now until
 * store_unpin().  Cheap.  Loop thread; pins do not nest. */
MUST_USE enum rc store_pin(struct store *s);
void store_unpin(struct store *s);

/* Version rows: the number of the transaction that last changed a domain.
 * Written by the puts of the *_store modules themselves. */
enum store_domain {
	VER_HOSTS,
	VER_JOBS,
	VER_USERS,
	VER_AUDIT
};
uint64_t store_version(struct store_tx *tx, enum store_domain d);
uint64_t store_host_version(struct store_tx *tx, const struct ulid *host);

struct store_space {
	uint64_t map_bytes, used_bytes, free_pages;
	unsigned readers;
};
void store_space(struct store *s, struct store_space *out);
/* Frees what copiers that were killed have pinned.  Cheap. */
void store_reap(struct store *s);
/* A consistent, compacted copy, written next to path and renamed.
 * Blocking: pool thread. */
MUST_USE enum rc store_backup(struct store *s, const char *path, struct err *e);
#endif
