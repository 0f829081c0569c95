/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RESTIC_H
#define AGENT_RESTIC_H
/*
 * restic as we meet it (0.14 to 0.18): finding it, its version, argument
 * lists, and what its lines mean.  No process is started here but `restic
 * version`; step.c runs things, access.h has the environment.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "proto/agent.pb-c.h"

struct access;
struct arena;
struct buf;
struct secrets_config;

/* Which file it was; all 0: one that must be asked each time. */
struct restic_stamp {
	uint64_t dev, ino, bytes;
	int64_t changed_s, changed_ns;
};

struct restic {
	char path[4096];  /* absolute; "" when none was found */
	char version[32]; /* "0.18.0"; "" unknown */
	unsigned number;  /* 0.18.0 is 1800, 0.14.1 is 1401; 0 unknown */
	bool no_cache;    /* there is no room for its cache */
	struct restic_stamp stamp;
};

enum {
	RESTIC_OLDEST = 1400
};

/* override NULL: PATH and the usual places.  RC_NOTFOUND: none, with what to
 * do; RC_VERSION: older than 0.14.  Blocking, at most 10 s. */
MUST_USE enum rc restic_locate(struct restic *out, const char *override,
    struct err *e);
/* The same with what an earlier call found: while its file is the same,
 * nothing is started.  A wrapper (no ELF file) is asked each time. */
MUST_USE enum rc restic_locate_again(const struct restic *known,
    struct restic *out, const char *override, struct err *e);
/* Whether `restic restore --help` knows --no-ownership (M-117): builds of one
 * version differ, so the version does not tell.  Blocking, at most 10 s. */
bool restic_restores_without_owner(const struct restic *r);
/* "restic 0.18.0 compiled with ..." */
MUST_USE bool restic_parse_version(struct str line, struct restic *out);

enum restic_step {
	RESTIC_INIT,
	RESTIC_BACKUP,
	RESTIC_SNAPSHOTS, /* one JSON document on stdout */
	RESTIC_STATS,     /* one JSON document on stdout */
	RESTIC_UNLOCK,
	RESTIC_FORGET, /* the snapshots of ids */
	RESTIC_PRUNE,
	RESTIC_CHECK,
	RESTIC_CONFIG, /* one JSON document on stdout */
	RESTIC_LOCKS,  /* ids on stdout, a line each */
	RESTIC_LOCK    /* that of ids: one JSON document on stdout */
};

enum {
	RESTIC_STEP_COUNT = 11
};

struct restic_call {
	enum restic_step step;
	const Wire__CommandRun *cmd; /* NULL: for steps without one */
	const struct secrets_config *caps;
	const char *hostname;
	const struct access *access; /* NULL: no options of its own */
	char *const *ids;
	size_t n_ids;
};

/* Argument vector, NULL-terminated, in the arena (NULL past its ceiling).
 * No secret in it; paths follow "--". */
char **restic_argv(const struct restic *r, const struct restic_call *c,
    struct arena *a);

/* What the step reads from its standard input: the source paths when they
 * are too much for an argument vector, else nothing. */
void restic_input(enum restic_step step, const Wire__CommandRun *cmd,
    struct buf *out);

/* ------------------------------------------------------ restic's lines */

enum restic_line {
	RESTIC_TEXT,     /* for the log as it is */
	RESTIC_PROGRESS, /* *progress is filled in; never logged */
	RESTIC_SUMMARY,  /* seen->summary is filled in; log words */
	RESTIC_ERROR,    /* one item; counted; log words */
	RESTIC_MISSING,  /* a source path does not exist; counted */
	RESTIC_EXIT,     /* restic's own last word */
	RESTIC_SILENT    /* nothing worth a line */
};

/* Much longer than any sentence made of it: secrets are taken out before it
 * is cut to that. */
enum {
	RESTIC_SAID_CAP = 1024
};

/* What the lines of one step said. */
struct restic_seen {
	bool has_summary;
	Wire__BackupSummary summary; /* snapshot_id in snapshot_id below */
	char snapshot_id[65];        /* 8 characters before 0.15 */
	uint64_t errors;             /* items, while they were saved */
	uint64_t scan_errors; /* while sizes were estimated: often the same */
	uint64_t missing;
	bool locked;
	bool wrong_password;
	bool no_repository;
	bool exists_already;
	bool refused;        /* the server said 401 or 403 */
	bool unreachable;    /* no connection to it */
	bool kept_by_server; /* it refused to remove something: append-only */
	bool damaged;        /* the repository contains errors */
	uint64_t damages;    /* check: lines that tell of one */
	bool explaining;     /* check: what follows is advice */
	char first_error[RESTIC_SAID_CAP];
	/* "Fatal: ..." or exit_error, without the prefix */
	char fatal[RESTIC_SAID_CAP];
	/* a sentence that set one of the flags */
	char reason[RESTIC_SAID_CAP];
};

void restic_seen_init(struct restic_seen *seen);
/* Items of the source that were not read. */
uint64_t restic_unread(const struct restic_seen *seen);
/* words: what to log instead of the line, appended (TEXT: the line). */
enum restic_line restic_read_line(enum restic_step step, bool is_stderr,
    struct str line, struct restic_seen *seen, Wire__JobProgress *progress,
    struct buf *words);

/* ------------------------------------------------------ JSON documents */

/* `snapshots --json`: calls fn for each; strings in the arena. */
typedef void restic_snapshot_fn(void *ctx, const Wire__Snapshot *s);
MUST_USE enum rc restic_read_snapshots(struct str doc, struct arena *a,
    restic_snapshot_fn *fn, void *ctx, struct err *e);
/* One lock, by `cat lock`. */
struct restic_lock {
	int64_t time_ms;
	bool exclusive;
	char holder[96]; /* "web-1, PID 1234" */
};
MUST_USE enum rc restic_read_lock(struct str doc, struct restic_lock *out,
    struct err *e);
/* The id in `cat config`: 64 hex digits. */
MUST_USE enum rc restic_read_config(struct str doc, char out_id[65],
    struct err *e);
/* `stats --json --mode raw-data`: fills the fields it has. */
MUST_USE enum rc restic_read_stats(struct str doc, Wire__RepoStats *out,
    struct err *e);
#endif
