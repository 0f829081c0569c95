/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/agent_help.h"

#include "agent/restic.h"
#include "agent/secrets.h"
#include "lib/base/arena.h"

struct fixture {
	struct restic r;
	Wire__CommandRun cmd;
	struct secrets_config caps;
	struct arena a;
	char **ids;
	size_t n_ids;
};

static void
fixture_init(struct fixture *f, const char *version)
{
	char line[64];

	*f = (struct fixture){ 0 };
	assert_true(
	    str_fmt(line, sizeof(line), "restic %s compiled with go", version));
	assert_true(restic_parse_version(str_of(line), &f->r));
	assert_true(
	    str_copy(f->r.path, sizeof(f->r.path), STR("/usr/bin/restic")));
	wire__command_run__init(&f->cmd);
	arena_init(&f->a, MIB(8));
}

static void
fixture_fini(struct fixture *f)
{
	arena_fini(&f->a);
}

static char **
argv_of(struct fixture *f, enum restic_step step)
{
	const struct restic_call call = { .step = step,
		.cmd = &f->cmd,
		.caps = &f->caps,
		.hostname = "web-1",
		.ids = f->ids,
		.n_ids = f->n_ids };

	return restic_argv(&f->r, &call, &f->a);
}

static void
check_argv(struct fixture *f, enum restic_step step, const char *expected)
{
	char **v = argv_of(f, step);
	struct buf b;
	size_t i;

	assert_non_null(v);
	buf_init(&b, MIB(1));
	for (i = 0; v[i] != NULL; i++)
		buf_printf(&b, "%s%s", i > 0 ? " " : "", v[i]);
	assert_str(buf_str(&b), expected);
	assert_false(str_contains(buf_str(&b), STR("canary")));
	buf_fini(&b);
}

static void
versions_are_read(void **state)
{
	static const struct {
		const char *line;
		unsigned number;
	} good[] = {
		{ "restic 0.14.0 compiled with go1.19.8 on linux/amd64", 1400 },
		{ "restic 0.18.0 compiled with go1.24.4 on linux/amd64", 1800 },
		{ "restic 0.16.1-dev (compiled manually)", 1601 },
		{ "restic 1.2", 10200 },
	};
	static const char *const bad[] = { "", "restic", "restic x.y",
		"restic 5", "borg 1.2.3", "restic .1.2", "restic 0.100.0",
		"restic 0.18.0000000000000000000000000000000000000" };
	struct restic r = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(restic_parse_version(str_of(good[i].line), &r));
		assert_int_equal(r.number, good[i].number);
	}
	assert_string_equal(r.version, "1.2");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(restic_parse_version(str_of(bad[i]), &r));
}

static void
arguments_follow_the_step(void **state)
{
	char *includes[] = { (char[]){ "/etc" }, (char[]){ "/srv/-x y" } };
	char *excludes[] = { (char[]){ "*.tmp" }, (char[]){ "--verbose" } };
	char *ids[] = { (char[]){ "0123" }, (char[]){ "4567" } };
	Wire__CheckPart part = WIRE__CHECK_PART__INIT;
	struct fixture f;

	(void)state;
	fixture_init(&f, "0.18.0");
	check_argv(&f, RESTIC_INIT, "/usr/bin/restic init");
	check_argv(&f, RESTIC_SNAPSHOTS,
	    "/usr/bin/restic snapshots --json --no-lock");
	check_argv(&f, RESTIC_STATS,
	    "/usr/bin/restic stats --json --no-lock --mode=raw-data");
	check_argv(&f, RESTIC_UNLOCK, "/usr/bin/restic unlock");
	check_argv(&f, RESTIC_PRUNE, "/usr/bin/restic prune");
	check_argv(&f, RESTIC_CHECK, "/usr/bin/restic check");
	f.cmd.check_part = &part;
	part.n = 3;
	part.of = 20;
	check_argv(&f, RESTIC_CHECK,
	    "/usr/bin/restic check --read-data-subset=3/20");
	check_argv(&f, RESTIC_CONFIG, "/usr/bin/restic cat config --no-lock");
	check_argv(&f, RESTIC_LOCKS, "/usr/bin/restic list locks --no-lock");
	f.ids = ids;
	f.n_ids = 2;
	check_argv(&f, RESTIC_FORGET, "/usr/bin/restic forget 0123 4567");
	f.n_ids = 1;
	check_argv(&f, RESTIC_LOCK, "/usr/bin/restic cat lock --no-lock 0123");
	f.n_ids = 0;
	f.r.no_cache = true;
	check_argv(&f, RESTIC_INIT, "/usr/bin/restic --no-cache init");
	f.r.no_cache = false;
	f.cmd.includes = includes;
	f.cmd.n_includes = 2;
	f.cmd.excludes = excludes;
	f.cmd.n_excludes = 2;
	f.cmd.tag = (char[]){ "docs" };
	check_argv(&f, RESTIC_BACKUP,
	    "/usr/bin/restic backup --json --host=web-1 --tag=docs "
	    "--exclude=*.tmp --exclude=--verbose -- /etc /srv/-x y");
	fixture_fini(&f);
}

