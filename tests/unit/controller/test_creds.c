/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/creds_help.h"

#include "lib/store/audit_store.h"

/* ------------------------------------------------------------ what is taken */

static void
urls_hold_no_credentials(void **state)
{
	static const char *const good[] = { "/srv/repo", "sftp:ann@nas:/repo",
		"rest:https://backup.example:8000/web-1/",
		"rest:https://backup.example/a@b", "rest:https://u@backup",
		"sftp://u@backup:2222//srv/x", "s3:https://s3/bucket",
		"rest:https://backup:8000/a@b", "rest:https://u@[::1]:8000/a@b",
		"rest:https://[2001:db8::1]:8000/a@b", "b2:bucket:path" };
	static const char *const bad[] = { "", "rest:https://u:p@backup/x",
		"https://u:p@backup", "https://u:p/q@backup",
		"https://u:@backup", "https://[:p@backup",
		"https://u[x:p/q@backup", "rest:a\nb", "/srv/\x7f" };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_rc(creds_check_url(good[i], &e), RC_OK);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_rc(creds_check_url(bad[i], &e), RC_INVALID);
	assert_rc(creds_check_url(NULL, &e), RC_INVALID);
	assert_rc(creds_check_username("u\tv", &e), RC_INVALID);
	assert_rc(creds_check_password("p\rq", &e), RC_INVALID);
	assert_null(strstr(e.msg, "p\rq"));
	assert_rc(creds_check_username(NULL, &e), RC_OK);
	assert_rc(creds_check_password("ä ö", &e), RC_OK);
}

static void
refused_urls_come_back_without_credentials(void **state)
{
	static const char *const rows[][2] = {
		{ "rest:https://u:p@backup/x", "rest:https://backup/x" },
		{ "rest:https://u:p@q@backup/x", "rest:https://backup/x" },
		{ "rest:https://u:p/q@backup/x", "rest:https://backup/x" },
		{ "https://u:p@", "https://" },
		{ "rest:https://u@backup:8000/a@b",
		    "rest:https://u@backup:8000/a@b" },
		{ "/srv/a:b@c", "/srv/a:b@c" },
		{ "", "" },
	};
	struct arena a;
	size_t i;

	(void)state;
	arena_init(&a, KIB(4));
	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_eqz(creds_url_again(&a, str_of(rows[i][0])),
		    rows[i][1]));
	arena_fini(&a);
}

/* What is stored goes to the server it was given for, and nowhere else. */
static void
places_are_servers(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} pairs[] = {
		{ "/srv/a", "/mnt/b", true },
		{ "C:\\repo", "/srv/a", true },
		{ "rest:https://vault:8000/a/", "rest:https://VAULT:8000/b",
		    true },
		{ "rest:https://ann@vault/a", "rest:https://vault/a/b@c",
		    true },
		{ "rest:https://vault/a", "rest:http://vault/a", false },
		{ "rest:https://vault/a", "rest:https://vault:8000/a", false },
		{ "rest:https://vault/a", "rest:https://evil/vault/a", false },
		{ "rest:https://vault/a", "rest:https://vault@evil/a", false },
		{ "rest:https://vault/a", "/srv/a", false },
		{ "sftp:ann@nas:/a", "sftp:bob@nas:/b", true },
		{ "sftp:ann@nas:/a", "sftp:ann@evil:/a", false },
		{ "sftp://ann@nas:22//a", "sftp://ann@nas:2222//a", false },
		{ "s3:s3.example/a", "s3:s3.example/b", true },
		{ "s3:https://s3.example/a", "s3:https://s3.evil/a", false },
		{ "b2:mine:a", "b2:mine:b", true },
		{ "b2:mine:a", "b2:other:a", false },
		{ "rclone:nas:a", "rclone:evil:a", false },
		{ "", "rest:https://vault/a", false },
	};
	char far[CREDS_URL_MAX], further[CREDS_URL_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(creds_same_place(pairs[i].a, pairs[i].b),
		    pairs[i].same);
		assert_int_equal(creds_same_place(pairs[i].b, pairs[i].a),
		    pairs[i].same);
		assert_true(creds_same_place(pairs[i].a, pairs[i].a));
	}
	assert_true(str_fmt(far, sizeof(far), "rest:https://%0900d/a", 1));
	assert_true(
	    str_fmt(further, sizeof(further), "rest:https://%0900d/a", 2));
	assert_true(creds_same_place(far, far));
	assert_false(creds_same_place(far, further));
}

