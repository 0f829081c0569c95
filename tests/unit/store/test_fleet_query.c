/* SPDX-License-Identifier: GPL-3.0-or-later */
/* M-307, M-323: the one filter of hosts. */
#include "lib/store/fleet_query.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/fleet_store.h"

/* web-01: prod, web; linux/amd64; failed; online; ready; behind. */
static struct fleet_host
web(struct Rec__Host *h)
{
	static char *tags[2];
	static struct ulid id;

	tags[0] = text("prod");
	tags[1] = text("Web");
	id = id_n(1, 1);
	rec__host__init(h);
	h->id = id_bytes(&id);
	h->name = text("Web-01");
	h->os = text("linux");
	h->arch = text("amd64");
	h->agent_version = text("0.0.1");
	h->tags = tags;
	h->n_tags = 2;
	h->online = true;
	h->repo_status = REC__REPO_STATUS__REPO_READY;
	return (struct fleet_host){ .host = h, .state = STATUS_FAILED };
}

static void
words_that_fit_and_words_that_do_not(void **state)
{
	static const struct {
		const char *text;
		bool fits;
	} rows[] = {
		{ "", true },
		{ "   ", true },
		{ "web", true },
		{ "WEB-0", true },
		{ "b-01 we", true },
		{ "db", false },
		{ "-db", true },
		{ "-web", false },
		{ "tag:prod", true },
		{ "TAG:PROD tag:web", true },
		{ "tag:pro", false },
		{ "-tag:office", true },
		{ "-tag:prod", false },
		{ "tag:office,prod", true },
		{ "tag:,", false },
		{ "tag:a,b", false },
		{ "os:linux", true },
		{ "os:windows", false },
		{ "-os:windows", true },
		{ "arch:amd64", true },
		{ "state:failed", true },
		{ "state:Failed", true },
		{ "state:ok", false },
		{ "state:ok,failed", true },
		{ "state:attention", true },
		{ "-state:attention", false },
		{ "-state:ok", true },
		{ "status:online", true },
		{ "status:offline", false },
		{ "repo:ready", true },
		{ "repo:unknown,init_failed", false },
		{ "updates:behind", true },
		{ "-updates:behind", false },
		{ "name:web", true },
		{ "\"web-01\"", true },
		{ "\"web 01\"", false },
		{ "-\"web 01\"", true },
		{ "tag:\"prod\"", true },
		{ "-", true },
		{ "state:failed,", true },
		{ "-- -", false },
		{ "--db", true },
		{ "web tag:prod -tag:office os:linux state:failed", true },
		{ "web tag:prod -tag:office os:linux state:ok", false },
		{ "tag:prod\ttag:web\r\nos:linux", true },
	};
	struct fleet_query q;
	struct Rec__Host h;
	struct fleet_host f = web(&h);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fleet_query_parse(str_of(rows[i].text), &q);
		if (q.problem[0] != '\0')
			fail_msg("%s: %s", rows[i].text, q.problem);
		if (fleet_query_fits(&q, &f) != rows[i].fits)
			fail_msg("%s: it should%s fit", rows[i].text,
			    rows[i].fits ? "" : " not");
	}
}

static void
what_is_no_filter_is_said_and_left_out(void **state)
{
	static const struct {
		const char *text;
		const char *says;
		size_t n; /* terms that are left */
	} rows[] = {
		{ "colour:red web",
		    "There is no filter colour:. Use a part of the name, or "
		    "tag:, os:, arch:, state:, status:, repo:, updates:.",
		    1 },
		{ "web state:fine",
		    "fine is nothing that state: can be; use stale, never, "
		    "failed, incomplete, running, new, ok or attention.",
		    1 },
		{ "status:up",
		    "up is nothing that status: can be; use online or "
		    "offline.",
		    0 },
		{ "repo:x",
		    "x is nothing that repo: can be; use ready, "
		    "init_failed or unknown.",
		    0 },
		{ "updates:x", "x is nothing that updates: can be; use behind.",
		    0 },
		{ "state:,", "Nothing stands behind state:,.", 0 },
		{ "web tag:", "Nothing stands behind tag:.", 1 },
		{ "-tag: web", "Nothing stands behind -tag:.", 1 },
		{ "web \"\"", "Nothing stands behind \"\".", 1 },
		{ "\"web", "The quote before web is not closed.", 1 },
		{ "a:b c:d",
		    "There is no filter a:. Use a part of the name, "
		    "or tag:, os:, arch:, state:, status:, repo:, "
		    "updates:.",
		    0 },
	};
	struct fleet_query q;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fleet_query_parse(str_of(rows[i].text), &q);
		assert_string_equal(q.problem, rows[i].says);
		assert_int_equal(q.n, rows[i].n);
	}
}

