/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include "controller/auth.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define ADMIN "{\"username\":\"Ann\",\"password\":\"a long password\"}"
#define WRONG "{\"username\":\"ann\",\"password\":\"not that one\"}"
#define HOSTS "GET /api/hosts HTTP/1.1\r\nHost: localhost\r\n%s\r\n"

/* -------------------------------------------------------- what was stored */

struct audit {
	char action[32], name[64], address[64];
};

static bool
take_latest(void *ctx, const struct Rec__AuditEntry *a)
{
	struct audit *out = ctx;

	assert_true(
	    str_copy(out->action, sizeof(out->action), str_of(a->action)));
	assert_true(
	    str_copy(out->name, sizeof(out->name), str_of(a->target_name)));
	assert_true(
	    str_copy(out->address, sizeof(out->address), str_of(a->address)));
	return false;
}

/* The newest entry, in a chain that holds. */
static struct audit
latest(struct edge *e)
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);
	struct audit a = { "", "", "" };
	struct ulid bad;
	uint64_t count;

	audit_store_latest(tx, NULL, 1, take_latest, &a);
	assert_rc(audit_store_verify(tx, &bad, &count), RC_OK);
	assert_true(ulid_is_zero(&bad));
	store_abort(tx);
	arena_reset(&e->f.arena);
	return a;
}

static void
demote_ann(struct edge *e, Rec__Role role)
{
	struct store_tx *tx = store_begin_write(e->c.state, &e->f.arena);
	struct Rec__User *u = user_store_find_name(tx, STR("ann"));
	struct err err;

	assert_non_null(u);
	u->role = role;
	user_store_put(tx, u);
	assert_rc(store_commit(tx, &err), RC_OK);
	arena_reset(&e->f.arena);
}

static void
disable_ann(struct edge *e)
{
	struct store_tx *tx = store_begin_write(e->c.state, &e->f.arena);
	struct Rec__User *u = user_store_find_name(tx, STR("ann"));
	struct err err;

	assert_non_null(u);
	u->disabled_at_ms = 1;
	user_store_put(tx, u);
	assert_rc(store_commit(tx, &err), RC_OK);
	arena_reset(&e->f.arena);
}

static bool
ann_exists(struct edge *e)
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);
	bool there = user_store_find_name(tx, STR("ann")) != NULL;

	store_abort(tx);
	arena_reset(&e->f.arena);
	return there;
}

static void
make_ann(struct edge *e, char *cookie, size_t cap)
{
	edge_post(e, "/api/bootstrap", "", ADMIN);
	assert_int_equal(e->status, 200);
	edge_cookie(e, cookie, cap);
}

static unsigned
ask_hosts(struct edge *e, const char *cookie)
{
	char request[512];

	assert_true(str_fmt(request, sizeof(request), HOSTS, cookie));
	edge_ask(e, request);
	return e->status;
}

/* ------------------------------------------------------------------ tests */

static void
the_first_user_is_an_admin_with_an_audit_row(void **state)
{
	struct edge *e = *state;
	struct Rec__Password *p;
	struct store_tx *tx, *vault;
	struct Rec__User *u;
	struct ulid id;
	struct audit a;
	char cookie[128];

	assert_true(users_bootstrap_open(e->c.users));
	make_ann(e, cookie, sizeof(cookie));
	assert_false(users_bootstrap_open(e->c.users));
	a = latest(e);
	assert_string_equal(a.action, "auth.bootstrap");
	assert_string_equal(a.name, "ann");
	assert_string_equal(a.address, "127.0.0.1");

	tx = store_begin_read(e->c.state, &e->f.arena);
	u = user_store_find_name(tx, STR("ANN"));
	assert_non_null(u);
	assert_int_equal(u->role, REC__ROLE__ROLE_ADMIN);
	assert_true(u->last_login_ms > 0);
	memcpy(id.b, u->id.data, sizeof(id.b));
	vault = store_begin_read(e->c.vault, &e->f.arena);
	p = vault_find_password(vault, &id);
	assert_non_null(p);
	/* M-014 */
	assert_true(str_starts(str_of(p->argon2id),
	    STR("$argon2id$v=19$m=65536,t=3,p=1$")));
	store_abort(vault);
	store_abort(tx);
}

/* M-030 */
static void
sessions_are_found_by_their_hash_only(void **state)
{
	struct edge *e = *state;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__Session *s;
	struct store_tx *tx;
	char cookie[128];
	struct str token;

	make_ann(e, cookie, sizeof(cookie));
	token = str_sub(str_of(cookie), strlen("Cookie: rm_session="),
	    CRYPT_TOKEN_CAP - 1);
	crypt_sha256(token, hash);
	tx = store_begin_read(e->c.vault, &e->f.arena);
	s = vault_find_session(tx, hash);
	assert_non_null(s);
	assert_int_equal(s->expires_at_ms - s->created_at_ms,
	    (int64_t)AUTH_SESSION_S * 1000);
	store_abort(tx);
	assert_int_equal(ask_hosts(e, cookie), 200);
	assert_int_equal(ask_hosts(e, "Cookie: rm_session=short\r\n"), 401);
	assert_int_equal(ask_hosts(e, "Cookie: rm_session=\r\n"), 401);
	assert_int_equal(ask_hosts(e, "Cookie: rm_sessionx=1\r\n"), 401);
}

