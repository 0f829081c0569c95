/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_HTTP_H
#define CONTROLLER_CLI_HTTP_H
/*
 * Requests to one controller; the only user of libcurl.  Redirects are not
 * followed, so that the token goes nowhere else.  A proxy of the
 * environment (https_proxy) is used, as curl does.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/rc.h"

struct http;

struct http_opts {
	const char *server;  /* https://host[:port] */
	const char *pin;     /* hex: this key alone, whoever signed it */
	const char *ca_file; /* NULL: the system's authorities */
	const char *token;   /* NULL: none */
	unsigned timeout_s;  /* of a whole exchange; 0: 60 s */
};

struct http_request {
	const char *method;
	const char *path; /* with the query */
	struct str body;  /* JSON; .p NULL: none */
	const char *accept;
	uint64_t resume; /* Last-Event-ID; 0: none */
	/* Gets a 2xx body as it comes, without a limit of size or time;
	 * false ends the exchange with RC_CANCELLED. */
	bool (*on_data)(void *ctx, struct str bytes);
	void *ctx;
	unsigned patience_s; /* with on_data: no longer; 0: no limit */
	int wake_fd; /* ends a wait when readable (with on_data); -1: none */
};

enum {
	HTTP_FIELD_CAP = 160
};

struct http_answer {
	int status;
	int version; /* 10, 11, 20 */
	int64_t date_ms;
	char server[HTTP_FIELD_CAP], via[HTTP_FIELD_CAP];
	char type[HTTP_FIELD_CAP], cookie[HTTP_FIELD_CAP];
	int64_t retry_after_s;
	struct buf body;
};

MUST_USE enum rc http_new(const struct http_opts *o, struct http **out,
    struct err *e);
void http_free(struct http *h);
/* Sends rm_session=... with each request (between sign-in and token). */
void http_set_cookie(struct http *h, const char *cookie);
void http_set_token(struct http *h, const char *token);
/* RC_OK: an answer of any status; finish with http_answer_fini() whatever
 * comes.  Failures on the way have the code EXIT_UNREACHABLE_CODE. */
MUST_USE enum rc http_do(struct http *h, const struct http_request *q,
    struct http_answer *out, struct err *e);
void http_answer_fini(struct http_answer *a);
/* Whether the last failure was that nobody vouches for the certificate. */
bool http_untrusted(const struct http *h);
#endif
