/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_STORE_IMPL_H
#define LIB_STORE_STORE_IMPL_H
/*
 * What the files of lib/store share: the environment, the transaction, the
 * schema.  Nobody else includes this (tests of migration excepted).
 */
#include <lmdb.h>
#include <pthread.h>

#include "lib/store/store.h"
#include "lib/store/table.h"

struct host_cache;

struct store {
	enum store_env env;
	enum store_mode mode;
	char *dir;
	MDB_env *mdb;
	MDB_txn *pin; /* reset while nothing is pinned; writers only */
	bool pinned;
	bool ready;  /* tables are open, the version was checked */
	int lock_fd; /* owner.lock, -1: reader */
	uint64_t instance;
	MDB_dbi dbi[TABLE_COUNT];
	bool audit_keyed; /* the audit log is sealed (audit_store.h) */
	uint8_t audit_key[32];
	struct host_cache *hosts; /* of a reader, once it has walked them */
	store_watch_fn *watch;    /* NULL: nobody asks */
	void *watch_ctx;
	pthread_t watched;
};

struct store_tx {
	struct store *store;
	struct store_tx *parent;
	MDB_txn *txn; /* NULL: it never began */
	struct arena *arena;
	bool write;
	int64_t began_us; /* of a watched thread, else 0 */
	bool has_child;   /* while a child is open the parent rests */
	struct err err;   /* err.rc is the sticky error */
};

/* One step of migration, from version `from` to the next. */
typedef void store_migrate_fn(struct store_tx *tx);
struct store_step {
	enum store_env env;
	uint32_t from;
	store_migrate_fn *run;
};

struct store_schema {
	uint32_t version;
	const struct store_step *steps; /* ascending per environment */
	size_t count;
};

/* store_open() with another schema than this program's. */
MUST_USE enum rc store_open_schema(enum store_env env, enum store_mode mode,
    const char *dir, const struct store_schema *schema, struct store **out,
    struct err *e);

/* Files and directory of an environment, owner.lock held (store_files.c). */
MUST_USE enum rc store_files_prepare(struct store *s, struct err *e);

/* Opens the tables, checks and migrates the schema, writes a new instance
 * (store_meta.c). */
MUST_USE enum rc store_meta_claim(struct store *s,
    const struct store_schema *schema, struct err *e);
/* The reader's part of it: tables and version, nothing is written. */
MUST_USE enum rc store_meta_join(struct store *s, struct err *e);

/* Translates an LMDB or errno code; RC_FULL when the filesystem is full,
 * which LMDB reports as EIO after a short write. */
enum rc store_mdb_err(const struct store *s, int code, const char *what,
    struct err *e);
/* The same as the sticky error of tx. */
void store_mdb_fail(struct store_tx *tx, int code, const char *what);
/* Ready for a call that may fail: began, rests on no child, no error. */
bool store_usable(const struct store_tx *tx);

/* A domain changed: its version row gets this transaction's number. */
void store_bump(struct store_tx *tx, enum store_domain d);
void store_bump_host(struct store_tx *tx, const struct ulid *host);
#endif
