/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_CLIENT_H
#define CONTROLLER_CLI_CLIENT_H
/*
 * The verbs of the JSON API (docs/api.md), with its refusals as errors.
 * A parsed answer belongs to the caller (json_free); its text stays in the
 * client until the next call.
 */
#include <stdbool.h>

#include "controller/cli/http.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct config;
struct json;
struct client;

enum {
	CLIENT_ID_CAP = 27 /* a ULID and NUL */
};

/* RC_INVALID without a server, RC_AUTH without a token where one is needed. */
MUST_USE enum rc client_new(const struct config *cfg, bool signed_in,
    struct client **out, struct err *e);
void client_free(struct client *c);
struct http *client_http(struct client *c); /* lent */

/* Any method; body .p NULL: none.  doc NULL when what comes does not matter,
 * *doc NULL when the answer is empty. */
MUST_USE enum rc client_call(struct client *c, const char *method,
    const char *path, struct str body, struct json **doc, struct err *e);
MUST_USE enum rc client_get(struct client *c, const char *path,
    struct json **doc, struct err *e);
/* A list of pages as one document: {"items": [...], "total": n}.  path may
 * have a query; max 0: all of it. */
MUST_USE enum rc client_list(struct client *c, const char *path, size_t max,
    struct json **doc, struct err *e);
/* The text of the last answer. */
struct str client_text(const struct client *c);
/* Session cookie of the last answer, "" when there was none. */
const char *client_cookie(const struct client *c);

/* The id of a host given by id or by name.  RC_NOTFOUND, or RC_CONFLICT when
 * several have the name: the ids are in the message. */
MUST_USE enum rc client_host(struct client *c, const char *text,
    char out[CLIENT_ID_CAP], struct err *e);
/* Refuses what is no id, so that it cannot make another address. */
MUST_USE enum rc client_id(const char *text, const char *what,
    char out[CLIENT_ID_CAP], struct err *e);
/* An answer that is not 2xx, as an error. */
enum rc client_refused(struct client *c, const struct http_answer *a,
    struct err *e);
#endif
