/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/creds.h"

#include "tests/unit/store/store_fixture.h"

#include "controller/pb.h"
#include "lib/base/buf.h"
#include "lib/store/audit_store.h"
#include "lib/store/job_store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

static const uint8_t key[CRYPT_KEY_SIZE] = { 7, 7, 7 };
static const uint8_t other_key[CRYPT_KEY_SIZE] = { 8 };
static const struct ulid host = { { 1 } }, other = { { 2 } }, user = { { 3 } };

static struct Rec__RepoSecret
secret_of(const char *url, const char *username, const char *password)
{
	struct Rec__RepoSecret s = REC__REPO_SECRET__INIT;

	s.url = text(url);
	s.username = text(username);
	s.password = text(password);
	return s;
}

/* ------------------------------------------------------------ what is taken */

static void
urls_hold_no_credentials(void **state)
{
	static const char *const good[] = { "/srv/repo", "sftp:ann@nas:/repo",
		"rest:https://backup.example:8000/web-1/",
		"rest:https://backup.example/a@b", "rest:https://u@backup",
		"sftp://u@backup:2222//srv/x", "s3:https://s3/bucket",
		"rest:https://backup:8000/a@b", "rest:https://u@[::1]:8000/a@b",
		"b2:bucket:path" };
	static const char *const bad[] = { "", "rest:https://u:p@backup/x",
		"https://u:p@backup", "https://u:p/q@backup",
		"https://u:@backup", "rest:a\nb", "/srv/\x7f" };
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

/* ---------------------------------------------------------------- editing */

static void
seal_into(struct Rec__HostSecrets *s, struct buf *b, const uint8_t *with)
{
	struct Rec__RepoSecret repo = secret_of("/old", "ann", "old-password");
	char ad[CREDS_AD_CAP];

	creds_host_ad(&host, CREDS_REPO, ad);
	assert_rc(creds_seal(with, ad, &repo, b), RC_OK);
	s->sealed_repo = bytes_of(b->data, b->len);
}

/* A host whose repository is ready. */
static void
put_ready_host(struct fixture *f, const uint8_t *with)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx;
	struct buf b;

	buf_init(&b, CREDS_SEALED_MAX);
	if (with != NULL)
		seal_into(&s, &b, with);
	tx = fixture_write_vault(f);
	vault_put_host(tx, &host, &s);
	fixture_commit(tx);
	buf_fini(&b);
	h.id = id_bytes(&host);
	h.name = text("web-1");
	h.repo_url = text("/old");
	h.repo_username = text("ann");
	h.repo_status = REC__REPO_STATUS__REPO_INIT_FAILED;
	h.repo_status_error = text("it was down");
	h.config_version = 4;
	tx = fixture_write(f);
	host_store_put(tx, &h);
	fixture_commit(tx);
}

/* Runs the op as the queue would; what fails changes nothing. */
static enum rc
edit(struct fixture *f, struct creds_edit *ed, struct err *e)
{
	struct op *op = op_new(creds_put_op, NULL, NULL);
	struct store_tx *state = store_begin_write(f->state, &op->arena);
	struct store_tx *vault = store_begin_write(f->vault, &op->arena);
	enum rc rc;
	size_t i;

	ed->key = key;
	if (ulid_is_zero(&ed->host))
		ed->host = host;
	if (ed->password != NULL)
		ed->password = arena_dup(&op->arena, ed->password);
	for (i = 0; i < ed->extra.n; i++)
		if (ed->extra.v[i].value != NULL)
			ed->extra.v[i].value =
			    arena_dup(&op->arena, ed->extra.v[i].value);
	op->in = ed;
	op->actor.user = user;
	assert_true(str_fmt(op->actor.name, sizeof(op->actor.name), "ann"));
	rc = creds_put_op(state, vault, op);
	*e = store_rc(vault) != RC_OK ? *store_err(vault) : *store_err(state);
	if (rc == RC_OK) {
		fixture_commit(vault);
		fixture_commit(state);
	} else {
		store_abort(vault);
		store_abort(state);
	}
	op_free(op);
	return rc;
}

