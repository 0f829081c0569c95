/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue in good order: numbers, syncing, reading, acknowledging,
 * segments, the full ring. */
#include "tests/unit/spool/queue_help.h"

#include "lib/base/clock.h"

enum {
	LARGE = 60000
};

static char large[LARGE];

static struct str
large_text(void)
{
	memset(large, 'x', sizeof(large));
	return str_from(large, sizeof(large));
}

static void
a_new_queue_is_empty_and_has_an_epoch(void **state)
{
	static const uint8_t zeros[QUEUE_EPOCH_SIZE];
	struct fixture *f = *state;

	fixture_open(f);
	assert_true(f->fresh);
	assert_memory_not_equal(queue_epoch(f->q), zeros, sizeof(zeros));
	assert_int_equal(queue_first(f->q), 1);
	assert_int_equal(queue_next(f->q), 1);
	assert_int_equal(queue_synced(f->q), 0);
	assert_nothing_from(f, 0);
	assert_nothing_from(f, 1);
}

static void
only_synced_records_are_given(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	assert_int_equal(put(f, QUEUE_LOG, STR("one")), 1);
	assert_int_equal(put(f, QUEUE_EVENT, STR("two")), 2);
	assert_nothing_from(f, 1);
	sync_now(f);
	assert_int_equal(put(f, QUEUE_LOG, STR("three")), 3);
	assert_payload(f, 1, "one");
	assert_payload(f, 2, "two");
	assert_nothing_from(f, 3);
	assert_int_equal(queue_synced(f->q), 2);
	sync_now(f);
	assert_payload(f, 3, "three");
	assert_payload(f, 1, "one"); /* backwards as well */
}

static void
records_keep_their_time_and_type(void **state)
{
	struct fixture *f = *state;
	struct queue_record rec;

	fixture_open(f);
	clock_fake(1790000000123, 1);
	put(f, QUEUE_EVENT, STR(""));
	clock_fake(1790000000456, 2);
	put(f, QUEUE_LOG, str_from("a\0b", 3));
	clock_fake(-1, 0);
	sync_now(f);
	rec = peek(f, 1);
	assert_int_equal(rec.type, QUEUE_EVENT);
	assert_int_equal(rec.at_ms, 1790000000123);
	assert_int_equal(rec.payload.n, 0);
	rec = peek(f, 2);
	assert_int_equal(rec.type, QUEUE_LOG);
	assert_int_equal(rec.at_ms, 1790000000456);
	assert_true(str_eq(rec.payload, str_from("a\0b", 3)));
}

static void
a_restart_keeps_numbers_epoch_and_acknowledgement(void **state)
{
	uint8_t epoch[QUEUE_EPOCH_SIZE];
	struct fixture *f = *state;

	fixture_open(f);
	memcpy(epoch, queue_epoch(f->q), sizeof(epoch));
	put(f, QUEUE_LOG, STR("one"));
	put(f, QUEUE_LOG, STR("two"));
	put(f, QUEUE_LOG, STR("three"));
	sync_now(f);
	ack(f, 2);
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_memory_equal(queue_epoch(f->q), epoch, sizeof(epoch));
	assert_int_equal(queue_first(f->q), 3);
	assert_int_equal(queue_next(f->q), 4);
	assert_int_equal(queue_synced(f->q), 3);
	assert_payload(f, 3, "three");
	assert_int_equal(peek(f, 1).seq, 3);
	ack(f, 3);
	fixture_reopen(f);
	assert_int_equal(queue_first(f->q), 4);
	assert_int_equal(put(f, QUEUE_LOG, STR("four")), 4);
}

static void
without_its_hints_a_queue_only_sends_again(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	put(f, QUEUE_LOG, STR("two"));
	sync_now(f);
	ack(f, 1);
	queue_close(f->q);
	f->q = NULL;
	assert_int_equal(truncate(fixture_path(f, "marks"), 5), 0);
	fixture_open(f);
	assert_false(f->fresh);
	assert_int_equal(queue_first(f->q), 1);
	assert_payload(f, 1, "one");
	assert_payload(f, 2, "two");
}

