/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_ASK_H
#define CONTROLLER_CLI_ASK_H
/*
 * What most verbs are: a few questions about one thing, and the last answer
 * as text or JSON.  The first failure stays: what comes after it does
 * nothing, and ask_end() tells it.
 *
 *   ask_begin(&a, c);
 *   buf_puts(&a.path, "/api/users");
 *   ask_named(&a, &user, c->word[0]);
 *   ask_change(&a, "DELETE", NULL, "gone");
 *   return ask_end(&a);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/cli/args.h"
#include "controller/cli/exit.h"
#include "lib/base/buf.h"

struct cli;
struct client;
struct json;
struct json_out;
struct print_column;

enum {
	ASK_ID_CAP = 27 /* of a host: a ULID and NUL */
};

/* Storage by the caller. */
struct ask {
	struct cli *cli;
	struct client *cl; /* NULL: not needed yet */
	struct buf path;   /* what it is about; the caller writes it */
	struct json *doc;  /* the last answer; NULL: empty, or none yet */
	struct err e;
	enum exit_code code; /* of what went well */
};

void ask_begin(struct ask *a, struct cli *c);
bool ask_ok(const struct ask *a);
/* From elsewhere; the first one stays. */
void ask_fail(struct ask *a, const struct err *e);
/* Tells a failure, gives everything back, and what to end with. */
enum exit_code ask_end(struct ask *a);

/* Signed in, made at the first use; NULL after a failure. */
struct client *ask_client(struct ask *a);
/* The id of a host given by id or name; false after a failure. */
MUST_USE bool ask_host_id(struct ask *a, const char *text,
    char out[ASK_ID_CAP]);
/* The path of the host that the verb's first word names. */
void ask_host(struct ask *a);

/* Items of a list are named by a member (ASCII, in any case) or their id. */
struct ask_name {
	const char *member; /* "username" */
	const char *what;   /* "user" */
	/* Whether an item may be meant by its name; NULL: each. */
	bool (*fits)(const struct json *item);
};
/* From the list at the path to the one item of it: "/<id>" is added. */
void ask_named(struct ask *a, const struct ask_name *n, const char *text);
/* The id alone, with the list in doc; false after a failure. */
MUST_USE bool ask_id(struct ask *a, const struct ask_name *n, const char *text,
    char *out, size_t cap);

/* The option as a whole number from min to max, dflt when not given. */
int64_t ask_number(struct ask *a, enum args_id id, int64_t min, int64_t max,
    int64_t dflt);
/* Members of a body, left out when the option was not given. */
void ask_put_text(const struct ask *a, struct json_out *j, const char *name,
    enum args_id id);
void ask_put_list(const struct ask *a, struct json_out *j, const char *name,
    enum args_id id);
void ask_put_number(struct ask *a, struct json_out *j, const char *name,
    enum args_id id, int64_t max);

/* To the path; body is JSON or NULL.  The answer is doc. */
void ask_call(struct ask *a, const char *method, const char *body);
void ask_get(struct ask *a); /* refuses an empty answer */
/* A list with all its pages, at most max items (0: all), out of doc. */
const struct json *ask_items(struct ask *a, size_t max);
/* Prints the answer as it came where JSON was asked for; else false. */
bool ask_told(struct ask *a);

/* Columns of the answer, and what stands for an empty list. */
struct ask_shape {
	const struct print_column *cols;
	size_t n;
	const char *nothing;
};
void ask_list(struct ask *a, size_t max, const struct ask_shape *shape);
void ask_record(struct ask *a, const struct ask_shape *shape);
/* A change; done is printed as text, {"ok":true} for an empty answer. */
void ask_change(struct ask *a, const char *method, const char *body,
    const char *done);
/* A verb that is one list, whole. */
enum exit_code ask_one_list(struct cli *c, const char *path,
    const struct ask_shape *shape);
#endif
