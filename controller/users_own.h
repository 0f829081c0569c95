/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_USERS_OWN_H
#define CONTROLLER_USERS_OWN_H
/*
 * What the files of users share: the state, and attempts, which are
 * requests whose password goes through argon2 in the pool, one at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/auth.h"
#include "lib/base/crypt.h"
#include "lib/base/list.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct controller;
struct req;
struct throttle;
struct users_attempt;

enum {
	USERS_NAME_CAP = 64,
	USERS_PASSWORD_MIN = 12,
	USERS_PASSWORD_MAX = 1024,
	USERS_WAITING_MAX = 32,   /* attempts */
	USERS_STRANGERS_MAX = 24, /* of them by nobody we know */
	USERS_ADDRESS_MAX = 4     /* of those from one address */
};

struct users {
	struct controller *ctl;
	struct throttle *throttle; /* passwords */
	struct throttle *links;    /* setup links that are none */
	/* first run */
	bool open;
	uint8_t token_hash[CRYPT_HASH_SIZE];
	/* attempts; the first one is with the pool, then those we know */
	struct list attempts;
	unsigned waiting;
	unsigned pending; /* pool jobs that still refer to this */
	bool gone;        /* freed by its owner; the last of them frees it */
};

typedef void users_attempt_fn(struct users_attempt *a);

struct users_attempt {
	struct list link;
	struct users *users;
	struct req *r; /* held */
	struct ulid user;
	bool known; /* there is such a user */
	/* No guess, signed in, or was so from this address lately: goes
	 * before who may be guessing. */
	bool trusted;
	char name[USERS_NAME_CAP];
	struct secret password;
	bool verify; /* else: hash it into stored */
	char stored[CRYPT_PASSWORD_CAP];
	enum rc rc; /* RC_OK: verified, or hashed */
	users_attempt_fn *done;
};

/* At least 12 characters, at most USERS_PASSWORD_MAX bytes (M-028). */
MUST_USE enum rc users_password_ok(const char *password, struct err *e);

/* What ?done= says on a page that a form has led to; the address names the
 * sentence and never holds one, for anybody can make a link. */
struct users_notice {
	const char *done;
	const char *sentence;
};
struct str users_notice(struct req *r, const struct users_notice *list,
    size_t n);

/* What login and bootstrap ask for, from JSON or from the form. */
struct users_in {
	char *token;
	char *username;
	char *password;
};
const struct users_in *users_input(struct req *r);

/* Lower case; false and "" when it cannot be a user's name. */
bool users_name(const char *text, char out[USERS_NAME_CAP]);

/* Queues: password verified against stored, or hashed into it; done is
 * called later, once, and frees a by users_attempt_free().  RC_BUSY: too
 * many wait; nothing will be called and a is still the caller's. */
MUST_USE enum rc users_attempt_start(struct users_attempt *a);
void users_attempt_free(struct users_attempt *a);

/* Removes setup links that are over (users_setup.c). */
void users_sweep_links(struct users *u);

/* One pool job less; frees u when it was the last and u is gone. */
void users_unpin(struct users *u);

/* The op input of a new session, and the answer once it is stored. */
struct users_session_in {
	struct ulid user;
	char name[USERS_NAME_CAP];
	char address[64];
	char password[CRYPT_PASSWORD_CAP]; /* bootstrap's */
	struct auth_session session;
	int64_t lifetime_s; /* 0: AUTH_SESSION_S */
	Rec__Role role;     /* out */
};
struct store_tx;
void users_put_session(struct store_tx *vault,
    const struct users_session_in *in);
void users_signed_in(struct req *r, const struct users_session_in *in,
    int status);
#endif
