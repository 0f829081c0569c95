/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replaces agent/events.c by a list of the chunks that were put. */
#include "tests/unit/agent/agent_help.h"

#include <inttypes.h>

#include "agent/lines.h"
#include "agent/redact.h"

struct chunk {
	uint64_t first;
	size_t n;
	size_t packed; /* as the event that is queued */
};

static struct sink {
	struct chunk chunks[2048];
	size_t n;
	uint64_t lines;
	uint64_t text_bytes;
	Wire__LogStream last_stream;
	struct buf text; /* "number stream text\n" */
	char job[ULID_TEXT_CAP];
} sink;

void
events_put_log(struct events *ev, const Wire__LogChunk *c)
{
	Wire__Event e = WIRE__EVENT__INIT;
	size_t i;

	(void)ev;
	assert_true(sink.n < ARRAY_LEN(sink.chunks));
	assert_true(c->n_lines > 0);
	/* 1..n without a hole. */
	assert_int_equal(c->first_line, sink.lines + 1);
	e.body_case = WIRE__EVENT__BODY_LOG;
	e.log = (Wire__LogChunk *)(uintptr_t)c;
	sink.chunks[sink.n++] = (struct chunk){ c->first_line, c->n_lines,
		wire__event__get_packed_size(&e) };
	assert_true(str_copy(sink.job, sizeof(sink.job), str_of(c->job_id)));
	for (i = 0; i < c->n_lines; i++) {
		const Wire__LogLine *l = c->lines[i];

		sink.lines++;
		sink.text_bytes += l->payload.len;
		sink.last_stream = l->stream;
		assert_true(l->ts_ms > 1500000000000);
		buf_printf(&sink.text, "%" PRIu64 " %d ", sink.lines,
		    (int)l->stream);
		buf_put(&sink.text, l->payload.data, l->payload.len);
		buf_putc(&sink.text, '\n');
	}
}

#define OUT WIRE__LOG_STREAM__LOG_STREAM_STDOUT
#define ERR WIRE__LOG_STREAM__LOG_STREAM_STDERR

static struct lines *
begin(struct loop **l, uint64_t head, uint64_t tail, const struct redact *r)
{
	struct lines_opts o = { .head_max = head,
		.tail_max = tail,
		.redact = r };

	buf_fini(&sink.text);
	memset(&sink, 0, sizeof(sink));
	buf_init(&sink.text, MIB(64));
	*l = help_loop();
	o.loop = *l;
	ulid_new(&o.job);
	return lines_new(&o);
}

static void
end(struct lines *ln, struct loop *l)
{
	lines_free(ln);
	loop_free(l);
	buf_fini(&sink.text);
	memset(&sink, 0, sizeof(sink));
}

static bool
has_lines(void *ctx)
{
	return sink.lines >= *(uint64_t *)ctx;
}

static void
lines_wait_a_moment_and_go_together(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, NULL);
	uint64_t two = 2;

	(void)state;
	lines_add(ln, OUT, STR("first"));
	lines_printf(ln, ERR, "second %d", 2);
	assert_int_equal(sink.n, 0);
	help_run_until(l, has_lines, &two);
	assert_int_equal(sink.n, 1);
	assert_str(buf_str(&sink.text), "1 1 first\n2 2 second 2\n");
	lines_add(ln, OUT, STR(""));
	assert_int_equal(lines_end(ln), 3);
	assert_int_equal(sink.chunks[1].first, 3);
	assert_int_equal(strlen(sink.job), 26);
	end(ln, l);
}

static void
an_empty_log_sends_nothing(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, NULL);

	(void)state;
	assert_int_equal(lines_end(ln), 0);
	assert_int_equal(sink.n, 0);
	end(ln, l);
}

static void
texts_of_several_lines_are_split(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, NULL);

	(void)state;
	lines_add(ln, ERR, STR("Fatal: a\nb\n\nc\n"));
	assert_int_equal(lines_end(ln), 4);
	assert_str(buf_str(&sink.text), "1 2 Fatal: a\n2 2 b\n3 2 \n4 2 c\n");
	end(ln, l);
}

static void
add_many(struct lines *ln, size_t n, size_t len)
{
	char *text = mem_alloc(len + 1);
	size_t i;

	memset(text, 'x', len);
	for (i = 0; i < n; i++)
		lines_add(ln, OUT, str_from(text, len));
	mem_free(text);
}

