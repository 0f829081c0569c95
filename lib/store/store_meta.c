/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/live.h"
#include "lib/store/store_impl.h"

enum {
	META_PATH_CAP = 1024
};
/* A step that walks a whole table takes child transactions with arenas of
 * their own. */
static const size_t meta_arena_max = MIB(16);

static void
meta_key(struct key *k)
{
	*k = (struct key){ 0 };
	key_bytes(k, "meta", 4);
}

/* All tables of the environment; flags is MDB_CREATE or 0. */
static void
open_tables(struct store_tx *tx, unsigned flags)
{
	struct store *s = tx->store;
	const struct table_info *info;
	unsigned t;
	int code;

	for (t = 0; t < TABLE_COUNT && store_usable(tx); t++) {
		info = table_info((enum table)t);
		if ((info->where & (1U << s->env)) == 0)
			continue;
		code = mdb_dbi_open(tx->txn, info->name, flags, &s->dbi[t]);
		if (code == MDB_NOTFOUND)
			store_fail(tx, RC_VERSION,
			    "%s: table %s is missing; "
			    "start the controller of this version first",
			    s->dir, info->name);
		else if (code != 0)
			store_mdb_fail(tx, code, "cannot open a table");
	}
}

/* A database nobody has written to yet. */
static bool
is_empty(struct store_tx *tx)
{
	MDB_stat st = { 0 };
	MDB_dbi main_dbi;
	int code;

	if (!store_usable(tx))
		return false;
	code = mdb_dbi_open(tx->txn, NULL, 0, &main_dbi);
	if (code == 0)
		code = mdb_stat(tx->txn, main_dbi, &st);
	if (code != 0)
		store_mdb_fail(tx, code, "cannot examine the database");
	return code == 0 && st.ms_entries == 0;
}

/* NULL: the database is new, or the transaction failed. */
static struct Rec__Meta *
read_meta(struct store_tx *tx)
{
	struct Rec__Meta *m;
	struct key k;
	int code;

	if (is_empty(tx) || !store_usable(tx))
		return NULL;
	meta_key(&k);
	code = mdb_dbi_open(tx->txn, table_info(TB_META)->name, 0,
	    &tx->store->dbi[TB_META]);
	if (code != 0 && code != MDB_NOTFOUND) {
		store_mdb_fail(tx, code, "cannot open table meta");
		return NULL;
	}
	m = code == 0 ? table_find(tx, TB_META, &k, &rec__meta__descriptor)
	              : NULL;
	if (m == NULL && store_usable(tx))
		store_fail(tx, RC_CORRUPT,
		    "%s/data.mdb is not a database of "
		    "restic-manager: it has no meta record; move it away or "
		    "restore a backup",
		    tx->store->dir);
	return m;
}

static void
check_version(struct store_tx *tx, const struct Rec__Meta *m, uint32_t know)
{
	if (m->schema_version > know)
		store_fail_code(tx, RC_VERSION, "schema_too_new",
		    "%s was written by a newer restic-manager (schema %u, "
		    "this program knows %u): install that version again, or "
		    "restore a backup",
		    tx->store->dir, m->schema_version, know);
}

/* The version on disk, 0 and *fresh for a new database. */
static enum rc
probe(struct store *s, uint32_t know, uint32_t *version, bool *fresh,
    struct err *e)
{
	struct Rec__Meta *m;
	struct store_tx *tx;
	struct arena a;
	enum rc rc;

	arena_init(&a, meta_arena_max);
	s->ready = true; /* the writer needs no pin */
	tx = store_begin_read(s, &a);
	m = read_meta(tx);
	if (m != NULL)
		check_version(tx, m, know);
	rc = store_rc(tx);
	if (rc == RC_OK) {
		*fresh = m == NULL;
		*version = m == NULL ? 0 : m->schema_version;
	} else if (e != NULL) {
		*e = *store_err(tx);
	}
	store_abort(tx);
	arena_fini(&a);
	return rc;
}