static void
bandwidth_of_the_job_wins_over_the_host(void **state)
{
	Wire__Caps own = WIRE__CAPS__INIT;
	struct fixture f;

	(void)state;
	fixture_init(&f, "0.14.0");
	f.caps.up_kbps = 100;
	f.caps.down_kbps = 4294967295U;
	check_argv(&f, RESTIC_STATS,
	    "/usr/bin/restic --limit-upload 100 --limit-download 4294967295 "
	    "stats --json --no-lock --mode=raw-data");
	f.cmd.bandwidth_up_kbps = 7;
	check_argv(&f, RESTIC_INIT,
	    "/usr/bin/restic --limit-upload 7 --limit-download 4294967295 "
	    "init");
	/* M-199: 0 is no cap for this run. */
	f.cmd.caps = &own;
	check_argv(&f, RESTIC_INIT, "/usr/bin/restic init");
	own.bandwidth_down_kbps = 9;
	check_argv(&f, RESTIC_INIT, "/usr/bin/restic --limit-download 9 init");
	fixture_fini(&f);
}

static char **
many_paths(size_t n, size_t len)
{
	char **v = mem_array(n, sizeof(*v));
	size_t i;

	for (i = 0; i < n; i++) {
		v[i] = mem_alloc(len + 1);
		memset(v[i], 'p', len);
		v[i][0] = '/';
	}
	return v;
}

static void
free_paths(char **v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		mem_free(v[i]);
	mem_free(v);
}

/* The kernel would refuse them as arguments. */
static void
ten_thousand_long_paths_go_by_input(void **state)
{
	struct fixture f;
	struct buf in;

	(void)state;
	fixture_init(&f, "0.14.0");
	buf_init(&in, MIB(64));
	f.cmd.n_includes = 10000;
	f.cmd.includes = many_paths(10000, 300);
	check_argv(&f, RESTIC_BACKUP,
	    "/usr/bin/restic backup --json --host=web-1 --files-from-raw=-");
	restic_input(RESTIC_BACKUP, &f.cmd, &in);
	assert_int_equal(in.len, 10000 * 301);
	assert_int_equal(strlen(in.data), 300);
	assert_int_equal(in.data[in.len - 1], '\0');
	buf_reset(&in);
	restic_input(RESTIC_SNAPSHOTS, &f.cmd, &in);
	assert_int_equal(in.len, 0);
	free_paths(f.cmd.includes, 10000);
	/* One is longer than any path can be. */
	f.cmd.n_includes = 1;
	f.cmd.includes = many_paths(1, 200000);
	check_argv(&f, RESTIC_BACKUP,
	    "/usr/bin/restic backup --json --host=web-1 --files-from-raw=-");
	free_paths(f.cmd.includes, 1);
	/* Few and short: as arguments, which show in ps and in audits. */
	f.cmd.n_includes = 2;
	f.cmd.includes = many_paths(2, 3);
	restic_input(RESTIC_BACKUP, &f.cmd, &in);
	assert_int_equal(in.len, 0);
	check_argv(&f, RESTIC_BACKUP,
	    "/usr/bin/restic backup --json --host=web-1 -- /pp /pp");
	free_paths(f.cmd.includes, 2);
	buf_fini(&in);
	fixture_fini(&f);
}

static void
an_arena_that_is_full_gives_no_arguments(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "0.14.0");
	arena_fini(&f.a);
	arena_init(&f.a, 128);
	assert_null(argv_of(&f, RESTIC_STATS));
	fixture_fini(&f);
}

/* -------------------------------------------------------------- finding */

