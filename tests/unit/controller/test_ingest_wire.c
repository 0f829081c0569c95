/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packed log chunks are read as protobuf-c unpacks them, or not at all. */
#include "tests/unit/unit.h"

#include "controller/ingest_wire.h"
#include "lib/base/buf.h"
#include "proto/agent.pb-c.h"

#define JOB "01HZZZZZZZZZZZZZZZZZZZZZZA"

enum {
	LINES = 5
};

/* A message of five lines, the third of them with nothing set. */
static void
pack(struct buf *out)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	Wire__LogLine line[LINES], *lines[LINES];
	char job[] = JOB, text[] = "processed 120 files";
	char *room;
	size_t k;

	for (k = 0; k < LINES; k++) {
		wire__log_line__init(&line[k]);
		lines[k] = &line[k];
		if (k == 2)
			continue;
		line[k].ts_ms = k == 3 ? -1 : INT64_C(1795207391123);
		line[k].stream = (Wire__LogStream)k;
		line[k].payload.data = (uint8_t *)text;
		line[k].payload.len = strlen(text) - k;
	}
	c.job_id = job;
	c.first_line = 300;
	c.lines = lines;
	c.n_lines = LINES;
	ev.seq = UINT64_MAX;
	ev.at_ms = 77;
	ev.body_case = WIRE__EVENT__BODY_LOG;
	ev.log = &c;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_EVENT;
	m.event = &ev;
	room = buf_reserve(out, wire__agent_message__get_packed_size(&m));
	assert_non_null(room);
	buf_added(out, wire__agent_message__pack(&m, (uint8_t *)room));
}

static void
a_chunk_is_read_as_it_was_packed(void **state)
{
	Wire__AgentMessage *m;
	struct ingest_chunk c;
	struct ingest_line ln;
	struct str event;
	struct buf b;
	size_t k;

	(void)state;
	buf_init(&b, KIB(4));
	pack(&b);
	m = wire__agent_message__unpack(NULL, b.len, (uint8_t *)b.data);
	assert_non_null(m);
	assert_true(ingest_wire_event(buf_str(&b), &event));
	assert_true(ingest_wire_chunk(event, &c));
	assert_true(c.seq == UINT64_MAX);
	assert_int_equal(c.at_ms, 77);
	assert_str(c.job, JOB);
	assert_int_equal(c.first_line, 300);
	assert_int_equal(c.count, LINES);
	for (k = 0; ingest_wire_line(&c.body, &ln); k++) {
		const Wire__LogLine *want = m->event->log->lines[k];

		assert_true(k < LINES);
		assert_true(ln.ts_ms == want->ts_ms);
		assert_int_equal(ln.stream, want->stream);
		assert_int_equal(ln.text.n, want->payload.len);
		assert_memory_equal(ln.text.p, want->payload.data, ln.text.n);
	}
	assert_int_equal(k, LINES);
	wire__agent_message__free_unpacked(m, NULL);
	buf_fini(&b);
}

/* Cut anywhere, or with any byte changed: what is taken then is what
 * protobuf-c takes, so nothing gets in that would be refused otherwise. */
static void
what_protobuf_refuses_is_not_taken(void **state)
{
	Wire__Event *ev;
	struct ingest_chunk c;
	struct str event, cut;
	struct buf b;
	size_t i, taken = 0;
	int bit;

	(void)state;
	buf_init(&b, KIB(4));
	pack(&b);
	assert_true(ingest_wire_event(buf_str(&b), &event));
	for (i = 0; i < event.n; i++) {
		cut = str_sub(event, 0, i);
		assert_false(
		    ingest_wire_event(str_sub(buf_str(&b), 0, i), &cut));
		for (bit = 0; bit < 8; bit++) {
			b.data[b.len - event.n + i] ^= (char)(1 << bit);
			ev = wire__event__unpack(NULL, event.n,
			    (const uint8_t *)event.p);
			if (ingest_wire_chunk(event, &c)) {
				taken++;
				assert_non_null(ev);
				assert_int_equal(ev->body_case,
				    WIRE__EVENT__BODY_LOG);
				assert_true(c.seq == ev->seq);
				assert_int_equal(c.count, ev->log->n_lines);
				assert_true(
				    c.first_line == ev->log->first_line);
				assert_str(c.job, ev->log->job_id);
			}
			if (ev != NULL)
				wire__event__free_unpacked(ev, NULL);
			b.data[b.len - event.n + i] ^= (char)(1 << bit);
		}
	}
	assert_true(taken > event.n); /* the texts can be anything */
	buf_fini(&b);
}

static bool
takes(const char *bytes, size_t n)
{
	struct ingest_chunk c;

	return ingest_wire_chunk(str_from(bytes, n), &c);
}
#define TAKES(lit) takes(lit, sizeof(lit) - 1)

static void
only_the_plain_form_is_taken(void **state)
{
	(void)state;
	assert_true(TAKES("\x08\x01\x22\x02\x10\x05"));
	assert_false(TAKES("\x08\x01"));                 /* no body */
	assert_false(TAKES("\x08\x01\x08\x02\x22\x00")); /* seq twice */
	assert_false(TAKES("\x08\x01\x22\x00\x22\x00")); /* log twice */
	assert_false(TAKES("\x08\x01\x22\x00\x1a\x00")); /* and a start */
	assert_false(TAKES("\x09\x01\x22\x00"));         /* wrong type */
	assert_false(TAKES("\x08\x01\x22\x04\x10\x05\x10\x06"));
	assert_false(TAKES("\x08\x01\x22\x05\x1a\x03\x1a\x05x")); /* too long */
	assert_false(TAKES("\x08\x01\x22\x00\x00\x00"));          /* field 0 */
	assert_false(TAKES("\x08\x01\x22\x00\x7b\x7c"));          /* a group */
	/* Fields of a newer agent, of each type. */
	assert_true(TAKES("\x08\x01\x22\x00\x78\x05\x7a\x01x"
	                  "\x79"
	                  "12345678"
	                  "\x7d"
	                  "1234"));
	assert_true(TAKES("\x08\x01\x22\x07\x20\x01\x1a\x03\x22\x01x"));
}

static void
a_message_with_more_than_an_event_is_not_taken(void **state)
{
	struct str event;

	(void)state;
	assert_true(ingest_wire_event(STR("\x1a\x02\x08\x01"), &event));
	assert_int_equal(event.n, 2);
	assert_false(ingest_wire_event(STR("\x12\x00"), &event));
	assert_false(ingest_wire_event(STR("\x1a\x00\x12\x00"), &event));
	assert_false(ingest_wire_event(STR("\x1a\x05\x08\x01"), &event));
	assert_false(ingest_wire_event(STR(""), &event));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chunk_is_read_as_it_was_packed),
		cmocka_unit_test(what_protobuf_refuses_is_not_taken),
		cmocka_unit_test(only_the_plain_form_is_taken),
		cmocka_unit_test(
		    a_message_with_more_than_an_event_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