/* "NAME=value NAME=value " */
static const char *
variables(const Wire__RepoSlot *s)
{
	static char z[512];
	size_t i, n = 0;

	z[0] = '\0';
	for (i = 0; i < s->n_extra; i++)
		n += (size_t)snprintf(z + n, sizeof(z) - n, "%s=%s ",
		    s->extra[i]->name, s->extra[i]->value);
	return z;
}

struct want {
	const char *url, *username, *password, *extra;
};

/* What an agent would be given. */
static void
assert_given(struct fixture *f, enum creds_slot slot, const struct want *w)
{
	struct store_tx *tx = fixture_read_vault(f);
	Wire__RepoSlot *out = NULL;

	assert_rc(creds_for_agent(tx, key, &host, slot, &out), RC_OK);
	assert_string_equal(out->url, w->url);
	assert_string_equal(out->username, w->username);
	assert_string_equal(out->password, w->password);
	assert_string_equal(variables(out), w->extra);
	creds_wipe_slot(out);
	assert_string_equal(out->password, "");
	fixture_end(tx);
}

static void
assert_stored(struct fixture *f, const char *url, const char *username,
    const char *password)
{
	const struct want w = { url, username, password, "" };

	assert_given(f, CREDS_REPO, &w);
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

/* ------------------------------------------------------------- variables */

#define PAIRS(...)                                                 \
	{                                                          \
		.v = (struct json_pair[]){ __VA_ARGS__ },          \
		.n = sizeof((struct json_pair[]){ __VA_ARGS__ }) / \
		     sizeof(struct json_pair)                      \
	}

static void
put_s3(struct fixture *f)
{
	struct creds_edit ed = { .url = "s3:https://s3.example/a",
		.password = text("first"),
		.extra = PAIRS({ text("AWS_ACCESS_KEY_ID"), text("id-1") },
		    { text("AWS_SECRET_ACCESS_KEY"), text("canary") }) };
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &ed, &e), RC_OK);
	assert_int_equal(ed.n_names, 2);
}

/* X-05 */
static void
variables_are_kept_replaced_and_removed(void **state)
{
	const struct want one = { "s3:https://s3.example/a", "ann", "first",
		"AWS_ACCESS_KEY_ID=id-1 AWS_SECRET_ACCESS_KEY=canary " };
	const struct want two = { "s3:https://s3.example/b", "ann", "first",
		"AWS_SECRET_ACCESS_KEY=canary AWS_ACCESS_KEY_ID=id-2 " };
	const struct want three = { "s3:https://s3.example/b", "ann", "first",
		"AWS_ACCESS_KEY_ID=id-2 " };
	struct creds_edit path = { .url = two.url,
		.extra = PAIRS({ text("AWS_ACCESS_KEY_ID"), text("id-2") }) };
	struct creds_edit drop = {
		.extra = PAIRS({ text("AWS_SECRET_ACCESS_KEY"), NULL })
	};
	struct fixture *f = *state;
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct err e;

	put_s3(f);
	assert_given(f, CREDS_REPO, &one);
	assert_rc(edit(f, &path, &e), RC_OK);
	assert_given(f, CREDS_REPO, &two);
	assert_rc(edit(f, &drop, &e), RC_OK);
	assert_given(f, CREDS_REPO, &three);
	tx = fixture_read(f);
	h = host_store_get(tx, &host);
	assert_int_equal(h->n_extra_names, 1);
	assert_string_equal(h->extra_names[0], "AWS_ACCESS_KEY_ID");
	fixture_end(tx);
}

static void
variables_do_not_follow_to_another_server(void **state)
{
	const struct want want = { "s3:https://s3.evil/a", "ann", "again",
		"AWS_ACCESS_KEY_ID=other " };
	struct creds_edit url = { .url = want.url };
	struct creds_edit all = { .url = want.url,
		.password = text("again"),
		.extra = PAIRS({ text("AWS_ACCESS_KEY_ID"), text("other") }) };
	struct fixture *f = *state;
	struct err e;

	put_s3(f);
	assert_rc(edit(f, &url, &e), RC_INVALID);
	assert_string_equal(e.code, "password_required");
	assert_rc(edit(f, &all, &e), RC_OK);
	assert_given(f, CREDS_REPO, &want);
}