static void
an_override_wins_and_is_asked_for_its_version(void **state)
{
	struct restic r;
	struct err e = { 0 };
	char path[256];

	help_path(path, *state, "my-restic");
	help_script(path,
	    "#!/bin/sh\necho restic 0.17.3 compiled with go1.23\n");
	assert_rc(restic_locate(&r, path, &e), RC_OK);
	assert_string_equal(r.path, path);
	assert_string_equal(r.version, "0.17.3");
	assert_int_equal(r.number, 1703);
	help_script(path, "#!/bin/sh\necho restic 0.13.1 compiled\n");
	assert_rc(restic_locate(&r, path, &e), RC_VERSION);
	assert_string_equal(e.code, "restic_too_old");
	help_script(path, "#!/bin/sh\necho something else\n");
	assert_rc(restic_locate(&r, path, &e), RC_VERSION);
	assert_string_equal(e.code, "no_restic");
	assert_int_equal(chmod(path, 0644), 0);
	assert_rc(restic_locate(&r, "/nonexistent/restic", &e), RC_NOTFOUND);
	assert_string_equal(e.code, "no_restic");
}

/* /bin/true is a program that does not tell a version: who asks it, fails. */
static void
a_program_is_asked_again_only_when_its_file_changed(void **state)
{
	static struct restic known, r;
	struct err e = { 0 };
	char path[256];
	struct buf b;

	help_path(path, *state, "my-restic");
	buf_init(&b, MIB(16));
	assert_rc(fsio_read("/bin/true", &b, &e), RC_OK);
	assert_rc(fsio_replace(path, buf_str(&b), 0755, &e), RC_OK);
	assert_rc(restic_locate(&known, path, &e), RC_VERSION);
	assert_true(
	    str_copy(known.version, sizeof(known.version), STR("0.17.3")));
	known.number = 1703;
	assert_rc(restic_locate_again(&known, &r, path, &e), RC_OK);
	assert_string_equal(r.path, path);
	assert_string_equal(r.version, "0.17.3");
	assert_int_equal(r.number, 1703);
	assert_rc(fsio_replace(path, buf_str(&b), 0755, &e), RC_OK);
	assert_rc(restic_locate_again(&known, &r, path, &e), RC_VERSION);
	buf_fini(&b);
}

static void
a_wrapper_is_asked_each_time(void **state)
{
	static struct restic known, r;
	struct err e = { 0 };
	char path[256], inner[256], text[600];

	help_path(path, *state, "my-restic");
	help_path(inner, *state, "inner");
	help_script(inner, "#!/bin/sh\necho restic 0.17.3 compiled\n");
	assert_true(str_fmt(text, sizeof(text), "#!/bin/sh\nexec %s\n", inner));
	help_script(path, text);
	assert_rc(restic_locate(&known, path, &e), RC_OK);
	help_script(inner, "#!/bin/sh\necho restic 0.18.0 compiled\n");
	assert_rc(restic_locate_again(&known, &r, path, &e), RC_OK);
	assert_string_equal(r.version, "0.18.0");
}

/* M-117: asked, not guessed from the version. */
static void
restores_help_tells_of_no_ownership(void **state)
{
	struct restic r = { .version = "0.18.1", .number = 1801 };

	help_path(r.path, *state, "my-restic");
	help_script(r.path,
	    "#!/bin/sh\n[ \"$*\" = 'restore --help' ] || exit 1\n"
	    "echo '      --no-ownership   leave owners alone'\n");
	assert_true(restic_restores_without_owner(&r));
	help_script(r.path, "#!/bin/sh\necho '      --target dir'\n");
	assert_false(restic_restores_without_owner(&r));
	assert_int_equal(unlink(r.path), 0);
	assert_false(restic_restores_without_owner(&r));
}

static void
the_path_is_searched(void **state)
{
	struct restic r;
	struct err e = { 0 };
	char dir[512], path[256], *before = mem_strdup(getenv("PATH"));

	help_path(path, *state, "restic");
	help_script(path, "#!/bin/sh\necho restic 0.99.0\n");
	assert_true(str_fmt(dir, sizeof(dir), ":relative:/nonexistent:%s:%s",
	    (char *)*state, before));
	assert_int_equal(setenv("PATH", dir, 1), 0);
	assert_rc(restic_locate(&r, NULL, &e), RC_OK);
	assert_string_equal(r.path, path);
	assert_int_equal(setenv("PATH", before, 1), 0);
	mem_free(before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_read),
		cmocka_unit_test(arguments_follow_the_step),
		cmocka_unit_test(bandwidth_of_the_job_wins_over_the_host),
		cmocka_unit_test(ten_thousand_long_paths_go_by_input),
		cmocka_unit_test(an_arena_that_is_full_gives_no_arguments),
		unit_test_in_folder(
		    an_override_wins_and_is_asked_for_its_version),
		unit_test_in_folder(
		    a_program_is_asked_again_only_when_its_file_changed),
		unit_test_in_folder(a_wrapper_is_asked_each_time),
		unit_test_in_folder(restores_help_tells_of_no_ownership),
		unit_test_in_folder(the_path_is_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
