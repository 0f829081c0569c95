/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/store/store_fixture.h"

#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/store/live.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"
#include "lib/store/user_store.h"

static mode_t
mode_of(const char *dir, const char *name)
{
	struct stat st;
	char path[400];

	assert_rc(fsio_join(path, sizeof(path), dir, name), RC_OK);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
files_have_the_modes_of_the_design(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mode_of(f->state_dir, "."), 02750);
	assert_int_equal(mode_of(f->state_dir, "data.mdb"), 0640);
	assert_int_equal(mode_of(f->state_dir, "lock.mdb"), 0600);
	assert_int_equal(mode_of(f->vault_dir, "."), 0700);
	assert_int_equal(mode_of(f->vault_dir, "data.mdb"), 0600);
	assert_int_equal(mode_of(f->vault_dir, "lock.mdb"), 0600);
	assert_int_equal(mode_of(f->live_dir, "data.mdb"), 0640);
}

static void
modes_do_not_depend_on_the_umask_and_are_repaired(void **state)
{
	struct fixture *f = *state;
	char path[400];
	mode_t old;

	fixture_close(f);
	assert_rc(fsio_join(path, sizeof(path), f->state_dir, "lock.mdb"),
	    RC_OK);
	assert_int_equal(chmod(path, 0666), 0);
	old = umask(0077);
	fixture_open(f);
	umask(old);
	assert_int_equal(mode_of(f->state_dir, "data.mdb"), 0640);
	assert_int_equal(mode_of(f->state_dir, "lock.mdb"), 0600);
}

static void
the_lock_file_has_all_its_blocks(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[400];

	assert_rc(fsio_join(path, sizeof(path), f->state_dir, "lock.mdb"),
	    RC_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8192); /* LMDB has not grown it */
	assert_true(st.st_blocks * 512 >= st.st_size);
}

static void
an_existing_directory_keeps_its_mode(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	char dir[400];

	assert_true(str_fmt(dir, sizeof(dir), "%s/other", f->dir));
	assert_int_equal(mkdir(dir, 0710), 0);
	fixture_open_one(STORE_STATE, dir, &s);
	store_close(s);
	assert_int_equal(mode_of(dir, "."), 0710);
}

/* Descriptors of the process that point below the fixture and would be
 * open in a program it starts. */
static enum rc
test_on_descriptor(void *ctx, const char *name, struct err *e)
{
	char path[64], target[512];
	struct fixture *f = ctx;
	uint64_t fd;
	ssize_t n;

	(void)e;
	assert_true(str_u64(str_of(name), 65536, &fd));
	assert_true(str_fmt(path, sizeof(path), "/proc/self/fd/%s", name));
	n = readlink(path, target, sizeof(target));
	if (n > 0 && str_starts(str_from(target, (size_t)n), str_of(f->dir)))
		assert_int_equal(fcntl((int)fd, F_GETFD) & FD_CLOEXEC,
		    FD_CLOEXEC);
	return RC_OK;
}

static void
no_descriptor_is_inherited_by_a_child(void **state)
{
	assert_rc(fsio_walk("/proc/self/fd", 1000, test_on_descriptor, *state,
	              NULL),
	    RC_OK);
}

static void
one_owner_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };

	assert_rc(store_open(STORE_STATE, STORE_OFFLINE, f->state_dir, &s, &e),
	    RC_BUSY);
	assert_null(s);
	assert_non_null(strstr(e.msg, "owner.lock"));
	assert_rc(store_open(STORE_STATE, STORE_WRITER, f->state_dir, &s, &e),
	    RC_BUSY);
	/* The refused ones have not hurt the owner. */
	fixture_host(f, "web-1", &(struct ulid){ { 0 } });
	store_close(f->state);
	f->state = NULL;
	assert_rc(store_open(STORE_STATE, STORE_OFFLINE, f->state_dir,
	              &f->state, &e),
	    RC_OK);
	assert_int_equal(fixture_hosts(f), 1);
}

static void
a_tool_makes_no_database(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	struct stat st;
	char dir[400];

	assert_true(str_fmt(dir, sizeof(dir), "%s/nothing", f->dir));
	assert_rc(store_open(STORE_STATE, STORE_OFFLINE, dir, &s, &e),
	    RC_NOTFOUND);
	assert_int_not_equal(stat(dir, &st), 0);
}