static void
signing_in_and_out_leaves_audit_rows(void **state)
{
	struct edge *e = *state;
	struct audit a;
	char cookie[128];

	make_ann(e, cookie, sizeof(cookie));
	edge_post(e, "/api/auth/login", "", ADMIN);
	assert_int_equal(e->status, 200);
	assert_string_equal(latest(e).action, "auth.login");
	edge_post(e, "/api/auth/login", "", WRONG);
	assert_int_equal(e->status, 401);
	a = latest(e);
	assert_string_equal(a.action, "auth.login_failed");
	assert_string_equal(a.name, "ann");
	edge_post(e, "/api/auth/login", "",
	    "{\"username\":\"my-secret\",\"password\":\"oops\"}");
	assert_int_equal(e->status, 401);
	a = latest(e);
	assert_string_equal(a.action, "auth.login_failed");
	assert_string_equal(a.name, "");
	edge_post(e, "/api/auth/logout", cookie, "");
	assert_int_equal(e->status, 204);
	assert_string_equal(latest(e).action, "auth.logout");
	assert_int_equal(ask_hosts(e, cookie), 401);
}

/* M-021 */
static void
a_disabled_user_is_out_at_once(void **state)
{
	struct edge *e = *state;
	char cookie[128];

	make_ann(e, cookie, sizeof(cookie));
	assert_int_equal(ask_hosts(e, cookie), 200);
	disable_ann(e);
	assert_int_equal(ask_hosts(e, cookie), 401);
	edge_post(e, "/api/auth/login", "", ADMIN);
	assert_int_equal(e->status, 401);
}

/* M-032, M-034: the role counts at each request, not at sign-in. */
static void
a_lower_role_is_refused_at_once(void **state)
{
	static const char body[] =
	    "{\"hostname\":\"web-1\",\"repo_url\":\"/srv/r\"}";
	struct edge *e = *state;
	char cookie[128];

	make_ann(e, cookie, sizeof(cookie));
	demote_ann(e, REC__ROLE__ROLE_OPERATOR);
	edge_post(e, "/api/enrollment-tokens", cookie, "{}");
	assert_int_equal(e->status, 422);
	demote_ann(e, REC__ROLE__ROLE_VIEWER);
	edge_post(e, "/api/enrollment-tokens", cookie, body);
	assert_int_equal(e->status, 403);
	assert_true(edge_said(e, "{\"code\":\"forbidden\""));
	assert_true(edge_said(e, "operator"));
	assert_int_equal(ask_hosts(e, cookie), 200);
	demote_ann(e, REC__ROLE__ROLE_NONE);
	assert_int_equal(ask_hosts(e, cookie), 401);
}

static void
a_session_ends_after_a_day(void **state)
{
	struct edge *e = *state;
	int64_t now = clock_now_ms(), mono = clock_mono_ms();
	char cookie[128];

	make_ann(e, cookie, sizeof(cookie));
	now += (int64_t)AUTH_SESSION_S * 1000;
	clock_fake(now - 10000, mono);
	assert_int_equal(ask_hosts(e, cookie), 200);
	clock_fake(now + 10000, mono);
	assert_int_equal(ask_hosts(e, cookie), 401);
	clock_fake(-1, -1);
}

/* The answer is ready when nobody is there to take it. */
static void
a_client_that_leaves_takes_nothing_back(void **state)
{
	struct edge *e = *state;

	edge_connect(e, "POST /api/bootstrap HTTP/1.1\r\nHost: localhost\r\n"
	                "Content-Type: application/json\r\n"
	                "Content-Length: 47\r\n\r\n" ADMIN);
	e->until = NULL;
	loop_timer_start(e->tick, EDGE_TICK_MS, EDGE_TICK_MS);
	e->ticks = EDGE_TICKS_MAX - 20; /* the hash takes longer */
	loop_run(e->c.loop);
	loop_timer_stop(e->tick);
	assert_int_equal(e->answer.len, 0);
	edge_disconnect(e);
	e->until = ann_exists;
	edge_run(e);
	e->until = NULL;
	assert_string_equal(latest(e).action, "auth.bootstrap");
	edge_post(e, "/api/auth/login", "", ADMIN);
	assert_int_equal(e->status, 200);
}

/* The end of the program comes while argon2 works and others wait. */
static void
attempts_under_way_do_not_outlive_the_program(void **state)
{
	struct edge *e = *state;
	int fds[4];
	size_t i;

	for (i = 0; i < 4; i++) {
		edge_connect(e,
		    "POST /api/bootstrap HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Type: application/json\r\n"
		    "Content-Length: 47\r\n\r\n" ADMIN);
		fds[i] = e->fd;
	}
	e->fd = -1;
	e->ticks = EDGE_TICKS_MAX - 10;
	loop_timer_start(e->tick, EDGE_TICK_MS, EDGE_TICK_MS);
	loop_run(e->c.loop);
	loop_timer_stop(e->tick);
	for (i = 0; i < 4; i++)
		close(fds[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(the_first_user_is_an_admin_with_an_audit_row),
		edge_test(sessions_are_found_by_their_hash_only),
		edge_test(signing_in_and_out_leaves_audit_rows),
		edge_test(a_disabled_user_is_out_at_once),
		edge_test(a_lower_role_is_refused_at_once),
		edge_test(a_session_ends_after_a_day),
		edge_test(a_client_that_leaves_takes_nothing_back),
		edge_test(attempts_under_way_do_not_outlive_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
