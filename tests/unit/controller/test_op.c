/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "controller/op.h"

#include "tests/unit/store/store_fixture.h"

#include <stdatomic.h>

#include "lib/base/log.h"
#include "lib/net/loop_priv.h"
#include "lib/store/audit_store.h"
#include "lib/store/table.h"
#include "lib/store/vault_store.h"
#include "tests/unit/small_fs.h"

enum {
	MANY = 3000,
	A_TURN = 64 /* outcomes told, at most */
};

static bool have_small_fs;

/* A queue on the fixture's stores, and what its ops have told. */
struct bench {
	struct fixture f;
	struct loop *loop;
	struct op_queue *q;
	unsigned submitted, done; /* the loop's own */
	unsigned order_broken;    /* done out of order */
	unsigned turn, in_turn, most_in_turn;
	unsigned results[RC_COUNT];
	bool in_submit, running;
	atomic_bool gate; /* closed: the store thread waits in its op */
	char mount[300], filler[320];
};

struct task {
	struct bench *b;
	unsigned number;
	unsigned host;  /* the same, unless another one is changed */
	unsigned calls; /* of done */
	const char *name;
	enum rc fail; /* what the op answers after its change */
};

static void
bench_open(struct bench *b)
{
	struct err e = { 0 };

	fixture_reopen(&b->f);
	assert_rc(loop_new(&b->loop, &e), RC_OK);
	assert_rc(op_queue_new(b->loop, b->f.state, b->f.vault, &b->q, &e),
	    RC_OK);
}

static void
bench_close(struct bench *b)
{
	op_queue_free(b->q);
	if (b->loop != NULL)
		loop_free(b->loop);
	b->q = NULL;
	b->loop = NULL;
	fixture_close(&b->f);
}

static int
bench_setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	bench_open(b);
	atomic_store(&b->gate, true);
	*state = b;
	return 0;
}

static int
bench_teardown(void **state)
{
	struct bench *b = *state;

	atomic_store(&b->gate, true);
	bench_close(b);
	if (b->mount[0] != '\0')
		small_fs_unmount(b->mount);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

/* Runs on the store thread: a host and its audit row. */
static enum rc
test_run(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct task *t = op->in;
	struct ulid id = id_n(1, t->host);

	while (!atomic_load(&t->b->gate))
		usleep(200);
	put_host(state, &id, t->name);
	op_audit(state, op, "host.added", "host", &id, t->name, NULL);
	if (vault != NULL) {
		struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;

		s.sealed_repo = bytes_of(t->name, strlen(t->name));
		vault_put_host(vault, &id, &s);
	}
	if (t->fail != RC_OK)
		return t->fail;
	return store_rc(state);
}

static void
test_on_done(struct op *op, void *ctx)
{
	struct bench *b = ctx;
	struct task *t = op->in;

	assert_false(b->in_submit);
	assert_int_equal(++t->calls, 1);
	if (t->number != b->done)
		b->order_broken++;
	b->results[op->err.rc]++;
	if (b->turn != loop_turn(b->loop))
		b->in_turn = 0;
	b->turn = loop_turn(b->loop);
	if (++b->in_turn > b->most_in_turn)
		b->most_in_turn = b->in_turn;
	if (++b->done == b->submitted && b->running)
		loop_stop(b->loop);
}

static struct op *
new_op(struct bench *b, const char *name, enum rc fail)
{
	struct op *op = op_new(test_run, test_on_done, b);
	struct task *t = arena_alloc(&op->arena, sizeof(*t));

	assert_non_null(t);
	t->b = b;
	t->number = t->host = b->submitted;
	t->name = name;
	t->fail = fail;
	op->in = t;
	return op;
}

static void
submit(struct bench *b, struct op *op)
{
	b->submitted++;
	b->in_submit = true;
	op_submit(b->q, &op);
	b->in_submit = false;
	assert_null(op);
}

static void
add(struct bench *b, const char *name, enum rc fail)
{
	submit(b, new_op(b, name, fail));
}

/* Until all are done; a queue that loses one hangs and ctest ends it. */
static void
run(struct bench *b)
{
	b->running = true;
	if (b->done < b->submitted)
		loop_run(b->loop);
	b->running = false;
	assert_int_equal(b->done, b->submitted);
}

static uint64_t
audit_count(struct fixture *f)
{
	struct store_tx *tx = fixture_read(f);
	struct ulid bad;
	uint64_t n;

	assert_rc(audit_store_verify(tx, &bad, &n), RC_OK);
	assert_true(ulid_is_zero(&bad));
	fixture_end(tx);
	return n;
}

static void
every_op_is_done_once_in_order_and_on_disk(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	for (i = 0; i < MANY; i++)
		add(b, "web", RC_OK);
	run(b);
	assert_int_equal(b->results[RC_OK], MANY);
	assert_int_equal(b->order_broken, 0);
	op_queue_stats(b->q, &st);
	assert_int_equal(st.ops, MANY);
	assert_int_equal(st.failed, 0);
	assert_int_equal(st.queued, 0);
	assert_false(st.unhealthy);
	assert_true(st.commits >= MANY / 1000 && st.commits < MANY / 2);
	assert_int_equal(fixture_hosts(&b->f), MANY);
	assert_int_equal(audit_count(&b->f), MANY);
}

/* What comes in meanwhile gets its turn between them. */
static void
a_large_commit_is_told_over_several_turns(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	atomic_store(&b->gate, false);
	for (i = 0; i < 1000; i++)
		add(b, "web", RC_OK);
	atomic_store(&b->gate, true);
	do
		op_queue_stats(b->q, &st);
	while (st.ops < 900);
	run(b);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(b->results[RC_OK], 1000);
	assert_int_equal(b->most_in_turn, A_TURN);
}

static void
a_reply_comes_after_the_commit(void **state)
{
	struct bench *b = *state;
	unsigned i;

	for (i = 0; i < 20; i++) {
		add(b, "web", RC_OK);
		run(b);
		assert_int_equal(fixture_hosts(&b->f), i + 1);
	}
}

static void
a_failing_op_is_undone_alone(void **state)
{
	struct bench *b = *state;
	unsigned i;

	atomic_store(&b->gate, false); /* one batch of them */
	for (i = 0; i < 100; i++)
		add(b, "web", i % 10 == 3 ? RC_CONFLICT : RC_OK);
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_OK], 90);
	assert_int_equal(b->results[RC_CONFLICT], 10);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(fixture_hosts(&b->f), 90);
	assert_int_equal(audit_count(&b->f), 90); /* their rows as well */
}

