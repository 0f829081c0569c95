/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/auth.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/tokens.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/offence.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

enum {
	RECORDS_MAX = 1 << 17 /* of one look at who asks */
};

/* HTTP/2 may split the cookies over several fields. */
struct str
auth_cookie(const struct req *r, const char *name)
{
	size_t i, n = r->x != NULL ? exch_field_count(r->x) : 0;
	struct str rest, pair, key, value;

	for (i = 0; i < n; i++) {
		const struct http_field *f = exch_field_at(r->x, i);

		if (!str_eqz(f->name, "cookie"))
			continue;
		rest = f->value;
		while (str_next(&rest, ';', &pair)) {
			str_cut(str_trim(pair), '=', &key, &value);
			if (str_eqz(key, name) && value.p != NULL)
				return value;
		}
	}
	return str_from(NULL, 0);
}

/* Tokens are 32 bytes as base64url. */
static bool
is_token(struct str s)
{
	uint8_t raw[32];
	size_t n;

	return s.n == CRYPT_TOKEN_CAP - 1 &&
	       str_unb64(s, true, raw, sizeof(raw), &n) && n == sizeof(raw);
}

/* The session's record unless it has expired. */
static struct Rec__Session *
find_session(struct controller *c, struct arena *a, const uint8_t *hash,
    struct ulid *out_user)
{
	struct store_tx *tx = store_begin_read(c->vault, a);
	struct Rec__Session *s = vault_find_session(tx, hash);

	if (s != NULL && (s->expires_at_ms <= clock_now_ms() ||
	                     !pb_id_get(&s->user_id, out_user)))
		s = NULL;
	store_abort(tx);
	return s;
}

bool
auth_take_user(struct req *r, struct store_tx *state, const struct ulid *user,
    Rec__Role cap)
{
	const struct Rec__User *u = user_store_find(state, user);

	if (u == NULL || u->disabled_at_ms != 0 ||
	    !str_copy(r->user_name, sizeof(r->user_name), str_of(u->name)))
		return false;
	r->user_id = *user;
	r->role = u->role < cap ? u->role : cap;
	r->must_change = u->must_change_password;
	return true;
}

void
auth_forget(struct req *r)
{
	memset(&r->user_id, 0, sizeof(r->user_id));
	r->user_name[0] = '\0';
	r->role = REC__ROLE__ROLE_NONE;
	r->csrf[0] = '\0';
}

static void
take_session(struct req *r, struct str token)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__Session *s;
	struct store_tx *tx;
	struct ulid user;

	crypt_sha256(token, hash);
	s = find_session(r->ctl, &r->arena, hash, &user);
	if (s == NULL || !str_copy(r->csrf, sizeof(r->csrf), str_of(s->csrf)))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	if (auth_take_user(r, tx, &user, REC__ROLE__ROLE_ADMIN))
		memcpy(r->session_hash, hash, sizeof(hash));
	else
		auth_forget(r);
	store_abort(tx);
}

/* Other bearers are other modules' business. */
static bool
api_token(const struct req *r, struct str *out)
{
	struct str field = exch_field(r->x, "authorization");
	struct str scheme;

	if (field.p == NULL || !str_cut(field, ' ', &scheme, out) ||
	    !str_case_eq(scheme, STR("Bearer")))
		return false;
	*out = str_trim(*out);
	return tokens_is(*out);
}

enum rc
auth_identify(struct req *r, struct err *e)
{
	struct str token;

	if (api_token(r, &token))
		return tokens_identify(r, token, e);
	token = auth_cookie(r, AUTH_COOKIE);
	if (is_token(token))
		take_session(r, token);
	return RC_OK;
}

bool
auth_lives(const struct req *r)
{
	const struct Rec__User *u;
	struct store_tx *tx;
	struct ulid user;
	struct arena a;
	struct err e;
	bool lives;

	arena_init(&a, RECORDS_MAX);
	if (r->bearer)
		lives = tokens_find(r->ctl, &a, r->session_hash, &e) != NULL;
	else
		lives =
		    find_session(r->ctl, &a, r->session_hash, &user) != NULL;
	tx = store_begin_read(r->ctl->state, &a);
	u = user_store_find(tx, &r->user_id);
	lives = lives && u != NULL && u->disabled_at_ms == 0;
	store_abort(tx);
	arena_fini(&a);
	return lives;
}

enum rc
auth_wait(struct req *r, unsigned wait_s, struct err *e)
{
	(void)offences_note(r->ctl->offences, r->address, OFFENCE_SIGN_IN);
	req_add_field(r, "retry-after", arena_printf(&r->arena, "%u", wait_s));
	return err_set(e, RC_RATE,
	    "too many failed attempts; try again in %u seconds", wait_s);
}

static Rec__Role
needed(enum route_role need)
{
	switch (need) {
	case ROUTE_PUBLIC:
		return REC__ROLE__ROLE_NONE;
	case ROUTE_VIEWER:
		return REC__ROLE__ROLE_VIEWER;
	case ROUTE_OPERATOR:
		return REC__ROLE__ROLE_OPERATOR;
	case ROUTE_UNSET:
	case ROUTE_ADMIN:
		break;
	}
	return REC__ROLE__ROLE_ADMIN;
}

