/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_JOBFILE_H
#define AGENT_JOBFILE_H
/*
 * jobs/<id>: that a command was accepted, and later that its job ended.
 * Beside them lie files with 4 KiB of room each, 64 KiB in all: on a full
 * disk they become the files of jobs, so that backups go on.  Blocking.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct jobfile {
	struct ulid id;
	int64_t accepted_ms;
	bool ended;
	int64_t ended_ms;
	/* Packed JobStarted and JobFinished, or empty.  Lent. */
	struct str began, end;
};

enum {
	JOBFILE_SPARES = 16,
	JOBFILE_SPARE_BYTES = 4096
};

/* Durable when it returns RC_OK.  Where only a spare file has room, began is
 * left out, and an end of more than 4 KiB. */
MUST_USE enum rc jobfile_write(const char *dir, const struct jobfile *f,
    struct err *e);
/* Takes spare files to their number, as far as there is room. */
void jobfile_make_spares(const char *dir);
typedef void jobfile_fn(void *ctx, const struct jobfile *f);
/* Calls fn for the one file; RC_NOTFOUND. */
MUST_USE enum rc jobfile_get(const char *dir, const struct ulid *id,
    jobfile_fn *fn, void *ctx, struct err *e);
/* Calls fn for each; one that cannot be read was accepted and did not end.
 * Files of jobs that ended before since_ms are removed. */
MUST_USE enum rc jobfile_load(const char *dir, int64_t since_ms, jobfile_fn *fn,
    void *ctx, struct err *e);
#endif
