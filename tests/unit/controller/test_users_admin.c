/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include "controller/auth.h"
#include "controller/users_admin.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define BOB "{\"username\":\"bob\",\"password\":\"bobs long password\"}"

struct person {
	char id[ULID_TEXT_CAP];
	char link[CRYPT_TOKEN_CAP]; /* of the setup URL */
	char cookie[128];
};

static void
make_ann(struct edge *e, struct person *p)
{
	edge_make_ann(e);
	assert_true(str_copy(p->cookie, sizeof(p->cookie), str_of(e->cookie)));
}

static void
take(const struct edge *e, const char *after, const char *end, char *dst,
    size_t cap)
{
	const char *at = strstr(buf_text(&e->answer), after);

	assert_non_null(at);
	at += strlen(after);
	assert_true(str_copy(dst, cap, str_from(at, strcspn(at, end))));
}

static void
take_link(const struct edge *e, struct person *p)
{
	take(e, "\"id\":\"", "\"", p->id, sizeof(p->id));
	take(e, "/setup?token=", "\"", p->link, sizeof(p->link));
}

static void
invite(struct edge *e, const struct person *by, const char *name,
    const char *role, struct person *p)
{
	char body[128];

	assert_true(str_fmt(body, sizeof(body),
	    "{\"username\":\"%s\",\"role\":\"%s\"}", name, role));
	edge_post(e, "/api/users", by->cookie, body);
	assert_int_equal(e->status, 201);
	take_link(e, p);
}

#define CSRF "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* The page's form; nobody draws pages here. */
static unsigned
set_password(struct edge *e, const char *link, const char *password)
{
	char request[1024], body[256];

	assert_true(str_fmt(body, sizeof(body),
	    "csrf=" CSRF "&token=%s&password=%s", link, password));
	assert_true(str_fmt(request, sizeof(request),
	    "POST /setup HTTP/1.1\r\nHost: localhost\r\n"
	    "Accept: application/json\r\nCookie: rm_csrf=" CSRF "\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    strlen(body), body));
	edge_ask(e, request);
	return e->status;
}

static void
join(struct edge *e, const struct person *by, const char *role,
    struct person *bob)
{
	invite(e, by, "bob", role, bob);
	assert_int_equal(set_password(e, bob->link, "bobs+long+password"), 200);
	edge_cookie(e, bob->cookie, sizeof(bob->cookie));
}

static unsigned
ask(struct edge *e, const char *method, const char *path, const char *fields,
    const char *body)
{
	char request[1024];

	assert_true(str_fmt(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
	    "Content-Type: application/json\r\n%s\r\n%s",
	    method, path, strlen(body), fields, body));
	edge_ask(e, request);
	return e->status;
}

static unsigned
act(struct edge *e, const struct person *by, const struct person *on,
    const char *verb)
{
	char path[128];

	assert_true(
	    str_fmt(path, sizeof(path), "/api/users/%s/%s", on->id, verb));
	return ask(e, "POST", path, by->cookie, "");
}

static unsigned
patch(struct edge *e, const struct person *by, const struct person *on,
    const char *body)
{
	char path[128];

	assert_true(str_fmt(path, sizeof(path), "/api/users/%s", on->id));
	return ask(e, "PATCH", path, by->cookie, body);
}

static unsigned
sees_hosts(struct edge *e, const struct person *p)
{
	return ask(e, "GET", "/api/hosts", p->cookie, "");
}

static void
id_of(struct edge *e, const char *name, struct person *p)
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);
	struct Rec__User *u = user_store_find_name(tx, str_of(name));
	struct ulid id;

	assert_non_null(u);
	memcpy(id.b, u->id.data, sizeof(id.b));
	ulid_text(&id, p->id);
	store_abort(tx);
	arena_reset(&e->f.arena);
}

struct rows {
	char text[512];
};

static bool
take_row(void *ctx, const struct Rec__AuditEntry *a)
{
	struct rows *r = ctx;
	size_t n = strlen(r->text);

	assert_true(str_fmt(r->text + n, sizeof(r->text) - n, "%s/%s ",
	    a->action, a->target_name));
	return true;
}

static void
assert_rows(struct edge *e, size_t n, const char *want)
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);
	struct rows r = { "" };

	audit_store_latest(tx, NULL, n, take_row, &r);
	store_abort(tx);
	arena_reset(&e->f.arena);
	assert_string_equal(r.text, want);
}

