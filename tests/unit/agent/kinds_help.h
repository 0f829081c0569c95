/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_KINDS_HELP_H
#define TESTS_UNIT_AGENT_KINDS_HELP_H
/* Maintenance, from the command to the durable end.  The pretend restic has a
 * snapshot in each file of snaps/. */
#include "tests/unit/agent/job_help.h"

#include <unistd.h>

#define REPO                                                            \
	"cd \"$HOME\"\n"                                                \
	"list() { { printf '['; cat snaps/* 2>/dev/null; echo ']'; } |" \
	" tr '\\n' ' ' | sed 's/} *{/},{/g'; }\n"                       \
	"forget() { shift; for id; do rm \"snaps/$id\"; done; }\n"
#define REFUSAL                                                            \
	"Remove(<snapshot/0000>) failed: unexpected HTTP response (403): " \
	"403 Forbidden"

struct kinds {
	struct fixture f;
	Wire__ForgetGroup *groups[4];
	Wire__ForgetGroup group[4];
	Wire__Retention keep[4];
	char dir[256];
	unsigned made;
};

static inline struct kinds *
kinds_open(const char *dir, const char *kind, const char *functions)
{
	static char docs[] = "docs";
	static struct kinds k;
	char text[3000];
	size_t i;

	k.made = 0;
	assert_true(str_fmt(text, sizeof(text), "%s%s", REPO, functions));
	fixture_open(&k.f, dir, text);
	help_path(k.dir, dir, "snaps");
	assert_rc(fsio_mkdirs(k.dir, 0700, NULL), RC_OK);
	k.f.cmd.kind = (char *)(uintptr_t)kind;
	k.f.cmd.n_includes = 0;
	for (i = 0; i < ARRAY_LEN(k.group); i++) {
		wire__forget_group__init(&k.group[i]);
		wire__retention__init(&k.keep[i]);
		k.group[i].keep = &k.keep[i];
		k.groups[i] = &k.group[i];
	}
	k.group[0].tag = docs;
	k.f.cmd.forget_groups = k.groups;
	return &k;
}

/* Snapshot n of that day, newest last; its id is made of n. */
static inline void
snap_of(struct kinds *k, const char *host, const char *tags, const char *day)
{
	char id[65], path[512], text[512];
	unsigned n = k->made++;

	assert_true(str_fmt(id, sizeof(id), "%08u%056u", n, n));
	assert_true(str_fmt(path, sizeof(path), "%s/%s", k->dir, id));
	assert_true(str_fmt(text, sizeof(text),
	    "{\"time\":\"%sT10:00:%02u.5+02:00\",\"paths\":[\"/s\"],"
	    "\"hostname\":\"%s\",\"tags\":[%s],\"id\":\"%s\","
	    "\"short_id\":\"%.8s\"}\n",
	    day, n % 60, host, tags, id, id));
	assert_rc(fsio_replace(path, str_of(text), 0600, NULL), RC_OK);
}

static inline void
snap(struct kinds *k, const char *host, const char *tags, unsigned day)
{
	char text[16];

	assert_true(str_fmt(text, sizeof(text), "2020-10-%02u", day));
	snap_of(k, host, tags, text);
}

static inline bool
is_there(const struct kinds *k, unsigned n)
{
	char path[512];

	assert_true(str_fmt(path, sizeof(path), "%s/%08u%056u", k->dir, n, n));
	return access(path, F_OK) == 0;
}

static inline const Wire__JobFinished *
run(struct kinds *k)
{
	start(&k->f);
	return finish(&k->f);
}

static inline const Wire__RepoStats *
stats_of(const struct kinds *k)
{
	size_t i;

	for (i = 0; i < k->f.n; i++)
		if (k->f.all[i]->body_case == WIRE__EVENT__BODY_REPO_STATS)
			return k->f.all[i]->repo_stats;
	return NULL;
}

static inline void
check_end(const Wire__JobFinished *end, const char *status, const char *cause)
{
	print_message("%s %s: %s\n", end->status, end->cause, end->error);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
}

/* The one run of a test that has no more to look at. */
static inline void
check_run(struct kinds *k, const char *status, const char *cause)
{
	check_end(run(k), status, cause);
	fixture_close(&k->f);
}

static inline size_t
calls(const char *dir, const char *begin)
{
	char path[256];
	struct str rest, line;
	struct buf b;
	size_t n = 0;

	help_path(path, dir, "calls");
	buf_init(&b, MIB(4));
	if (access(path, F_OK) == 0)
		assert_rc(fsio_read(path, &b, NULL), RC_OK);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		n += str_starts(line, str_of(begin)) ? 1 : 0;
	buf_fini(&b);
	return n;
}

#endif
