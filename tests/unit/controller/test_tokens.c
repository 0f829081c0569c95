/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include "controller/auth.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

#define NEW "{\"name\":\"nightly\",\"role\":\"%s\",\"expires_in_days\":%d}"

struct made {
	char token[TOKENS_TEXT_CAP];
	char id[ULID_TEXT_CAP];
	char bearer[128]; /* a header line */
};

static void
take(const struct edge *e, const char *name, char *dst, size_t cap)
{
	char member[32];
	const char *at;

	assert_true(str_fmt(member, sizeof(member), "\"%s\":\"", name));
	at = strstr(buf_text(&e->answer), member);
	assert_non_null(at);
	at += strlen(member);
	assert_true(str_copy(dst, cap, str_from(at, strcspn(at, "\""))));
}

static struct made
make_token(struct edge *e, const char *fields, const char *role, int days)
{
	struct made m;
	char body[128];

	assert_true(str_fmt(body, sizeof(body), NEW, role, days));
	edge_post(e, "/api/tokens", fields, body);
	assert_int_equal(e->status, 201);
	take(e, "token", m.token, sizeof(m.token));
	take(e, "id", m.id, sizeof(m.id));
	assert_true(str_fmt(m.bearer, sizeof(m.bearer),
	    "Authorization: Bearer %s\r\n", m.token));
	return m;
}

static unsigned
ask(struct edge *e, const char *method, const char *path, const char *fields)
{
	char request[1024];

	assert_true(str_fmt(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path,
	    fields));
	edge_ask(e, request);
	return e->status;
}

static void
change_ann(struct edge *e, Rec__Role role, int64_t disabled_at_ms)
{
	struct store_tx *tx = store_begin_write(e->c.state, &e->f.arena);
	struct Rec__User *u = user_store_find_name(tx, STR("ann"));
	struct err err;

	assert_non_null(u);
	u->role = role;
	u->disabled_at_ms = disabled_at_ms;
	user_store_put(tx, u);
	assert_rc(store_commit(tx, &err), RC_OK);
	arena_reset(&e->f.arena);
}

static bool
take_action(void *ctx, const struct Rec__AuditEntry *a)
{
	char *out = ctx;

	assert_true(str_fmt(out, 256, "%s %s %s", a->action, a->target_name,
	    a->payload));
	return false;
}

static void
latest(struct edge *e, char out[256])
{
	struct store_tx *tx = store_begin_read(e->c.state, &e->f.arena);

	audit_store_latest(tx, NULL, 1, take_action, out);
	store_abort(tx);
	arena_reset(&e->f.arena);
}

static void
a_token_signs_in_and_is_stored_as_its_hash(void **state)
{
	struct edge *e = *state;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct store_tx *tx;
	struct ulid id, owner;
	struct made m;
	char row[256];

	edge_make_ann(e);
	m = make_token(e, e->cookie, "operator", 90);
	assert_true(str_starts(str_of(m.token), STR("rmt_")));
	assert_int_equal(strlen(m.token), 4 + 43);
	latest(e, row);
	assert_true(str_starts(str_of(row), STR("token.created nightly {")));
	assert_null(strstr(row, m.token));
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 200);
	crypt_sha256(str_of(m.token), hash);
	tx = store_begin_read(e->c.vault, NULL);
	assert_true(vault_owner_of_ticket(tx, VAULT_API_TOKEN, hash, &id));
	store_abort(tx);
	assert_true(ulid_parse(str_of(m.id), &owner));
	assert_true(ulid_eq(&id, &owner));
}

static void
the_lower_role_counts_at_each_request(void **state)
{
	struct edge *e = *state;
	struct made high, low;

	edge_make_ann(e);
	high = make_token(e, e->cookie, "admin", 1);
	low = make_token(e, e->cookie, "viewer", 1);
	edge_post(e, "/api/enrollment-tokens", low.bearer, "{}");
	assert_int_equal(e->status, 403);
	edge_post(e, "/api/enrollment-tokens", high.bearer, "{}");
	assert_int_equal(e->status, 422);
	change_ann(e, REC__ROLE__ROLE_VIEWER, 0);
	edge_post(e, "/api/enrollment-tokens", high.bearer, "{}");
	assert_int_equal(e->status, 403);
	assert_int_equal(ask(e, "GET", "/api/hosts", high.bearer), 200);
	change_ann(e, REC__ROLE__ROLE_VIEWER, 1);
	assert_int_equal(ask(e, "GET", "/api/hosts", high.bearer), 401);
}

