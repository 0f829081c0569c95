/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Replaces spool/queue.c by a disk that is full when told so. */
#include "tests/unit/agent/events_help.h"

#include "agent/events.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "spool/queue.h"

static struct disk {
	bool full_for_logs, full, no_sync;
	unsigned syncs;
	size_t n;
	size_t synced;
	struct {
		enum queue_type type;
		struct buf payload;
	} records[256];
} disk;

static bool
disk_takes(enum queue_type type)
{
	return !disk.full && !(disk.full_for_logs && type == QUEUE_LOG);
}

enum rc
queue_append(struct queue *q, enum queue_type type, struct str payload,
    uint64_t *seq, struct err *e)
{
	(void)q;
	if (!disk_takes(type))
		return err_set(e, RC_FULL, "no space left on device");
	assert_true(disk.n < ARRAY_LEN(disk.records));
	disk.records[disk.n].type = type;
	buf_init(&disk.records[disk.n].payload, QUEUE_RECORD_MAX);
	buf_put_str(&disk.records[disk.n].payload, payload);
	*seq = ++disk.n;
	return RC_OK;
}

enum rc
queue_sync(struct queue *q, struct err *e)
{
	(void)q;
	disk.syncs++;
	if (disk.no_sync)
		return err_set(e, RC_IO, "the disk is on fire");
	disk.synced = disk.n;
	return RC_OK;
}

uint64_t
queue_next(const struct queue *q)
{
	(void)q;
	return disk.n + 1;
}

uint64_t
queue_synced(const struct queue *q)
{
	(void)q;
	return disk.synced;
}

uint64_t
queue_first(const struct queue *q)
{
	(void)q;
	return 1;
}

const uint8_t *
queue_epoch(const struct queue *q)
{
	static const uint8_t epoch[QUEUE_EPOCH_SIZE];

	(void)q;
	return epoch;
}

enum rc
queue_peek(struct queue *q, uint64_t from, struct queue_record *out,
    struct err *e)
{
	(void)q;
	(void)e;
	if (from > disk.synced)
		return RC_NOTFOUND;
	*out = (struct queue_record){ .seq = from,
		.at_ms = 1,
		.type = disk.records[from - 1].type,
		.payload = buf_str(&disk.records[from - 1].payload) };
	return RC_OK;
}

enum rc
queue_ack(struct queue *q, uint64_t seq, struct err *e)
{
	(void)q;
	(void)seq;
	(void)e;
	return RC_OK;
}

enum rc
queue_renew(struct queue *q, struct err *e)
{
	(void)q;
	(void)e;
	return RC_OK;
}

/* Not called, but the same file has them. */
enum rc
queue_open(const struct queue_opts *o, struct queue **out, bool *fresh,
    struct err *e)
{
	(void)o;
	(void)out;
	(void)fresh;
	return err_set(e, RC_IO, "not here");
}

void
queue_close(struct queue *q)
{
	(void)q;
}

struct fixture {
	struct loop *l;
	struct events *ev;
};

static void
fixture_open(struct fixture *f)
{
	memset(&disk, 0, sizeof(disk));
	f->l = help_loop();
	f->ev = events_new(f->l, NULL);
}

static void
fixture_close(struct fixture *f)
{
	size_t i;

	help_sync(f->l, f->ev);
	events_free(f->ev);
	loop_free(f->l);
	for (i = 0; i < disk.n; i++)
		buf_fini(&disk.records[i].payload);
}

static void
put_finished(struct events *ev)
{
	Wire__JobFinished s = WIRE__JOB_FINISHED__INIT;
	Wire__Event e = WIRE__EVENT__INIT;

	s.job_id = (char[]){ JOB };
	e.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	e.job_finished = &s;
	events_put(ev, &e, true);
}

static Wire__Event *
record(size_t i)
{
	Wire__Event *e = wire__event__unpack(NULL, disk.records[i].payload.len,
	    (const uint8_t *)buf_text(&disk.records[i].payload));

	assert_non_null(e);
	return e;
}

static void
check_gap(size_t i, uint64_t first, uint64_t count)
{
	Wire__Event *e = record(i);

	assert_int_equal(disk.records[i].type, QUEUE_GAP);
	assert_int_equal(e->body_case, WIRE__EVENT__BODY_GAP);
	/* It stands for no number but its own. */
	assert_int_equal(e->gap->from_seq, i + 1);
	assert_int_equal(e->gap->to_seq, i + 1);
	assert_int_equal(e->gap->n_lines, 1);
	assert_string_equal(e->gap->lines[0]->job_id, JOB);
	assert_int_equal(e->gap->lines[0]->first_line, first);
	assert_int_equal(e->gap->lines[0]->count, count);
	wire__event__free_unpacked(e, NULL);
}

