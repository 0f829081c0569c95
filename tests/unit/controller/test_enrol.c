/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/op_help.h"
#include "tests/unit/time_help.h"

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/enrol.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/vault_store.h"

#define PASSWORD "the repository's password"

struct bench {
	struct fixture f;
	struct controller c;
	char token[CRYPT_TOKEN_CAP];
	uint8_t hash[CRYPT_HASH_SIZE];
	struct enrol_out out; /* of the last enrolment that worked */
	struct err err;       /* of the last that did not */
};

/* A token as minting leaves it, with or without paths. */
static void
put_token(struct bench *b, char **paths, size_t n)
{
	struct store_tx *tx = store_begin_write(b->f.vault, &b->f.arena);
	Rec__EnrolToken t = REC__ENROL_TOKEN__INIT;
	Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	char *tag = text("db"), ad[CREDS_AD_CAP];
	struct buf sealed;

	crypt_token(b->token);
	crypt_sha256(str_of(b->token), b->hash);
	repo.url = text("rest:http://repo/web-1");
	repo.username = text("web-1");
	repo.password = text(PASSWORD);
	buf_init(&sealed, KIB(16));
	creds_token_ad(b->hash, ad);
	assert_rc(creds_seal(b->c.key, ad, &repo, &sealed), RC_OK);
	t.hostname = text("web-1");
	t.tags = &tag;
	t.n_tags = 1;
	t.initial_paths = paths;
	t.n_initial_paths = n;
	t.repo_url = repo.url;
	t.repo_username = repo.username;
	t.sealed_repo = bytes_of(sealed.data, sealed.len);
	t.created_at_ms = now;
	t.expires_at_ms = now + ENROL_TTL_MS;
	vault_put_token(tx, b->hash, &t);
	fixture_commit(tx);
	buf_fini(&sealed);
}

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	memset(b->c.key, 3, sizeof(b->c.key));
	time_stop(1700000000000);
	put_token(b, NULL, 0);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	time_run();
	return fixture_teardown(state);
}

static struct enrol_in
request(struct bench *b, const char *enrol_id)
{
	return (struct enrol_in){ .token = b->token,
		.enrol_id = enrol_id,
		.hostname = "web-1.example",
		.os = "linux",
		.arch = "amd64",
		.agent_version = "1.0",
		.restic_version = "0.14.0",
		.ctl = &b->c };
}

static enum rc
enrol(struct bench *b, const struct enrol_in *in)
{
	struct op *op = op_new(enrol_op, NULL, NULL);
	struct enrol_in copy = *in;
	enum rc rc;

	op->in = &copy;
	rc = op_run(&b->f, op);
	if (rc == RC_OK)
		b->out = *(const struct enrol_out *)op->out;
	else
		b->err = op->err;
	op_free(op);
	return rc;
}

/* Whose bearer it is; zero: nobody's. */
static struct ulid
owner(struct bench *b, const char *bearer)
{
	struct store_tx *tx = store_begin_read(b->f.vault, &b->f.arena);
	uint8_t hash[CRYPT_HASH_SIZE];
	struct ulid id = { { 0 } };

	crypt_sha256(str_of(bearer), hash);
	if (!vault_host_of_bearer(tx, hash, &id))
		id = (struct ulid){ { 0 } };
	store_abort(tx);
	return id;
}

/* M-077 */
static void
a_token_makes_a_host(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "once");
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct ulid who;

	assert_rc(enrol(b, &in), RC_OK);
	assert_false(b->out.repeated);
	tx = fixture_read(&b->f);
	h = host_store_get(tx, &b->out.host);
	assert_non_null(h);
	/* The token's name is the host's; the agent's own is kept beside. */
	assert_string_equal(h->name, "web-1");
	assert_string_equal(h->reported_name, "web-1.example");
	assert_int_equal(h->n_tags, 1);
	assert_string_equal(h->repo_url, "rest:http://repo/web-1");
	assert_string_equal(h->repo_username, "web-1");
	assert_true(h->config_version > 0);
	assert_false(h->online);
	store_abort(tx);
	who = owner(b, b->out.bearer);
	assert_true(ulid_eq(&who, &b->out.host));
	assert_memory_equal(b->out.token_hash, b->hash, sizeof(b->hash));
}

