/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ENROL_H
#define CONTROLLER_ENROL_H
/*
 * Enrolment tokens with sealed repository credentials, and what consumes
 * them.  The raw token and a generated password are shown once, through the
 * pending page's markers, never through the renderer.
 */
#include "controller/op.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"

struct controller;
struct req;
struct store_tx;
struct Wire__EnrollRequest;

void enrol_mint(struct req *r);      /* POST /api/enrollment-tokens */
void enrol_mint_form(struct req *r); /* POST /hosts/new */
void enrol_new_page(struct req *r);  /* GET /hosts/new */
void enrol_pending(struct req *r);   /* GET /hosts/pending/{hash or token} */
void enrol_awaiting(struct req *r);  /* GET .../awaiting */
void enrol_agent(struct req *r);     /* POST /api/agents/enroll */
extern const struct route_json enrol_mint_body;
extern const struct route_json enrol_agent_body;

/* The one op behind REST and gRPC.  in: struct enrol_in, out: struct
 * enrol_out.  RC_PROTO malformed, RC_AUTH unknown, RC_GONE used or expired. */
struct enrol_in {
	const char *token;
	const char *enrol_id;
	const char *hostname, *os, *arch;
	const char *agent_version, *restic_version;
	const struct controller *ctl;
};
struct enrol_out {
	struct ulid host;
	char bearer[CRYPT_TOKEN_CAP];
	uint8_t token_hash[CRYPT_HASH_SIZE];
};
enum rc enrol_op(struct store_tx *state, struct store_tx *vault, struct op *op);
#endif
