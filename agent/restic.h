/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RESTIC_H
#define AGENT_RESTIC_H
/*
 * restic as we meet it (restic 0.14 to 0.18): finding it, its version,
 * argument lists and environments gated by version, what its lines mean, and
 * the judgement of a run.  No process is started here but `restic version`;
 * job.c runs things.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena;
struct secrets_repo;
struct Wire__BackupSummary;
struct Wire__CommandRun;
struct Wire__JobProgress;

struct restic {
	char path[4096];  /* "" when none was found */
	char version[32]; /* "0.18.0", "" unknown */
	unsigned number;  /* 0.18.0 is 1800, 0.14.1 is 1401 */
};

/* override NULL: PATH.  RC_NOTFOUND with what to do; blocking, 10 s limit. */
MUST_USE enum rc restic_locate(struct restic *out, const char *override,
    struct err *e);

/* NULL-terminated vectors in the arena.  Secrets are in the environment
 * only; data follows "--". */
enum restic_step {
	RESTIC_INIT,
	RESTIC_BACKUP,
	RESTIC_SNAPSHOTS,
	RESTIC_STATS,
	RESTIC_UNLOCK
};
char **restic_argv(const struct restic *r, enum restic_step step,
    const struct Wire__CommandRun *cmd, const char *hostname, struct arena *a);
char **restic_env(const struct restic *r, const struct secrets_repo *repo,
    const char *state_dir, struct arena *a);

/* One line of stdout or stderr.  What a line was: */
enum restic_line {
	RESTIC_TEXT,     /* goes to the log */
	RESTIC_PROGRESS, /* progress is filled in; never logged */
	RESTIC_SUMMARY,  /* summary is filled in; logged in words */
	RESTIC_ERROR,    /* one file or item; counted */
	RESTIC_MISSING,  /* a source path does not exist */
	RESTIC_EXIT      /* restic's own last word */
};
struct restic_seen {
	struct Wire__BackupSummary *summary; /* filled in when seen */
	bool has_summary;
	uint64_t errors;
	uint64_t missing;
	bool locked, wrong_password, no_repository, exists_already;
	char first_error[200];
	char exit_message[200];
};
enum restic_line restic_read_line(enum restic_step step, bool is_stderr,
    struct str line, struct restic_seen *seen,
    struct Wire__JobProgress *progress, struct arena *a, struct str *text);
#endif
