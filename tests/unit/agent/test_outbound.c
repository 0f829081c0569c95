/* SPDX-License-Identifier: GPL-3.0-or-later */
/* On a real queue; the commands that hello lists are made up here. */
#include "tests/unit/agent/agent_help.h"

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/outbound.h"
#include "agent/secrets.h"

struct fixture {
	struct agent a;
	struct outbound o;
	char secrets[256];
};

static size_t fake_running, fake_accepted;

static size_t
fake_ids(size_t n, struct ulid *out, size_t max)
{
	size_t i;

	for (i = 0; i < n && i < max; i++)
		ulid_new(&out[i]);
	return i;
}

size_t
command_running(const struct command *c, struct ulid *out, size_t max)
{
	(void)c;
	return fake_ids(fake_running, out, max);
}

size_t
command_accepted(const struct command *c, struct ulid *out, size_t max)
{
	(void)c;
	return fake_ids(fake_accepted, out, max);
}

static void
fixture_open(struct fixture *f, const char *dir)
{
	static const uint8_t key[CRYPT_KEY_SIZE];

	*f = (struct fixture){ 0 };
	fake_running = fake_accepted = 0;
	f->a.loop = help_loop();
	f->a.queue = help_queue(dir);
	f->a.events = events_new(f->a.loop, f->a.queue);
	help_path(f->secrets, dir, "secrets.enc");
	assert_rc(secrets_open(f->secrets, key, &f->a.secrets, NULL), RC_OK);
	assert_true(str_copy(f->a.facts.hostname, sizeof(f->a.facts.hostname),
	    STR("web-1")));
	outbound_init(&f->o, f->a.events);
}

static void
fixture_close(struct fixture *f)
{
	outbound_fini(&f->o);
	help_sync(f->a.loop, f->a.events);
	events_free(f->a.events);
	queue_close(f->a.queue);
	secrets_close(f->a.secrets);
	loop_free(f->a.loop);
}

static void
put(struct fixture *f, size_t n, size_t len)
{
	Wire__JobFinished s = WIRE__JOB_FINISHED__INIT;
	Wire__Event e = WIRE__EVENT__INIT;
	char *text = mem_alloc(len + 1);
	size_t i;

	memset(text, 'x', len);
	s.error = text;
	e.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	e.job_finished = &s;
	for (i = 0; i < n; i++)
		events_put(f->a.events, &e, false);
	help_sync(f->a.loop, f->a.events);
	mem_free(text);
}

static void
say_hello(struct fixture *f, struct hello *h)
{
	assert_rc(hello_make(&f->a, h), RC_OK);
	f->o.offered = h->wire.next_seq;
}

/* Sends what it gives and returns how many; *last is the last number. */
static size_t
drain(struct fixture *f, uint64_t *last)
{
	Wire__AgentMessage *m;
	struct str packed;
	size_t n = 0;

	while (outbound_next(&f->o, &packed)) {
		m = wire__agent_message__unpack(NULL, packed.n,
		    (const uint8_t *)packed.p);
		assert_non_null(m);
		assert_int_equal(m->body_case, WIRE__AGENT_MESSAGE__BODY_EVENT);
		*last = m->event->seq;
		wire__agent_message__free_unpacked(m, NULL);
		outbound_sent(&f->o);
		n++;
	}
	return n;
}

static void
events_go_once_and_in_order(void **state)
{
	static struct fixture f;
	static struct hello h;
	struct str a, b;
	uint64_t last = 0;

	fixture_open(&f, *state);
	put(&f, 3, 10);
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 1, NULL));
	/* Looking twice does not send twice. */
	assert_true(outbound_next(&f.o, &a));
	assert_true(outbound_next(&f.o, &b));
	assert_ptr_equal(a.p, b.p);
	assert_int_equal(drain(&f, &last), 3);
	assert_int_equal(last, 3);
	assert_int_equal(drain(&f, &last), 0);
	assert_false(outbound_empty(&f.o));
	outbound_ack(&f.o, 3);
	assert_true(outbound_empty(&f.o));
	fixture_close(&f);
}