static void
acknowledging_what_was_never_sent_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	assert_int_equal(queue_ack(f->q, 1, &e), RC_INVALID);
	sync_now(f);
	assert_int_equal(queue_ack(f->q, 2, &e), RC_INVALID);
	assert_int_equal(queue_ack(f->q, UINT64_MAX, &e), RC_INVALID);
	ack(f, 1);
	ack(f, 1);
	ack(f, 0);
	assert_int_equal(queue_first(f->q), 2);
}

static void
a_record_has_a_largest_size(void **state)
{
	static char bytes[QUEUE_RECORD_MAX + 1];
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t seq = 77;

	fixture_open(f);
	assert_int_equal(queue_append(f->q, QUEUE_EVENT,
	                     str_from(bytes, sizeof(bytes)), &seq, &e),
	    RC_LIMIT);
	assert_int_equal(seq, 77);
	assert_int_equal(queue_next(f->q), 1);
	put(f, QUEUE_EVENT, str_from(bytes, QUEUE_RECORD_MAX));
	sync_now(f);
	assert_int_equal(peek(f, 1).payload.n, QUEUE_RECORD_MAX);
	fixture_reopen(f);
	assert_int_equal(peek(f, 1).payload.n, QUEUE_RECORD_MAX);
}

static void
a_second_process_is_refused(void **state)
{
	struct fixture *f = *state;
	struct queue *other = NULL;
	struct err e = { 0 };
	bool fresh;

	fixture_open(f);
	assert_int_equal(queue_open(&f->opts, &other, &fresh, &e), RC_BUSY);
	assert_null(other);
}

static void
a_ring_that_is_too_small_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	f->opts.max_bytes = QUEUE_BYTES_MIN - 1;
	assert_int_equal(queue_open(&f->opts, &f->q, &f->fresh, &e),
	    RC_INVALID);
}

static void
segments_follow_one_another_and_go_when_acknowledged(void **state)
{
	struct fixture *f = *state;
	const struct str text = large_text();
	struct queue_record rec;
	uint64_t i, n = 60;

	fixture_open(f);
	for (i = 1; i <= n; i++)
		assert_int_equal(put(f, QUEUE_LOG, text), i);
	sync_now(f);
	/* 17 records fill a segment. */
	assert_true(exists(fixture_seg(f, 1)));
	assert_true(exists(fixture_seg(f, 18)));
	assert_true(exists(fixture_seg(f, 35)));
	assert_true(exists(fixture_seg(f, 52)));
	for (i = 1; i <= n; i++) {
		rec = peek(f, i);
		assert_int_equal(rec.seq, i);
		assert_true(str_eq(rec.payload, text));
	}
	fixture_reopen(f);
	for (i = n; i > 0; i -= 7 < i ? 7 : i)
		assert_int_equal(peek(f, i).seq, i);
	ack(f, 33);
	assert_false(exists(fixture_seg(f, 1)));
	assert_true(exists(fixture_seg(f, 18)));
	ack(f, 34);
	assert_false(exists(fixture_seg(f, 18)));
	fixture_reopen(f);
	assert_int_equal(queue_first(f->q), 35);
	ack(f, n);
	/* The last one stays: its name keeps the numbers. */
	assert_true(exists(fixture_seg(f, 52)));
	fixture_reopen(f);
	assert_int_equal(queue_next(f->q), n + 1);
	assert_nothing_from(f, 1);
}

static uint64_t
dir_bytes(struct fixture *f)
{
	uint64_t total = 0, first;
	struct stat st;

	for (first = 1; first < queue_next(f->q); first++)
		if (stat(fixture_seg(f, first), &st) == 0)
			total += (uint64_t)st.st_size;
	return total;
}

/* Numbers seen from the front on, none left out: a gap takes the place of
 * those it tells. */