/* M-205, M-209: the same text is sealed differently each time, opens for its
 * own row only, and holds nothing in clear. */
static void
blobs_are_bound_to_their_row(void **state)
{
	struct Rec__RepoSecret s = secret_of("/srv/url", "ann", "canary-9c1");
	struct Rec__RepoSecret *out = NULL;
	char ad[CREDS_AD_CAP], wrong[CREDS_AD_CAP];
	struct arena a;
	struct buf one, two;

	(void)state;
	arena_init(&a, KIB(64));
	buf_init(&one, CREDS_SEALED_MAX);
	buf_init(&two, CREDS_SEALED_MAX);
	creds_host_ad(&host, CREDS_REPO, ad);
	creds_host_ad(&other, CREDS_REPO, wrong);
	assert_rc(creds_seal(key, ad, &s, &one), RC_OK);
	assert_rc(creds_seal(key, ad, &s, &two), RC_OK);
	assert_false(str_eq(buf_str(&one), buf_str(&two)));
	assert_false(str_contains(buf_str(&one), STR("canary-9c1")));
	assert_false(str_contains(buf_str(&one), STR("/srv/url")));
	assert_rc(creds_open(key, wrong, buf_str(&one), &a, &out), RC_CORRUPT);
	assert_rc(creds_open(other_key, ad, buf_str(&one), &a, &out),
	    RC_CORRUPT);
	assert_null(out);
	assert_rc(creds_open(key, ad, buf_str(&one), &a, &out), RC_OK);
	assert_string_equal(out->url, "/srv/url");
	assert_string_equal(out->username, "ann");
	assert_string_equal(out->password, "canary-9c1");
	creds_wipe(out);
	assert_string_equal(out->password, "");
	creds_wipe(NULL);
	buf_fini(&one);
	buf_fini(&two);
	arena_fini(&a);
}

static void
longer_credentials_than_fit_are_refused(void **state)
{
	static char huge[CREDS_PLAIN_MAX + 1];
	struct Rec__RepoSecret s;
	struct buf b;

	(void)state;
	memset(huge, 'x', CREDS_PLAIN_MAX);
	s = secret_of("/srv", "ann", huge);
	buf_init(&b, CREDS_SEALED_MAX);
	assert_rc(creds_seal(key, "host:x:repo", &s, &b), RC_LIMIT);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

/* M-202, M-210: nothing given is nothing changed, but tried again. */
static void
blank_fields_keep_what_is_stored(void **state)
{
	struct creds_edit ed = { .url = "", .username = "" };
	struct fixture *f = *state;
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &ed, &e), RC_OK);
	assert_stored(f, "/old", "ann", "old-password");
	assert_false(ed.new_password);
	tx = fixture_read(f);
	h = host_store_get(tx, &host);
	assert_int_equal(h->config_version, 5);
	assert_int_equal(h->repo_status, REC__REPO_STATUS__REPO_UNKNOWN);
	assert_string_equal(h->repo_status_error, "");
	assert_memory_equal(h->init_job.data, ed.job.b, sizeof(ed.job.b));
	fixture_end(tx);
}

static void
given_fields_replace_what_is_stored(void **state)
{
	struct creds_edit url = { .url = "/new" };
	struct creds_edit name = { .username = "bob" };
	struct creds_edit word = { .password = text("new-password") };
	struct fixture *f = *state;
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &url, &e), RC_OK);
	assert_stored(f, "/new", "ann", "old-password");
	assert_rc(edit(f, &name, &e), RC_OK);
	assert_stored(f, "/new", "bob", "old-password");
	assert_rc(edit(f, &word, &e), RC_OK);
	assert_stored(f, "/new", "bob", "new-password");
	tx = fixture_read(f);
	h = host_store_get(tx, &host);
	assert_string_equal(h->repo_url, "/new");
	assert_string_equal(h->repo_username, "bob");
	assert_int_equal(h->config_version, 7);
	fixture_end(tx);
}