/* storage-facts.md 5, rule 6. */
static void
the_window_holds_a_mebibyte(void **state)
{
	static struct fixture f;
	static struct hello h;
	uint64_t last = 0;
	size_t n;

	fixture_open(&f, *state);
	put(&f, 60, 60000);
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 1, NULL));
	n = drain(&f, &last);
	assert_int_equal(n, 18); /* the one that fills it may go */
	outbound_ack(&f.o, 1);
	assert_int_equal(drain(&f, &last), 1);
	outbound_ack(&f.o, 19);
	n = drain(&f, &last);
	assert_int_equal(n, 18);
	assert_int_equal(last, 37);
	outbound_ack(&f.o, 5); /* an old one changes nothing */
	assert_int_equal(drain(&f, &last), 0);
	outbound_ack(&f.o, 37);
	assert_int_equal(drain(&f, &last), 18);
	outbound_ack(&f.o, 55);
	assert_int_equal(drain(&f, &last), 5);
	assert_int_equal(last, 60);
	fixture_close(&f);
}

static void
a_lost_connection_sends_again_what_is_not_acknowledged(void **state)
{
	static struct fixture f;
	static struct hello h;
	uint64_t last = 0;

	fixture_open(&f, *state);
	put(&f, 10, 10);
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 1, NULL));
	assert_int_equal(drain(&f, &last), 10);
	outbound_ack(&f.o, 4);
	/* The controller had more than it could tell. */
	say_hello(&f, &h);
	assert_int_equal(h.wire.first_seq, 5);
	assert_int_equal(h.wire.next_seq, 11);
	assert_true(outbound_resume(&f.o, 8, NULL));
	assert_int_equal(drain(&f, &last), 3);
	outbound_ack(&f.o, 8);
	assert_true(outbound_resume(&f.o, 9, NULL));
	assert_int_equal(drain(&f, &last), 2);
	/* It has all. */
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 11, NULL));
	assert_true(outbound_empty(&f.o));
	fixture_close(&f);
}

static void
numbers_never_given_begin_a_new_epoch(void **state)
{
	static struct fixture f;
	static struct hello h, again;
	struct err e = { 0 };
	uint64_t last = 0;

	fixture_open(&f, *state);
	put(&f, 3, 10);
	say_hello(&f, &h);
	assert_false(outbound_resume(&f.o, 5, &e));
	assert_rc(e.rc, RC_CONFLICT);
	say_hello(&f, &again);
	assert_memory_not_equal(h.epoch, again.epoch, sizeof(h.epoch));
	assert_int_equal(again.wire.next_seq, 1);
	assert_true(outbound_resume(&f.o, 1, &e));
	put(&f, 1, 10);
	assert_int_equal(drain(&f, &last), 1);
	assert_int_equal(last, 1);
	fixture_close(&f);
}

/* While the pool writes nothing can be renewed; the next hello tries again,
 * and no acknowledgement of a number of nobody's is believed meanwhile. */
static void
a_busy_queue_is_renewed_at_the_next_hello(void **state)
{
	Wire__Event e = WIRE__EVENT__INIT;
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	struct err err = { 0 };
	static struct fixture f;
	static struct hello h;

	fixture_open(&f, *state);
	put(&f, 3, 10);
	say_hello(&f, &h);
	e.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	e.config_ack = &ack;
	events_put(f.a.events, &e, true);
	assert_false(outbound_resume(&f.o, 9, &err));
	assert_rc(err.rc, RC_BUSY);
	assert_rc(hello_make(&f.a, &h), RC_BUSY);
	help_sync(f.a.loop, f.a.events);
	say_hello(&f, &h);
	assert_int_equal(h.wire.next_seq, 5);
	assert_int_equal(h.wire.first_seq, 1);
	assert_false(outbound_resume(&f.o, 9, &err));
	assert_rc(err.rc, RC_CONFLICT);
	fixture_close(&f);
}

