/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CREDS_H
#define CONTROLLER_CREDS_H
/*
 * Repository credentials: what is taken, how they are sealed to the row that
 * owns them, and how an operator reads and edits a host's.  A password is
 * opened only to go to the agent or to be sealed anew; no answer holds it.
 */
#include <stdbool.h>

#include "controller/op.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena;
struct buf;
struct controller;
struct req;
struct route_json;
struct store_tx;
struct Rec__RepoSecret;

enum {
	CREDS_AD_CAP = 80,
	CREDS_PLAIN_MAX = 8192, /* a packed RepoSecret */
	CREDS_SEALED_MAX = CREDS_PLAIN_MAX + 1024,
	CREDS_URL_MAX = 2048,
	CREDS_USER_MAX = 256,
	CREDS_PASSWORD_MAX = 1024
};

/* No control characters. */
bool creds_printable(const char *z);
/* As typed; username and password may be NULL. */
MUST_USE enum rc creds_check_url(const char *url, struct err *e);
MUST_USE enum rc creds_check_username(const char *username, struct err *e);
MUST_USE enum rc creds_check_password(const char *password, struct err *e);

/* Whether two repository URLs lead to the same server: backend, scheme, host
 * and port alike (of b2, gs, azure, swift and rclone: bucket or remote).
 * Paths on one server, and on the host's own disks, are one place. */
bool creds_same_place(const char *a, const char *b);

/* Additional data: a blob opens only for its token, or its host and slot. */
void creds_token_ad(const uint8_t hash[CRYPT_HASH_SIZE], char ad[CREDS_AD_CAP]);
void creds_host_ad(const struct ulid *host, char ad[CREDS_AD_CAP]);

/* RC_LIMIT: they are too long. */
MUST_USE enum rc creds_seal(const uint8_t key[CRYPT_KEY_SIZE], const char *ad,
    const struct Rec__RepoSecret *repo, struct buf *out);
/* *out lives in the arena; creds_wipe() it.  RC_CORRUPT: damaged, of another
 * row, or of another secret key. */
MUST_USE enum rc creds_open(const uint8_t key[CRYPT_KEY_SIZE], const char *ad,
    struct str sealed, struct arena *a, struct Rec__RepoSecret **out);
void creds_wipe(struct Rec__RepoSecret *repo); /* NULL is fine */

/* GET /api/hosts/{id}/repo-credentials. */
void creds_get(struct req *r);
/* PUT of the same: a blank or absent field stays as it is.  The repository
 * counts as unknown until an init with the new credentials has ended.  A URL
 * that leads to another server needs the password anew: what is stored is
 * never sent somewhere else. */
void creds_put(struct req *r);
extern const struct route_json creds_put_body;
/* POST /hosts/{id}/repo/credentials, the form of the page: URL and user name
 * are meant as they stand, a blank password keeps the stored one. */
void creds_form(struct req *r);
/* GET /hosts/{id}/repo. */
void creds_page(struct req *r);
/* A stored password that opens. */
bool creds_has_password(struct req *r, const struct ulid *host);
/* The page again, with what was typed into its forms but passwords, and the
 * sentence at a field (params of page host_repo: "error.repo_url"). */
void creds_page_again(struct req *r, const char *param, const struct err *e);

/* The op behind it; needs the vault. */
struct creds_edit {
	const uint8_t *key;
	struct ulid host;
	const char *url, *username;
	char *password; /* the three: NULL or "" keep what is stored */
	bool as_typed;  /* an empty username is none */
	/* out */
	const char *new_url, *new_username;
	bool new_password;
	struct ulid job; /* the init that tries them */
};
enum rc creds_put_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
/* Submits it for r; the password is wiped.  done gets op->in: the edit. */
void creds_submit(struct req *r, const struct creds_edit *from,
    void (*done)(struct req *r, struct op *op));
/* After the commit: agent, pages and courier hear of it. */
void creds_tell(struct controller *c, const struct creds_edit *ed);
#endif
