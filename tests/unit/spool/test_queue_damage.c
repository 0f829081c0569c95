/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue after crashes and damage: what is cut, what makes a new epoch,
 * what is refused. */
#include "tests/unit/spool/queue_help.h"

#include <fcntl.h>

#include "lib/base/crypt.h"

enum {
	LARGE = 60000
};

static void
load(const char *path, struct buf *out)
{
	struct err e = { 0 };

	buf_init(out, MIB(2));
	if (fsio_read(path, out, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static void
store(const char *path, struct str data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fsio_write_all(fd, data, NULL), RC_OK);
	(void)close(fd);
}

static void
close_queue(struct fixture *f)
{
	queue_close(f->q);
	f->q = NULL;
}

static void
fill(struct fixture *f, uint64_t n)
{
	static char text[LARGE];
	uint64_t i;

	memset(text, 'x', sizeof(text));
	for (i = 1; i <= n; i++)
		put(f, QUEUE_LOG, str_from(text, sizeof(text)));
	sync_now(f);
}

/* Marks as they stand when everything up to seq was synced and
 * acknowledged. */
static void
marks_of(struct fixture *f, uint64_t seq)
{
	struct buf b;

	buf_init(&b, 64);
	buf_puts(&b, "RMQmarks");
	buf_put_u64(&b, seq);
	buf_put_u64(&b, seq);
	buf_put_u32(&b, crypt_crc32c(0, buf_str(&b)));
	store(fixture_path(f, "marks"), buf_str(&b));
	buf_fini(&b);
}

/* A queue as it was when its process was killed. */
struct killed {
	struct buf seg, marks;
	size_t last; /* where the last record begins */
};

/* "one" to "three" synced, "four" not. */
static void
four_records(struct fixture *f, struct killed *k)
{
	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	put(f, QUEUE_EVENT, STR("two"));
	put(f, QUEUE_LOG, STR("three"));
	sync_now(f);
	put(f, QUEUE_LOG, STR("four: a payload that is torn"));
	close_queue(f);
	load(fixture_seg(f, 1), &k->seg);
	load(fixture_path(f, "marks"), &k->marks);
	k->last = QUEUE_SEG_HEAD + 3 * QUEUE_REC_HEAD + 3 + 3 + 5;
}

static void
killed_fini(struct killed *k)
{
	buf_fini(&k->seg);
	buf_fini(&k->marks);
}

/* With this in place of its segment. */
static void
put_back(struct fixture *f, const struct killed *k, struct str seg)
{
	store(fixture_seg(f, 1), seg);
	store(fixture_path(f, "marks"), buf_str(&k->marks));
}

static void
assert_new_epoch(struct fixture *f, uint64_t first)
{
	char name[QUEUE_NAME_CAP + 8];

	fixture_open(f);
	assert_true(f->fresh);
	assert_int_equal(queue_next(f->q), 1);
	assert_int_equal(queue_synced(f->q), 0);
	if (first != 0) {
		queue_seg_name(first, name);
		(void)strncat(name, ".bad", 5);
		assert_true(exists(fixture_path(f, name)));
	}
	assert_int_equal(put(f, QUEUE_EVENT, STR("new")), 1);
	sync_now(f);
	assert_payload(f, 1, "new");
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_payload(f, 1, "new");
	close_queue(f);
}

static void
assert_three_left(struct fixture *f, size_t at)
{
	fixture_open(f);
	if (f->fresh)
		fail_msg("new epoch after a tail torn at %zu", at);
	assert_int_equal(queue_next(f->q), 4);
	assert_payload(f, 3, "three");
	/* What takes its place must not be mixed with the rest of it. */
	assert_int_equal(put(f, QUEUE_EVENT, STR("4")), 4);
	sync_now(f);
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_payload(f, 1, "one");
	assert_payload(f, 2, "two");
	assert_payload(f, 3, "three");
	assert_payload(f, 4, "4");
	assert_nothing_from(f, 5);
	close_queue(f);
}

static void
a_tail_torn_at_any_byte_is_cut(void **state)
{
	struct fixture *f = *state;
	struct killed k;
	size_t at;

	four_records(f, &k);
	for (at = k.last; at < k.seg.len; at++) {
		put_back(f, &k, str_sub(buf_str(&k.seg), 0, at));
		assert_three_left(f, at);
	}
	killed_fini(&k);
}

static void
a_tail_changed_at_any_byte_is_cut(void **state)
{
	struct fixture *f = *state;
	struct killed k;
	size_t at;

	four_records(f, &k);
	for (at = k.last; at < k.seg.len; at++) {
		k.seg.data[at] ^= 0x10;
		put_back(f, &k, buf_str(&k.seg));
		assert_three_left(f, at);
		k.seg.data[at] ^= 0x10;
	}
	/* Zeros, as some filesystems leave them after a power cut. */
	memset(k.seg.data + k.last, 0, k.seg.len - k.last);
	put_back(f, &k, buf_str(&k.seg));
	assert_three_left(f, k.last);
	killed_fini(&k);
}

static void
text_of_a_torn_record_is_never_read_as_records(void **state)
{
	struct fixture *f = *state;
	char text[300];
	struct stat st;

	fixture_open(f);
	put(f, QUEUE_EVENT, STR("one"));
	sync_now(f);
	put(f, QUEUE_LOG, forged_payload(3, text, sizeof(text)));
	close_queue(f);
	assert_int_equal(stat(fixture_seg(f, 1), &st), 0);
	assert_int_equal(truncate(fixture_seg(f, 1), st.st_size - 1), 0);
	fixture_open(f);
	assert_int_equal(put(f, QUEUE_EVENT, STR("2")), 2);
	sync_now(f);
	fixture_reopen(f);
	assert_int_equal(queue_next(f->q), 3);
}

static void
a_damaged_header_of_the_last_segment_is_set_aside(void **state)
{
	struct fixture *f = *state;
	struct buf seg;

	fixture_open(f);
	fill(f, 20);
	close_queue(f);
	load(fixture_seg(f, 18), &seg);
	seg.data[0] ^= 1;
	store(fixture_seg(f, 18), buf_str(&seg));
	assert_new_epoch(f, 18);
	buf_fini(&seg);
}

static void
a_whole_record_behind_the_synced_ones_counts(void **state)
{
	struct fixture *f = *state;
	struct killed k;

	four_records(f, &k);
	fixture_open(f);
	assert_false(f->fresh);
	assert_int_equal(queue_next(f->q), 5);
	assert_int_equal(queue_synced(f->q), 4);
	killed_fini(&k);
}

static void
damage_to_what_was_synced_makes_a_new_epoch(void **state)
{
	struct fixture *f = *state;
	struct killed k;
	size_t at;

	four_records(f, &k);
	for (at = 0; at < k.last; at += at < QUEUE_SEG_HEAD ? 5 : 3) {
		if (at >= 8 && at < 12)
			continue; /* the version, see below */
		k.seg.data[at] ^= 0x01;
		put_back(f, &k, buf_str(&k.seg));
		/* meta as it was: the epoch of the segment. */
		close_queue(f);
		fixture_open(f);
		if (!f->fresh)
			fail_msg("damage at %zu was not seen", at);
		close_queue(f);
		tmpdir_remove(f->dir);
		killed_fini(&k);
		four_records(f, &k);
	}
	k.seg.data[60] ^= 1;
	put_back(f, &k, buf_str(&k.seg));
	assert_new_epoch(f, 1);
	killed_fini(&k);
}

static void
synced_records_that_are_cut_off_make_a_new_epoch(void **state)
{
	struct fixture *f = *state;
	struct killed k;

	four_records(f, &k);
	assert_int_equal(truncate(fixture_seg(f, 1), (off_t)k.last - 1), 0);
	assert_new_epoch(f, 1);
	killed_fini(&k);
}

static void
damage_in_the_middle_makes_a_new_epoch(void **state)
{
	struct fixture *f = *state;
	struct buf seg;

	fixture_open(f);
	fill(f, 40);
	close_queue(f);
	load(fixture_seg(f, 18), &seg);
	seg.data[seg.len / 2] ^= 1;
	store(fixture_seg(f, 18), buf_str(&seg));
	/* Even when the marks are lost: a full segment was synced whole. */
	assert_int_equal(unlink(fixture_path(f, "marks")), 0);
	assert_new_epoch(f, 18);
	assert_true(exists(fixture_path(f, "seg-00000000000000000001.bad")));
	assert_true(exists(fixture_path(f, "seg-00000000000000000035.bad")));
	buf_fini(&seg);
}

static void
a_missing_segment_makes_a_new_epoch(void **state)
{
	static const uint64_t missing[] = { 1, 18, 35 };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(missing); i++) {
		fixture_open(f);
		fill(f, 40);
		ack(f, 2);
		close_queue(f);
		assert_int_equal(unlink(fixture_seg(f, missing[i])), 0);
		assert_new_epoch(f, 0);
		tmpdir_remove(f->dir);
	}
}

static void
no_segment_at_all_makes_a_new_epoch(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	sync_now(f);
	ack(f, 1);
	close_queue(f);
	assert_int_equal(unlink(fixture_seg(f, 1)), 0);
	assert_new_epoch(f, 0);
}

static void
acknowledged_segments_that_came_back_are_removed(void **state)
{
	struct fixture *f = *state;
	struct buf seg;

	fixture_open(f);
	fill(f, 40);
	load(fixture_seg(f, 1), &seg);
	ack(f, 36);
	assert_false(exists(fixture_seg(f, 1)));
	/* A power cut undid the first removal, not the second. */
	store(fixture_seg(f, 1), buf_str(&seg));
	fixture_reopen(f);
	assert_false(f->fresh);
	assert_false(exists(fixture_seg(f, 1)));
	assert_int_equal(queue_first(f->q), 37);
	assert_int_equal(peek(f, 1).seq, 37);
	buf_fini(&seg);
}

static void
meta_missing_or_damaged_makes_a_new_epoch(void **state)
{
	struct fixture *f = *state;
	struct killed k;
	struct buf meta;
	size_t at;

	for (at = 0; at < 33; at++) {
		if (at >= 8 && at < 12)
			continue;
		four_records(f, &k);
		load(fixture_path(f, "meta"), &meta);
		if (at < meta.len)
			meta.data[at] ^= 0x40;
		else
			buf_putc(&meta, 'x');
		store(fixture_path(f, "meta"), buf_str(&meta));
		assert_new_epoch(f, 1);
		tmpdir_remove(f->dir);
		buf_fini(&meta);
		killed_fini(&k);
	}
	four_records(f, &k);
	assert_int_equal(unlink(fixture_path(f, "meta")), 0);
	assert_new_epoch(f, 1);
	killed_fini(&k);
}

static void
a_newer_version_is_refused_and_nothing_is_changed(void **state)
{
	static const char *const names[] = { "meta",
		"seg-00000000000000000001" };
	struct fixture *f = *state;
	struct buf file, after;
	struct err e = { 0 };
	size_t i;

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	sync_now(f);
	close_queue(f);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		load(fixture_path(f, names[i]), &file);
		file.data[11] = 2;
		store(fixture_path(f, names[i]), buf_str(&file));
		assert_int_equal(queue_open(&f->opts, &f->q, &f->fresh, &e),
		    RC_VERSION);
		assert_non_null(strstr(e.msg, "newer"));
		load(fixture_path(f, names[i]), &after);
		assert_true(str_eq(buf_str(&file), buf_str(&after)));
		file.data[11] = 1;
		store(fixture_path(f, names[i]), buf_str(&file));
		buf_fini(&file);
		buf_fini(&after);
	}
	fixture_open(f);
	assert_false(f->fresh);
	assert_payload(f, 1, "one");
}

