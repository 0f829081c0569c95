/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_COURIER_BENCH_H
#define TESTS_UNIT_CONTROLLER_COURIER_BENCH_H
/*
 * A courier with a store and one host, whose agent is replaced by what is
 * noted of the commands it is sent.
 */
#include "tests/unit/store/store_fixture.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "proto/agent.pb-c.h"

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

enum {
	ROUNDS = 8 /* of settle(): an op each */
};

/* The agent's end of the line. */
struct line {
	bool reachable; /* there is a stream */
	bool online;    /* seen within 90 s */
	unsigned runs, cancels, accepted, waits;
	int64_t waited_ms;
	char run[ULID_TEXT_CAP], cancel[ULID_TEXT_CAP];
	char kind[32], tag[32], admin[32];
	size_t includes, groups;
	uint32_t keep_daily, part, of;
};

struct bench {
	struct fixture f;
	struct controller c;
	struct ulid host;
};

static struct line line;

bool
agents_online(const struct agents *a, const struct ulid *host)
{
	(void)a;
	(void)host;
	return line.online;
}

static inline void
take_upkeep(const Wire__CommandRun *c)
{
	line.groups = c->n_forget_groups;
	line.keep_daily = 0;
	if (c->n_forget_groups > 0) {
		line.keep_daily = c->forget_groups[0]->keep->daily;
		assert_true(str_copy(line.tag, sizeof(line.tag),
		    str_of(c->forget_groups[0]->tag)));
	}
	line.part = c->check_part != NULL ? c->check_part->n : 0;
	line.of = c->check_part != NULL ? c->check_part->of : 0;
	assert_true(str_copy(line.admin, sizeof(line.admin),
	    str_of(c->admin != NULL ? c->admin->password : "")));
}

static inline void
take(const Wire__Command *c)
{
	bool fits = true;

	if (c->body_case == WIRE__COMMAND__BODY_CANCEL) {
		line.cancels++;
		fits = str_copy(line.cancel, sizeof(line.cancel),
		    str_of(c->cancel->job_id));
	} else if (c->body_case == WIRE__COMMAND__BODY_WAITS) {
		line.waits++;
		line.waited_ms = c->waits->waited_ms;
	} else {
		line.runs++;
		fits =
		    str_copy(line.run, sizeof(line.run),
		        str_of(c->run->job_id)) &&
		    str_copy(line.kind, sizeof(line.kind),
		        str_of(c->run->kind)) &&
		    str_copy(line.tag, sizeof(line.tag), str_of(c->run->tag));
		line.includes = c->run->n_includes;
		line.waited_ms = c->run->waited_ms;
	}
	assert_true(fits);
	if (c->body_case == WIRE__COMMAND__BODY_RUN)
		take_upkeep(c->run);
}

bool
agents_send(struct agents *a, const struct ulid *host,
    const struct Wire__ControllerMessage *m)
{
	(void)a;
	(void)host;
	assert_int_equal(m->body_case, WIRE__CONTROLLER_MESSAGE__BODY_COMMAND);
	if (line.reachable)
		take(m->command);
	return line.reachable;
}

void
ingest_accepted(struct ingest *i, const struct ulid *host,
    const struct ulid *job)
{
	(void)i;
	(void)host;
	(void)job;
	line.accepted++;
}

void
sse_job_changed(struct sse *s, const struct ulid *host, const struct ulid *job)
{
	(void)s;
	(void)host;
	(void)job;
}

void
sse_host_changed(struct sse *s, const struct ulid *host)
{
	(void)s;
	(void)host;
}

static inline void
open_bench(struct bench *b)
{
	struct err e;

	fixture_open(&b->f);
	b->c.state = b->f.state;
	b->c.vault = b->f.vault;
	b->c.live = b->f.live;
	b->c.settings.timezone = text("UTC");
	assert_rc(loop_new(&b->c.loop, &e), RC_OK);
	assert_rc(op_queue_new(b->c.loop, b->c.state, b->c.vault, &b->c.ops,
	              &e),
	    RC_OK);
	b->c.courier = courier_new(&b->c);
}

static inline void
close_bench(struct bench *b)
{
	op_queue_free(b->c.ops);
	courier_free(b->c.courier);
	loop_free(b->c.loop);
	fixture_close(&b->f);
}

static inline int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	line = (struct line){ .reachable = true, .online = true };
	fixture_init(&b->f);
	fixture_host(&b->f, "web-1", &b->host);
	fixture_close(&b->f);
	clock_fake(1000000, 1000000);
	open_bench(b);
	*state = b;
	return 0;
}

static inline int
teardown(void **state)
{
	struct bench *b = *state;

	close_bench(b);
	clock_fake(-1, 0);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

static inline enum rc
nothing_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	(void)vault;
	(void)op;
	return RC_OK;
}

static inline void
on_nothing(struct op *op, void *ctx)
{
	struct bench *b = ctx;

	(void)op;
	loop_stop(b->c.loop);
}

/* Everything that is under way happens, however slow the disk: what is told
 * of one change may ask for the next. */
static inline void
settle(struct bench *b)
{
	unsigned n;

	for (n = 0; n < ROUNDS; n++) {
		struct op *op = op_new(nothing_op, on_nothing, b);

		op_submit(b->c.ops, &op);
		loop_run(b->c.loop);
	}
}

static inline void
pass(struct bench *b, int64_t ms)
{
	int64_t now = clock_mono_ms() + ms;

	clock_fake(now, now);
	courier_tick(b->c.courier);
	settle(b);
}

/* Queued, with what j says otherwise. */
static inline void
put_queued(struct bench *b, const struct ulid *host, const char *id,
    struct Rec__Job *j)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j->id = id_bytes(&u);
	j->host_id = id_bytes(host);
	j->state = REC__JOB_STATE__JOB_QUEUED;
	j->created_at_ms = 1;
	job_store_put(tx, j);
	fixture_commit(tx);
}

/* A backup; sent_ms 0: not yet. */
static inline void
put_job(struct bench *b, const char *id, int64_t sent_ms)
{
	struct Rec__Job j = REC__JOB__INIT;
	char *path = text("/etc");

	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.group_name = text("default");
	j.includes = &path;
	j.n_includes = 1;
	j.sent_at_ms = sent_ms;
	put_queued(b, &b->host, id, &j);
}

static inline const struct Rec__Job *
job(struct bench *b, const char *id)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Job *j;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j = job_store_get(tx, &u);
	assert_non_null(j);
	store_abort(tx);
	return j;
}

/* Changes a stored job, and tells nobody. */
static inline void
store_state(struct bench *b, const char *id, Rec__JobState s, bool cancel)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Job *j;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j = job_store_get(tx, &u);
	assert_non_null(j);
	j->state = s;
	j->cancel_requested = cancel;
	job_store_put(tx, j);
	fixture_commit(tx);
}

/* As an op of another module would. */
static inline void
set_state(struct bench *b, const char *id, Rec__JobState s, bool cancel)
{
	store_state(b, id, s, cancel);
	courier_wake(b->c.courier, &b->host);
	settle(b);
}

static inline void
answer(struct bench *b, const char *id, bool accepted, const char *error)
{
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;

	r.job_id = text(id);
	r.accepted = accepted;
	r.error = text(error);
	courier_result(b->c.courier, &b->host, &r);
	settle(b);
}

static inline void
wake(struct bench *b)
{
	courier_wake(b->c.courier, &b->host);
	settle(b);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#endif