static void
a_reader_waits_for_a_database(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	char dir[400], data[420];

	assert_true(str_fmt(dir, sizeof(dir), "%s/later", f->dir));
	assert_rc(store_open(STORE_STATE, STORE_READER, dir, &s, &e), RC_BUSY);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_rc(store_open(STORE_STATE, STORE_READER, dir, &s, &e), RC_BUSY);
	/* The controller has made the file and not yet written to it. */
	assert_rc(fsio_join(data, sizeof(data), dir, "data.mdb"), RC_OK);
	assert_rc(fsio_create(data, STR(""), 0600, &e), RC_OK);
	assert_rc(store_open(STORE_STATE, STORE_READER, dir, &s, &e), RC_BUSY);
	assert_null(s);
}

static void
what_is_no_database_is_refused_and_kept(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	struct buf b;
	char dir[400], data[420], junk[4096];

	memset(junk, 'j', sizeof(junk));
	assert_true(str_fmt(dir, sizeof(dir), "%s/junk", f->dir));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_rc(fsio_join(data, sizeof(data), dir, "data.mdb"), RC_OK);
	assert_rc(fsio_create(data, str_from(junk, sizeof(junk)), 0600, &e),
	    RC_OK);
	assert_rc(store_open(STORE_STATE, STORE_WRITER, dir, &s, &e),
	    RC_CORRUPT);
	assert_non_null(strstr(e.msg, "junk"));
	buf_init(&b, MIB(1));
	assert_rc(fsio_read(data, &b, &e), RC_OK);
	assert_true(str_eq(buf_str(&b), str_from(junk, sizeof(junk))));
	buf_fini(&b);
}

static void
a_database_of_somebody_else_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char dir[400];

	assert_true(str_fmt(dir, sizeof(dir), "%s/foreign", f->dir));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "theirs", MDB_CREATE, &dbi), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	assert_rc(store_open(STORE_STATE, STORE_WRITER, dir, &s, &e),
	    RC_CORRUPT);
	assert_non_null(strstr(e.msg, "no meta record"));
}

static void
a_copy_is_whole_and_opens(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	struct ulid id;
	char dir[400], path[420];

	fixture_host(f, "web-1", &id);
	assert_true(str_fmt(dir, sizeof(dir), "%s/copy", f->dir));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_rc(fsio_join(path, sizeof(path), dir, "data.mdb"), RC_OK);
	assert_rc(store_backup(f->state, path, &e), RC_OK);
	fixture_host(f, "web-2", &id);
	assert_rc(store_backup(f->state, path, &e), RC_OK); /* again */
	assert_int_equal(mode_of(dir, "data.mdb"), 0600);
	fixture_open_one(STORE_STATE, dir, &s);
	store_close(f->state);
	f->state = s;
	assert_int_equal(fixture_hosts(f), 2);
}

static void
a_copy_that_fails_leaves_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	struct buf b;
	char path[400], tmp[420];

	assert_true(str_fmt(path, sizeof(path), "%s/copy.mdb", f->dir));
	assert_true(str_fmt(tmp, sizeof(tmp), "%s.tmp", path));
	assert_rc(fsio_create(path, STR("old copy"), 0600, &e), RC_OK);
	assert_int_equal(mkdir(tmp, 0700), 0);
	assert_int_not_equal(store_backup(f->state, path, &e), RC_OK);
	assert_non_null(strstr(e.msg, "copy.mdb"));
	buf_init(&b, KIB(1));
	assert_rc(fsio_read(path, &b, &e), RC_OK);
	assert_str(buf_str(&b), "old copy");
	buf_fini(&b);
	assert_int_not_equal(store_backup(f->state, "/nowhere/at/all.mdb", &e),
	    RC_OK);
}