static void
a_segment_that_was_only_begun_is_dropped(void **state)
{
	static const size_t sizes[] = { 0, 7, QUEUE_SEG_HEAD - 1,
		QUEUE_SEG_HEAD, QUEUE_SEG_HEAD + 10 };
	struct fixture *f = *state;
	struct buf head;
	size_t i;

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	sync_now(f);
	buf_init(&head, 200);
	queue_seg_put_head(&head, queue_epoch(f->q), 2);
	buf_puts(&head, "garbage that is no record");
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		close_queue(f);
		store(fixture_seg(f, 2), str_sub(buf_str(&head), 0, sizes[i]));
		fixture_open(f);
		assert_false(f->fresh);
		assert_int_equal(queue_next(f->q), 2);
		assert_payload(f, 1, "one");
		if (exists(fixture_seg(f, 2)))
			assert_int_equal(unlink(fixture_seg(f, 2)), 0);
	}
	buf_fini(&head);
}

static void
what_a_merge_left_behind_is_removed(void **state)
{
	struct fixture *f = *state;
	struct buf second;
	struct queue_record rec;
	uint64_t i;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	fixture_open(f);
	fill(f, 67); /* four segments, nearly full */
	load(fixture_seg(f, 18), &second);
	fill(f, 36); /* drops two segments and merges them */
	assert_false(exists(fixture_seg(f, 18)));
	close_queue(f);
	store(fixture_seg(f, 18), buf_str(&second));
	fixture_open(f);
	assert_false(f->fresh);
	assert_false(exists(fixture_seg(f, 18)));
	rec = peek(f, 1);
	assert_int_equal(rec.type, QUEUE_GAP);
	for (i = rec.seq + 1; i <= 103; i++)
		assert_int_equal(peek(f, i).seq, i);
	buf_fini(&second);
}

