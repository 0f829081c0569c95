/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_FOLLOW_H
#define CONTROLLER_CLI_FOLLOW_H
/*
 * A job's log while it grows.  A connection that is cut is made again where
 * it ended, so that every line is printed once.  Ctrl-C lets go of the job,
 * which runs on.
 */
#include <stdbool.h>

#include "controller/cli/exit.h"

struct cli;
struct client;
struct json;

enum follow_form {
	FOLLOW_TEXT,
	FOLLOW_NDJSON,
	FOLLOW_SILENT /* the job alone, at the end */
};

/* Ends with what became of the job. */
enum exit_code follow_job(struct cli *c, struct client *cl, const char *job,
    enum follow_form form);
/* What a job that has ended means for the exit code. */
enum exit_code follow_outcome(const struct json *job);
#endif