static void
other_variables_are_refused(void **state)
{
	struct creds_edit path = { .extra = PAIRS({ text("LD_PRELOAD"),
		                       text("/tmp/canary.so") }) };
	struct creds_edit foreign = {
		.extra = PAIRS({ text("B2_ACCOUNT_ID"), text("canary") })
	};
	struct creds_edit lines = { .extra = PAIRS({ text("AWS_ACCESS_KEY_ID"),
		                        text("canary\nX=y") }) };
	struct fixture *f = *state;
	struct err e;

	put_s3(f);
	assert_rc(edit(f, &path, &e), RC_INVALID);
	assert_non_null(strstr(e.msg, "LD_PRELOAD"));
	assert_rc(edit(f, &foreign, &e), RC_INVALID);
	assert_rc(edit(f, &lines, &e), RC_INVALID);
	assert_null(strstr(e.msg, "canary"));
}

/* ------------------------------------------------------------ admin slot */

/* M-203: its own additional data, so a blob of one slot does not open as the
 * other's. */
static void
slots_cannot_be_swapped(void **state)
{
	struct creds_edit ed = { .slot = CREDS_ADMIN,
		.username = "root",
		.password = text("admin-word") };
	struct fixture *f = *state;
	struct Rec__HostSecrets *s;
	Wire__RepoSlot *out = NULL;
	ProtobufCBinaryData was;
	struct store_tx *tx;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &ed, &e), RC_OK);
	tx = fixture_write_vault(f);
	s = vault_find_host(tx, &host);
	was = s->sealed_repo;
	s->sealed_repo = s->sealed_admin;
	s->sealed_admin = was;
	vault_put_host(tx, &host, s);
	fixture_commit(tx);
	tx = fixture_read_vault(f);
	assert_rc(creds_for_agent(tx, key, &host, CREDS_REPO, &out),
	    RC_CORRUPT);
	assert_rc(creds_for_agent(tx, key, &host, CREDS_ADMIN, &out),
	    RC_CORRUPT);
	assert_null(out);
	fixture_end(tx);
}

static void
what_the_admin_slot_leaves_blank_is_the_everyday_ones(void **state)
{
	const struct want word = { "/old", "ann", "admin-word", "" };
	const struct want name = { "/old", "root", "admin-word", "" };
	struct creds_edit one = { .slot = CREDS_ADMIN,
		.password = text("admin-word") };
	struct creds_edit two = { .slot = CREDS_ADMIN, .username = "root" };
	struct creds_edit none = { .slot = CREDS_ADMIN };
	Wire__RepoSlot *out = NULL;
	struct fixture *f = *state;
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct err e;

	put_ready_host(f, key);
	tx = fixture_read_vault(f);
	assert_rc(creds_for_agent(tx, key, &host, CREDS_ADMIN, &out),
	    RC_NOTFOUND);
	fixture_end(tx);
	assert_rc(edit(f, &none, &e), RC_INVALID);
	assert_rc(edit(f, &one, &e), RC_OK);
	assert_given(f, CREDS_ADMIN, &word);
	assert_rc(edit(f, &two, &e), RC_OK);
	assert_given(f, CREDS_ADMIN, &name);
	assert_stored(f, "/old", "ann", "old-password");
	tx = fixture_read(f);
	h = host_store_get(tx, &host);
	assert_true(h->has_admin);
	assert_string_equal(h->admin_username, "root");
	assert_int_equal(h->config_version, 4); /* never in a Config */
	assert_int_equal(h->repo_status,
	    REC__REPO_STATUS__REPO_INIT_FAILED); /* not tried by it */
	fixture_end(tx);
}

