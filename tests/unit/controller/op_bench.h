/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_OP_BENCH_H
#define TESTS_UNIT_CONTROLLER_OP_BENCH_H
/* A queue of ops on stores of the test's own, ops whose store thread can be
 * held up, and what they told. */
#include "tests/unit/store/store_fixture.h"

#include <stdatomic.h>

#include "controller/op.h"
#include "lib/net/loop_priv.h"
#include "lib/store/audit_store.h"
#include "lib/store/vault_store.h"
#include "tests/unit/small_fs.h"

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

static inline void
bench_open(struct bench *b)
{
	struct err e = { 0 };

	fixture_reopen(&b->f);
	assert_rc(loop_new(&b->loop, &e), RC_OK);
	assert_rc(op_queue_new(b->loop, b->f.state, b->f.vault, &b->q, &e),
	    RC_OK);
}

static inline void
bench_close(struct bench *b)
{
	op_queue_free(b->q);
	if (b->loop != NULL)
		loop_free(b->loop);
	b->q = NULL;
	b->loop = NULL;
	fixture_close(&b->f);
}

static inline int
bench_setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	bench_open(b);
	atomic_store(&b->gate, true);
	*state = b;
	return 0;
}

static inline int
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
static inline enum rc
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

static inline void
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

static inline struct op *
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

static inline void
submit(struct bench *b, struct op *op)
{
	b->submitted++;
	b->in_submit = true;
	op_submit(b->q, &op);
	b->in_submit = false;
	assert_null(op);
}

static inline void
add(struct bench *b, const char *name, enum rc fail)
{
	submit(b, new_op(b, name, fail));
}

/* Until all are done; a queue that loses one hangs and ctest ends it. */
static inline void
run(struct bench *b)
{
	b->running = true;
	if (b->done < b->submitted)
		loop_run(b->loop);
	b->running = false;
	assert_int_equal(b->done, b->submitted);
}

static inline uint64_t
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

#define op_test(f) \
	cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
#endif
