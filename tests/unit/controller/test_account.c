/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include "controller/auth.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define OLD "a long password"
#define NEW "another long one"
#define LOGIN(p) "{\"username\":\"ann\",\"password\":\"" p "\"}"
#define CHANGE(from, to) \
	"{\"current_password\":\"" from "\",\"new_password\":\"" to "\"}"

static void
sign_in(struct edge *e, char *cookie, size_t cap)
{
	edge_post(e, "/api/auth/login", "", LOGIN(OLD));
	assert_int_equal(e->status, 200);
	edge_cookie(e, cookie, cap);
}

static bool
take_action(void *ctx, const struct Rec__AuditEntry *a)
{
	assert_true(str_fmt(ctx, 64, "%s %s", a->action, a->target_name));
	return false;
}

static void
assert_latest(struct edge *e, const char *want)
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);
	char row[64] = "";

	audit_store_latest(tx, NULL, 1, take_action, row);
	store_abort(tx);
	arena_reset(&e->f.arena);
	assert_string_equal(row, want);
}

static void
demand_change(struct edge *e)
{
	struct store_tx *tx = store_begin_write(e->c.state, &e->f.arena);
	struct Rec__User *u = user_store_find_name(tx, STR("ann"));
	struct err err;

	assert_non_null(u);
	u->must_change_password = true;
	user_store_put(tx, u);
	assert_rc(store_commit(tx, &err), RC_OK);
	arena_reset(&e->f.arena);
}

/* M-027 */
static void
a_new_password_ends_the_other_sessions(void **state)
{
	struct edge *e = *state;
	char there[128];

	edge_make_ann(e);
	sign_in(e, there, sizeof(there));
	assert_int_equal(edge_get(e, "/api/account", e->cookie), 200);
	assert_true(edge_said(e, "\"username\":\"ann\",\"role\":\"admin\""));
	assert_true(edge_said(e, "\"sessions\":2"));
	edge_post(e, "/api/account/password", e->cookie, CHANGE(OLD, NEW));
	assert_int_equal(e->status, 200);
	assert_true(edge_said(e, "{\"sessions_ended\":1}"));
	assert_latest(e, "user.password_changed ann");
	assert_int_equal(edge_get(e, "/api/account", e->cookie), 200);
	assert_int_equal(edge_get(e, "/api/account", there), 401);
	edge_post(e, "/api/auth/login", "", LOGIN(OLD));
	assert_int_equal(e->status, 401);
	edge_post(e, "/api/auth/login", "", LOGIN(NEW));
	assert_int_equal(e->status, 200);
}

static void
the_old_password_is_asked_for(void **state)
{
	struct edge *e = *state;
	unsigned i;

	edge_make_ann(e);
	edge_post(e, "/api/account/password", e->cookie,
	    "{\"new_password\":\"" NEW "\"}");
	assert_int_equal(e->status, 422);
	edge_post(e, "/api/account/password", e->cookie, CHANGE(OLD, "short"));
	assert_int_equal(e->status, 422);
	assert_true(edge_said(e, "12 characters"));
	for (i = 0; i < 5; i++) {
		edge_post(e, "/api/account/password", e->cookie,
		    CHANGE("wrong", NEW));
		assert_int_equal(e->status, 422);
		assert_true(edge_said(e, "\"wrong_password\""));
	}
	edge_post(e, "/api/account/password", e->cookie, CHANGE("wrong", NEW));
	assert_int_equal(e->status, 429);
	assert_true(edge_said(e, "\r\nretry-after: "));
	assert_int_equal(edge_get(e, "/api/account", e->cookie), 200);
}

/* M-027: the flag leaves nothing but the change, which asks for no old
 * password. */
static void
who_must_change_it_can_do_nothing_else(void **state)
{
	struct edge *e = *state;

	edge_make_ann(e);
	demand_change(e);
	assert_int_equal(edge_get(e, "/api/hosts", e->cookie), 403);
	assert_true(edge_said(e, "\"password_change_required\""));
	assert_int_equal(edge_get(e, "/", e->cookie), 303);
	assert_true(edge_said(e, "location: /settings/account\r\n"));
	edge_post(e, "/api/tokens", e->cookie,
	    "{\"name\":\"n\",\"role\":\"viewer\",\"expires_in_days\":1}");
	assert_int_equal(e->status, 403);
	assert_int_equal(edge_get(e, "/api/account", e->cookie), 200);
	assert_true(edge_said(e, "\"must_change_password\":true"));
	assert_int_equal(edge_get(e, "/healthz", e->cookie), 204);
	edge_post(e, "/api/account/password", e->cookie,
	    "{\"new_password\":\"" NEW "\"}");
	assert_int_equal(e->status, 200);
	assert_int_equal(edge_get(e, "/api/hosts", e->cookie), 200);
}

/* Kept for the one who made it, once, and not for long. */
static void
secrets_are_shown_once(void **state)
{
	struct ulid ann = { { 1 } }, bob = { { 2 } }, about = { { 3 } };
	int64_t now = clock_now_ms(), mono = clock_mono_ms();
	struct shown *s = shown_new();
	struct secret out = { 0 };
	unsigned i;

	(void)state;
	shown_keep(s, &ann, &about, STR("first"));
	shown_keep(s, &ann, &about, STR("second"));
	assert_int_equal(shown_count(s), 1);
	assert_false(shown_take(s, &bob, &about, &out));
	assert_true(shown_take(s, &ann, &about, &out));
	assert_str(secret_str(&out), "second");
	secret_fini(&out);
	assert_false(shown_take(s, &ann, &about, &out));
	clock_fake(now, mono);
	shown_keep(s, &ann, &about, STR("late"));
	clock_fake(now, mono + SHOWN_MS);
	shown_keep(s, &bob, &about, STR("fresh"));
	assert_false(shown_take(s, &ann, &about, &out));
	shown_keep(s, &ann, &about, STR("swept"));
	clock_fake(now, mono + 2 * SHOWN_MS);
	shown_tick(s);
	assert_int_equal(shown_count(s), 0);
	for (i = 0; i < SHOWN_MAX + 5; i++) {
		memcpy(about.b, &i, sizeof(i));
		shown_keep(s, &ann, &about, STR("many"));
	}
	assert_int_equal(shown_count(s), SHOWN_MAX);
	shown_free(s);
	clock_fake(-1, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(a_new_password_ends_the_other_sessions),
		edge_test(the_old_password_is_asked_for),
		edge_test(who_must_change_it_can_do_nothing_else),
		cmocka_unit_test(secrets_are_shown_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
