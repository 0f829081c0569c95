/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AUTH_H
#define CONTROLLER_AUTH_H
/*
 * Who asks and whether they may: session cookie, role, and the defences
 * against requests that another site made the browser send.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/route.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

struct req;

#define AUTH_COOKIE "rm_session"
#define AUTH_FORM_COOKIE "rm_csrf"

enum {
	AUTH_SESSION_S = 86400,
	AUTH_SESSIONS_MAX = 50
};

/* Fills the session part of r from an API token in the field authorization,
 * else from the cookie; without a live session of an enabled user it stays
 * empty.  A bad API token is an error, whatever the cookie says. */
MUST_USE enum rc auth_identify(struct req *r, struct err *e);
/* Who asks is this user, with at most that role; false, and nobody, when
 * there is no such enabled user. */
struct store_tx;
struct ulid;
bool auth_take_user(struct req *r, struct store_tx *state,
    const struct ulid *user, Rec__Role cap);
void auth_forget(struct req *r); /* nobody asks */
/* Whether the session or token by which r was signed in is still good. */
bool auth_lives(const struct req *r);
/* RC_RATE, with the time to wait in the answer to come. */
enum rc auth_wait(struct req *r, unsigned wait_s, struct err *e);

/* RC_AUTH: nobody is signed in (ROLE_NONE); RC_DENIED: the role is too low.
 * ROUTE_UNSET and anything unknown needs admin. */
MUST_USE enum rc auth_allows(enum route_role need, Rec__Role have,
    struct err *e);
/* Whether a user who must choose a password first may go there. */
bool auth_while_changing(const struct route *route);
const char *auth_role_name(Rec__Role role); /* "viewer"; "" for none */
Rec__Role auth_role_of(struct str name);    /* ROLE_NONE: no such */
const char *auth_need_name(enum route_role need);

/* What tells where a request that changes something came from. */
struct auth_origin {
	struct str origin;     /* Origin, .p NULL: none */
	struct str fetch_site; /* Sec-Fetch-Site, .p NULL: none */
	bool https;            /* how the client reached us */
	struct str authority;
	const char *base_url; /* RM_BASE_URL or NULL */
};
MUST_USE enum rc auth_origin_ok(const struct auth_origin *o, struct err *e);

/* Makes sure that r->csrf holds a token for a form: the session's, or one
 * that a cookie of its own carries while nobody is signed in. */
void auth_form_token(struct req *r);
/* Whether the form's field csrf holds that token. */
MUST_USE enum rc auth_form_ok(const struct req *r, struct err *e);

/* A new session: its cookie's text, and what is stored. */
struct auth_session {
	char cookie[CRYPT_TOKEN_CAP];
	uint8_t hash[CRYPT_HASH_SIZE];
	char csrf[CRYPT_TOKEN_CAP];
};
void auth_session_new(struct auth_session *out);
/* A cookie's value; empty when it was not sent. */
struct str auth_cookie(const struct req *r, const char *name);
/* Sets the cookie; value "" removes it. */
void auth_set_cookie(struct req *r, const char *name, const char *value,
    int64_t max_age_s);
#endif