/* M-067: what was sealed to the token opens as the host's, and only so. */
static void
credentials_move_from_token_to_host(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "once");
	char as_host[CREDS_AD_CAP], as_token[CREDS_AD_CAP];
	const struct Rec__HostSecrets *s;
	Rec__RepoSecret *repo;
	struct store_tx *tx;
	struct str sealed;

	assert_rc(enrol(b, &in), RC_OK);
	tx = store_begin_read(b->f.vault, &b->f.arena);
	s = vault_find_host(tx, &b->out.host);
	assert_non_null(s);
	sealed = str_from(s->sealed_repo.data, s->sealed_repo.len);
	creds_host_ad(&b->out.host, CREDS_REPO, as_host);
	creds_token_ad(b->hash, as_token);
	assert_rc(creds_open(b->c.key, as_token, sealed, &b->f.arena, &repo),
	    RC_CORRUPT);
	assert_rc(creds_open(b->c.key, as_host, sealed, &b->f.arena, &repo),
	    RC_OK);
	assert_string_equal(repo->password, PASSWORD);
	store_abort(tx);
}

struct seen {
	char text[256];
	unsigned count;
};

static bool
on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct seen *s = ctx;
	size_t k, n = 0;

	s->count++;
	assert_string_equal(g->name, "default");
	for (k = 0; k < g->n_includes; k++) {
		assert_true(str_fmt(s->text + n, sizeof(s->text) - n, "%s ",
		    g->includes[k]));
		n = strlen(s->text);
	}
	return true;
}

static struct seen
groups(struct bench *b)
{
	struct store_tx *tx = fixture_read(&b->f);
	struct seen s = { .count = 0 };

	plan_store_of_host(tx, &b->out.host, on_group, &s);
	store_abort(tx);
	return s;
}

/* M-082 */
static void
the_default_group_has_the_typed_paths(void **state)
{
	struct bench *b = *state;
	char *paths[] = { text("/srv"), text("/var/lib") };
	struct enrol_in in = request(b, "once");

	assert_rc(enrol(b, &in), RC_OK);
	assert_string_equal(groups(b).text, "/etc /home ");
	put_token(b, paths, 2);
	in = request(b, "another");
	assert_rc(enrol(b, &in), RC_OK);
	assert_int_equal(groups(b).count, 1);
	assert_string_equal(groups(b).text, "/srv /var/lib ");
}

static bool
on_audit(void *ctx, const struct Rec__AuditEntry *a)
{
	struct seen *s = ctx;

	s->count++;
	assert_string_equal(a->action, "host.enrolled");
	assert_true(str_copy(s->text, sizeof(s->text), str_of(a->payload)));
	return true;
}

/* M-081 */
static void
enrolment_is_audited_without_secrets(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "once");
	struct seen s = { .count = 0 };
	struct store_tx *tx;

	assert_rc(enrol(b, &in), RC_OK);
	tx = fixture_read(&b->f);
	audit_store_latest(tx, NULL, 10, on_audit, &s);
	store_abort(tx);
	assert_int_equal(s.count, 1);
	assert_non_null(strstr(s.text, "\"hostname\":\"web-1.example\""));
	assert_non_null(strstr(s.text, "\"has_repo_creds\":true"));
	assert_null(strstr(s.text, b->token));
	assert_null(strstr(s.text, b->out.bearer));
	assert_null(strstr(s.text, PASSWORD));
}

static void
a_lost_reply_can_be_asked_for_again(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "the same");
	struct enrol_out first;
	struct ulid who;

	assert_rc(enrol(b, &in), RC_OK);
	first = b->out;
	assert_rc(enrol(b, &in), RC_OK);
	assert_true(b->out.repeated);
	assert_true(ulid_eq(&first.host, &b->out.host));
	assert_int_equal(fixture_hosts(&b->f), 1);
	assert_int_equal(groups(b).count, 1);
	/* The bearer that was lost opens nothing. */
	assert_string_not_equal(first.bearer, b->out.bearer);
	who = owner(b, first.bearer);
	assert_true(ulid_is_zero(&who));
	who = owner(b, b->out.bearer);
	assert_true(ulid_eq(&who, &b->out.host));
	/* Within the token's life only. */
	clock_fake(now + ENROL_TTL_MS, now);
	assert_rc(enrol(b, &in), RC_GONE);
}

/* Between the two requests an operator has edited them. */
static void
asking_again_leaves_the_credentials_alone(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "the same");
	const struct Rec__HostSecrets *found;
	Rec__HostSecrets edited;
	struct store_tx *tx;

	assert_rc(enrol(b, &in), RC_OK);
	tx = store_begin_write(b->f.vault, &b->f.arena);
	found = vault_find_host(tx, &b->out.host);
	assert_non_null(found);
	edited = *found;
	edited.sealed_repo = bytes_of("edited", 6);
	vault_put_host(tx, &b->out.host, &edited);
	fixture_commit(tx);
	assert_rc(enrol(b, &in), RC_OK);
	tx = store_begin_read(b->f.vault, &b->f.arena);
	found = vault_find_host(tx, &b->out.host);
	assert_non_null(found);
	assert_int_equal(found->sealed_repo.len, 6);
	store_abort(tx);
}

