/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The variables of a repository, and the slot that may delete. */
#include "tests/unit/controller/creds_help.h"

#include "controller/creds_own.h"

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

/* */
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
	const struct want renamed = { want.url, "boss", "own", want.extra };
	struct creds_edit name = { .slot = CREDS_ADMIN, .username = "boss" };
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
	/* Its own edits do not take it for a repository that moved. */
	assert_rc(edit(f, &name, &e), RC_OK);
	assert_false(name.admin_removed);
	assert_given(f, CREDS_ADMIN, &renamed);
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

/* Deleted for good: what is sealed goes with what is shown. */
static void
a_deleted_admin_slot_leaves_nothing(void **state)
{
	struct creds_edit word = { .slot = CREDS_ADMIN,
		.password = text("admin-word") };
	struct creds_removal gone = { .host = host };
	struct fixture *f = *state;
	struct op *op;
	struct err e;
	int times;

	put_ready_host(f, key);
	assert_rc(edit(f, &word, &e), RC_OK);
	assert_true(admin_left(f));
	for (times = 0; times < 2; times++) {
		op = op_new(creds_delete_op, NULL, NULL);
		op->in = &gone;
		assert_rc(op_run(f, op), RC_OK);
		assert_int_equal(gone.removed, times == 0);
		assert_false(admin_left(f));
		op_free(op);
	}
	assert_stored(f, "/old", "ann", "old-password");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(variables_are_kept_replaced_and_removed),
		store_test(variables_do_not_follow_to_another_server),
		store_test(other_variables_are_refused),
		store_test(slots_cannot_be_swapped),
		store_test(
		    what_the_admin_slot_leaves_blank_is_the_everyday_ones),
		store_test(admin_keys_stand_beside_the_everyday_ones),
		store_test(an_admin_server_of_its_own_needs_its_own_password),
		store_test(a_repository_that_moves_drops_its_admin_slot),
		store_test(a_deleted_admin_slot_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
