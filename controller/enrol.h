/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ENROL_H
#define CONTROLLER_ENROL_H
/*
 * Enrolment tokens with sealed repository credentials, and what consumes
 * them.  Of a token's secret only the hash is stored; the text is kept in
 * memory until the token is used or expires, so that the pending page can be
 * loaded again.  Raw tokens and passwords never enter the renderer: they
 * take the place of the page's markers here.
 */
#include <stdbool.h>

#include "controller/op.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct controller;
struct enrol;
struct req;
struct route_json;
struct store_tx;

enum {
	ENROL_TTL_MS = 3600000
};

struct enrol *enrol_new(struct controller *c);
void enrol_free(struct enrol *en);
void enrol_tick(struct enrol *en); /* every minute: forgets expired texts */
/* At a start: what a change left that was not finished. */
void enrol_mend(struct controller *c);

void enrol_mint(struct req *r);      /* POST /api/enrollment-tokens */
void enrol_mint_form(struct req *r); /* POST /hosts/new */
void enrol_new_page(struct req *r);  /* GET /hosts/new */
void enrol_pending(struct req *r);   /* GET /hosts/pending/{hash or token} */
void enrol_awaiting(struct req *r);  /* GET .../awaiting */
void enrol_agent(struct req *r);     /* POST /api/agents/enroll */
/* The pin of our own key, as curl and as the agent take it. */
struct str enrol_pin_base64(struct req *r);
struct str enrol_pin_hex(struct req *r);
/* GET /api/enrollment-tokens */
void enrol_list(struct req *r);
/* DELETE /api/enrollment-tokens/{hash}; POST .../revoke, a form */
void enrol_revoke(struct req *r);
/* POST .../{hash}/regenerate, JSON or form: another token in its place */
void enrol_regenerate(struct req *r);
extern const struct route_json enrol_mint_body;
extern const struct route_json enrol_agent_body;

/* The one op behind REST and gRPC; needs the vault.  in: struct enrol_in,
 * out: struct enrol_out in the op's arena.  RC_PROTO malformed, RC_AUTH
 * unknown, RC_GONE used or expired. */
struct enrol_in {
	const char *token; /* the secret, or "<secret>.<pin>" */
	const char *enrol_id;
	const char *hostname, *os, *arch;
	const char *agent_version, *restic_version;
	const struct controller *ctl;
};
struct enrol_out {
	struct ulid host;
	char bearer[CRYPT_TOKEN_CAP];
	uint8_t token_hash[CRYPT_HASH_SIZE];
	bool repeated; /* the answer to a request whose reply was lost */
	bool has_repo; /* there are repository credentials */
};
enum rc enrol_op(struct store_tx *state, struct store_tx *vault, struct op *op);
/* What follows its commit, on the loop. */
void enrol_consumed(struct controller *c, const struct enrol_out *out);

/* What a host may be called: letters, digits and . - _ */
bool enrol_name_ok(const char *z);
/* What an unknown agent says of its host (hostname, os, arch, versions of
 * in); RC_PROTO. */
MUST_USE enum rc enrol_check_facts(const struct enrol_in *in, struct err *e);
#endif
