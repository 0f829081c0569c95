/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Ops that change state and vault, and disks that are full. */
#include "tests/unit/controller/op_bench.h"

static bool have_small_fs;

static bool
vault_has(struct bench *b, uint32_t n)
{
	struct store_tx *tx = fixture_read_vault(&b->f);
	struct ulid id = id_n(1, n);
	bool has = vault_find_host(tx, &id) != NULL;

	fixture_end(tx);
	return has;
}

static void
an_op_with_the_vault_changes_both_or_none(void **state)
{
	struct bench *b = *state;
	struct op *op;
	unsigned i;

	for (i = 0; i < 10; i++) {
		op = new_op(b, "web", i == 5 ? RC_DENIED : RC_OK);
		op->vault = i != 7;
		submit(b, op);
	}
	run(b);
	assert_int_equal(fixture_hosts(&b->f), 9);
	for (i = 0; i < 10; i++)
		assert_int_equal(vault_has(b, i), i != 5 && i != 7);
}

static void
a_start_clears_the_vault_of_rows_without_owner(void **state)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct bench *b = *state;
	struct ulid lost = id_n(1, 99);
	struct store_tx *tx;

	tx = fixture_write_vault(&b->f);
	vault_put_host(tx, &lost, &s);
	fixture_commit(tx);
	assert_true(vault_has(b, 99));
	bench_close(b);
	bench_open(b);
	assert_false(vault_has(b, 99));
}

/* Moves state or vault, whose directory dir is, to a small file system. */
static void
move_to_small_disk(struct bench *b, char *dir, size_t cap)
{
	if (!have_small_fs) {
		print_message("no small file system: needs root or user "
		              "namespaces\n");
		skip();
	}
	bench_close(b);
	assert_true(str_fmt(b->mount, sizeof(b->mount), "%s/small", b->f.dir));
	assert_true(
	    str_fmt(b->filler, sizeof(b->filler), "%s/filler", b->mount));
	assert_true(str_fmt(dir, cap, "%s/db", b->mount));
	assert_true(small_fs_mount(b->mount, 2048));
	bench_open(b);
}

static void
fill_state_disk(struct bench *b)
{
	move_to_small_disk(b, b->f.state_dir, sizeof(b->f.state_dir));
	assert_false(small_fs_fill(b->filler, MIB(4)));
}

static void
a_full_disk_fails_the_whole_commit_and_is_outlived(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	fill_state_disk(b);
	atomic_store(&b->gate, false);
	for (i = 0; i < 50; i++)
		add(b, "web", i == 7 ? RC_INVALID : RC_OK);
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_OK], 0);
	assert_int_equal(b->results[RC_FULL], 49);
	assert_int_equal(b->results[RC_INVALID], 1); /* its own failure */
	op_queue_stats(b->q, &st);
	assert_true(st.unhealthy);
	assert_int_equal(st.failed, 50);
	assert_int_equal(fixture_hosts(&b->f), 0);

	assert_int_equal(unlink(b->filler), 0);
	add(b, "web", RC_OK);
	run(b);
	assert_int_equal(b->results[RC_OK], 1);
	op_queue_stats(b->q, &st);
	assert_false(st.unhealthy);
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
add_with_vault(struct bench *b)
{
	struct op *op = new_op(b, "web", RC_OK);

	op->vault = true;
	submit(b, op);
	run(b);
}

/* The vault is on a disk with room: it is committed, the state is not. */
static void
the_vaults_half_of_a_failed_commit_is_undone(void **state)
{
	struct bench *b = *state;

	fill_state_disk(b);
	add_with_vault(b);
	assert_int_equal(b->results[RC_FULL], 1);
	assert_int_equal(unlink(b->filler), 0);
	add_with_vault(b);
	assert_int_equal(b->results[RC_OK], 1);
	assert_false(vault_has(b, 0));
	assert_true(vault_has(b, 1));
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
change_with_vault(struct bench *b, const char *secret)
{
	struct op *op = new_op(b, secret, RC_OK);
	struct task *t = op->in;

	t->host = 0;
	op->vault = true;
	submit(b, op);
	run(b);
}

static void
check_secret(struct bench *b, const char *secret)
{
	struct store_tx *tx = fixture_read_vault(&b->f);
	struct ulid id = id_n(1, 0);
	const struct Rec__HostSecrets *s = vault_find_host(tx, &id);

	assert_non_null(s);
	assert_str(str_from(s->sealed_repo.data, s->sealed_repo.len), secret);
	fixture_end(tx);
}

/* A refused change of a password is none. */
static void
a_refused_change_leaves_the_vault_as_it_was(void **state)
{
	struct bench *b = *state;
	char secret[2][16] = { "", "" };
	unsigned i;

	fill_state_disk(b);
	assert_int_equal(unlink(b->filler), 0);
	change_with_vault(b, "first");
	assert_false(small_fs_fill(b->filler, MIB(4)));
	/* The pages of former changes are used first. */
	for (i = 0; b->results[RC_FULL] == 0 && i < 1000; i++) {
		assert_true(str_fmt(secret[i % 2], 16, "secret %u", i));
		change_with_vault(b, secret[i % 2]);
	}
	assert_int_equal(b->results[RC_FULL], 1);
	check_secret(b, i > 1 ? secret[i % 2] : "first");
	assert_int_equal(unlink(b->filler), 0);
	change_with_vault(b, "the last");
	check_secret(b, "the last");
}

enum {
	LOST = 1001,
	HOSTS_END = 1400
};

/* Every second one has an owner: each page has rows that stay. */
static void
put_lost_hosts(struct bench *b)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host h = REC__HOST__INIT;
	char secret[500];
	struct ulid id;
	uint32_t n;

	h.name = text("owner");
	for (n = LOST - 1; n < HOSTS_END; n += 2) {
		id = id_n(1, n);
		h.id = id_bytes(&id);
		host_store_put(tx, &h);
	}
	fixture_commit(tx);
	tx = fixture_write_vault(&b->f);
	memset(secret, 's', sizeof(secret));
	s.sealed_repo = bytes_of(secret, sizeof(secret));
	for (n = LOST - 1; n < HOSTS_END; n++) {
		id = id_n(1, n);
		vault_put_host(tx, &id, &s);
	}
	fixture_commit(tx);
}

/* A start that has no room for it goes on with it when there is. */
static void
rows_without_owner_go_when_there_is_room(void **state)
{
	struct bench *b = *state;
	struct stat st;

	move_to_small_disk(b, b->f.vault_dir, sizeof(b->f.vault_dir));
	put_lost_hosts(b);
	bench_close(b);
	assert_false(small_fs_fill(b->filler, MIB(4)));
	assert_int_equal(stat(b->filler, &st), 0);
	assert_int_equal(truncate(b->filler, st.st_size - (off_t)KIB(48)), 0);
	bench_open(b); /* for which that is enough */
	assert_true(vault_has(b, LOST));
	add_with_vault(b);
	assert_int_equal(b->results[RC_FULL], 1);
	assert_int_equal(unlink(b->filler), 0);
	add_with_vault(b);
	assert_int_equal(b->results[RC_OK], 1);
	assert_false(vault_has(b, LOST));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		op_test(an_op_with_the_vault_changes_both_or_none),
		op_test(a_start_clears_the_vault_of_rows_without_owner),
		op_test(a_full_disk_fails_the_whole_commit_and_is_outlived),
		op_test(the_vaults_half_of_a_failed_commit_is_undone),
		op_test(a_refused_change_leaves_the_vault_as_it_was),
		op_test(rows_without_owner_go_when_there_is_room),
	};

	have_small_fs = small_fs_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