/* contract.md: the backup runs, lost lines become a gap record. */
static void
lines_that_find_no_room_become_one_gap(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_log(f.ev, 1, 3, 10);
	help_sync(f.l, f.ev);
	disk.full_for_logs = true;
	put_log(f.ev, 4, 10, 10);
	help_run_ms(f.l, 300);
	put_log(f.ev, 14, 7, 10);
	put_finished(f.ev);
	help_sync(f.l, f.ev);
	disk.full_for_logs = false;
	help_run_ms(f.l, 1500);
	put_log(f.ev, 21, 1, 10);
	help_sync(f.l, f.ev);
	assert_int_equal(disk.records[0].type, QUEUE_LOG);
	check_gap(1, 4, 17);
	assert_int_equal(disk.records[2].type, QUEUE_EVENT);
	assert_int_equal(disk.records[3].type, QUEUE_LOG);
	assert_int_equal(disk.n, 4);
	fixture_close(&f);
}

/* Gaps use the room of results: a flood of lines must not fill it. */
static void
a_flood_on_a_full_disk_leaves_few_gaps(void **state)
{
	struct fixture f;
	uint64_t line;

	(void)state;
	fixture_open(&f);
	disk.full_for_logs = true;
	for (line = 1; line <= 20000; line += 40) {
		put_log(f.ev, line, 40, 1000);
		if (line % 2000 == 1)
			help_run_ms(f.l, 50); /* 2.5 s in all */
	}
	put_finished(f.ev);
	help_sync(f.l, f.ev);
	assert_true(disk.n <= 4);
	assert_int_equal(disk.records[disk.n - 1].type, QUEUE_EVENT);
	/* Room again: lines flow again, by themselves. */
	disk.full_for_logs = false;
	help_run_ms(f.l, 4500);
	put_log(f.ev, 20001, 1, 10);
	help_sync(f.l, f.ev);
	assert_int_equal(disk.records[disk.n - 1].type, QUEUE_LOG);
	fixture_close(&f);
}

static void
results_wait_for_room_and_keep_their_place(void **state)
{
	struct fixture f;
	bool synced = false;

	(void)state;
	fixture_open(&f);
	disk.full = true;
	put_log(f.ev, 1, 5, 10);
	put_finished(f.ev);
	put_log(f.ev, 6, 5, 10);
	events_when_synced(f.ev, help_mark, &synced);
	help_run_ms(f.l, 1500);
	assert_false(synced);
	assert_int_equal(disk.n, 0);
	disk.full = false;
	help_run_until(f.l, help_set, &synced);
	/* The line behind the result never met the full disk. */
	check_gap(0, 1, 5);
	assert_int_equal(disk.records[1].type, QUEUE_EVENT);
	assert_int_equal(disk.records[2].type, QUEUE_LOG);
	assert_int_equal(disk.n, 3);
	fixture_close(&f);
}

/* Memory is bounded while nothing can be written: past 8 MiB only the
 * numbers of lines are kept. */
static void
a_stuck_disk_costs_lines_not_memory(void **state)
{
	struct fixture f;
	uint64_t line = 1, next = 1;
	Wire__Event *e;
	size_t i;
	bool gap = false;

	(void)state;
	fixture_open(&f);
	disk.full = true;
	put_finished(f.ev);
	for (i = 0; i < 300; i++) { /* 12 MiB */
		put_log(f.ev, line, 40, 1000);
		line += 40;
		if (i % 50 == 0)
			help_run_ms(f.l, 50); /* batches come and go */
	}
	help_run_ms(f.l, 1200);
	disk.full = false;
	help_sync(f.l, f.ev);
	assert_int_equal(disk.records[0].type, QUEUE_EVENT);
	for (i = 1; i < disk.n; i++) {
		e = record(i);
		if (e->body_case == WIRE__EVENT__BODY_GAP) {
			gap = true;
			assert_int_equal(e->gap->lines[0]->first_line, next);
			next += e->gap->lines[0]->count;
		} else {
			assert_int_equal(e->log->first_line, next);
			next += e->log->n_lines;
		}
		wire__event__free_unpacked(e, NULL);
	}
	assert_true(gap);
	assert_int_equal(next, line);
	fixture_close(&f);
}

static void
a_failed_sync_is_tried_again_and_offers_nothing(void **state)
{
	struct fixture f;
	struct events_item item;
	struct err e = { 0 };
	bool synced = false;

	(void)state;
	fixture_open(&f);
	disk.no_sync = true;
	put_finished(f.ev);
	events_when_synced(f.ev, help_mark, &synced);
	help_run_ms(f.l, 1500);
	assert_true(disk.syncs >= 2);
	assert_false(synced);
	assert_rc(events_peek(f.ev, 1, &item, &e), RC_NOTFOUND);
	disk.no_sync = false;
	help_run_until(f.l, help_set, &synced);
	assert_rc(events_peek(f.ev, 1, &item, &e), RC_OK);
	assert_int_equal(disk.n, 1); /* appended once */
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_find_no_room_become_one_gap),
		cmocka_unit_test(a_flood_on_a_full_disk_leaves_few_gaps),
		cmocka_unit_test(results_wait_for_room_and_keep_their_place),
		cmocka_unit_test(a_stuck_disk_costs_lines_not_memory),
		cmocka_unit_test(
		    a_failed_sync_is_tried_again_and_offers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
