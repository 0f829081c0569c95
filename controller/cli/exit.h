/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_EXIT_H
#define CONTROLLER_CLI_EXIT_H
/*
 * What the command ends with.  One table: the code, and the sentence that
 * --help and restic-manager(1) show (a test compares them).
 */
#include "lib/base/rc.h"

/* clang-format off */
#define EXIT_TABLE(X) \
	X(END_OK,           0, "done; a job that was followed succeeded") \
	X(END_FAILED,       1, "what was asked for failed: the job, or a check of doctor") \
	X(END_USAGE,        2, "wrong arguments or configuration, or a value that is not allowed") \
	X(END_UNREACHABLE,  3, "the controller cannot be reached or not be trusted") \
	X(END_REFUSED,      4, "not signed in, or not allowed for this role") \
	X(END_NOT_FOUND,    5, "there is no such host, job or token") \
	X(END_CONFLICT,     6, "it conflicts with what is there, or is gone") \
	X(END_LIMIT,        7, "a limit was reached; wait, or ask for less") \
	X(END_BUSY,         8, "busy or offline: try again later") \
	X(END_CANCELLED,    9, "the job was cancelled") \
	X(END_DAMAGED,     10, "stored data or an answer is damaged") \
	X(END_VERSION,     11, "the other side has a version that does not fit") \
	X(END_IO,          12, "reading or writing failed") \
	X(END_INCOMPLETE,  13, "the backup was made, but not everything could be read") \
	X(END_DETACHED,    14, "interrupted; the job goes on")
/* clang-format on */

enum exit_code {
#define X(name, code, text) name = (code),
	EXIT_TABLE(X)
#undef X
};

struct exit_row {
	enum exit_code code;
	const char *text;
};

/* Errors of this code come from the way to the controller, not from it. */
#define EXIT_UNREACHABLE_CODE "unreachable"

const struct exit_row *exit_table(size_t *n);
enum exit_code exit_of(const struct err *e);
#endif