/* M-079 */
static void
credentials_that_do_not_open_cost_no_host(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "once");
	const struct Rec__HostSecrets *s;
	struct store_tx *tx;

	b->c.key[0] ^= 1;
	assert_rc(enrol(b, &in), RC_OK);
	assert_false(b->out.has_repo);
	tx = store_begin_read(b->f.vault, &b->f.arena);
	s = vault_find_host(tx, &b->out.host);
	assert_non_null(s);
	assert_int_equal(s->sealed_repo.len, 0);
	store_abort(tx);
}

static void
nobody_else_uses_a_token_again(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "the first");

	assert_rc(enrol(b, &in), RC_OK);
	in.enrol_id = "somebody else";
	assert_rc(enrol(b, &in), RC_GONE);
	in.enrol_id = "";
	assert_rc(enrol(b, &in), RC_GONE);
	/* Nor one who never named himself. */
	put_token(b, NULL, 0);
	in = request(b, "");
	assert_rc(enrol(b, &in), RC_OK);
	assert_rc(enrol(b, &in), RC_GONE);
}

static void
refusals_have_their_codes(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "x");
	char other[CRYPT_TOKEN_CAP], whole[2 * CRYPT_TOKEN_CAP];
	static char large[5000];

	crypt_token(other);
	in.token = other;
	assert_rc(enrol(b, &in), RC_AUTH);
	in.token = "too short";
	assert_rc(enrol(b, &in), RC_PROTO);
	in.token = "";
	assert_rc(enrol(b, &in), RC_PROTO);
	in = request(b, "x");
	in.os = "beos";
	assert_rc(enrol(b, &in), RC_PROTO);
	in = request(b, "x");
	in.hostname = "";
	assert_rc(enrol(b, &in), RC_PROTO);
	memset(large, 'x', sizeof(large) - 1);
	in = request(b, "x");
	in.hostname = large;
	assert_rc(enrol(b, &in), RC_PROTO);
	in = request(b, large);
	assert_rc(enrol(b, &in), RC_PROTO);
	in = request(b, "x");
	assert_true(str_fmt(whole, sizeof(whole), "%s.junk", b->token));
	in.token = whole;
	assert_rc(enrol(b, &in), RC_PROTO);
	in = request(b, "x");
	/* With or without the pin behind the secret. */
	assert_true(str_fmt(whole, sizeof(whole), "%s.%s", b->token, other));
	in = request(b, "x");
	in.token = whole;
	assert_rc(enrol(b, &in), RC_OK);
}

static void
an_hour_later_it_has_expired(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "x");

	clock_fake(now + ENROL_TTL_MS, now);
	assert_rc(enrol(b, &in), RC_GONE);
	assert_int_equal(fixture_hosts(&b->f), 0);
	clock_fake(now + ENROL_TTL_MS - 1, now);
	assert_rc(enrol(b, &in), RC_OK);
}

/* M-080: what is told of a used and of an expired token is the same. */
static void
the_wire_does_not_tell_used_from_expired(void **state)
{
	struct bench *b = *state;
	struct enrol_in in = request(b, "x");
	struct err used;

	assert_rc(enrol(b, &in), RC_OK);
	in.enrol_id = "y";
	assert_rc(enrol(b, &in), RC_GONE);
	used = b->err;
	clock_fake(now + ENROL_TTL_MS, now);
	assert_rc(enrol(b, &in), RC_GONE);
	assert_string_equal(b->err.msg, used.msg);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_token_makes_a_host),
		ON_BENCH(credentials_move_from_token_to_host),
		ON_BENCH(the_default_group_has_the_typed_paths),
		ON_BENCH(enrolment_is_audited_without_secrets),
		ON_BENCH(a_lost_reply_can_be_asked_for_again),
		ON_BENCH(asking_again_leaves_the_credentials_alone),
		ON_BENCH(credentials_that_do_not_open_cost_no_host),
		ON_BENCH(nobody_else_uses_a_token_again),
		ON_BENCH(refusals_have_their_codes),
		ON_BENCH(an_hour_later_it_has_expired),
		ON_BENCH(the_wire_does_not_tell_used_from_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
