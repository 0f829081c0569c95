/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CREDS_H
#define CONTROLLER_CREDS_H
/*
 * Repository credentials: what is taken, how they are sealed to the row that
 * owns them, and how an operator reads and edits a host's.  A host has two
 * slots: the everyday one (`repo`), which its agent holds, and one with the
 * right to delete (`admin`), which goes out with single jobs only.  A secret
 * is opened only to go to the agent or to be sealed anew; no answer holds it.
 */
#include <stdbool.h>

#include "controller/op.h"
#include "lib/base/crypt.h"
#include "lib/base/json.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena;
struct buf;
struct controller;
struct req;
struct route_json;
struct store_tx;
struct Rec__RepoSecret;
struct Wire__RepoSlot;

enum {
	CREDS_AD_CAP = 80,
	CREDS_PLAIN_MAX =
	    49152, /* a packed RepoSecret; the agent keeps 64 KiB */
	CREDS_SEALED_MAX = CREDS_PLAIN_MAX + 1024,
	CREDS_URL_MAX = 2048,
	CREDS_USER_MAX = 256,
	CREDS_PASSWORD_MAX = 1024
};

enum creds_slot {
	CREDS_REPO,
	CREDS_ADMIN
};

/* No control characters. */
bool creds_printable(const char *z);
/* As typed; username and password may be NULL. */
MUST_USE enum rc creds_check_url(const char *url, struct err *e);
/* What comes back in a form that was refused: without user:password@, as a
 * page must not hold a password, not even one typed into the wrong field. */
struct str creds_url_again(struct arena *a, struct str url);
MUST_USE enum rc creds_check_username(const char *username, struct err *e);
MUST_USE enum rc creds_check_password(const char *password, struct err *e);

/* Variables as typed, beside that URL; those without a value do not count. */
MUST_USE enum rc creds_check_extra(const char *url,
    const struct json_pairs *extra, struct err *e);
/* Lends names and values to repo, the list out of the arena. */
void creds_lend_extra(struct Rec__RepoSecret *repo,
    const struct json_pairs *extra, struct arena *a);

/* Whether two repository URLs lead to the same server: backend, scheme, host
 * and port alike (of b2, gs, azure, swift and rclone: bucket or remote).
 * Paths on one server, and on the host's own disks, are one place. */
bool creds_same_place(const char *a, const char *b);

/* Additional data: a blob opens only for its token, or its host and slot. */
void creds_token_ad(const uint8_t hash[CRYPT_HASH_SIZE], char ad[CREDS_AD_CAP]);
void creds_host_ad(const struct ulid *host, enum creds_slot slot,
    char ad[CREDS_AD_CAP]);

/* RC_LIMIT: they are too long. */
MUST_USE enum rc creds_seal(const uint8_t key[CRYPT_KEY_SIZE], const char *ad,
    const struct Rec__RepoSecret *repo, struct buf *out);
/* *out lives in the arena; creds_wipe() it.  RC_CORRUPT: damaged, of another
 * row, or of another secret key. */
MUST_USE enum rc creds_open(const uint8_t key[CRYPT_KEY_SIZE], const char *ad,
    struct str sealed, struct arena *a, struct Rec__RepoSecret **out);
void creds_wipe(struct Rec__RepoSecret *repo); /* NULL is fine */

/* A slot for the agent, in the vault transaction's arena; wipe it when it is
 * packed.  The admin slot takes from the everyday one what it leaves blank:
 * the URL, and as long as both lead to the same place user name, password
 * and variables.  RC_NOTFOUND: the slot is empty; RC_CORRUPT: it does not
 * open, or what it needs of the other does not. */
MUST_USE enum rc creds_for_agent(struct store_tx *vault,
    const uint8_t key[CRYPT_KEY_SIZE], const struct ulid *host,
    enum creds_slot slot, struct Wire__RepoSlot **out);
void creds_wipe_slot(struct Wire__RepoSlot *slot); /* NULL is fine */

/* GET /api/hosts/{id}/repo-credentials and .../admin-credentials. */
void creds_get(struct req *r);
void creds_get_admin(struct req *r);
/* PUT of the same: what is blank or absent stays as it is.  After an edit of
 * the everyday slot the repository counts as unknown until an init with the
 * new credentials has ended.  A URL that leads to another place needs the
 * password anew and drops the variables: what is stored is never sent
 * somewhere else.  For the same reason a repository that moves drops the
 * admin slot. */
void creds_put(struct req *r);
void creds_put_admin(struct req *r);
extern const struct route_json creds_put_body;
/* DELETE of the admin slot; again is fine. */
void creds_delete_admin(struct req *r);
/* The page's forms: URL and user name are meant as they stand, a blank
 * password or variable keeps the stored one.  An all-blank one of the admin
 * slot or the variables changes nothing. */
void creds_form(struct req *r);
void creds_form_admin(struct req *r);
void creds_form_admin_delete(struct req *r);
void creds_form_variables(struct req *r);
/* A stored password that opens. */
bool creds_has_password(struct req *r, const struct ulid *host,
    enum creds_slot slot);
/* GET /hosts/{id}/repo. */
void creds_page(struct req *r);
/* The page again after a refused form: params typed (its section, by the
 * route), each of its fields that is no secret, and the sentence in param,
 * such as "error.repo_url". */
void creds_page_again(struct req *r, const char *param, const struct err *e);

/* The op behind it; needs the vault. */
struct creds_edit {
	const uint8_t *key;
	struct ulid host;
	enum creds_slot slot;
	const char *url, *username;
	char *password;          /* the three: NULL or "" keep what is stored */
	bool as_typed;           /* an empty URL or user name is none */
	struct json_pairs extra; /* without a value: removed */
	/* out */
	const char *new_url, *new_username;
	char **names; /* of the variables that are stored now */
	size_t n_names;
	bool has_password, new_password;
	bool admin_removed; /* it was for the place before */
	bool dropped;       /* that, or variables that were */
	struct ulid job;    /* repo: the init that tries them */
};
enum rc creds_put_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
