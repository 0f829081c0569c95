/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Enrolment against a controller made up here. */
#include "tests/unit/agent/dial_fake.h"

#include "agent/enrol.h"
#include "agent/secrets.h"
#include "lib/net/tls.h"
#include "proto/agent.pb-c.h"

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PIN "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define TOKEN SECRET "." PIN
#define HOST_A "01JD000000000000000000000A"
#define HOST_B "01JD000000000000000000000B"

enum answer {
	ANSWERS,
	MALFORMED,
	SILENT_END,
	USED,
	UNKNOWN,
	LOST, /* the connection, after the request */
	NO_CONNECTION
};

static struct fake {
	enum answer answer;
	const char *host_id;
	unsigned requests;
	char token[64], enrol_id[64];
	uint8_t pin[TLS_PIN_SIZE];
} fake;

static void
fake_reply(const char *host_id)
{
	Wire__EnrollReply r = WIRE__ENROLL_REPLY__INIT;
	uint8_t bytes[512];
	size_t n;

	r.host_id = (char *)(uintptr_t)host_id;
	r.agent_token = (char[]){ "the-bearer" };
	n = wire__enroll_reply__pack(&r, bytes);
	line_say(str_from(bytes, n));
}

static void
fake_on_sent(void *ctx)
{
	struct err e = { 0 };

	(void)ctx;
	switch (fake.answer) {
	case ANSWERS:
		fake_reply(fake.host_id);
		line_end(GRPC_OK, "", "");
		return;
	case MALFORMED:
		fake_reply("short");
		line_end(GRPC_OK, "", "");
		return;
	case SILENT_END:
		line_end(GRPC_OK, "", "");
		return;
	case USED:
		line_end(GRPC_FAILED_PRECONDITION,
		    "the token was used by another host", "");
		return;
	case UNKNOWN:
		line_end(GRPC_UNAUTHENTICATED, "the token is unknown", "");
		return;
	case LOST:
		line_end(GRPC_UNAVAILABLE, "the connection ended", "");
		err_set(&e, RC_OFFLINE, "the connection ended");
		line.conn.o.on_down(line.conn.o.ctx, &line.conn, &e);
		return;
	case NO_CONNECTION:
		break;
	}
	fail();
}

enum rc
grpc_call_send(struct grpc_ccall *c, struct str msg)
{
	Wire__EnrollRequest *q =
	    wire__enroll_request__unpack(NULL, msg.n, (const uint8_t *)msg.p);

	(void)c;
	assert_non_null(q);
	fake.requests++;
	assert_true(str_copy(fake.token, sizeof(fake.token), str_of(q->token)));
	assert_true(str_copy(fake.enrol_id, sizeof(fake.enrol_id),
	    str_of(q->enrol_id)));
	assert_string_equal(q->os, "linux");
	wire__enroll_request__free_unpacked(q, NULL);
	loop_defer(line.conn.o.loop, fake_on_sent, NULL);
	return RC_OK;
}

enum rc
tls_client_new(const struct tls_client_opts *o, struct tls_ctx **out,
    struct err *e)
{
	(void)e;
	memcpy(fake.pin, o->pin, sizeof(fake.pin));
	*out = NULL;
	return RC_OK;
}

/* ------------------------------------------------------------- fixture */

static enum rc
enrol(struct settings *s, enum answer answer, const char *host_id,
    struct err *e)
{
	struct loop *l = help_loop();
	enum rc rc;

	memset(&fake, 0, sizeof(fake));
	memset(&line, 0, sizeof(line));
	fake.answer = answer;
	line.refused = answer == NO_CONNECTION;
	fake.host_id = host_id;
	*e = (struct err){ 0 };
	rc = enrol_run(s, l, "https://h:8443", TOKEN, e);
	loop_free(l);
	return rc;
}

static void
an_answer_becomes_the_configuration(void **state)
{
	struct settings s, again;
	struct err e;
	size_t i;

	load(&s, *state);
	assert_rc(enrol(&s, ANSWERS, HOST_A, &e), RC_OK);
	assert_string_equal(fake.token, SECRET);
	for (i = 0; i < sizeof(fake.pin); i++)
		assert_int_equal(fake.pin[i], 1);
	assert_int_equal(line.frees, 1);
	load(&again, *state);
	assert_string_equal(again.host_id, HOST_A);
	assert_string_equal(again.agent_token, "the-bearer");
	assert_string_equal(again.server, "https://h:8443");
	assert_string_equal(again.cert_pin_sha256,
	    "0101010101010101010101010101010101010101010101010101010101010101");
	assert_int_equal(strlen(again.secrets_key), 44);
	assert_null(again.enrol_id);
	settings_free(&s);
	settings_free(&again);
}

/* A lost reply burns nothing: the same id is told again. */
static void
a_lost_reply_can_be_asked_for_again(void **state)
{
	struct settings s;
	struct err e;
	char id[64], key[64];

	load(&s, *state);
	assert_rc(enrol(&s, LOST, HOST_A, &e), RC_BUSY);
	assert_true(str_copy(id, sizeof(id), str_of(fake.enrol_id)));
	assert_true(strlen(id) >= 20);
	settings_free(&s);
	load(&s, *state); /* another process */
	assert_null(s.host_id);
	assert_string_equal(s.enrol_id, id);
	assert_true(str_copy(key, sizeof(key), str_of(s.secrets_key)));
	assert_rc(enrol(&s, ANSWERS, HOST_A, &e), RC_OK);
	assert_string_equal(fake.enrol_id, id);
	assert_string_equal(s.secrets_key, key);
	settings_free(&s);
}