static void
admin_keys_stand_beside_the_everyday_ones(void **state)
{
	const struct want want = { "s3:https://s3.example/a", "ann", "first",
		"AWS_ACCESS_KEY_ID=admin AWS_SECRET_ACCESS_KEY=canary " };
	struct creds_edit ed = { .slot = CREDS_ADMIN,
		.extra = PAIRS({ text("AWS_ACCESS_KEY_ID"), text("admin") }) };
	struct fixture *f = *state;
	struct err e;

	put_s3(f);
	assert_rc(edit(f, &ed, &e), RC_OK);
	assert_given(f, CREDS_ADMIN, &want);
}

/* The stored secrets of one slot are not sent to the other's server. */
static void
an_admin_server_of_its_own_needs_its_own_password(void **state)
{
	const struct want want = { "s3:https://admin.example/a", "root", "own",
		"AWS_ACCESS_KEY_ID=admin " };
	struct creds_edit url = { .slot = CREDS_ADMIN, .url = want.url };
	struct creds_edit all = { .slot = CREDS_ADMIN,
		.url = want.url,
		.username = "root",
		.password = text("own"),
		.extra = PAIRS({ text("AWS_ACCESS_KEY_ID"), text("admin") }) };
	struct creds_edit on = { .slot = CREDS_ADMIN,
		.url = "s3:https://evil.example/a" };
	struct fixture *f = *state;
	struct err e;

	put_s3(f);
	assert_rc(edit(f, &url, &e), RC_INVALID);
	assert_string_equal(e.code, "password_required");
	assert_rc(edit(f, &all, &e), RC_OK);
	assert_given(f, CREDS_ADMIN, &want);
	assert_rc(edit(f, &on, &e), RC_INVALID);
	assert_string_equal(e.code, "password_required");
	assert_given(f, CREDS_ADMIN, &want);
}

static bool
admin_left(struct fixture *f)
{
	struct store_tx *state = fixture_read(f);
	bool shown = host_store_get(state, &host)->has_admin;
	struct store_tx *vault;
	bool sealed;

	fixture_end(state);
	vault = fixture_read_vault(f);
	sealed = vault_find_host(vault, &host)->sealed_admin.len > 0;
	fixture_end(vault);
	assert_int_equal(shown, sealed);
	return shown;
}

/* They were given for the repository as it was: prune must not meet another
 * one by them, and no other server is to see them. */
static void
a_repository_that_moves_drops_its_admin_slot(void **state)
{
	struct creds_edit word = { .slot = CREDS_ADMIN,
		.password = text("admin-word") };
	struct creds_edit url = { .slot = CREDS_ADMIN, .url = "/by-admin" };
	struct creds_edit path = { .url = "/elsewhere" };
	struct creds_edit server = { .url = "rest:https://vault/a",
		.password = text("new") };
	struct creds_edit back = { .url = "/old", .password = text("old") };
	struct creds_edit on = { .url = "/another" };
	struct fixture *f = *state;
	struct err e;

	put_ready_host(f, key);
	assert_rc(edit(f, &word, &e), RC_OK);
	assert_rc(edit(f, &path, &e), RC_OK);
	assert_false(path.admin_removed);
	assert_true(admin_left(f));
	assert_rc(edit(f, &server, &e), RC_OK);
	assert_true(server.admin_removed);
	assert_false(admin_left(f));

	assert_rc(edit(f, &back, &e), RC_OK);
	assert_rc(edit(f, &url, &e), RC_OK);
	assert_true(admin_left(f));
	assert_rc(edit(f, &on, &e), RC_OK);
	assert_true(on.admin_removed);
	assert_false(admin_left(f));
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
		store_test(variables_are_kept_replaced_and_removed),
		store_test(variables_do_not_follow_to_another_server),
		store_test(other_variables_are_refused),
		store_test(slots_cannot_be_swapped),
		store_test(
		    what_the_admin_slot_leaves_blank_is_the_everyday_ones),
		store_test(admin_keys_stand_beside_the_everyday_ones),
		store_test(an_admin_server_of_its_own_needs_its_own_password),
		store_test(a_repository_that_moves_drops_its_admin_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
