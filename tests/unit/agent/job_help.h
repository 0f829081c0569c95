/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_JOB_HELP_H
#define TESTS_UNIT_AGENT_JOB_HELP_H
/* Whole jobs, from the command to the durable end.  restic is a script of
 * the shell that says what restic 0.18 says; the uplink is replaced. */
#include "tests/unit/agent/agent_help.h"

#include <inttypes.h>

#include "agent/agent.h"
#include "agent/job.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/clock.h"

#define JOB "01JD000000000000000000000A"
#define SNAP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct fake {
	size_t progress;
	bool forgotten;
	/* the answers to commands */
	size_t answers;
	bool accepted;
	char error[80];
} fake;

void
uplink_progress(struct uplink *u, const Wire__JobProgress *p)
{
	(void)u;
	fake.forgotten = p == NULL;
	fake.progress += p != NULL ? 1 : 0;
}

void
uplink_result(struct uplink *u, const Wire__CommandResult *r)
{
	(void)u;
	fake.answers++;
	fake.accepted = r->accepted;
	assert_true(str_copy(fake.error, sizeof(fake.error), str_of(r->error)));
}

struct fixture {
	struct agent a;
	char secrets[256], restic[256], source[256];
	Wire__CommandRun cmd;
	char *paths[4];
	bool done;
	Wire__Event **all;
	size_t n;
	struct buf log; /* text of all lines */
};

/* The start of every pretend restic; steps are added as functions. */
#define RESTIC_HEAD                                                        \
	"#!/bin/sh\n"                                                      \
	"list() { echo '[{\"time\":\"2026-11-21T15:00:00.123456789Z\","    \
	"\"paths\":[\"/src\"],\"hostname\":\"web-1\",\"tags\":[\"docs\"]," \
	"\"id\":\"" SNAP "\",\"short_id\":\"01234567\"}]'; }\n"            \
	"summary() { echo '{\"message_type\":\"summary\",\"files_new\":2," \
	"\"total_files_processed\":2,\"total_bytes_processed\":10,"        \
	"\"snapshot_id\":\"'\"$1\"'\"}'; }\n"                              \
	"stats() { echo '{\"total_size\":99,\"snapshots_count\":1}'; }\n"  \
	"backup() { summary " SNAP "; }\n"                                 \
	"init() { echo created restic repository; }\n"                     \
	"unlock() { :; }\n"                                                \
	"forget() { :; }\n"                                                \
	"prune() { :; }\n"                                                 \
	"check() { echo no errors were found; }\n"                         \
	"config() { echo '{\"version\":2,\"id\":\"" SNAP "\"}'; }\n"       \
	"locks() { :; }\n"                                                 \
	"lock() { :; }\n"
#define RESTIC_TAIL                                           \
	"echo \"$*\" >>\"$HOME/calls\"\n"                     \
	"case $1 in\n"                                        \
	"version) echo 'restic 0.18.0 compiled with go' ;;\n" \
	"snapshots) list ;;\n"                                \
	"cat) \"$2\" \"$4\" ;;\n"                             \
	"list) locks ;;\n"                                    \
	"*) \"$1\" \"$@\" ;;\n"                               \
	"esac\n"

static inline void
fixture_open(struct fixture *f, const char *dir, const char *functions)
{
	static char job_text[] = JOB, backup_text[] = "backup",
	            docs_text[] = "docs";
	static const uint8_t key[CRYPT_KEY_SIZE];
	struct secrets_config config = { 1, 0, 0 };
	struct secrets_repo repo = { 0 };
	char text[4096];

	memset(&fake, 0, sizeof(fake));
	*f = (struct fixture){ 0 };
	help_path(f->secrets, dir, "secrets.enc");
	help_path(f->restic, dir, "restic");
	help_path(f->source, dir, "source");
	assert_rc(fsio_mkdirs(f->source, 0700, NULL), RC_OK);
	assert_true(str_fmt(text, sizeof(text), "%s%s\n%s", RESTIC_HEAD,
	    functions, RESTIC_TAIL));
	help_script(f->restic, text);
	f->a.settings.restic_path = f->restic;
	f->a.settings.state_dir = (char *)(uintptr_t)dir;
	assert_true(str_copy(f->a.facts.hostname, sizeof(f->a.facts.hostname),
	    STR("web-1")));
	f->a.loop = help_loop();
	f->a.queue = help_queue(dir);
	f->a.events = events_new(f->a.loop, f->a.queue);
	assert_rc(secrets_open(f->secrets, key, &f->a.secrets, NULL), RC_OK);
	secret_set(&repo.url, STR("rest:https://web:canary-two@h/r"));
	secret_set(&repo.username, STR("web"));
	secret_set(&repo.password, STR("canary-one"));
	assert_rc(secrets_put(f->a.secrets, SECRETS_REPO, &repo, &config, NULL),
	    RC_OK);
	secrets_repo_fini(&repo);
	wire__command_run__init(&f->cmd);
	f->cmd.job_id = job_text;
	f->cmd.kind = backup_text;
	f->cmd.tag = docs_text;
	f->paths[0] = f->source;
	f->cmd.includes = f->paths;
	f->cmd.n_includes = 1;
	f->all = mem_array(HELP_EVENTS, sizeof(*f->all));
	buf_init(&f->log, MIB(8));
}

static inline void
fixture_close(struct fixture *f)
{
	help_sync(f->a.loop, f->a.events);
	events_free(f->a.events);
	queue_close(f->a.queue);
	secrets_close(f->a.secrets);
	loop_free(f->a.loop);
	help_events_free(f->all, f->n);
	mem_free(f->all);
	buf_fini(&f->log);
}

static inline struct job *
start(struct fixture *f)
{
	struct job *j = job_start(&f->a, &f->cmd, NULL, help_mark, &f->done);

	assert_false(f->done);
	return j;
}

/* Waits for the end and gives it.  Lines are 1..n, each once, and nothing
 * follows the end. */
static inline const Wire__JobFinished *
finish(struct fixture *f)
{
	uint64_t line = 1;
	size_t i, k;

	help_run_until(f->a.loop, help_set, &f->done);
	help_run_ms(f->a.loop, 200);
	help_sync(f->a.loop, f->a.events);
	f->n = help_events(f->a.events, 1, f->all);
	assert_true(f->n >= 2);
	assert_int_equal(f->all[0]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	assert_int_equal(f->all[f->n - 1]->body_case,
	    WIRE__EVENT__BODY_JOB_FINISHED);
	for (i = 0; i < f->n; i++) {
		if (f->all[i]->body_case != WIRE__EVENT__BODY_LOG)
			continue;
		assert_int_equal(f->all[i]->log->first_line, line);
		line += f->all[i]->log->n_lines;
		for (k = 0; k < f->all[i]->log->n_lines; k++) {
			buf_put(&f->log, f->all[i]->log->lines[k]->payload.data,
			    f->all[i]->log->lines[k]->payload.len);
			buf_putc(&f->log, '\n');
		}
	}
	assert_int_equal(f->all[f->n - 1]->job_finished->log_lines, line - 1);
	assert_false(str_contains(buf_str(&f->log), STR("canary")));
	assert_true(fake.forgotten);
	return f->all[f->n - 1]->job_finished;
}

static inline size_t
count(const struct fixture *f, Wire__Event__BodyCase kind)
{
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		n += f->all[i]->body_case == kind ? 1 : 0;
	return n;
}

static inline void
run_and_check(const char *dir, const char *functions, const char *status,
    const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, dir, functions);
	start(&f);
	end = finish(&f);
	print_message("%s %s: %s\n", end->status, end->cause, end->error);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	fixture_close(&f);
}
#endif