/* M-211: who and what, without the secret. */
static bool
creds_on_audit(void *ctx, const struct Rec__AuditEntry *a)
{
	unsigned *seen = ctx;

	(*seen)++;
	assert_string_equal(a->action, "host.repo_credentials");
	assert_string_equal(a->actor_name, "ann");
	assert_string_equal(a->target_name, "web-1");
	assert_non_null(strstr(a->payload, "\"password_changed\":true"));
	assert_non_null(strstr(a->payload, "\"repo_url\":\"/new\""));
	assert_null(strstr(a->payload, "canary"));
	return true;
}

static void
an_edit_is_audited_without_the_secret(void **state)
{
	struct creds_edit ed = { .url = "/new", .password = text("canary") };
	struct fixture *f = *state;
	struct store_tx *tx;
	unsigned seen = 0;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &ed, &e), RC_OK);
	tx = fixture_read(f);
	audit_store_latest(tx, NULL, 10, creds_on_audit, &seen);
	fixture_end(tx);
	assert_int_equal(seen, 1);
}

static void
sent(struct fixture *f, const struct ulid *job)
{
	struct store_tx *tx = fixture_write(f);
	struct Rec__Job *j = job_store_get(tx, job);

	assert_int_equal(j->kind, REC__JOB_KIND__KIND_INIT);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_QUEUED);
	assert_int_equal(j->actor_kind, REC__ACTOR_KIND__ACTOR_USER);
	j->sent_at_ms = 1;
	job_store_put(tx, j);
	fixture_commit(tx);
}

/* An init that an agent may have begun with the old ones proves nothing. */
static void
each_edit_is_tried_by_an_init_that_has_not_begun(void **state)
{
	struct creds_edit one = { 0 }, two = { 0 }, three = { 0 };
	struct fixture *f = *state;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &one, &e), RC_OK);
	assert_rc(edit(f, &two, &e), RC_OK);
	assert_true(ulid_eq(&one.job, &two.job));
	sent(f, &one.job);
	assert_rc(edit(f, &three, &e), RC_OK);
	assert_false(ulid_eq(&one.job, &three.job));
}

/* With a lost secret key the password has to be typed again. */
static void
credentials_that_do_not_open_can_be_replaced(void **state)
{
	struct creds_edit url = { .url = "/new" };
	struct creds_edit all = { .password = text("typed again") };
	struct fixture *f = *state;
	struct err e;

	put_ready_host(f, other_key);
	assert_rc(edit(f, &url, &e), RC_CORRUPT);
	assert_non_null(strstr(e.msg, "repo_password"));
	assert_rc(edit(f, &all, &e), RC_OK);
	assert_stored(f, "/old", "ann", "typed again");
}

static void
a_host_without_credentials_gets_them(void **state)
{
	struct creds_edit url = { .url = "/new" };
	struct creds_edit all = { .url = "/new", .password = text("first") };
	struct fixture *f = *state;
	struct err e;

	put_ready_host(f, NULL);
	assert_rc(edit(f, &url, &e), RC_INVALID);
	assert_rc(edit(f, &all, &e), RC_OK);
	assert_stored(f, "/new", "ann", "first");
}

static void
an_edit_of_no_host_is_refused(void **state)
{
	struct creds_edit ed = { .host = other, .url = "/new" };
	struct fixture *f = *state;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &ed, &e), RC_NOTFOUND);
	assert_stored(f, "/old", "ann", "old-password");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_hold_no_credentials),
		cmocka_unit_test(refused_urls_come_back_without_credentials),
		cmocka_unit_test(places_are_servers),
		cmocka_unit_test(blobs_are_bound_to_their_row),
		cmocka_unit_test(longer_credentials_than_fit_are_refused),
		store_test(blank_fields_keep_what_is_stored),
		store_test(given_fields_replace_what_is_stored),
		store_test(an_edit_is_audited_without_the_secret),
		store_test(each_edit_is_tried_by_an_init_that_has_not_begun),
		store_test(credentials_that_do_not_open_can_be_replaced),
		store_test(a_host_without_credentials_gets_them),
		store_test(an_edit_of_no_host_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