/* The first of a commit has no child of its own to be undone by. */
static void
a_failing_first_op_is_undone_alone(void **state)
{
	struct bench *b = *state;

	atomic_store(&b->gate, false);
	add(b, "web", RC_CONFLICT);
	add(b, "web", RC_OK);
	add(b, "web", RC_CONFLICT);
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_OK], 1);
	assert_int_equal(b->results[RC_CONFLICT], 2);
	assert_int_equal(fixture_hosts(&b->f), 1);
	assert_int_equal(audit_count(&b->f), 1);
	add(b, "web", RC_CONFLICT); /* and one that is the only one */
	run(b);
	assert_int_equal(fixture_hosts(&b->f), 1);
	add(b, "web", RC_OK);
	run(b);
	assert_int_equal(fixture_hosts(&b->f), 2);
}

struct told {
	struct bench *b;
	struct err err;
};

static void
test_on_told(struct op *op, void *ctx)
{
	struct told *told = ctx;

	told->err = op->err;
	loop_stop(told->b->loop);
}

static enum rc
test_run_invalid_host(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	struct ulid id = id_n(1, 1);

	(void)vault;
	(void)op;
	put_host(state, &id, "");
	return RC_OK; /* it forgot to ask */
}

static enum rc
test_run_own_words(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	(void)state;
	(void)vault;
	return err_code(&op->err, RC_CONFLICT, "busy_host", "own words");
}

static enum rc
test_run_store_words(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	(void)vault;
	(void)op;
	return store_fail_code(state, RC_GONE, "token_used", "used up");
}

static enum rc
test_run_bare(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	(void)vault;
	(void)op;
	return RC_DENIED;
}

static enum rc
test_run_too_much(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct ulid id = id_n(1, 1);

	(void)vault;
	put_host(state, &id, "web");
	assert_null(arena_alloc(&op->arena, OP_ARENA_MAX + 1));
	return RC_OK;
}

static struct err
outcome(struct bench *b, op_fn *fn)
{
	struct told told = { .b = b };
	struct op *op = op_new(fn, test_on_told, &told);

	op_submit(b->q, &op);
	loop_run(b->loop);
	return told.err;
}

static void
the_failure_that_is_told_is_the_first_one(void **state)
{
	struct bench *b = *state;
	struct err e;

	e = outcome(b, test_run_invalid_host);
	assert_rc(e.rc, RC_INVALID);
	assert_non_null(strstr(e.msg, "needs an id and a name"));
	e = outcome(b, test_run_own_words);
	assert_rc(e.rc, RC_CONFLICT);
	assert_string_equal(e.code, "busy_host");
	assert_string_equal(e.msg, "own words");
	e = outcome(b, test_run_store_words);
	assert_rc(e.rc, RC_GONE);
	assert_string_equal(e.code, "token_used");
	e = outcome(b, test_run_bare);
	assert_rc(e.rc, RC_DENIED);
	assert_string_equal(e.msg, rc_info(RC_DENIED)->text);
	e = outcome(b, test_run_too_much);
	assert_rc(e.rc, RC_LIMIT);
	assert_int_equal(fixture_hosts(&b->f), 0);
}

