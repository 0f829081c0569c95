/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replaces agent/events.c by a list of what was put. */
#include "tests/unit/unit.h"

#include "agent/events.h"
#include "agent/report.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "spool/queue.h"

static struct sink {
	size_t parts, snapshots, largest;
	bool last;
	char report[32];
	char first_path[64];
	size_t n_paths, hostname;
	uint64_t total_size;
} sink;

void
events_put(struct events *ev, const Wire__Event *e, bool now)
{
	size_t n = wire__event__get_packed_size(e);

	(void)ev;
	(void)now;
	sink.largest = n > sink.largest ? n : sink.largest;
	if (e->body_case == WIRE__EVENT__BODY_REPO_STATS) {
		sink.total_size = e->repo_stats->total_size_bytes;
		return;
	}
	assert_int_equal(e->body_case, WIRE__EVENT__BODY_SNAPSHOTS);
	assert_false(sink.last); /* nothing after the last part */
	assert_int_equal(e->snapshots->n, sink.parts);
	if (sink.parts++ == 0)
		assert_true(str_copy(sink.report, sizeof(sink.report),
		    str_of(e->snapshots->report_id)));
	assert_string_equal(e->snapshots->report_id, sink.report);
	if (sink.snapshots == 0 && e->snapshots->n_snapshots > 0) {
		sink.n_paths = e->snapshots->snapshots[0]->n_paths;
		sink.hostname = strlen(e->snapshots->snapshots[0]->hostname);
	}
	sink.snapshots += e->snapshots->n_snapshots;
	sink.last = e->snapshots->last;
}

static void
put_snapshot(struct buf *b, unsigned i, size_t paths, size_t host)
{
	size_t k;

	buf_printf(b, "%s{\"id\":\"%064x\",\"short_id\":\"%08x\",\"paths\":[",
	    i > 0 ? "," : "", i, i);
	for (k = 0; k < paths; k++)
		buf_printf(b, "%s\"/srv/a/rather/long/path/%05zu\"",
		    k > 0 ? "," : "", k);
	buf_puts(b, "],\"hostname\":\"");
	for (k = 0; k < host; k++)
		buf_puts(b, "\xc3\xa4");
	buf_puts(b, "\",\"time\":\"2026-11-21T15:00:00Z\"}");
}

static void
report(unsigned n, size_t paths, size_t host, struct report_list *list)
{
	struct err e = { 0 };
	struct buf b;
	unsigned i;

	memset(&sink, 0, sizeof(sink));
	buf_init(&b, MIB(64));
	buf_putc(&b, '[');
	for (i = 0; i < n; i++)
		put_snapshot(&b, i, paths, host);
	buf_putc(&b, ']');
	assert_rc(report_snapshots(NULL, buf_str(&b), list, &e), RC_OK);
	buf_fini(&b);
	assert_true(sink.last);
	assert_int_equal(sink.snapshots, n);
	assert_int_equal(list->count, n);
	assert_true(sink.largest < QUEUE_RECORD_MAX - 64);
}

static void
an_empty_list_is_one_part(void **state)
{
	struct report_list list = { .looked_for = "" };

	(void)state;
	report(0, 0, 0, &list);
	assert_int_equal(sink.parts, 1);
	assert_false(list.found);
}

static void
long_lists_travel_in_parts_that_fit(void **state)
{
	struct report_list list = { .looked_for = "00000000" };

	(void)state;
	report(5000, 3, 5, &list);
	assert_true(sink.parts > 10);
	assert_true(list.found); /* the first eight digits are enough */
	list = (struct report_list){ .looked_for = "0000" };
	report(2, 1, 1, &list);
	assert_false(list.found); /* fewer are not */
}

/* What does not fit an event is cut from its end, not dropped as a whole. */
static void
monstrous_snapshots_are_cut_to_an_event(void **state)
{
	struct report_list list = { .looked_for = "" };

	(void)state;
	report(3, 20000, 100000, &list);
	assert_true(sink.n_paths > 100 && sink.n_paths < 1000);
	assert_int_equal(sink.hostname, 254); /* whole characters */
}

static void
an_unsound_document_sends_nothing(void **state)
{
	static const char *const docs[] = { "", "[", "{}", "[{}]",
		"[{\"id\":\"12\"}]" };
	struct report_list list = { .looked_for = "" };
	struct err e = { 0 };
	size_t i;

	(void)state;
	memset(&sink, 0, sizeof(sink));
	for (i = 0; i < ARRAY_LEN(docs); i++)
		assert_int_not_equal(report_snapshots(NULL, str_of(docs[i]),
		                         &list, &e),
		    RC_OK);
	assert_int_equal(sink.parts, 0);
	assert_int_equal(sink.largest, 0);
}

static void
what_is_known_of_a_repository_is_one_event(void **state)
{
	Wire__RepoStats stats = WIRE__REPO_STATS__INIT;

	(void)state;
	memset(&sink, 0, sizeof(sink));
	stats.total_size__case = WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES;
	stats.total_size_bytes = 7;
	report_stats(NULL, &stats);
	assert_int_equal(sink.total_size, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_list_is_one_part),
		cmocka_unit_test(long_lists_travel_in_parts_that_fit),
		cmocka_unit_test(monstrous_snapshots_are_cut_to_an_event),
		cmocka_unit_test(an_unsound_document_sends_nothing),
		cmocka_unit_test(what_is_known_of_a_repository_is_one_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
