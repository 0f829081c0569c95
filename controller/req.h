/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_REQ_H
#define CONTROLLER_REQ_H
/*
 * One request from its exchange to its answer: who asks, from where, what
 * the path's variables are, the decoded body, and the few ways to answer.
 * req.c alone drives the steps: match, session, role, origin, body, run,
 * wait for the commit, answer, one log line.  It lives until the exchange is
 * closed AND no op or render of it is under way.
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "lib/net/exch.h"
#include "proto/store.pb-c.h"

struct controller;
struct buf;
struct json_doc;
struct op;
struct req;
struct route;

enum {
	REQ_VARS_MAX = 4,
	REQ_ID_CAP = 27,
	REQ_FIELDS_MAX = 20,
	REQ_FORM_MAX = 128 /* fields of a form or query */
};

/* exch_handler of the listeners; its context is struct controller. */
extern const struct exch_handler req_handler;

/* A long answer in pieces (downloads, event streams): writable comes once
 * soon after the beginning and whenever more may be written again; closed
 * comes exactly once, also after req_stream_end(), and is the last use of
 * ctx. */
struct req_stream {
	void (*writable)(struct req *r, void *ctx);
	void (*closed)(struct req *r, void *ctx);
};

struct req_form {
	struct str name;
	struct str value;
};

struct req {
	struct controller *ctl;
	struct exch *x;            /* NULL once the peer is gone */
	const struct route *route; /* NULL: nothing matched */
	struct arena arena;
	char id[REQ_ID_CAP]; /* request id, shown on error pages */
	char address[64];    /* real client, behind trusted proxies */
	bool https;          /* as the client sees it */
	bool loopback;       /* direct loopback peer, nothing forwarded */
	bool wants_html;     /* a browser's page or form */
	struct str vars[REQ_VARS_MAX]; /* {id} ... in order, decoded */
	struct str body;
	struct req_form *form; /* fields of a form body */
	size_t form_count;
	void *in; /* body by the route's table */
	/* the session; user id zero: not signed in */
	struct ulid user_id;
	char user_name[64];
	Rec__Role role;
	char csrf[44];
	uint8_t session_hash[32]; /* of the cookie, or of the API token */
	bool bearer;              /* signed in by an API token */
	bool must_change;         /* has to choose a password first */
	int64_t bearer_expires_ms;
	/* req.c's own */
	const char *base_url;                     /* once asked for */
	struct http_field fields[REQ_FIELDS_MAX]; /* of the answer to come */
	size_t field_count;
	void (*op_done)(struct req *r, struct op *op);
	const struct req_stream *stream;
	void *stream_ctx;
	int status;       /* as answered, 0: not yet */
	bool long_answer; /* counted by quota */
	bool refused;     /* by its head: the body does not matter any more */
	int64_t began_ms;
	unsigned holds;
};

/* First form field or query parameter of that name; empty when absent. */
struct str req_field(const struct req *r, const char *name);
struct str req_query(struct req *r, const char *name);
/* vars[i] as a ULID; RC_NOTFOUND otherwise. */
MUST_USE enum rc req_ulid(const struct req *r, size_t i, struct ulid *out);
/* The same for an id that has to be one: false when it is not, or zero, and
 * r is answered then with 404 and this message. */
MUST_USE bool req_need_ulid(struct req *r, size_t i, const char *none,
    struct ulid *out);
/* https://host[:port] for links: RM_BASE_URL, else from the request. */
const char *req_base_url(struct req *r);

/* Answers; exactly one of them ends a request.  All do nothing when the
 * peer has gone. */
void req_json(struct req *r, int status, const struct buf *body);
/* Ends the object d and answers with it; d is still the caller's. */
void req_doc(struct req *r, int status, struct json_doc *d);
void req_text(struct req *r, int status, const char *type, struct str body);
/* body is not copied; release(ctx) comes when it is not needed any more. */
void req_lent(struct req *r, int status, const char *type, struct str body,
    exch_release_fn *release, void *ctx);
/* {code, message} or the error page.  RC_AUTH sends browsers to /login. */
void req_fail(struct req *r, const struct err *e);
/* The same with a status that no rc has. */
void req_fail_status(struct req *r, int status, const struct err *e);
void req_redirect(struct req *r, const char *location); /* 303 */
void req_empty(struct req *r, int status);
/* Adds a field to the answer to come (Set-Cookie, Cache-Control ...): a
 * name in lower case that is not there yet, or set-cookie.  Copied. */
void req_add_field(struct req *r, const char *name, const char *value);

/* Fields, content-type among them, are added before.  False: the peer has
 * gone, nothing of s will be called. */
MUST_USE bool req_stream_begin(struct req *r, int status,
    const struct req_stream *s, void *ctx);
/* As exch_stream_write(); RC_CANCELLED when the peer has gone. */
MUST_USE enum rc req_stream_write(struct req *r, struct str piece);
void req_stream_end(struct req *r);
void req_stream_abort(struct req *r); /* what was sent is not whole */

/* Submits the op made by op_new(run, NULL, NULL) on behalf of r: actor
 * filled in, r held; after the commit done(r, op) runs, also when the peer
 * has gone. */
typedef void req_done_fn(struct req *r, struct op *op);
void req_submit(struct req *r, struct op *op, req_done_fn *done);
/* For done: false when the op failed, and r is answered then with why. */
MUST_USE bool req_stored(struct req *r, const struct op *op);
/* Keeps r alive across other asynchronous work. */
void req_hold(struct req *r);
void req_release(struct req *r);
#endif
