/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state copy: a data directory that a standby can be started on, made and
 * brought up to date while the controller runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controller/cli/admin.h"
#include "controller/cli/cli.h"
#include "controller/cli/verbs.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/json.h"
#include "lib/store/copy_mark.h"
#include "lib/store/store.h"
#include "spool/mirror.h"

enum {
	EVERY_MIN = 1,
	EVERY_MAX = 86400,
	DIR_SHARED = 02750,
	DIR_OWN = 0700,
	KEY_MAX = 4096
};

struct copy {
	const char *from, *to;
	int lock;
	bool first;        /* there was nothing before */
	int64_t at_ms;     /* of the database's snapshot */
	int64_t began_ms;  /* monotonic */
	uint64_t db_bytes; /* written */
	struct mirror_result files;
};

static enum rc
join(char path[ADMIN_PATH_CAP], const char *dir, const char *name,
    struct err *e)
{
	if (fsio_join(path, ADMIN_PATH_CAP, dir, name) == RC_OK)
		return RC_OK;
	return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
}

/* ------------------------------------------------------------- the target */

static enum rc
make_dirs(const struct copy *k, struct err *e)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = { { ".", DIR_SHARED }, { "db/state", DIR_SHARED },
		{ "db/vault", DIR_OWN }, { "spool", DIR_SHARED } };
	char path[ADMIN_PATH_CAP];
	enum rc rc = RC_OK;
	size_t i;

	(void)umask(S_IRWXO);
	for (i = 0; rc == RC_OK && i < ARRAY_LEN(dirs); i++)
		if ((rc = join(path, k->to, dirs[i].name, e)) == RC_OK)
			rc = fsio_mkdirs(path, dirs[i].mode, e);
	return rc;
}

/* The lock is the one a controller holds on what it runs on. */
static enum rc
lock_target(struct copy *k, struct err *e)
{
	char path[ADMIN_PATH_CAP];
	enum rc rc;

	if ((rc = join(path, k->to, "db/state/owner.lock", e)) != RC_OK)
		return rc;
	rc = fsio_lock(path, &k->lock, e);
	if (rc == RC_BUSY)
		return err_set(e, RC_BUSY,
		    "%s is in use: a controller runs on it, or another copy is "
		    "being made",
		    k->to);
	return rc;
}

/* A copy of a copy is as old as that one. */
static enum rc
check_source(struct copy *k, struct err *e)
{
	struct copy_mark m;
	enum rc rc = copy_mark_read(k->from, &m, e);

	if (rc == RC_OK && m.copied_at_ms == 0)
		return err_set(e, RC_CONFLICT,
		    "%s: a copy that is not complete", k->from);
	k->at_ms = m.copied_at_ms;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* What is neither empty nor a copy is somebody's own. */
static enum rc
check_target(struct copy *k, struct err *e)
{
	struct copy_mark old = { 0 };
	char path[ADMIN_PATH_CAP];
	enum rc rc;

	rc = copy_mark_read(k->to, &old, e);
	if (rc == RC_OK)
		return RC_OK;
	if (rc != RC_NOTFOUND)
		return rc;
	if ((rc = join(path, k->to, "db/state/data.mdb", e)) != RC_OK)
		return rc;
	if (access(path, F_OK) == 0)
		return err_set(e, RC_CONFLICT,
		    "%s holds a state of its own and no copy: a controller was "
		    "started on it. Nothing was written; move it away to make "
		    "a copy here",
		    k->to);
	k->first = true;
	return copy_mark_write(k->to, &old, e);
}

static enum rc
prepare(struct copy *k, struct err *e)
{
	char from[ADMIN_PATH_CAP];
	enum rc rc;

	if ((rc = admin_become_owner(k->from, e)) != RC_OK ||
	    (rc = admin_path(k->from, "db/vault/data.mdb", from, e)) != RC_OK ||
	    (rc = admin_path(k->from, "secret.key", from, e)) != RC_OK ||
	    (rc = check_source(k, e)) != RC_OK ||
	    (rc = make_dirs(k, e)) != RC_OK ||
	    (rc = lock_target(k, e)) != RC_OK)
		return rc;
	return check_target(k, e);
}

/* -------------------------------------------------------------- databases */

static enum rc
copy_env(struct copy *k, enum store_env env, const char *name, struct err *e)
{
	char from[ADMIN_PATH_CAP], dir[ADMIN_PATH_CAP], to[ADMIN_PATH_CAP];
	struct store *s = NULL;
	struct stat st;
	enum rc rc;

	if ((rc = join(from, k->from, name, e)) != RC_OK ||
	    (rc = join(dir, k->to, name, e)) != RC_OK ||
	    (rc = join(to, dir, "data.mdb.new", e)) != RC_OK ||
	    (rc = store_open(env, STORE_COPIER, from, &s, e)) != RC_OK)
		return rc;
	if (env == STORE_STATE && k->at_ms == 0)
		k->at_ms = clock_now_ms();
	rc = store_backup(s, to, e);
	store_close(s);
	if (rc == RC_OK && stat(to, &st) == 0)
		k->db_bytes += (uint64_t)st.st_size;
	return rc;
}

static enum rc
name_env(const struct copy *k, const char *name, struct err *e)
{
	char dir[ADMIN_PATH_CAP], from[ADMIN_PATH_CAP], to[ADMIN_PATH_CAP];
	enum rc rc;

	if ((rc = join(dir, k->to, name, e)) != RC_OK ||
	    (rc = join(from, dir, "data.mdb.new", e)) != RC_OK ||
	    (rc = join(to, dir, "data.mdb", e)) != RC_OK)
		return rc;
	if (rename(from, to) != 0)
		return err_errno(e, errno, "%s: cannot name", to);
	return fsio_sync_dir(dir, e);
}

/* ------------------------------------------------------------------ files */

static enum rc
copy_key(const struct copy *k, struct err *e)
{
	char from[ADMIN_PATH_CAP], to[ADMIN_PATH_CAP];
	struct buf key;
	enum rc rc;

	if ((rc = join(from, k->from, "secret.key", e)) != RC_OK ||
	    (rc = join(to, k->to, "secret.key", e)) != RC_OK)
		return rc;
	buf_init(&key, KEY_MAX);
	rc = fsio_read(from, &key, e);
	if (rc == RC_OK)
		rc = fsio_replace(to, buf_str(&key), 0600, e);
	buf_wipe_fini(&key);
	return rc;
}

static enum rc
copy_trees(struct copy *k, struct err *e)
{
	static const struct {
		const char *name;
		struct mirror_opts opts;
	} trees[] = { { "spool/jobs", { mirror_log_grows } }, { "tls", { 0 } },
		{ "agent-binaries", { 0 } }, { "install", { 0 } } };
	char from[ADMIN_PATH_CAP], to[ADMIN_PATH_CAP];
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && i < ARRAY_LEN(trees); i++)
		if ((rc = join(from, k->from, trees[i].name, e)) == RC_OK &&
		    (rc = join(to, k->to, trees[i].name, e)) == RC_OK)
			rc =
			    mirror_tree(from, to, &trees[i].opts, &k->files, e);
	return rc;
}