static void
chunks_fit_an_event(void **state)
{
	static const size_t lens[] = { 0, 1, 20, 200, 5000, 16384 };
	struct loop *l;
	struct lines *ln;
	size_t i, c;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		ln = begin(&l, MIB(64), 0, NULL);
		add_many(ln, 3000, lens[i]);
		assert_int_equal(lines_end(ln), 3000);
		assert_int_equal(sink.lines, 3000);
		for (c = 0; c < sink.n; c++)
			assert_true(sink.chunks[c].packed < 65536 - 64);
		/* and are not wastefully small */
		assert_true(sink.n == 1 || sink.chunks[0].packed > KIB(30) ||
		            lens[i] < 32);
		end(ln, l);
	}
}

static void
long_lines_are_cut_and_marked(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, NULL);

	(void)state;
	add_many(ln, 1, 16384);
	add_many(ln, 1, 16385);
	add_many(ln, 1, MIB(3));
	assert_int_equal(lines_end(ln), 3);
	assert_int_equal(sink.text_bytes, 3 * 16384);
	assert_true(str_ends(buf_str(&sink.text), STR("xxx [cut]\n")));
	end(ln, l);
}

static void
the_head_flows_and_the_tail_comes_last(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 1000, 500, NULL);
	char text[64];
	struct str note;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		lines_printf(ln, OUT, "line %04d ", i); /* 10 bytes */
	assert_int_equal(lines_end(ln), 100 + 1 + 50);
	assert_int_equal(sink.lines, 151);
	note = str_of("101 5 850 lines left out\n102 1 line 0950 \n");
	assert_true(str_contains(buf_str(&sink.text), note));
	assert_true(
	    str_contains(buf_str(&sink.text), STR("100 1 line 0099 \n101 ")));
	assert_true(str_fmt(text, sizeof(text), "151 1 line 0999 \n"));
	assert_true(str_ends(buf_str(&sink.text), str_of(text)));
	end(ln, l);
}

/* Just over the head: nothing is lost, nothing is said. */
static void
a_tail_that_fits_is_no_loss(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 1000, 500, NULL);
	int i;

	(void)state;
	for (i = 0; i < 150; i++)
		lines_printf(ln, OUT, "line %04d ", i);
	assert_int_equal(lines_end(ln), 150);
	assert_false(str_contains(buf_str(&sink.text), STR("left out")));
	end(ln, l);
}

/* Once lines are kept for the tail a short one cannot overtake them. */
static void
order_holds_at_the_end_of_the_head(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 100, 500, NULL);

	(void)state;
	add_many(ln, 1, 90);
	add_many(ln, 1, 50);
	lines_add(ln, OUT, STR("short"));
	assert_int_equal(lines_end(ln), 3);
	assert_true(str_ends(buf_str(&sink.text), STR("x\n3 1 short\n")));
	end(ln, l);
}

static void
the_real_limits_are_those_of_the_contract(void **state)
{
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, NULL);

	(void)state;
	add_many(ln, 5000, 10000); /* 50 MB */
	lines_end(ln);
	assert_true(sink.text_bytes > MIB(33) - 30000);
	assert_true(sink.text_bytes < MIB(33) + 100);
	end(ln, l);
}

static void
secrets_do_not_enter_even_across_the_cut(void **state)
{
	struct redact *r = redact_new();
	struct loop *l;
	struct lines *ln = begin(&l, 0, 0, r);
	struct buf b;

	(void)state;
	redact_secret(r, STR("canary-password-1"));
	lines_add(ln, OUT, STR("a canary-password-1 b"));
	/* The line is cut inside the secret. */
	buf_init(&b, MIB(1));
	while (b.len < 16370)
		buf_putc(&b, 'x');
	buf_puts(&b, "canary-password-1 and more of it");
	lines_add(ln, OUT, buf_str(&b));
	/* And where reading of very long lines ends, with much to shrink. */
	buf_reset(&b);
	while (b.len < KIB(48) - 8)
		buf_puts(&b, "canary-password-1");
	buf_puts(&b, "canary-password-1");
	lines_add(ln, OUT, buf_str(&b));
	lines_end(ln);
	assert_true(str_starts(buf_str(&sink.text), STR("1 1 a *** b\n")));
	assert_false(str_contains(buf_str(&sink.text), STR("canary")));
	buf_fini(&b);
	end(ln, l);
	redact_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_wait_a_moment_and_go_together),
		cmocka_unit_test(an_empty_log_sends_nothing),
		cmocka_unit_test(texts_of_several_lines_are_split),
		cmocka_unit_test(chunks_fit_an_event),
		cmocka_unit_test(long_lines_are_cut_and_marked),
		cmocka_unit_test(the_head_flows_and_the_tail_comes_last),
		cmocka_unit_test(a_tail_that_fits_is_no_loss),
		cmocka_unit_test(order_holds_at_the_end_of_the_head),
		cmocka_unit_test(the_real_limits_are_those_of_the_contract),
		cmocka_unit_test(secrets_do_not_enter_even_across_the_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
