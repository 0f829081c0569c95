/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_ASK_H
#define CONTROLLER_CLI_ASK_H
/* What most verbs are: one question, and its answer as text or JSON. */
#include <stdbool.h>
#include <stddef.h>

#include "controller/cli/exit.h"
#include "lib/base/str.h"

struct cli;
struct client;
struct json;
struct print_column;

/* Columns of the answer, and what stands for an empty list. */
struct ask_shape {
	const struct print_column *cols;
	size_t n;
	const char *nothing;
};

/* A list with all its pages, at most max items (0: all). */
enum exit_code ask_list(struct cli *c, const char *path, size_t max,
    const struct ask_shape *shape);
/* The same, with a client that was used before. */
enum exit_code ask_list_by(struct cli *c, struct client *cl, const char *path,
    size_t max, const struct ask_shape *shape);
enum exit_code ask_record(struct cli *c, struct client *cl, const char *path,
    const struct ask_shape *shape);
/* A change; done is printed as text, {"ok":true} for an empty answer. */
enum exit_code ask_change(struct cli *c, struct client *cl, const char *method,
    const char *path, struct str body, const char *done);

/* The item of a list whose member is text (ASCII, in any case): its id goes
 * to out.  RC_NOTFOUND, or RC_CONFLICT when there are several. */
struct ask_name {
	const char *path;   /* of the list */
	const char *member; /* "username" */
	const char *what;   /* "user" */
	/* Whether an item may be meant by its name; NULL: each. */
	bool (*fits)(const struct json *item);
};
MUST_USE enum rc ask_id(struct client *cl, const struct ask_name *n,
    const char *text, char *out, size_t cap, struct err *e);
#endif
