/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* lstat is replaced: below /dead it hangs until the test lets go, as on a
 * network mount whose server is gone. */
#include "tests/unit/agent/agent_help.h"

#include <errno.h>
#include <stdatomic.h>

#include "agent/agent.h"
#include "agent/look.h"

static atomic_bool mount_is_dead;
static atomic_uint hanging;

int
lstat(const char *path, struct stat *st)
{
	if (strncmp(path, "/dead", 5) != 0)
		return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
	atomic_fetch_add(&hanging, 1);
	while (atomic_load(&mount_is_dead))
		usleep(1000);
	atomic_fetch_sub(&hanging, 1);
	errno = EIO;
	return -1;
}

struct told {
	bool done;
	struct look_seen seen;
	struct err err;
};

static void
on_looked(void *ctx, const struct look_seen *seen, const struct err *e)
{
	struct told *t = ctx;

	assert_false(t->done);
	t->done = true;
	t->seen = *seen;
	t->err = *e;
}

static struct agent a;
static char restic[256];
static char live[] = "/", missing[] = "/nonexistent/x", dead[] = "/dead/x";
static char *paths[] = { live, missing, dead };

static int
begin(void **state)
{
	int rc = unit_folder_make(state);

	a = (struct agent){ .settings.state_dir = *state };
	help_path(restic, *state, "restic");
	help_script(restic, "#!/bin/sh\necho restic 0.18.0 compiled\n");
	a.settings.restic_path = restic;
	a.loop = help_loop();
	return rc;
}

static int
finish(void **state)
{
	assert_int_equal(a.stuck, 0);
	loop_free(a.loop);
	return unit_folder_remove(state);
}

static bool
one_hangs(void *ctx)
{
	return atomic_load(&hanging) >= *(unsigned *)ctx;
}

static bool
none_is_stuck(void *ctx)
{
	return ((struct agent *)ctx)->stuck == 0;
}

static void
what_is_there_is_told(void **state)
{
	static struct told t;

	(void)state;
	t = (struct told){ 0 };
	look_start(&a, paths, 2, on_looked, &t);
	assert_false(t.done);
	help_run_until(a.loop, help_set, &t.done);
	assert_rc(t.err.rc, RC_OK);
	assert_string_equal(t.seen.restic.version, "0.18.0");
	assert_string_equal(t.seen.restic.path, restic);
	assert_int_equal(t.seen.missing, 1);
}

static void
without_restic_nothing_else_matters(void **state)
{
	static struct told t;

	(void)state;
	t = (struct told){ 0 };
	a.settings.restic_path = missing;
	look_start(&a, paths, 3, on_looked, &t);
	help_run_until(a.loop, help_set, &t.done);
	assert_rc(t.err.rc, RC_NOTFOUND);
	assert_string_equal(t.err.code, "no_restic");
}

static void
a_dead_mount_holds_a_thread_and_no_job(void **state)
{
	static struct told t;
	struct look *k;
	unsigned one = 1;

	(void)state;
	t = (struct told){ 0 };
	atomic_store(&mount_is_dead, true);
	k = look_start(&a, paths, 3, on_looked, &t);
	help_run_until(a.loop, one_hangs, &one);
	look_leave(k);
	assert_int_equal(a.stuck, 1);
	help_run_ms(a.loop, 50);
	atomic_store(&mount_is_dead, false);
	help_run_until(a.loop, none_is_stuck, &a);
	assert_false(t.done); /* nobody wanted to know any more */
}

static void
the_pool_is_never_used_up(void **state)
{
	static struct told t;
	unsigned two = 2;

	(void)state;
	t = (struct told){ 0 };
	atomic_store(&mount_is_dead, true);
	look_leave(look_start(&a, paths, 3, on_looked, &t));
	look_leave(look_start(&a, paths, 3, on_looked, &t));
	help_run_until(a.loop, one_hangs, &two);
	look_leave(look_start(&a, paths, 2, on_looked, &t));
	assert_int_equal(a.stuck, 2);
	look_start(&a, paths, 2, on_looked, &t);
	help_run_until(a.loop, help_set, &t.done);
	assert_rc(t.err.rc, RC_BUSY);
	assert_string_equal(t.err.code, "path_blocked");
	atomic_store(&mount_is_dead, false);
	help_run_until(a.loop, none_is_stuck, &a);
	/* The mount is back, and so are backups. */
	t = (struct told){ 0 };
	look_start(&a, paths, 3, on_looked, &t);
	help_run_until(a.loop, help_set, &t.done);
	assert_rc(t.err.rc, RC_OK);
	assert_int_equal(t.seen.missing, 2);
}

#define look_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		look_test(what_is_there_is_told),
		look_test(without_restic_nothing_else_matters),
		look_test(a_dead_mount_holds_a_thread_and_no_job),
		look_test(the_pool_is_never_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