/* M-041 to M-044, M-017 */
static void
an_invitation_becomes_a_user_once(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;
	struct store_tx *tx;
	struct Rec__Session *s;
	uint8_t hash[CRYPT_HASH_SIZE];

	make_ann(e, &ann);
	invite(e, &ann, "bob", "operator", &bob);
	assert_rows(e, 1, "user.created/bob ");
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 401);
	assert_int_equal(set_password(e, bob.link, "short"), 422);
	assert_int_equal(set_password(e, bob.link, "bobs+long+password"), 200);
	assert_true(edge_said(e, "Max-Age=28800"));
	edge_cookie(e, bob.cookie, sizeof(bob.cookie));
	assert_rows(e, 1, "user.setup_completed/bob ");
	assert_int_equal(sees_hosts(e, &bob), 200);
	crypt_sha256(str_sub(str_of(bob.cookie), strlen("Cookie: rm_session="),
	                 CRYPT_TOKEN_CAP - 1),
	    hash);
	tx = store_begin_read(e->c.vault, &e->f.arena);
	s = vault_find_session(tx, hash);
	assert_non_null(s);
	assert_int_equal(s->expires_at_ms - s->created_at_ms,
	    (int64_t)USERS_SETUP_SESSION_S * 1000);
	store_abort(tx);
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 200);
	assert_int_equal(set_password(e, bob.link, "another+password"), 410);
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 200);
	assert_int_equal(ask(e, "GET", "/api/users", bob.cookie, ""), 403);
}

static bool
link_is_swept(struct edge *e)
{
	struct store_tx *tx;
	bool gone;

	arena_reset(&e->f.arena);
	tx = store_begin_read(e->c.state, &e->f.arena);
	gone = user_store_find_name(tx, STR("bob"))->setup_expires_at_ms == 0;
	store_abort(tx);
	return gone;
}

/* M-042: an hour, and then it is swept; a new one replaces it. */
static void
a_link_lives_an_hour_and_has_one_successor(void **state)
{
	struct edge *e = *state;
	int64_t now = clock_now_ms(), mono = clock_mono_ms();
	uint8_t hash[CRYPT_HASH_SIZE];
	struct person ann, bob, first;
	struct store_tx *tx;
	struct ulid id;

	make_ann(e, &ann);
	invite(e, &ann, "bob", "viewer", &bob);
	first = bob;
	assert_int_equal(act(e, &ann, &bob, "regenerate-setup-link"), 200);
	take_link(e, &bob);
	assert_string_not_equal(first.link, bob.link);
	assert_rows(e, 1, "user.setup_link_made/bob ");
	crypt_sha256(str_of(first.link), hash);
	tx = store_begin_read(e->c.vault, NULL);
	assert_false(vault_owner_of_ticket(tx, VAULT_SETUP, hash, &id));
	store_abort(tx);

	clock_fake(now + (int64_t)(USERS_SETUP_S + 5) * 1000, mono);
	assert_int_equal(set_password(e, bob.link, "bobs+long+password"), 410);
	users_tick(e->c.users);
	e->until = link_is_swept;
	edge_run(e);
	e->until = NULL;
	crypt_sha256(str_of(bob.link), hash);
	tx = store_begin_read(e->c.vault, NULL);
	assert_false(vault_owner_of_ticket(tx, VAULT_SETUP, hash, &id));
	store_abort(tx);
	clock_fake(-1, -1);
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 401);
}

/* M-046, M-021 */
static void
disabling_ends_everything_at_once(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;
	char token[128], fields[160];
	struct store_tx *tx;
	struct ulid id;

	make_ann(e, &ann);
	join(e, &ann, "operator", &bob);
	edge_post(e, "/api/tokens", bob.cookie,
	    "{\"name\":\"n\",\"role\":\"viewer\",\"expires_in_days\":1}");
	take(e, "\"token\":\"", "\"", token, sizeof(token));
	assert_true(str_fmt(fields, sizeof(fields),
	    "Authorization: Bearer %s\r\n", token));
	assert_int_equal(ask(e, "GET", "/api/hosts", fields, ""), 200);
	assert_int_equal(act(e, &ann, &bob, "disable"), 200);
	assert_true(edge_said(e, "\"status\":\"disabled\""));
	assert_rows(e, 1, "user.disabled/bob ");
	assert_int_equal(act(e, &ann, &bob, "disable"), 200);
	assert_rows(e, 2, "user.disabled/bob token.created/n ");
	assert_int_equal(sees_hosts(e, &bob), 401);
	assert_int_equal(ask(e, "GET", "/api/hosts", fields, ""), 401);
	assert_true(ulid_parse(str_of(bob.id), &id));
	tx = store_begin_read(e->c.vault, &e->f.arena);
	assert_int_equal(vault_count_sessions(tx, &id, 0), 0);
	store_abort(tx);
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 401);
	assert_int_equal(act(e, &ann, &bob, "regenerate-setup-link"), 409);
	assert_int_equal(act(e, &ann, &bob, "enable"), 200);
	assert_rows(e, 1, "user.enabled/bob ");
	edge_post(e, "/api/auth/login", "", BOB);
	assert_int_equal(e->status, 200);
	assert_int_equal(ask(e, "GET", "/api/hosts", fields, ""), 401);
}

/* M-047 */
static void
names_are_given_once(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;

	make_ann(e, &ann);
	invite(e, &ann, "bob", "viewer", &bob);
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"BOB\",\"role\":\"admin\"}");
	assert_int_equal(e->status, 409);
	assert_true(edge_said(e, "\"conflict\""));
	assert_int_equal(act(e, &ann, &bob, "disable"), 200);
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"Bob\",\"role\":\"admin\"}");
	assert_int_equal(e->status, 409);
	assert_true(edge_said(e, "\"user_disabled\""));
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"b b\",\"role\":\"admin\"}");
	assert_int_equal(e->status, 422);
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"cid\",\"role\":\"root\"}");
	assert_int_equal(e->status, 422);
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"cid\",\"role\":\"viewer\",\"email\":\"a@b@c\"}");
	assert_int_equal(e->status, 422);
	edge_post(e, "/api/users", ann.cookie,
	    "{\"username\":\"cid\",\"role\":\"viewer\",\"email\":\"a b\"}");
	assert_int_equal(e->status, 422);
}