static void
a_full_queue_answers_busy(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	atomic_store(&b->gate, false);
	add(b, "first", RC_OK); /* holds the store thread */
	do
		op_queue_stats(b->q, &st);
	while (st.queued != 0);
	for (i = 0; i < OP_QUEUE_MAX + 7; i++)
		add(b, "web", RC_OK);
	op_queue_stats(b->q, &st);
	assert_int_equal(st.queued, OP_QUEUE_MAX);
	assert_int_equal(b->done, 0); /* never from inside op_submit */
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_BUSY], 7);
	assert_int_equal(b->results[RC_OK], OP_QUEUE_MAX + 1);
	assert_int_equal(fixture_hosts(&b->f), OP_QUEUE_MAX + 1);
	add(b, "web", RC_OK); /* and takes again */
	run(b);
	assert_int_equal(b->results[RC_OK], OP_QUEUE_MAX + 2);
}

static void
the_end_runs_what_is_queued(void **state)
{
	struct bench *b = *state;
	unsigned i;

	for (i = 0; i < 500; i++)
		add(b, "web", RC_OK);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(b->done, 500);
	assert_int_equal(b->results[RC_OK], 500);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(fixture_hosts(&b->f), 500);
}

static void
test_on_done_submit_again(struct op *op, void *ctx)
{
	struct bench *b = ctx;
	struct op *next;

	assert_rc(op->err.rc, RC_OK);
	b->done++;
	next = new_op(b, "late", RC_OK);
	next->done = test_on_done;
	submit(b, next);
}

static void
an_op_after_the_end_is_cancelled(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "web", RC_OK);

	op->done = test_on_done_submit_again;
	submit(b, op);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(b->done, 2);
	assert_int_equal(b->results[RC_CANCELLED], 1);
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
an_op_without_done_is_fine(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "quiet", RC_OK);

	op->done = NULL;
	op_submit(b->q, &op);
	op = op_new(test_run_bare, NULL, NULL);
	op_submit(b->q, &op);
	op_free(op_new(test_run_bare, NULL, NULL)); /* never submitted */
	op_free(NULL);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
the_audit_row_says_who(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "web", RC_OK);
	struct Rec__AuditEntry *a;
	struct table_scan sc;
	struct str key, value;
	struct store_tx *tx;

	op->actor.user = id_n(3, 9);
	assert_true(str_fmt(op->actor.name, sizeof(op->actor.name), "anna"));
	assert_true(
	    str_fmt(op->actor.address, sizeof(op->actor.address), "192.0.2.1"));
	submit(b, op);
	add(b, "db", RC_OK); /* nobody asked */
	run(b);
	tx = fixture_read(&b->f);
	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_UP);
	assert_true(table_scan_next(&sc, &key, &value));
	a = table_unpack(tx, TB_AUDIT, value, &rec__audit_entry__descriptor);
	assert_string_equal(a->actor_name, "anna");
	assert_string_equal(a->address, "192.0.2.1");
	assert_int_equal(a->actor_id.len, 16);
	assert_string_equal(a->action, "host.added");
	assert_string_equal(a->target_kind, "host");
	assert_string_equal(a->target_name, "web");
	assert_int_equal(a->target_id.len, 16);
	assert_string_equal(a->payload, "");
	assert_true(table_scan_next(&sc, &key, &value));
	a = table_unpack(tx, TB_AUDIT, value, &rec__audit_entry__descriptor);
	assert_string_equal(a->actor_name, "system");
	assert_int_equal(a->actor_id.len, 0);
	table_scan_fini(&sc);
	fixture_end(tx);
}

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

#define op_test(f) \
	cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		op_test(every_op_is_done_once_in_order_and_on_disk),
		op_test(a_large_commit_is_told_over_several_turns),
		op_test(a_reply_comes_after_the_commit),
		op_test(a_failing_op_is_undone_alone),
		op_test(a_failing_first_op_is_undone_alone),
		op_test(the_failure_that_is_told_is_the_first_one),
		op_test(a_full_queue_answers_busy),
		op_test(the_end_runs_what_is_queued),
		op_test(an_op_after_the_end_is_cancelled),
		op_test(an_op_without_done_is_fine),
		op_test(the_audit_row_says_who),
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
