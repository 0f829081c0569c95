/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ENROL_OWN_H
#define CONTROLLER_ENROL_OWN_H
/* Between enrol.c, enrol_op.c and enrol_page.c only. */
#include "controller/enrol.h"
#include "lib/base/json.h"
#include "proto/store.pb-c.h"

enum {
	ENROL_SECRET_CHARS = 43, /* 32 bytes, base64url */
	ENROL_TOKEN_CAP = 2 * ENROL_SECRET_CHARS + 2
};

struct mint_in {
	char *hostname;
	struct json_strs tags;
	char *repo_url;
	char *repo_username;
	char *repo_password;
	struct json_strs initial_paths;
	struct json_pairs extra; /* of the back end */
	bool allow_duplicate;
};

/* What a refused form is told: at which field. */
struct mint_refusal {
	const char *param; /* "error" or "error.<field>" */
	struct err e;
};

struct mint_out {
	char token[ENROL_TOKEN_CAP]; /* <secret>.<pin> */
	uint8_t hash[CRYPT_HASH_SIZE];
	int64_t expires_at_ms;
};

/* Checks and completes in (defaults, a generated password). */
MUST_USE enum rc enrol_check_mint(struct mint_in *in, struct req *r,
    bool *generated, struct mint_refusal *why);

/* Mints on behalf of r; done gets op->err and op->out (struct mint_out). */
typedef void enrol_minted_fn(struct req *r, struct op *op);
void enrol_submit_mint(struct req *r, const struct mint_in *in, bool generated,
    enrol_minted_fn *done);

void enrol_new_token(const uint8_t pin[CRYPT_HASH_SIZE], struct mint_out *out);
void enrol_put_id(struct json_out *j, const char *name,
    const uint8_t hash[CRYPT_HASH_SIZE]);
/* What pages show of a token, made by the user of that name. */
void enrol_record(struct store_tx *state, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t, const char *by);

/* The text of a token still kept in memory; "" when it is not. */
const char *enrol_kept(const struct enrol *en,
    const uint8_t hash[CRYPT_HASH_SIZE]);
void enrol_keep(struct enrol *en, const struct mint_out *out);
void enrol_forget(struct enrol *en, const uint8_t hash[CRYPT_HASH_SIZE]);
#endif