/* M-045, M-051: an invited admin, who cannot sign in yet, is none. */
static void
the_last_admin_stays(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;

	make_ann(e, &ann);
	id_of(e, "ann", &ann);
	invite(e, &ann, "bob", "admin", &bob);
	assert_int_equal(act(e, &ann, &ann, "disable"), 409);
	assert_true(edge_said(e, "\"last_admin\""));
	assert_int_equal(patch(e, &ann, &ann, "{\"role\":\"viewer\"}"), 409);
	assert_int_equal(patch(e, &ann, &ann, "{\"role\":\"admin\"}"), 200);
	assert_int_equal(set_password(e, bob.link, "bobs+long+password"), 200);
	edge_cookie(e, bob.cookie, sizeof(bob.cookie));
	assert_int_equal(patch(e, &ann, &ann,
	                     "{\"role\":\"viewer\",\"email\":\"ann@example."
	                     "org\"}"),
	    200);
	assert_true(edge_said(e, "\"role\":\"viewer\""));
	assert_rows(e, 2, "user.updated/ann user.role_changed/ann ");
	assert_int_equal(ask(e, "GET", "/api/users", ann.cookie, ""), 403);
	assert_int_equal(act(e, &bob, &bob, "disable"), 409);
}

/* Two admins who demote each other at the same moment: two requests in
 * flight at once. */
static void
two_cannot_demote_each_other(void **state)
{
	struct edge *e = *state;
	struct person ann, bob, *who[2] = { &ann, &bob };
	char request[512];
	unsigned i, admins = 0;
	int fds[2];

	make_ann(e, &ann);
	id_of(e, "ann", &ann);
	join(e, &ann, "admin", &bob);
	for (i = 0; i < 2; i++) {
		assert_true(str_fmt(request, sizeof(request),
		    "POST /api/users/%s/disable HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Length: 0\r\n%s\r\n",
		    who[1 - i]->id, who[i]->cookie));
		edge_connect(e, request);
		fds[i] = e->fd;
	}
	buf_reset(&e->answer);
	edge_run(e);
	close(fds[1]);
	e->fd = fds[0];
	buf_reset(&e->answer);
	edge_run(e);
	edge_disconnect(e);
	for (i = 0; i < 2; i++)
		admins +=
		    ask(e, "GET", "/api/users", who[i]->cookie, "") == 200;
	assert_int_equal(admins, 1);
}

/* M-048 */
static void
an_admin_signs_somebody_out(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;

	make_ann(e, &ann);
	join(e, &ann, "viewer", &bob);
	assert_int_equal(sees_hosts(e, &bob), 200);
	assert_int_equal(act(e, &ann, &bob, "force-logout"), 200);
	assert_rows(e, 1, "user.logged_out/bob ");
	assert_int_equal(sees_hosts(e, &bob), 401);
	assert_int_equal(sees_hosts(e, &ann), 200);
	assert_int_equal(patch(e, &ann, &bob,
	                     "{\"must_change_password\":true}"),
	    200);
	edge_post(e, "/api/auth/login", "", BOB);
	edge_cookie(e, bob.cookie, sizeof(bob.cookie));
	assert_int_equal(sees_hosts(e, &bob), 403);
	assert_int_equal(ask(e, "GET", "/api/users/nobody", ann.cookie, ""),
	    404);
	assert_int_equal(ask(e, "GET", "/api/users/01ARZ3NDEKTSV4RRFFQ69G5FAV",
	                     ann.cookie, ""),
	    404);
	assert_int_equal(ask(e, "POST",
	                     "/api/users/01ARZ3NDEKTSV4RRFFQ69G5FAV/disable",
	                     ann.cookie, ""),
	    404);
}

static void
guessed_links_are_slowed_down(void **state)
{
	struct edge *e = *state;
	struct person ann, bob;
	unsigned i, refused = 0;

	make_ann(e, &ann);
	invite(e, &ann, "bob", "viewer", &bob);
	for (i = 0; i < 10; i++)
		refused += ask(e, "GET", "/setup?token=guess",
		               "Accept: application/json\r\n", "") == 429;
	assert_true(refused > 0);
	assert_int_equal(set_password(e, bob.link, "bobs+long+password"), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(an_invitation_becomes_a_user_once),
		edge_test(a_link_lives_an_hour_and_has_one_successor),
		edge_test(disabling_ends_everything_at_once),
		edge_test(names_are_given_once),
		edge_test(the_last_admin_stays),
		edge_test(two_cannot_demote_each_other),
		edge_test(an_admin_signs_somebody_out),
		edge_test(guessed_links_are_slowed_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