static enum rc
sync_target(const struct copy *k, struct err *e)
{
	int fd = open(k->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum rc rc = RC_OK;

	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", k->to);
	if (syncfs(fd) != 0)
		rc = err_errno(e, errno, "%s: cannot sync", k->to);
	(void)close(fd);
	return rc;
}

/* State before vault: what the vault has without an owner is removed by a
 * start, a host without secrets would have to be enrolled again.  Logs after
 * state: what is too long is cut, what is too short is damage.  The names
 * are given in the order that keeps both true if it stops in between. */
static enum rc
copy_once(struct copy *k, struct err *e)
{
	struct copy_mark m;
	enum rc rc;

	k->began_ms = clock_mono_ms();
	if ((rc = copy_env(k, STORE_STATE, "db/state", e)) != RC_OK ||
	    (rc = copy_env(k, STORE_VAULT, "db/vault", e)) != RC_OK ||
	    (rc = copy_key(k, e)) != RC_OK ||
	    (rc = copy_trees(k, e)) != RC_OK ||
	    (rc = sync_target(k, e)) != RC_OK ||
	    (rc = name_env(k, "db/vault", e)) != RC_OK ||
	    (rc = name_env(k, "db/state", e)) != RC_OK)
		return rc;
	m.copied_at_ms = k->at_ms;
	return copy_mark_write(k->to, &m, e);
}

/* ---------------------------------------------------------------- the verb */

static void
report(struct cli *c, const struct copy *k)
{
	const int64_t ms = clock_mono_ms() - k->began_ms;
	char when[CLOCK_TEXT_CAP];
	struct json_out j;
	struct buf b;

	clock_text(k->at_ms, when);
	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "copied_at", when);
	json_put_int(&j, "ms", ms);
	json_put_uint(&j, "database_bytes", k->db_bytes);
	json_put_uint(&j, "files", k->files.files);
	json_put_uint(&j, "file_bytes", k->files.bytes);
	json_put_uint(&j, "removed", k->files.removed);
	json_obj_end(&j);
	if (c->out.json)
		print_doc(&c->out, buf_str(&b));
	else
		print_line(&c->out,
		    "%s copied as of %s in %lld.%01lld s: databases %llu MB, "
		    "%llu files with %llu MB, %llu removed",
		    k->to, when, (long long)(ms / 1000),
		    (long long)(ms % 1000 / 100),
		    (unsigned long long)(k->db_bytes / 1000000),
		    (unsigned long long)k->files.files,
		    (unsigned long long)(k->files.bytes / 1000000),
		    (unsigned long long)k->files.removed);
	buf_fini(&b);
}

static void
pause_between(int64_t every_s, int64_t began_ms)
{
	int64_t least = (int64_t)EVERY_MIN * 1000;
	int64_t left = every_s * 1000 - (clock_mono_ms() - began_ms);
	struct timespec t;

	if (left < least)
		left = least;
	t.tv_sec = left / 1000;
	t.tv_nsec = left % 1000 * 1000000;
	(void)nanosleep(&t, NULL);
}

enum exit_code
verb_state_copy(struct cli *c)
{
	struct err e = { 0 };
	int64_t every = 0;
	enum rc rc;

	if (args_number(&c->args, OPT_EVERY, EVERY_MIN, EVERY_MAX, 0, &every,
	        &e) != RC_OK)
		return cli_fail(c, &e);
	do {
		struct copy k = { .from = admin_dir(c),
			.to = c->word[0],
			.lock = -1 };

		if ((rc = prepare(&k, &e)) == RC_OK)
			rc = copy_once(&k, &e);
		if (k.lock >= 0)
			(void)close(k.lock);
		if (rc != RC_OK)
			break;
		report(c, &k);
		print_flush(&c->out);
		if (every > 0)
			pause_between(every, k.began_ms);
	} while (every > 0);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