static void
nobody_makes_more_than_he_is(void **state)
{
	struct edge *e = *state;
	struct made m;
	char body[128];

	edge_make_ann(e);
	m = make_token(e, e->cookie, "operator", 10);
	/* By the token: no more role, no longer life. */
	edge_post(e, "/api/tokens", m.bearer,
	    "{\"name\":\"n\",\"role\":\"admin\",\"expires_in_days\":1}");
	assert_int_equal(e->status, 422);
	edge_post(e, "/api/tokens", m.bearer,
	    "{\"name\":\"n\",\"role\":\"viewer\",\"expires_in_days\":11}");
	assert_int_equal(e->status, 422);
	(void)make_token(e, m.bearer, "viewer", 9);
	change_ann(e, REC__ROLE__ROLE_VIEWER, 0);
	assert_true(str_fmt(body, sizeof(body), NEW, "operator", 1));
	edge_post(e, "/api/tokens", e->cookie, body);
	assert_int_equal(e->status, 422);
}

static void
bad_input_is_named(void **state)
{
	static const char *const bad[] = {
		"{\"name\":\"\",\"role\":\"viewer\",\"expires_in_days\":1}",
		"{\"name\":\"  \",\"role\":\"viewer\",\"expires_in_days\":1}",
		"{\"name\":\"a\\u0007\",\"role\":\"viewer\","
		"\"expires_in_days\":1}",
		"{\"name\":\"n\",\"role\":\"root\",\"expires_in_days\":1}",
		"{\"name\":\"n\",\"role\":\"viewer\",\"expires_in_days\":0}",
		"{\"name\":\"n\",\"role\":\"viewer\",\"expires_in_days\":366}",
		"{\"name\":\"n\",\"role\":\"viewer\"}",
		"{\"name\":\"0123456789012345678901234567890123456789012345678"
		"901234567890123456\",\"role\":\"viewer\","
		"\"expires_in_days\":1}",
	};
	struct edge *e = *state;
	size_t i;

	edge_make_ann(e);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		edge_post(e, "/api/tokens", e->cookie, bad[i]);
		assert_int_equal(e->status, 422);
	}
}

static void
a_bearer_needs_no_origin_and_wins_over_the_cookie(void **state)
{
	static const char body[] =
	    "{\"hostname\":\"web-1\",\"repo_url\":\"/srv/r\"}";
	struct edge *e = *state;
	char fields[512];
	struct made m;

	edge_make_ann(e);
	m = make_token(e, e->cookie, "viewer", 1);
	assert_true(str_fmt(fields, sizeof(fields),
	    "%s%sOrigin: https://other.example\r\n", e->cookie, m.bearer));
	edge_post(e, "/api/enrollment-tokens", fields, body);
	assert_int_equal(e->status, 403);
	assert_true(edge_said(e, "\"forbidden\""));
	assert_int_equal(ask(e, "GET", "/api/hosts", fields), 200);
	assert_true(str_fmt(fields, sizeof(fields),
	    "%sAuthorization: Bearer rmt_unknown\r\n", e->cookie));
	assert_int_equal(ask(e, "GET", "/api/hosts", fields), 401);
	/* Another scheme, another bearer: the cookie counts. */
	assert_true(str_fmt(fields, sizeof(fields),
	    "%sAuthorization: Bearer something\r\n", e->cookie));
	assert_int_equal(ask(e, "GET", "/api/hosts", fields), 200);
	assert_true(str_fmt(fields, sizeof(fields),
	    "%sAuthorization: Basic rmt_x\r\n", e->cookie));
	assert_int_equal(ask(e, "GET", "/api/hosts", fields), 200);
	edge_post(e, "/api/auth/logout", m.bearer, "");
	assert_int_equal(e->status, 422);
}

static void
revoking_ends_it_at_once(void **state)
{
	struct edge *e = *state;
	char path[64], row[256];
	struct made m;

	edge_make_ann(e);
	m = make_token(e, e->cookie, "viewer", 1);
	assert_int_equal(ask(e, "GET", "/api/tokens", m.bearer), 200);
	assert_true(edge_said(e, m.id));
	assert_false(edge_said(e, m.token));
	assert_true(str_fmt(path, sizeof(path), "/api/tokens/%s", m.id));
	assert_int_equal(ask(e, "DELETE", path, e->cookie), 204);
	latest(e, row);
	assert_true(str_starts(str_of(row), STR("token.revoked nightly")));
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 401);
	assert_int_equal(ask(e, "DELETE", path, e->cookie), 404);
	assert_int_equal(ask(e, "DELETE", "/api/tokens/x", e->cookie), 404);
	assert_int_equal(ask(e, "GET", "/api/tokens", e->cookie), 200);
	assert_true(edge_said(e, "\"items\":[],\"total\":0"));
}

