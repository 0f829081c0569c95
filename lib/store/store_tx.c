/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/store_impl.h"

/* Less free space than this, and an I/O error of a write means "full". */
static const uint64_t full_below_bytes = MIB(1);

static bool
filesystem_full(const char *dir)
{
	struct statvfs v;

	return statvfs(dir, &v) == 0 &&
	       (uint64_t)v.f_bavail * v.f_frsize < full_below_bytes;
}

enum rc
store_mdb_err(const struct store *s, int code, const char *what, struct err *e)
{
	enum rc rc = RC_IO;

	switch (code) {
	case MDB_NOTFOUND:
		rc = RC_NOTFOUND;
		break;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		rc = RC_FULL;
		break;
	case EIO:
		rc = filesystem_full(s->dir) ? RC_FULL : RC_IO;
		break;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		rc = RC_CORRUPT;
		break;
	case MDB_VERSION_MISMATCH:
		rc = RC_VERSION;
		break;
	case MDB_TXN_FULL:
	case ENOMEM:
		rc = RC_LIMIT;
		break;
	case MDB_READERS_FULL:
		rc = RC_BUSY;
		break;
	case EACCES:
	case EPERM:
		rc = RC_DENIED;
		break;
	default:
		break;
	}
	if (rc == RC_FULL)
		return err_set(e, rc,
		    "%s: %s: no space left, free some and try again", s->dir,
		    what);
	return err_set(e, rc, "%s: %s: %s", s->dir, what, mdb_strerror(code));
}

void
store_mdb_fail(struct store_tx *tx, int code, const char *what)
{
	if (tx->err.rc == RC_OK)
		store_mdb_err(tx->store, code, what, &tx->err);
}

bool
store_usable(const struct store_tx *tx)
{
	ASSERT(!tx->has_child);
	return tx->err.rc == RC_OK;
}

void
store_watch(struct store *s, store_watch_fn *fn, void *ctx)
{
	s->watch = fn;
	s->watch_ctx = ctx;
	s->watched = pthread_self();
}

static bool
is_watched(const struct store *s)
{
	return s->watch != NULL && pthread_equal(s->watched, pthread_self());
}

static struct store_tx *
begin(struct store *s, struct store_tx *parent, struct arena *a, bool write)
{
	struct store_tx *tx = MEM_NEW(struct store_tx);
	int code;

	if (is_watched(s))
		tx->began_us = clock_mono_us();
	tx->store = s;
	tx->parent = parent;
	tx->arena = a;
	tx->write = write;
	if (parent != NULL) {
		ASSERT(parent->write && !parent->has_child);
		tx->err = parent->err;
		parent->has_child = true;
		if (tx->err.rc != RC_OK)
			return tx;
	}
	code = mdb_txn_begin(s->mdb, parent == NULL ? NULL : parent->txn,
	    write ? 0 : MDB_RDONLY, &tx->txn);
	if (code != 0) {
		tx->txn = NULL;
		store_mdb_fail(tx, code, "cannot begin a transaction");
	}
	return tx;
}

struct store_tx *
store_begin_read(struct store *s, struct arena *a)
{
	struct store_tx *tx;
	struct err e = { 0 };

	/* The reader looks at the database under a pin only, so its first
	 * look is not at store_open() but here. */
	if (!s->ready && store_meta_join(s, &e) != RC_OK) {
		tx = MEM_NEW(struct store_tx);
		tx->store = s;
		tx->arena = a;
		tx->err = e;
		return tx;
	}
	return begin(s, NULL, a, false);
}

struct store_tx *
store_begin_write(struct store *s, struct arena *a)
{
	ASSERT(s->mode != STORE_READER);
	return begin(s, NULL, a, true);
}

struct store_tx *
store_begin_child(struct store_tx *parent, struct arena *a)
{
	return begin(parent->store, parent, a, true);
}

static void
release(struct store_tx *tx)
{
	const struct store *s = tx->store;

	if (tx->parent != NULL)
		tx->parent->has_child = false;
	else if (tx->began_us != 0)
		s->watch(s->watch_ctx, clock_mono_us() - tx->began_us);
	mem_free(tx);
}

void
store_abort(struct store_tx *tx)
{
	ASSERT(!tx->has_child);
	if (tx->txn != NULL)
		mdb_txn_abort(tx->txn);
	release(tx);
}

enum rc
store_commit(struct store_tx *tx, struct err *e)
{
	enum rc rc;
	int code;

	ASSERT(tx->write);
	if (!store_usable(tx)) {
		rc = tx->err.rc;
		if (e != NULL)
			*e = tx->err;
		store_abort(tx);
		return rc;
	}
	/* Frees the transaction in any case. */
	code = mdb_txn_commit(tx->txn);
	rc = RC_OK;
	if (code != 0)
		rc = store_mdb_err(tx->store, code, "cannot commit", e);
	release(tx);
	return rc;
}

enum rc
store_rc(const struct store_tx *tx)
{
	return tx->err.rc;
}

const struct err *
store_err(const struct store_tx *tx)
{
	return &tx->err;
}

/* The first failure stays. */
static enum rc
fail(struct store_tx *tx, enum rc rc, const char *code, const char *msg)
{
	ASSERT(rc != RC_OK);
	if (tx->err.rc != RC_OK)
		return tx->err.rc;
	return err_code(&tx->err, rc, code, "%s", msg);
}

enum rc
store_fail(struct store_tx *tx, enum rc rc, const char *fmt, ...)
{
	char msg[sizeof(tx->err.msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return fail(tx, rc, NULL, msg);
}

enum rc
store_fail_code(struct store_tx *tx, enum rc rc, const char *code,
    const char *fmt, ...)
{
	char msg[sizeof(tx->err.msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return fail(tx, rc, code, msg);
}

enum rc
store_fail_field(struct store_tx *tx, const char *field, const char *fmt, ...)
{
	char msg[sizeof(tx->err.msg)];
	bool first = tx->err.rc == RC_OK;
	va_list ap;
	enum rc rc;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	rc = fail(tx, RC_INVALID, NULL, msg);
	if (first)
		tx->err.field = field;
	return rc;
}

struct arena *
store_arena(struct store_tx *tx)
{
	return tx->arena;
}

uint64_t
store_txid(const struct store_tx *tx)
{
	return tx->txn == NULL ? 0 : (uint64_t)mdb_txn_id(tx->txn);
}

/* The key of a domain is one byte; of a host this one and its id. */
enum {
	VER_HOST_BYTE = 255
};

static void
version_key(struct key *k, enum store_domain d)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)d);
}

static void
host_version_key(struct key *k, const struct ulid *host)
{
	*k = (struct key){ 0 };
	key_u8(k, VER_HOST_BYTE);
	key_ulid(k, host);
}

void
store_bump(struct store_tx *tx, enum store_domain d)
{
	struct key k;

	version_key(&k, d);
	table_put_u64(tx, TB_VERSION, &k, store_txid(tx));
}

void
store_bump_host(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	host_version_key(&k, host);
	table_put_u64(tx, TB_VERSION, &k, store_txid(tx));
}

uint64_t
store_version(struct store_tx *tx, enum store_domain d)
{
	struct key k;

	version_key(&k, d);
	return table_u64(tx, TB_VERSION, &k);
}

uint64_t
store_host_version(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	host_version_key(&k, host);
	return table_u64(tx, TB_VERSION, &k);
}