static void
length_and_number_are_bounded(void **state)
{
	struct fleet_query q;
	char big[4096];
	size_t i;

	(void)state;
	for (i = 0; i + 2 < sizeof(big); i += 2)
		memcpy(big + i, "a ", 2);
	fleet_query_parse(str_from(big, 34), &q);
	assert_int_equal(q.n, FLEET_TERMS_MAX);
	assert_string_equal(q.problem,
	    "The filter has more than 16 words; a  is left out.");
	memset(big, 'x', sizeof(big));
	fleet_query_parse(str_from(big, sizeof(big)), &q);
	assert_int_equal(q.n, 1);
	assert_int_equal(q.terms[0].value.n, FLEET_QUERY_MAX);
	assert_string_equal(q.problem, "The filter is longer than 512 bytes; "
	                               "the rest is left out.");
	/* A bad word is cut between two characters. */
	memcpy(big, "state:", 6);
	for (i = 6; i + 2 < sizeof(big); i += 3)
		memcpy(big + i, "\xe2\x82\xac", 3);
	fleet_query_parse(str_from(big, 200), &q);
	assert_int_equal(q.n, 0);
	assert_true(str_utf8_ok(str_of(q.problem)));
}

static void
assert_put(const char *text, enum fleet_key key, const char *value,
    const char *want)
{
	struct fleet_query q;
	struct buf b;

	buf_init(&b, KIB(4));
	fleet_query_parse(str_of(text), &q);
	fleet_query_put(&q, key, str_of(value), &b);
	assert_string_equal(buf_text(&b), want);
	buf_fini(&b);
}

static void
chips_rewrite_the_query(void **state)
{
	struct fleet_query q;
	struct buf b;

	(void)state;
	assert_put("web  state:ok -state:new tag:prod", FLEET_STATE, "",
	    "web -state:new tag:prod");
	assert_put("tag:prod tag:Lab -tag:lab", FLEET_TAG, "lab",
	    "tag:prod -tag:lab");
	assert_put("tag:a,b", FLEET_TAG, "a", "tag:a,b");
	assert_put("\"my host\" bad:x state:ok", FLEET_STATE, "ok",
	    "\"my host\"");
	fleet_query_parse(STR("tag:prod -tag:lab"), &q);
	assert_true(fleet_query_has(&q, FLEET_TAG, STR("PROD")));
	assert_true(fleet_query_has(&q, FLEET_TAG, STR("")));
	assert_false(fleet_query_has(&q, FLEET_TAG, STR("lab")));
	assert_false(fleet_query_has(&q, FLEET_STATE, STR("")));
	buf_init(&b, KIB(4));
	fleet_query_add(&b, FLEET_STATE, STR("ok"));
	fleet_query_add(&b, FLEET_TAG, STR("a b"));
	assert_string_equal(buf_text(&b), "state:ok tag:\"a b\"");
	buf_fini(&b);
}

/* M-307: what old links say apart from the query. */
static void
parameters_join_the_query(void **state)
{
	const struct fleet_params p = { STR(" web "), STR("offline"),
		STR("ready"), STR("prod"), STR("behind") };
	const struct fleet_params s = { .status = STR("failed") };
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	fleet_query_join(&p, &b);
	assert_string_equal(buf_text(&b),
	    "web status:offline repo:ready tag:prod updates:behind");
	buf_reset(&b);
	fleet_query_join(&s, &b);
	assert_string_equal(buf_text(&b), "state:failed");
	buf_fini(&b);
}

static void
every_state_can_be_asked_for(void **state)
{
	struct fleet_query q;
	struct Rec__Host h;
	struct fleet_host f = web(&h);
	char word[32];
	int i;

	(void)state;
	for (i = 0; i < STATUS_HOST_COUNT; i++) {
		f.state = (enum status_host)i;
		assert_true(str_fmt(word, sizeof(word), "state:%s",
		    status_host_name(f.state)));
		fleet_query_parse(str_of(word), &q);
		assert_int_equal(q.n, 1);
		assert_true(fleet_query_fits(&q, &f));
		fleet_query_parse(STR("state:attention"), &q);
		assert_int_equal(fleet_query_fits(&q, &f),
		    status_needs_attention(f.state));
	}
	/* Of a newer version. */
	h.repo_status = (Rec__RepoStatus)77;
	fleet_query_parse(STR("repo:unknown"), &q);
	assert_true(fleet_query_fits(&q, &f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_that_fit_and_words_that_do_not),
		cmocka_unit_test(what_is_no_filter_is_said_and_left_out),
		cmocka_unit_test(length_and_number_are_bounded),
		cmocka_unit_test(chips_rewrite_the_query),
		cmocka_unit_test(parameters_join_the_query),
		cmocka_unit_test(every_state_can_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