static void
hello_lists_jobs_and_state(void **state)
{
	struct secrets_config config = { 42, 0, 0 };
	static struct fixture f;
	static struct hello h;

	fixture_open(&f, *state);
	fake_running = 2;
	fake_accepted = 1;
	assert_rc(secrets_put(f.a.secrets, SECRETS_REPO, NULL, &config, NULL),
	    RC_OK);
	say_hello(&f, &h);
	assert_int_equal(h.wire.protocol_version, 1);
	assert_int_equal(h.wire.n_running_job_ids, 2);
	assert_int_equal(h.wire.n_accepted_job_ids, 1);
	assert_int_equal(strlen(h.wire.accepted_job_ids[0]), 26);
	assert_string_not_equal(h.wire.running_job_ids[1],
	    h.wire.accepted_job_ids[0]);
	assert_int_equal(h.wire.config_version, 42);
	assert_int_equal(h.wire.epoch.len, 16);
	assert_int_equal(h.wire.instance_id.len, 32);
	assert_string_equal(h.wire.hostname, "web-1");
	/* Many more than it has room for. */
	fake_running = 1000;
	fake_accepted = 1000;
	say_hello(&f, &h);
	assert_int_equal(h.wire.n_running_job_ids, HELLO_JOBS);
	assert_int_equal(h.wire.n_accepted_job_ids, HELLO_JOBS);
	fixture_close(&f);
}

static Wire__PollRequest *
poll(struct fixture *f, bool *waits)
{
	struct poll_request q;
	Wire__PollRequest *r;
	static struct hello h;

	assert_rc(hello_make(&f->a, &h), RC_OK);
	outbound_poll_request(&f->o, &h, 25000, &q);
	*waits = q.waits;
	assert_true(q.packed.len > 0 && q.packed.len < 4194304);
	r = wire__poll_request__unpack(NULL, q.packed.len,
	    (const uint8_t *)buf_text(&q.packed));
	assert_non_null(r);
	buf_fini(&q.packed);
	return r;
}

/* A Poll asks nothing first: what a Session sent before it broke may be
 * lost. */
static void
a_poll_sends_again_what_a_session_sent_in_vain(void **state)
{
	static struct fixture f;
	static struct hello h;
	Wire__PollRequest *r;
	uint64_t last = 0;
	bool waits;

	fixture_open(&f, *state);
	put(&f, 5, 10);
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 1, NULL));
	assert_int_equal(drain(&f, &last), 5);
	outbound_ack(&f.o, 2);
	r = poll(&f, &waits);
	assert_false(waits);
	assert_int_equal(r->n_events, 3);
	assert_int_equal(r->events[0]->seq, 3);
	wire__poll_request__free_unpacked(r, NULL);
	fixture_close(&f);
}

