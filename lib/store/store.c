/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/host_cache.h"
#include "lib/store/job_out.h"
#include "lib/store/job_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/store_impl.h"

/* The map is address space, not memory or disk. */
struct env_info {
	size_t map_bytes;
	unsigned flags;
};
static const struct env_info envs[] = {
	[STORE_STATE] = { GIB(256), MDB_NOTLS },
	[STORE_VAULT] = { GIB(1), MDB_NOTLS },
	[STORE_LIVE] = { GIB(1), MDB_NOTLS | MDB_NOSYNC },
};
enum {
	MAX_TABLES = 64,
	MAX_READERS = 126,
	COPY_PATH_CAP = 1024
};

/* Schema 2: jobs by look, snapshots by id.  3: the jobs that are
 * out, paths of newest snapshots. */
static const struct store_step steps[] = {
	{ STORE_STATE, 1, job_store_build_looks },
	{ STORE_STATE, 1, snap_store_build_ids },
	{ STORE_STATE, 2, job_out_build },
	{ STORE_STATE, 2, snap_store_build_paths },
};
static const struct store_schema schema_now = { STORE_SCHEMA, steps,
	ARRAY_LEN(steps) };

static void
store_on_assert(MDB_env *env, const char *msg)
{
	(void)env;
	log_error(LOG_STORE, "the database library stopped at %s", msg);
}

/* LMDB leaves its data descriptor open across exec: a child would inherit
 * write access. */
static enum rc
close_on_exec(struct store *s, struct err *e)
{
	int fd, flags;

	if (mdb_env_get_fd(s->mdb, &fd) != 0 ||
	    (flags = fcntl(fd, F_GETFD)) < 0 ||
	    fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0)
		return err_errno(e, errno, "%s: cannot set close-on-exec",
		    s->dir);
	return RC_OK;
}

static enum rc
open_env(struct store *s, struct err *e)
{
	const struct env_info *info = &envs[s->env];
	unsigned flags = info->flags;
	int code;

	if (s->mode == STORE_READER)
		flags = MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK;
	else if (s->mode == STORE_COPIER)
		flags = MDB_NOTLS | MDB_RDONLY;
	if ((code = mdb_env_create(&s->mdb)) != 0)
		return store_mdb_err(s, code, "cannot set up", e);
	mdb_env_set_assert(s->mdb, store_on_assert);
	if ((code = mdb_env_set_mapsize(s->mdb, info->map_bytes)) != 0 ||
	    (code = mdb_env_set_maxdbs(s->mdb, MAX_TABLES)) != 0 ||
	    (code = mdb_env_set_maxreaders(s->mdb, MAX_READERS)) != 0)
		return store_mdb_err(s, code, "cannot set up", e);
	code = mdb_env_open(s->mdb, s->dir, flags, 0600);
	if (code != 0)
		return store_mdb_err(s, code, "cannot open the database", e);
	return close_on_exec(s, e);
}

static enum rc
nothing_yet(const struct store *s, struct err *e)
{
	return err_set(e, RC_BUSY,
	    "%s: no database yet, waiting for the controller to make it",
	    s->dir);
}

/* The first transaction of a writer holds the meta record, so any
 * transaction at all means that there is one. */
static enum rc
open_reader(struct store *s, struct err *e)
{
	char path[COPY_PATH_CAP];
	MDB_envinfo info;
	struct stat st = { 0 };
	enum rc rc;

	if (fsio_join(path, sizeof(path), s->dir, "data.mdb") != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", s->dir);
	if (stat(path, &st) != 0 && errno != ENOENT)
		return err_errno(e, errno, "%s: cannot examine", path);
	if (st.st_size == 0) /* absent, or made a moment ago */
		return nothing_yet(s, e);
	/* A copier has a slot among LMDB's readers; one that is killed leaves
	 * it to the next writer's check. */
	if ((rc = open_env(s, e)) != RC_OK)
		return rc;
	if (mdb_env_info(s->mdb, &info) != 0 || info.me_last_txnid == 0)
		return nothing_yet(s, e);
	return RC_OK;
}

static enum rc
make_pin(struct store *s, struct err *e)
{
	int code = mdb_txn_begin(s->mdb, NULL, MDB_RDONLY, &s->pin);

	if (code != 0) {
		s->pin = NULL;
		return store_mdb_err(s, code, "cannot make a pin", e);
	}
	mdb_txn_reset(s->pin);
	return RC_OK;
}

static enum rc
open_writer(struct store *s, const struct store_schema *schema, struct err *e)
{
	enum rc rc;

	if ((rc = store_files_prepare(s, e)) != RC_OK ||
	    (rc = open_env(s, e)) != RC_OK)
		return rc;
	store_reap(s);
	crypt_random(&s->instance, sizeof(s->instance));
	if ((rc = store_meta_claim(s, schema, e)) != RC_OK)
		return rc;
	return make_pin(s, e);
}

enum rc
store_open_schema(enum store_env env, enum store_mode mode, const char *dir,
    const struct store_schema *schema, struct store **out, struct err *e)
{
	struct store *s = MEM_NEW(struct store);
	enum rc rc;

	s->env = env;
	s->mode = mode;
	s->dir = mem_strdup(dir);
	s->lock_fd = -1;
	rc = mode == STORE_READER || mode == STORE_COPIER
	         ? open_reader(s, e)
	         : open_writer(s, schema, e);
	if (rc == RC_OK)
		*out = s;
	else
		store_close(s);
	return rc;
}

enum rc
store_open(enum store_env env, enum store_mode mode, const char *dir,
    struct store **out, struct err *e)
{
	return store_open_schema(env, mode, dir, &schema_now, out, e);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->pin != NULL)
		mdb_txn_abort(s->pin);
	if (s->mdb != NULL)
		mdb_env_close(s->mdb);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	mem_wipe(s->audit_key, sizeof(s->audit_key));
	host_cache_free(s->hosts);
	mem_free(s->dir);
	mem_free(s);
}

