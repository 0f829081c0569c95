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
struct op;
struct route;

enum {
	REQ_VARS_MAX = 4,
	REQ_ID_CAP = 27
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
	uint8_t session_hash[32];
	/* set by ops and reads for the answer */
	struct op *op;
	bool answered;
	int64_t began_ms;
	unsigned holds;
};

/* First form field or query parameter of that name; empty when absent. */
struct str req_field(const struct req *r, const char *name);
struct str req_query(struct req *r, const char *name);
/* vars[i] as a ULID; RC_NOTFOUND otherwise. */
MUST_USE enum rc req_ulid(const struct req *r, size_t i, struct ulid *out);
/* https://host[:port] for links: RM_BASE_URL, else from the request. */
const char *req_base_url(struct req *r);

/* Answers; exactly one of them ends a request. */
void req_json(struct req *r, int status, const struct buf *body);
void req_fail(struct req *r, const struct err *e);      /* page or JSON */
void req_redirect(struct req *r, const char *location); /* 303 */
void req_empty(struct req *r, int status);
/* Adds a field to the answer to come (Set-Cookie, Cache-Control ...). */
void req_add_field(struct req *r, const char *name, const char *value);

/* Submits the op made by op_new(run, ...) on behalf of r: actor filled in,
 * r->op set, r held; after the commit done(r, op) runs unless the peer has
 * gone. */
typedef void req_done_fn(struct req *r, struct op *op);
void req_submit(struct req *r, struct op *op, req_done_fn *done);
/* Keeps r alive across other asynchronous work. */
void req_hold(struct req *r);
void req_release(struct req *r);
#endif