enum rc
auth_allows(enum route_role need, Rec__Role have, struct err *e)
{
	Rec__Role want = needed(need);

	if (want == REC__ROLE__ROLE_NONE)
		return RC_OK;
	if (have < REC__ROLE__ROLE_VIEWER || have > REC__ROLE__ROLE_ADMIN)
		return err_set(e, RC_AUTH, "sign in first");
	if (have < want)
		return err_set(e, RC_DENIED,
		    "this needs the role %s; you are %s", auth_role_name(want),
		    auth_role_name(have));
	return RC_OK;
}

bool
auth_while_changing(const struct route *route)
{
	static const char *const open[] = { "/settings/account", "/api/account",
		"/api/account/password", "/logout", "/api/auth/logout" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(open); i++)
		if (strcmp(route->pattern, open[i]) == 0)
			return true;
	return route->role == ROUTE_PUBLIC;
}

const char *
auth_role_name(Rec__Role role)
{
	switch (role) {
	case REC__ROLE__ROLE_VIEWER:
		return "viewer";
	case REC__ROLE__ROLE_OPERATOR:
		return "operator";
	case REC__ROLE__ROLE_ADMIN:
		return "admin";
	case REC__ROLE__ROLE_NONE:
	case _REC__ROLE_IS_INT_SIZE:
		break;
	}
	return "";
}

Rec__Role
auth_role_of(struct str name)
{
	static const Rec__Role roles[] = { REC__ROLE__ROLE_VIEWER,
		REC__ROLE__ROLE_OPERATOR, REC__ROLE__ROLE_ADMIN };
	size_t i;

	for (i = 0; i < ARRAY_LEN(roles); i++)
		if (str_eqz(name, auth_role_name(roles[i])))
			return roles[i];
	return REC__ROLE__ROLE_NONE;
}

const char *
auth_need_name(enum route_role need)
{
	return auth_role_name(needed(need));
}

/* Scheme and authority of a URL; an origin has nothing else. */
static bool
same_origin(struct str origin, struct str url)
{
	struct str scheme = STR("https://");
	size_t end;

	if (!str_starts(url, scheme))
		scheme = STR("http://");
	if (!str_starts(url, scheme))
		return false;
	for (end = scheme.n; end < url.n && url.p[end] != '/'; end++)
		;
	return str_case_eq(origin, str_sub(url, 0, end));
}

static bool
own_origin(const struct auth_origin *o)
{
	struct str scheme = o->https ? STR("https://") : STR("http://");

	if (o->base_url != NULL && same_origin(o->origin, str_of(o->base_url)))
		return true;
	return str_starts(o->origin, scheme) && o->authority.n > 0 &&
	       str_case_eq(str_sub(o->origin, scheme.n, o->origin.n),
	           o->authority);
}

enum rc
auth_origin_ok(const struct auth_origin *o, struct err *e)
{
	if (o->fetch_site.p != NULL && !str_eqz(o->fetch_site, "same-origin") &&
	    !str_eqz(o->fetch_site, "none"))
		return err_code(e, RC_DENIED, "foreign_origin",
		    "the request was sent by a page of another site");
	if (o->origin.p != NULL && !own_origin(o))
		return err_code(e, RC_DENIED, "foreign_origin",
		    "the request was sent by a page of another site; if this "
		    "is a reverse proxy of yours, let it pass on Host, or set "
		    "RM_BASE_URL");
	return RC_OK;
}

void
auth_form_token(struct req *r)
{
	struct str token;

	if (r->csrf[0] != '\0' || r->x == NULL)
		return;
	token = auth_cookie(r, AUTH_FORM_COOKIE);
	if (is_token(token)) {
		ASSERT(str_copy(r->csrf, sizeof(r->csrf), token));
		return;
	}
	crypt_token(r->csrf);
	auth_set_cookie(r, AUTH_FORM_COOKIE, r->csrf, AUTH_SESSION_S);
}

static bool
same_token(struct str a, struct str b)
{
	return is_token(a) && a.n == b.n && crypt_eq(a.p, b.p, a.n);
}

enum rc
auth_form_ok(const struct req *r, struct err *e)
{
	struct str sent = req_field(r, "csrf");

	if (same_token(sent, str_of(r->csrf)))
		return RC_OK;
	/* A form that was fetched before its reader signed in elsewhere. */
	if (r->route->role == ROUTE_PUBLIC &&
	    same_token(sent, auth_cookie(r, AUTH_FORM_COOKIE)))
		return RC_OK;
	return err_code(e, RC_DENIED, "stale_form",
	    "nothing was changed: it was opened before you signed in again; go "
	    "back, copy what you typed, load that page anew and send it");
}

void
auth_session_new(struct auth_session *out)
{
	crypt_token(out->cookie);
	crypt_token(out->csrf);
	crypt_sha256(str_of(out->cookie), out->hash);
}

void
auth_set_cookie(struct req *r, const char *name, const char *value,
    int64_t max_age_s)
{
	const char *secure = r->ctl->settings.cookie_secure ? "; Secure" : "";

	req_add_field(r, "set-cookie",
	    arena_printf(&r->arena,
	        "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s", name,
	        value, (long long)(*value != '\0' ? max_age_s : 0), secure));
}