static void
refusals_are_told_and_leave_no_identity(void **state)
{
	static const struct {
		enum answer answer;
		enum rc rc;
		const char *says;
	} table[] = {
		{ MALFORMED, RC_PROTO, "malformed" },
		{ SILENT_END, RC_PROTO, "no answer" },
		{ USED, RC_GONE, "used by another" },
		{ UNKNOWN, RC_AUTH, "unknown" },
		{ NO_CONNECTION, RC_OFFLINE, "refused" },
	};
	struct settings s;
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		load(&s, *state);
		assert_rc(enrol(&s, table[i].answer, HOST_A, &e), table[i].rc);
		check_refused(&s, *state, &e, table[i].says);
	}
}

static void
what_is_no_token_is_not_sent(void **state)
{
	static const char *const tokens[] = { "", ".", SECRET, SECRET ".",
		SECRET "." PIN "x", SECRET "x." PIN, "." PIN,
		SECRET ".!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!" };
	struct settings s;
	struct loop *l = help_loop();
	struct err e = { 0 };
	size_t i;

	memset(&fake, 0, sizeof(fake));
	memset(&line, 0, sizeof(line));
	load(&s, *state);
	for (i = 0; i < ARRAY_LEN(tokens); i++) {
		assert_rc(enrol_run(&s, l, "https://h", tokens[i], &e),
		    RC_INVALID);
		assert_false(str_contains(str_of(e.msg), STR(SECRET)));
	}
	assert_int_equal(fake.requests, 0);
	/* Nothing was written either. */
	assert_null(s.secrets_key);
	settings_free(&s);
	loop_free(l);
}

static void
while_an_agent_runs_nothing_is_enrolled(void **state)
{
	struct settings s;
	struct queue *q;
	struct err e;

	load(&s, *state);
	q = help_queue(*state);
	assert_rc(enrol(&s, ANSWERS, HOST_A, &e), RC_BUSY);
	assert_true(str_contains(str_of(e.msg), STR("stop it first")));
	assert_int_equal(fake.requests, 0);
	queue_close(q);
	settings_free(&s);
}

static uint64_t
config_version(const struct settings *s)
{
	uint8_t key[CRYPT_KEY_SIZE];
	struct secrets *sec;
	uint64_t v;
	size_t n;

	assert_true(
	    str_unb64(str_of(s->secrets_key), false, key, sizeof(key), &n));
	assert_rc(secrets_open(s->secrets_file, key, &sec, NULL), RC_OK);
	v = secrets_config(sec).version;
	secrets_close(sec);
	return v;
}

static void
fill_state(const struct settings *s, const char *dir)
{
	struct secrets_config config = { 7, 0, 0 };
	uint8_t key[CRYPT_KEY_SIZE];
	struct secrets *sec;
	struct queue *q;
	uint64_t seq;
	size_t n;

	assert_true(
	    str_unb64(str_of(s->secrets_key), false, key, sizeof(key), &n));
	assert_rc(secrets_open(s->secrets_file, key, &sec, NULL), RC_OK);
	assert_rc(secrets_put(sec, SECRETS_REPO, NULL, &config, NULL), RC_OK);
	assert_rc(secrets_told(sec, NULL), RC_OK);
	secrets_close(sec);
	q = help_queue(dir);
	assert_rc(queue_append(q, QUEUE_EVENT, STR("x"), &seq, NULL), RC_OK);
	assert_rc(queue_sync(q, NULL), RC_OK);
	queue_close(q);
}

/* Another controller must not get the former one's events, nor believe that
 * its configuration is here. */
static void
becoming_another_host_starts_afresh(void **state)
{
	struct settings s;
	struct queue *q;
	struct err e;

	load(&s, *state);
	assert_rc(enrol(&s, ANSWERS, HOST_A, &e), RC_OK);
	fill_state(&s, *state);
	/* The same host again keeps all. */
	assert_rc(enrol(&s, ANSWERS, HOST_A, &e), RC_OK);
	assert_int_equal(config_version(&s), 7);
	q = help_queue(*state);
	assert_int_equal(queue_next(q), 2);
	queue_close(q);
	assert_rc(enrol(&s, ANSWERS, HOST_B, &e), RC_OK);
	assert_int_equal(config_version(&s), 0);
	q = help_queue(*state);
	assert_int_equal(queue_next(q), 1);
	queue_close(q);
	assert_string_equal(s.host_id, HOST_B);
	settings_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(an_answer_becomes_the_configuration),
		unit_test_in_folder(a_lost_reply_can_be_asked_for_again),
		unit_test_in_folder(refusals_are_told_and_leave_no_identity),
		unit_test_in_folder(what_is_no_token_is_not_sent),
		unit_test_in_folder(while_an_agent_runs_nothing_is_enrolled),
		unit_test_in_folder(becoming_another_host_starts_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