static uint64_t
assert_no_hole(struct fixture *f, uint64_t *events, uint64_t *dropped)
{
	uint64_t at = queue_first(f->q), count = 0;
	struct queue_record rec;
	struct rd r;

	*events = *dropped = 0;
	for (; at < queue_next(f->q); at = rec.seq + 1, count++) {
		rec = peek(f, at);
		if (rec.type == QUEUE_GAP) {
			rd_init(&r, rec.payload);
			assert_in_range(rd_u64(&r), 1, at);
			assert_int_equal(rd_u64(&r), rec.seq);
			*dropped += rd_u64(&r);
			assert_int_equal(rd_end(&r), RC_OK);
			continue;
		}
		assert_int_equal(rec.seq, at);
		if (rec.type == QUEUE_EVENT)
			(*events)++;
	}
	return count;
}

static void
a_full_ring_drops_old_log_payloads_only(void **state)
{
	struct fixture *f = *state;
	uint64_t i, events = 0, dropped, kept;
	const uint64_t n = 400;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	fixture_open(f);
	for (i = 1; i <= n; i++) {
		if (i % 40 == 0)
			put(f, QUEUE_EVENT, STR("result"));
		else
			put(f, QUEUE_LOG, large_text());
		if (i % 5 == 0)
			sync_now(f);
	}
	sync_now(f);
	assert_in_range(dir_bytes(f), MIB(2), QUEUE_BYTES_MIN);
	kept = assert_no_hole(f, &events, &dropped);
	assert_int_equal(events, n / 40);
	assert_in_range(dropped, 300, n);
	assert_int_equal(peek(f, n - 1).type, QUEUE_LOG);
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_int_equal(assert_no_hole(f, &events, &dropped), kept);
	assert_int_equal(queue_next(f->q), n + 1);
}

static void
a_ring_full_for_long_keeps_few_files(void **state)
{
	struct fixture *f = *state;
	uint64_t i, events, dropped;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	fixture_open(f);
	for (i = 1; i <= 3000; i++)
		put(f, i % 500 == 0 ? QUEUE_EVENT : QUEUE_LOG, large_text());
	sync_now(f);
	assert_in_range(tmpdir_count(f->dir), 5, 12);
	/* One gap before each event, one after the last. */
	assert_in_range(assert_no_hole(f, &events, &dropped), 6, 100);
	assert_int_equal(events, 6);
}

static void
an_acknowledgement_inside_a_gap_gives_the_gap(void **state)
{
	struct fixture *f = *state;
	struct queue_record rec;
	uint64_t i;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	fixture_open(f);
	for (i = 1; i <= 100; i++)
		put(f, QUEUE_LOG, large_text());
	sync_now(f);
	rec = peek(f, 1);
	assert_int_equal(rec.type, QUEUE_GAP);
	assert_in_range(rec.seq, 17, 99);
	ack(f, 5);
	assert_int_equal(peek(f, 6).seq, rec.seq);
	fixture_reopen(f);
	assert_int_equal(queue_first(f->q), 6);
	assert_int_equal(peek(f, 6).seq, rec.seq);
}

static void
results_pass_the_ring_logs_do_not(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t i, seq;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	fixture_open(f);
	for (i = 1; i <= 100; i++)
		put(f, QUEUE_EVENT, large_text());
	assert_int_equal(queue_append(f->q, QUEUE_LOG, STR("line"), &seq, &e),
	    RC_FULL);
	assert_non_null(strstr(e.msg, f->dir));
	put(f, QUEUE_GAP, STR("lines that were lost"));
	sync_now(f);
	assert_payload(f, 101, "lines that were lost");
	fixture_reopen(f);
	assert_payload(f, 101, "lines that were lost");
	ack(f, 100);
	assert_int_equal(put(f, QUEUE_LOG, STR("line")), 102);
}