uint64_t
store_instance(const struct store *s)
{
	return s->instance;
}

enum rc
store_pin(struct store *s)
{
	int code;

	ASSERT(s->pin != NULL && !s->pinned);
	code = mdb_txn_renew(s->pin);
	if (code != 0)
		return store_mdb_err(s, code, "cannot pin", NULL);
	s->pinned = true;
	return RC_OK;
}

void
store_unpin(struct store *s)
{
	if (!s->pinned)
		return;
	mdb_txn_reset(s->pin);
	s->pinned = false;
}

/* Free pages are listed in LMDB's table 0: each value is a count and that
 * many page numbers. */
static uint64_t
count_free_pages(MDB_txn *txn)
{
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t sum = 0;
	size_t n;

	if (mdb_cursor_open(txn, 0, &c) != 0)
		return 0;
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size < sizeof(n))
			continue;
		memcpy(&n, v.mv_data, sizeof(n));
		sum += n;
	}
	mdb_cursor_close(c);
	return sum;
}

void
store_space(struct store *s, struct store_space *out)
{
	MDB_envinfo info = { 0 };
	MDB_stat st = { 0 };
	MDB_txn *txn;

	mdb_env_info(s->mdb, &info);
	mdb_env_stat(s->mdb, &st);
	*out = (struct store_space){
		.map_bytes = info.me_mapsize,
		.used_bytes = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize,
		.readers = info.me_numreaders,
	};
	if (mdb_txn_begin(s->mdb, NULL, MDB_RDONLY, &txn) != 0)
		return;
	out->free_pages = count_free_pages(txn);
	mdb_txn_abort(txn);
}

void
store_reap(struct store *s)
{
	int dead;

	(void)mdb_reader_check(s->mdb, &dead);
}

static enum rc
copy_to(struct store *s, const char *tmp, struct err *e)
{
	enum rc rc = RC_OK;
	int code, fd;

	/* Left by a copy that did not end. */
	if ((rc = fsio_remove(tmp, e)) != RC_OK)
		return rc;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot create", tmp);
	code = mdb_env_copyfd2(s->mdb, fd, MDB_CP_COMPACT);
	if (code != 0)
		rc = store_mdb_err(s, code, "cannot copy the database", e);
	else if (fsync(fd) != 0)
		rc = err_errno(e, errno, "%s: cannot sync", tmp);
	if (close(fd) != 0 && rc == RC_OK)
		rc = err_errno(e, errno, "%s: cannot close", tmp);
	return rc;
}

static enum rc
sync_parent(const char *path, struct err *e)
{
	char dir[COPY_PATH_CAP];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return fsio_sync_dir(".", e);
	if (slash == path)
		return fsio_sync_dir("/", e);
	if (!str_copy(dir, sizeof(dir), str_from(path, (size_t)(slash - path))))
		return err_set(e, RC_LIMIT, "%s: the path is too long", path);
	return fsio_sync_dir(dir, e);
}

enum rc
store_backup(struct store *s, const char *path, struct err *e)
{
	char tmp[COPY_PATH_CAP];
	enum rc rc;

	ASSERT(s->mode != STORE_READER);
	if (!str_fmt(tmp, sizeof(tmp), "%s.tmp", path))
		return err_set(e, RC_LIMIT, "%s: the path is too long", path);
	if ((rc = copy_to(s, tmp, e)) != RC_OK)
		goto out;
	if (rename(tmp, path) != 0) {
		rc = err_errno(e, errno, "%s: cannot rename", tmp);
		goto out;
	}
	return sync_parent(path, e);
out:
	(void)unlink(tmp);
	return rc;
}