/* Killed between making a segment and writing its header, with all before it
 * acknowledged: nothing was lost, so the epoch goes on. */
static void
a_begun_segment_alone_goes_on_with_its_number(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t first = 2;
	size_t n;

	for (n = 0; n < QUEUE_SEG_HEAD; n += QUEUE_SEG_HEAD - 1) {
		char half[QUEUE_SEG_HEAD] = "RMQ-segm";

		tmpdir_remove(f->dir);
		fixture_open(f);
		fill(f, 18);
		first = queue_next(f->q);
		close_queue(f);
		fixture_open(f);
		while (!exists(fixture_seg(f, first)))
			first--;
		assert_true(first > 1);
		assert_int_equal(queue_ack(f->q, first - 1, &e), RC_OK);
		close_queue(f);
		assert_false(exists(fixture_seg(f, 1)));
		store(fixture_seg(f, first), str_from(half, n));
		marks_of(f, first - 1);
		fixture_open(f);
		assert_false(f->fresh);
		assert_int_equal(queue_next(f->q), first);
		assert_int_equal(put(f, QUEUE_LOG, STR("on")), first);
		sync_now(f);
		fixture_reopen(f);
		assert_false(f->fresh);
		assert_int_equal(peek(f, first).seq, first);
		close_queue(f);
	}
}