static void
live_from_before_the_boot_is_made_anew(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	struct stat before, after;
	char data[400], boot[400];

	assert_rc(fsio_join(data, sizeof(data), f->live_dir, "data.mdb"),
	    RC_OK);
	assert_rc(fsio_join(boot, sizeof(boot), f->live_dir, "boot_id"), RC_OK);
	if (access(boot, F_OK) != 0)
		skip(); /* a kernel without boot ids */
	assert_int_equal(stat(data, &before), 0);
	fixture_reopen(f);
	assert_int_equal(stat(data, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* never within one */

	/* A power cut has left rubbish. */
	fixture_close(f);
	assert_rc(fsio_replace(boot, STR("another boot"), 0600, &e), RC_OK);
	assert_rc(fsio_replace(data, STR("rubbish"), 0640, &e), RC_OK);
	fixture_open(f);
	assert_int_equal(mode_of(f->live_dir, "data.mdb"), 0640);
}

/* Schemas of a program to come. */
static void
step_add_bang(struct store_tx *tx)
{
	struct ulid id = id_n(1, 1);
	struct Rec__Host *h = host_store_get(tx, &id);
	char name[64];

	if (h == NULL)
		return;
	assert_true(str_fmt(name, sizeof(name), "%s!", h->name));
	h->name = name;
	host_store_put(tx, h);
}

static void
step_add_mark(struct store_tx *tx)
{
	struct ulid id = id_n(1, 1);
	struct Rec__Host *h = host_store_get(tx, &id);
	char name[64];

	if (h == NULL)
		return;
	assert_true(str_fmt(name, sizeof(name), "%s?", h->name));
	h->name = name;
	host_store_put(tx, h);
}

static void
step_fail(struct store_tx *tx)
{
	step_add_bang(tx);
	store_fail(tx, RC_CORRUPT, "a record has no sense");
}

static const struct store_step steps_good[] = {
	{ STORE_STATE, 0, step_add_bang },
	{ STORE_VAULT, 1, step_fail },
	{ STORE_STATE, 1, step_add_mark },
};
static const struct store_step steps_bad[] = {
	{ STORE_STATE, 0, step_add_bang },
	{ STORE_STATE, 1, step_fail },
};
static const struct store_schema schema_0 = { 0, NULL, 0 };
static const struct store_schema schema_2 = { 2, steps_good, 3 };
/* Newer than this program's. */
static const struct store_schema schema_later = { STORE_SCHEMA + 1, steps_good,
	3 };
static const struct store_schema schema_2_bad = { 2, steps_bad, 2 };

/* A database of schema 0 with one host, in its own directory; closed. */
static void
make_v0(struct fixture *f, char *dir, size_t cap)
{
	struct ulid id = id_n(1, 1);
	struct store_tx *tx;
	struct err e = { 0 };

	assert_true(str_fmt(dir, cap, "%s/v0", f->dir));
	store_close(f->state);
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir, &schema_0,
	              &f->state, &e),
	    RC_OK);
	tx = fixture_write(f);
	put_host(tx, &id, "web");
	fixture_commit(tx);
	store_close(f->state);
	f->state = NULL;
}

static void
assert_host_name(struct fixture *f, const char *name)
{
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = fixture_read(f);
	struct Rec__Host *h = host_store_get(tx, &id);

	assert_non_null(h);
	assert_string_equal(h->name, name);
	fixture_end(tx);
}

static void
an_older_schema_is_migrated_after_a_copy(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char dir[400], copy[420], copied[420], from[420];

	make_v0(f, dir, sizeof(dir));
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir, &schema_2,
	              &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web!?"); /* both steps, in order, once */
	store_close(f->state);
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir, &schema_2,
	              &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web!?");
	store_close(f->state);

	/* The copy is the database as it was. */
	assert_true(str_fmt(from, sizeof(from), "%s/before-schema-2.mdb", dir));
	assert_true(str_fmt(copied, sizeof(copied), "%s/copied", f->dir));
	assert_int_equal(mkdir(copied, 0700), 0);
	assert_rc(fsio_join(copy, sizeof(copy), copied, "data.mdb"), RC_OK);
	assert_int_equal(rename(from, copy), 0);
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, copied,
	              &schema_0, &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web");
}

/* M-383 */
static void
a_migration_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char dir[400];

	make_v0(f, dir, sizeof(dir));
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir,
	              &schema_2_bad, &f->state, &e),
	    RC_CORRUPT);
	assert_string_equal(e.msg, "a record has no sense");
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir, &schema_0,
	              &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web");
}