static void
a_poll_takes_everything_along_or_waits(void **state)
{
	Wire__CommandResult res = WIRE__COMMAND_RESULT__INIT;
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	Wire__PollRequest *r;
	static struct fixture f;
	bool waits;
	size_t i;

	fixture_open(&f, *state);
	r = poll(&f, &waits);
	assert_true(waits);
	assert_int_equal(r->wait_ms, 25000);
	assert_int_equal(r->n_events, 0);
	wire__poll_request__free_unpacked(r, NULL);
	put(&f, 3, 10);
	res.job_id = (char[]){ "01JD0000000000000000000000" };
	res.error = (char[]){ "busy" };
	outbound_keep_result(&f.o, &res);
	p.job_id = res.job_id;
	p.files_done = 1;
	outbound_keep_progress(&f.o, &p);
	p.files_done = 2;
	outbound_keep_progress(&f.o, &p); /* only the latest counts */
	r = poll(&f, &waits);
	assert_false(waits);
	assert_int_equal(r->wait_ms, 0);
	assert_int_equal(r->hello->next_seq, 4);
	assert_int_equal(r->n_events, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(r->events[i]->seq, i + 1);
	assert_int_equal(r->n_results, 1);
	assert_string_equal(r->results[0]->error, "busy");
	assert_int_equal(r->n_progress, 1);
	assert_int_equal(r->progress[0]->files_done, 2);
	wire__poll_request__free_unpacked(r, NULL);
	/* Not acknowledged: the events go again, the rest does not. */
	r = poll(&f, &waits);
	assert_int_equal(r->n_events, 3);
	assert_int_equal(r->n_results, 0);
	assert_int_equal(r->n_progress, 0);
	wire__poll_request__free_unpacked(r, NULL);
	fixture_close(&f);
}

static void
a_poll_carries_a_window_at_most(void **state)
{
	Wire__PollRequest *r;
	static struct fixture f;
	bool waits;

	fixture_open(&f, *state);
	put(&f, 60, 60000);
	r = poll(&f, &waits);
	assert_int_equal(r->n_events, 18);
	wire__poll_request__free_unpacked(r, NULL);
	fixture_close(&f);
}

static void
kept_answers_are_bounded_and_come_in_order(void **state)
{
	Wire__CommandResult res = WIRE__COMMAND_RESULT__INIT, *r;
	static struct fixture f;
	char text[32];
	unsigned i;

	fixture_open(&f, *state);
	for (i = 0; i < OUTBOUND_RESULTS + 5; i++) {
		assert_true(str_fmt(text, sizeof(text), "%u", i));
		res.job_id = text;
		outbound_keep_result(&f.o, &res);
	}
	for (i = 0; i < OUTBOUND_RESULTS; i++) {
		r = outbound_take_result(&f.o);
		assert_non_null(r);
		assert_true(str_fmt(text, sizeof(text), "%u", i));
		assert_string_equal(r->job_id, text);
		wire__command_result__free_unpacked(r, NULL);
	}
	assert_null(outbound_take_result(&f.o));
	outbound_keep_result(&f.o, &res); /* freed with the rest */
	fixture_close(&f);
}

static void
damage_in_the_queue_is_told(void **state)
{
	char dir[256], path[300];
	static struct fixture f;
	static struct hello h;
	struct str packed;
	struct err e = { 0 };
	struct buf b;

	fixture_open(&f, *state);
	put(&f, 3, 1000);
	say_hello(&f, &h);
	assert_true(outbound_resume(&f.o, 1, NULL));
	help_path(dir, *state, "queue");
	assert_true(str_fmt(path, sizeof(path), "%s/seg-%020llu", dir, 1ULL));
	buf_init(&b, MIB(2));
	if (fsio_read(path, &b, NULL) == RC_OK) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, "damage", 6, 1500), 6);
		close(fd);
		assert_true(outbound_next(&f.o, &packed));
		outbound_sent(&f.o);
		assert_false(outbound_next(&f.o, &packed));
		assert_true(f.o.corrupt);
		assert_rc(outbound_renew(&f.o, &e), RC_OK);
		assert_false(f.o.corrupt);
		assert_false(outbound_next(&f.o, &packed));
	} else {
		fail_msg("no segment %s", path);
	}
	buf_fini(&b);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(events_go_once_and_in_order),
		unit_test_in_folder(the_window_holds_a_mebibyte),
		unit_test_in_folder(
		    a_lost_connection_sends_again_what_is_not_acknowledged),
		unit_test_in_folder(numbers_never_given_begin_a_new_epoch),
		unit_test_in_folder(a_busy_queue_is_renewed_at_the_next_hello),
		unit_test_in_folder(hello_lists_jobs_and_state),
		unit_test_in_folder(
		    a_poll_sends_again_what_a_session_sent_in_vain),
		unit_test_in_folder(a_poll_takes_everything_along_or_waits),
		unit_test_in_folder(a_poll_carries_a_window_at_most),
		unit_test_in_folder(kept_answers_are_bounded_and_come_in_order),
		unit_test_in_folder(damage_in_the_queue_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