static void
half_written_files_are_removed(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	close_queue(f);
	store(fixture_path(f, FSIO_TEMP_PREFIX "0123"), STR("half"));
	store(fixture_path(f, "notes"), STR("of somebody"));
	fixture_open(f);
	assert_false(exists(fixture_path(f, FSIO_TEMP_PREFIX "0123")));
	assert_true(exists(fixture_path(f, "notes")));
}

static void
segments_of_another_epoch_make_a_new_one(void **state)
{
	struct fixture *f = *state;
	struct killed k;

	four_records(f, &k);
	tmpdir_remove(f->dir);
	fixture_open(f);
	close_queue(f);
	store(fixture_seg(f, 1), buf_str(&k.seg));
	assert_new_epoch(f, 1);
	killed_fini(&k);
}

static void
damage_while_it_is_open_is_told_and_can_be_renewed(void **state)
{
	struct fixture *f = *state;
	struct queue_record rec;
	struct err e = { 0 };
	struct buf seg;

	fixture_open(f);
	fill(f, 40);
	load(fixture_seg(f, 1), &seg);
	seg.data[seg.len / 2] ^= 1;
	store(fixture_seg(f, 1), buf_str(&seg));
	assert_int_equal(queue_peek(f->q, 17, &rec, &e), RC_CORRUPT);
	assert_non_null(strstr(e.msg, "seg-00000000000000000001"));
	assert_int_equal(queue_peek(f->q, 1, &rec, &e), RC_OK);
	assert_int_equal(queue_renew(f->q, &e), RC_OK);
	assert_int_equal(put(f, QUEUE_LOG, STR("new")), 1);
	buf_fini(&seg);
}

int
main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	static const struct CMUnitTest tests[] = {
		T(a_tail_torn_at_any_byte_is_cut),
		T(a_tail_changed_at_any_byte_is_cut),
		T(text_of_a_torn_record_is_never_read_as_records),
		T(a_damaged_header_of_the_last_segment_is_set_aside),
		T(a_whole_record_behind_the_synced_ones_counts),
		T(damage_to_what_was_synced_makes_a_new_epoch),
		T(synced_records_that_are_cut_off_make_a_new_epoch),
		T(damage_in_the_middle_makes_a_new_epoch),
		T(a_missing_segment_makes_a_new_epoch),
		T(no_segment_at_all_makes_a_new_epoch),
		T(acknowledged_segments_that_came_back_are_removed),
		T(meta_missing_or_damaged_makes_a_new_epoch),
		T(a_newer_version_is_refused_and_nothing_is_changed),
		T(a_segment_that_was_only_begun_is_dropped),
		T(a_begun_segment_alone_goes_on_with_its_number),
		T(what_a_merge_left_behind_is_removed),
		T(half_written_files_are_removed),
		T(segments_of_another_epoch_make_a_new_one),
		T(damage_while_it_is_open_is_told_and_can_be_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