static void
fifty_a_user(void **state)
{
	struct edge *e = *state;
	char body[128];
	int i;

	edge_make_ann(e);
	for (i = 0; i < TOKENS_PER_USER_MAX; i++)
		(void)make_token(e, e->cookie, "viewer", 1);
	assert_true(str_fmt(body, sizeof(body), NEW, "viewer", 1));
	edge_post(e, "/api/tokens", e->cookie, body);
	assert_int_equal(e->status, 409);
	assert_int_equal(ask(e, "GET", "/api/tokens?page=2&per_page=40",
	                     e->cookie),
	    200);
	assert_true(edge_said(e, "\"total\":50,\"page\":2,\"per_page\":40"));
	assert_int_equal(ask(e, "GET", "/api/tokens?page=0", e->cookie), 422);
	assert_int_equal(ask(e, "GET", "/api/tokens?per_page=501", e->cookie),
	    422);
}

static struct Rec__ApiToken *
stored(struct edge *e, const char *id)
{
	struct store_tx *tx;
	struct Rec__ApiToken *t;
	struct ulid u;

	arena_reset(&e->f.arena);
	assert_true(ulid_parse(str_of(id), &u));
	tx = store_begin_read(e->c.state, &e->f.arena);
	t = token_store_find(tx, &u);
	store_abort(tx);
	return t;
}

static const char *watched;

static bool
was_used(struct edge *e)
{
	return stored(e, watched)->last_used_at_ms != 0;
}

static bool
is_gone(struct edge *e)
{
	return stored(e, watched) == NULL;
}

static void
uses_are_stored_by_the_minute(void **state)
{
	struct edge *e = *state;
	struct op_stats before, after;
	struct made m;

	edge_make_ann(e);
	m = make_token(e, e->cookie, "viewer", 1);
	op_queue_stats(e->c.ops, &before);
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 200);
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 200);
	op_queue_stats(e->c.ops, &after);
	assert_int_equal(before.ops, after.ops);
	assert_int_equal(stored(e, m.id)->last_used_at_ms, 0);
	tokens_tick(e->c.tokens);
	watched = m.id;
	e->until = was_used;
	edge_run(e);
	e->until = NULL;
	/* Used a moment ago: nothing to store. */
	op_queue_stats(e->c.ops, &before);
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 200);
	tokens_tick(e->c.tokens);
	op_queue_stats(e->c.ops, &after);
	assert_int_equal(before.ops, after.ops);
	assert_int_equal(ask(e, "GET", "/api/tokens", e->cookie), 200);
	assert_false(edge_said(e, "\"last_used_at\":null"));
}

static void
expired_tokens_are_dead_and_swept(void **state)
{
	struct edge *e = *state;
	int64_t now = clock_now_ms(), mono = clock_mono_ms();
	struct made m;

	edge_make_ann(e);
	m = make_token(e, e->cookie, "viewer", 1);
	now += 86400000;
	clock_fake(now - 5000, mono);
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 200);
	clock_fake(now + 5000, mono);
	assert_int_equal(ask(e, "GET", "/api/hosts", m.bearer), 401);
	tokens_tick(e->c.tokens);
	watched = m.id;
	e->until = is_gone;
	edge_run(e);
	e->until = NULL;
	clock_fake(-1, -1);
}

static void
guessing_is_slowed_down(void **state)
{
	struct edge *e = *state;
	struct made used;
	unsigned i, refused = 0;

	edge_make_ann(e);
	used = make_token(e, e->cookie, "viewer", 1);
	assert_int_equal(ask(e, "GET", "/api/hosts", used.bearer), 200);
	for (i = 0; i < 10; i++)
		refused += ask(e, "GET", "/api/version",
		               "Authorization: Bearer rmt_guess\r\n") == 429;
	assert_true(refused > 0);
	assert_true(edge_said(e, "\r\nretry-after: "));
	/* Its owner goes on; the password is another counter. */
	assert_int_equal(ask(e, "GET", "/api/hosts", used.bearer), 200);
	edge_post(e, "/api/auth/login", "", EDGE_ANN);
	assert_int_equal(e->status, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(a_token_signs_in_and_is_stored_as_its_hash),
		edge_test(the_lower_role_counts_at_each_request),
		edge_test(nobody_makes_more_than_he_is),
		edge_test(bad_input_is_named),
		edge_test(a_bearer_needs_no_origin_and_wins_over_the_cookie),
		edge_test(revoking_ends_it_at_once),
		edge_test(fifty_a_user),
		edge_test(uses_are_stored_by_the_minute),
		edge_test(expired_tokens_are_dead_and_swept),
		edge_test(guessing_is_slowed_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
