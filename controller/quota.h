/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_QUOTA_H
#define CONTROLLER_QUOTA_H
/*
 * How much one may have of what others need too: long answers (downloads) of
 * one session or API token, and of all; lines in the log for requests of
 * nobody, by address.  In memory only.  A controller without one has no
 * limits.  Loop thread.
 */
#include <stdbool.h>

#include "lib/base/rc.h"

struct loop;
struct quota;
struct req;

enum {
	QUOTA_SESSION_ANSWERS = 8,
	QUOTA_ANSWERS = 64,
	QUOTA_LINES = 120 /* a minute, and at once */
};

struct quota *quota_new(struct loop *loop);
void quota_free(struct quota *q);
/* Before a long answer; it counts until the request is closed.  RC_RATE: the
 * session has its share; RC_BUSY: all are taken. */
MUST_USE enum rc quota_answer(struct req *r, struct err *e);
/* The request is closed. */
void quota_closed(struct req *r);
/* Whether the request deserves a line: signed in, or its address has not had
 * too many. */
bool quota_line(const struct req *r);
#endif