static void
wide_gap(void *ctx, const struct queue_run *run, struct buf *gap)
{
	char *dst = buf_reserve(gap, run->n * 9000);

	(void)ctx;
	if (dst == NULL) {
		buf_put(gap, large, sizeof(large)); /* sticks */
		return;
	}
	memset(dst, 'g', run->n * 9000);
	buf_added(gap, run->n * 9000);
}

static void
a_gap_too_large_for_one_record_becomes_more(void **state)
{
	struct fixture *f = *state;
	struct queue_record rec;
	uint64_t i, at, gaps = 0;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	f->opts.gap = wide_gap;
	fixture_open(f);
	for (i = 1; i <= 100; i++)
		put(f, QUEUE_LOG, large_text());
	sync_now(f);
	for (at = 1; at <= 100; at = rec.seq + 1) {
		rec = peek(f, at);
		if (rec.type != QUEUE_GAP)
			break;
		gaps++;
		assert_in_range(rec.payload.n, 9000, QUEUE_RECORD_MAX);
	}
	assert_in_range(gaps, 3, 50);
}

static void
fat_gap(void *ctx, const struct queue_run *run, struct buf *gap)
{
	(void)ctx;
	(void)run;
	buf_put(gap, large, 100);
}

static void
a_gap_that_saves_nothing_is_not_made(void **state)
{
	struct fixture *f = *state;
	uint64_t i;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	f->opts.gap = fat_gap;
	fixture_open(f);
	for (i = 1; i <= 30; i++) {
		put(f, QUEUE_LOG, STR("shorter than the gap would be"));
		put(f, QUEUE_EVENT, large_text());
	}
	for (i = 61; i <= 120; i++)
		put(f, QUEUE_EVENT, large_text());
	sync_now(f);
	for (i = 1; i <= 120; i++)
		assert_int_equal(peek(f, i).seq, i);
	assert_payload(f, 1, "shorter than the gap would be");
}

static void
renewing_starts_at_one_and_keeps_the_old_files_aside(void **state)
{
	uint8_t epoch[QUEUE_EPOCH_SIZE];
	struct fixture *f = *state;
	struct err e = { 0 };

	fixture_open(f);
	memcpy(epoch, queue_epoch(f->q), sizeof(epoch));
	put(f, QUEUE_LOG, STR("old"));
	sync_now(f);
	assert_int_equal(queue_renew(f->q, &e), RC_OK);
	assert_memory_not_equal(queue_epoch(f->q), epoch, sizeof(epoch));
	assert_int_equal(queue_next(f->q), 1);
	assert_int_equal(queue_synced(f->q), 0);
	assert_true(exists(fixture_path(f, "seg-00000000000000000001.bad")));
	assert_int_equal(put(f, QUEUE_LOG, STR("new")), 1);
	sync_now(f);
	assert_payload(f, 1, "new");
	assert_int_equal(queue_renew(f->q, &e), RC_OK);
	assert_true(exists(fixture_path(f, "seg-00000000000000000001.bad.2")));
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_int_equal(queue_next(f->q), 1);
}

int
main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	static const struct CMUnitTest tests[] = {
		T(a_new_queue_is_empty_and_has_an_epoch),
		T(only_synced_records_are_given),
		T(records_keep_their_time_and_type),
		T(a_restart_keeps_numbers_epoch_and_acknowledgement),
		T(without_its_hints_a_queue_only_sends_again),
		T(acknowledging_what_was_never_sent_is_refused),
		T(a_record_has_a_largest_size),
		T(a_second_process_is_refused),
		T(a_ring_that_is_too_small_is_refused),
		T(segments_follow_one_another_and_go_when_acknowledged),
		T(a_full_ring_drops_old_log_payloads_only),
		T(a_ring_full_for_long_keeps_few_files),
		T(an_acknowledgement_inside_a_gap_gives_the_gap),
		T(results_pass_the_ring_logs_do_not),
		T(a_gap_too_large_for_one_record_becomes_more),
		T(a_gap_that_saves_nothing_is_not_made),
		T(renewing_starts_at_one_and_keeps_the_old_files_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
