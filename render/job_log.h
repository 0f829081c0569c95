/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_JOB_LOG_H
#define RENDER_JOB_LOG_H
/*
 * A job's log on its page: 500 lines from ?from= on, else the last 500.
 *
 * Cost: the frames the lines lie in, found by the index of a compressed log
 * or backwards from the end.  Only ?from= into the text of a job that is
 * not over yet passes what is before, at most JOBLOG_FILE_MAX.
 */
#include "proto/store.pb-c.h"

struct value;
struct view;

enum {
	JOB_LOG_LINES = 500
};

/* Members: lines [...], place of the excerpt and links to the rest, first
 * mark, why there is none, where the file lies (administrators). */
void job_log_put(struct view *v, struct value *root, const struct Rec__Job *j);
#endif
