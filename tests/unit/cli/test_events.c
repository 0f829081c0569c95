/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/cli/events.h"

struct seen {
	struct buf text;
	unsigned stop_after; /* 0: never */
	unsigned n;
};

static bool
note(void *ctx, struct str name, struct str data)
{
	struct seen *s = ctx;

	buf_put_str(&s->text, name);
	buf_putc(&s->text, '=');
	buf_put_str(&s->text, data);
	buf_putc(&s->text, ';');
	return ++s->n != s->stop_after;
}

static const char stream[] = "event: a\nid: 7\ndata: one\n\n"
                             ": ping\n\n"
                             "event: b\r\nid: 9\r\ndata: two\r\ndata: 2\r\n\r\n"
                             "id: 11\n\n"
                             "data:three\n\n"
                             "event: half\nid: 99\ndata: x\n";

static void
pieces_of_any_size_give_the_same(void **state)
{
	struct events ev;
	struct seen s;
	size_t step, i;

	(void)state;
	for (step = 1; step < sizeof(stream); step++) {
		memset(&s, 0, sizeof(s));
		buf_init(&s.text, KIB(4));
		events_init(&ev, note, &s);
		for (i = 0; i < sizeof(stream) - 1; i += step)
			assert_true(
			    events_feed(&ev, str_sub(str_of(stream), i, step)));
		assert_string_equal(buf_text(&s.text),
		    "a=one;b=two\n2;=three;");
		/* Half an event moves nothing: it will come again. */
		assert_int_equal(ev.id, 11);
		events_restart(&ev);
		assert_true(events_feed(&ev, STR("data: y\n\n")));
		assert_true(str_ends(buf_str(&s.text), STR(";=y;")));
		assert_int_equal(ev.id, 11);
		events_fini(&ev);
		buf_fini(&s.text);
	}
}

static void
it_ends_when_told_or_when_a_line_has_no_end(void **state)
{
	struct seen s = { .stop_after = 1 };
	struct events ev;
	char *big = calloc(1, MIB(1));
	bool more = true;
	size_t i;

	(void)state;
	assert_non_null(big);
	buf_init(&s.text, MIB(4));
	events_init(&ev, note, &s);
	assert_false(events_feed(&ev, str_of(stream)));
	assert_int_equal(s.n, 1);
	events_restart(&ev);
	memset(big, 'x', MIB(1));
	for (i = 0; i < 3 && more; i++)
		more = events_feed(&ev, str_from(big, MIB(1)));
	assert_false(more);
	events_fini(&ev);
	buf_fini(&s.text);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_give_the_same),
		cmocka_unit_test(it_ends_when_told_or_when_a_line_has_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