static void
without_a_copy_nothing_is_migrated(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char dir[400], tmp[420];

	make_v0(f, dir, sizeof(dir));
	assert_true(
	    str_fmt(tmp, sizeof(tmp), "%s/before-schema-2.mdb.tmp", dir));
	assert_int_equal(mkdir(tmp, 0700), 0);
	assert_int_not_equal(store_open_schema(STORE_STATE, STORE_WRITER, dir,
	                         &schema_2, &f->state, &e),
	    RC_OK);
	assert_non_null(strstr(e.msg, "no migration without a copy"));
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir, &schema_0,
	              &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web");
}

static void
a_newer_schema_is_refused_in_words(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err e = { 0 };
	char dir[400];

	make_v0(f, dir, sizeof(dir));
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir,
	              &schema_later, &f->state, &e),
	    RC_OK);
	store_close(f->state);
	f->state = NULL;
	assert_rc(store_open(STORE_STATE, STORE_WRITER, dir, &s, &e),
	    RC_VERSION);
	assert_string_equal(e.code, "schema_too_new");
	assert_non_null(strstr(e.msg, "this program knows"));
	assert_non_null(strstr(e.msg, dir));
	assert_null(s);
	/* It is as it was. */
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir,
	              &schema_later, &f->state, &e),
	    RC_OK);
	assert_host_name(f, "web!?");
}

/* Nobody writes here, so that no pin is needed. */
static enum rc
read_as_renderer(struct fixture *f, const char *dir, uint64_t *instance,
    struct err *e)
{
	struct store *s = NULL;
	struct store_tx *tx;
	enum rc rc;

	assert_rc(store_open(STORE_STATE, STORE_READER, dir, &s, e), RC_OK);
	tx = store_begin_read(s, &f->arena);
	*instance = store_instance(s);
	if (store_rc(tx) == RC_OK)
		assert_int_equal(host_store_count(tx), 1);
	*e = *store_err(tx);
	rc = store_rc(tx);
	store_abort(tx);
	store_close(s);
	return rc;
}

static void
a_reader_sees_what_the_writer_left(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t instance, writers = store_instance(f->state);
	struct ulid id;

	fixture_host(f, "web-1", &id);
	fixture_close(f);
	assert_rc(read_as_renderer(f, f->state_dir, &instance, &e), RC_OK);
	assert_int_equal(instance, writers);
}

static void
a_reader_refuses_other_schemas(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t instance;
	char dir[400];

	make_v0(f, dir, sizeof(dir));
	assert_rc(read_as_renderer(f, dir, &instance, &e), RC_VERSION);
	assert_non_null(strstr(e.msg, "older than this program"));
	assert_rc(store_open_schema(STORE_STATE, STORE_WRITER, dir,
	              &schema_later, &f->state, &e),
	    RC_OK);
	store_close(f->state);
	f->state = NULL;
	assert_rc(read_as_renderer(f, dir, &instance, &e), RC_VERSION);
	assert_string_equal(e.code, "schema_too_new");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(files_have_the_modes_of_the_design),
		store_test(modes_do_not_depend_on_the_umask_and_are_repaired),
		store_test(the_lock_file_has_all_its_blocks),
		store_test(an_existing_directory_keeps_its_mode),
		store_test(no_descriptor_is_inherited_by_a_child),
		store_test(one_owner_at_a_time),
		store_test(a_tool_makes_no_database),
		store_test(a_reader_waits_for_a_database),
		store_test(what_is_no_database_is_refused_and_kept),
		store_test(a_database_of_somebody_else_is_refused),
		store_test(a_copy_is_whole_and_opens),
		store_test(a_copy_that_fails_leaves_the_old_one),
		store_test(live_from_before_the_boot_is_made_anew),
		store_test(an_older_schema_is_migrated_after_a_copy),
		store_test(a_migration_that_fails_changes_nothing),
		store_test(without_a_copy_nothing_is_migrated),
		store_test(a_newer_schema_is_refused_in_words),
		store_test(a_reader_sees_what_the_writer_left),
		store_test(a_reader_refuses_other_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