/* Before anything is changed: <dir>/before-schema-<new version>.mdb. */
static enum rc
copy_first(struct store *s, uint32_t to, struct err *e)
{
	char path[META_PATH_CAP];
	enum rc rc;

	if (!str_fmt(path, sizeof(path), "%s/before-schema-%u.mdb", s->dir, to))
		return err_set(e, RC_LIMIT, "%s: the path is too long", s->dir);
	rc = store_backup(s, path, e);
	if (rc != RC_OK)
		return err_wrap(e, "no migration without a copy");
	log_info(LOG_STORE, "copied before migration path=%s",
	    log_safe(str_of(path)));
	return RC_OK;
}

static void
migrate(struct store_tx *tx, const struct store_schema *schema, uint32_t from)
{
	const struct store_step *step;
	size_t i;

	for (i = 0; i < schema->count && store_usable(tx); i++) {
		step = &schema->steps[i];
		if (step->env != tx->store->env || step->from < from)
			continue;
		step->run(tx);
	}
}

static void
write_meta(struct store_tx *tx, uint32_t version)
{
	struct store *s = tx->store;
	struct Rec__Meta *m, fresh = REC__META__INIT;
	uint8_t instance[sizeof(s->instance)];
	struct key k;

	meta_key(&k);
	m = table_find(tx, TB_META, &k, &rec__meta__descriptor);
	if (m == NULL) {
		m = &fresh;
		m->created_at_ms = clock_now_ms();
	}
	memcpy(instance, &s->instance, sizeof(instance));
	m->schema_version = version;
	m->instance = (ProtobufCBinaryData){ sizeof(instance), instance };
	table_put_record(tx, TB_META, &k, &m->base);
}

enum rc
store_meta_claim(struct store *s, const struct store_schema *schema,
    struct err *e)
{
	struct store_tx *tx;
	struct arena a;
	uint32_t version = 0;
	bool fresh = false, old;
	enum rc rc;

	if ((rc = probe(s, schema->version, &version, &fresh, e)) != RC_OK)
		return rc;
	/* Presence and progress are not worth a migration. */
	old = !fresh && version < schema->version && s->env != STORE_LIVE;
	if (old && (rc = copy_first(s, schema->version, e)) != RC_OK)
		return rc;
	arena_init(&a, meta_arena_max);
	tx = store_begin_write(s, &a);
	open_tables(tx, MDB_CREATE);
	if (old)
		migrate(tx, schema, version);
	if (s->env == STORE_LIVE)
		live_clear(tx);
	/* A compacted copy counts its transactions from 1 again: versions
	 * from before it would come a second time.  The instance is new, so
	 * nobody compares with them. */
	if (s->env == STORE_STATE)
		table_clear(tx, TB_VERSION);
	write_meta(tx, schema->version);
	rc = store_commit(tx, e);
	arena_fini(&a);
	return rc;
}

enum rc
store_meta_join(struct store *s, struct err *e)
{
	struct store_tx *tx;
	struct Rec__Meta *m;
	struct arena a;
	enum rc rc;

	arena_init(&a, meta_arena_max);
	s->ready = true; /* for this look */
	tx = store_begin_read(s, &a);
	m = read_meta(tx);
	if (m != NULL) {
		check_version(tx, m, STORE_SCHEMA);
		if (m->schema_version < STORE_SCHEMA)
			store_fail(tx, RC_VERSION,
			    "%s: schema %u is older "
			    "than this program; start the controller of this "
			    "version first",
			    s->dir, m->schema_version);
		open_tables(tx, 0);
		if (m->instance.len == sizeof(s->instance))
			memcpy(&s->instance, m->instance.data,
			    sizeof(s->instance));
	} else if (store_usable(tx)) {
		store_fail(tx, RC_BUSY, "%s: the database is empty yet",
		    s->dir);
	}
	rc = store_rc(tx);
	s->ready = rc == RC_OK;
	if (rc != RC_OK && e != NULL)
		*e = *store_err(tx);
	/* Committing, not aborting, keeps the tables open. */
	if (rc == RC_OK && mdb_txn_commit(tx->txn) == 0)
		tx->txn = NULL;
	store_abort(tx);
	arena_fini(&a);
	return rc;
}
