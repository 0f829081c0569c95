/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_STATEFILE_H
#define AGENT_STATEFILE_H
/*
 * schedule.state: what the agent's schedules have seen (due_save()).  Beside
 * it lies schedule.spare, room for one more: on a full disk it becomes the
 * next state, so that backups are still begun once.  Blocking.
 */
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;

enum {
	STATEFILE_MAX = 4194304,
	STATEFILE_SPARE_BYTES = 65536
};

/* RC_NOTFOUND: there is none. */
MUST_USE enum rc statefile_read(const char *dir, struct buf *out,
    struct err *e);
/* Durable when it returns RC_OK. */
MUST_USE enum rc statefile_write(const char *dir, struct str data,
    struct err *e);
/* It cannot be understood: out of the way, kept as schedule.state.damaged. */
void statefile_set_aside(const char *dir);
#endif
