/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Announcing to a controller made up here. */
#include "tests/unit/agent/dial_fake.h"

#include "agent/announce.h"
#include "lib/base/keyproof.h"
#include "lib/net/tls.h"
#include "proto/agent.pb-c.h"

#define PENDING "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define HOST "01JD000000000000000000000A"
#define SERVER "https://h:8443"
#define PIN_HEX \
	"0101010101010101010101010101010101010101010101010101010101010101"

enum answer {
	ACCEPTS,
	REJECTS,
	EXPIRES,
	OTHER_FINGERPRINT,
	SHORT_NONCE,
	OUT_OF_TURN,
	GARBAGE,
	MALFORMED_ENROLLED,
	DROPS_ONCE, /* after the banner, then accepts */
	TOO_MANY,
	NO_CONNECTION
};

static struct fake {
	enum answer answer;
	const char *config;
	unsigned announced, signatures;
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	struct keyproof proof;
	bool pinned;
	bool key_was_saved; /* before it was shown */
} fake;

/* --------------------------------------------------------- the controller */

static void
say(const Wire__AnnounceReply *r)
{
	uint8_t bytes[1024];
	size_t n = wire__announce_reply__pack(r, bytes);

	line_say(str_from(bytes, n));
}

static void
say_enrolled(const char *host_id)
{
	Wire__AnnounceReply r = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnounceEnrolled w = WIRE__ANNOUNCE_ENROLLED__INIT;

	w.host_id = (char *)(uintptr_t)host_id;
	w.agent_token = (char[]){ "the-bearer" };
	w.cert_pin_sha256 = (char[]){ "not-taken" };
	r.body_case = WIRE__ANNOUNCE_REPLY__BODY_ENROLLED;
	r.enrolled = &w;
	say(&r);
}

static void
say_pending(void)
{
	Wire__AnnounceReply r = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnouncePending w = WIRE__ANNOUNCE_PENDING__INIT;
	uint8_t fingerprint[CRYPT_HASH_SIZE];
	char text[KEYPROOF_TEXT_CAP];

	fake.proof.id = PENDING;
	fake.proof.pin = fake.pinned ? PIN_HEX : "";
	crypt_random(fake.proof.nonce, sizeof(fake.proof.nonce));
	keyproof_fingerprint(fake.key, fingerprint);
	keyproof_text(fingerprint, text);
	if (fake.answer == OTHER_FINGERPRINT)
		text[8] = text[8] == '0' ? '1' : '0';
	w.pending_id = (char *)(uintptr_t)PENDING;
	w.fingerprint = text;
	w.nonce.data = fake.proof.nonce;
	w.nonce.len = fake.answer == SHORT_NONCE ? 31 : KEYPROOF_NONCE;
	r.body_case = WIRE__ANNOUNCE_REPLY__BODY_PENDING;
	r.pending = &w;
	say(&r);
}

static void
fake_on_announced(void *ctx)
{
	(void)ctx;
	if (fake.answer == TOO_MANY)
		line_end(GRPC_UNAVAILABLE, "100 hosts wait",
		    "too_many_pending");
	else if (fake.answer == OUT_OF_TURN)
		say_enrolled(HOST);
	else if (fake.answer == GARBAGE)
		line_say(STR("\xff\xff"));
	else
		say_pending();
}

static void
fake_on_signed(void *ctx)
{
	Wire__AnnounceReply r = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnounceWaiting w = WIRE__ANNOUNCE_WAITING__INIT;

	(void)ctx;
	if (fake.answer == DROPS_ONCE && line.dials == 1) {
		line_end(GRPC_UNAVAILABLE, "the connection ended", "");
		return;
	}
	r.body_case = WIRE__ANNOUNCE_REPLY__BODY_WAITING;
	r.waiting = &w;
	say(&r);
	if (fake.answer == REJECTS)
		line_end(GRPC_PERMISSION_DENIED, "rejected by admin",
		    "rejected");
	else if (fake.answer == EXPIRES)
		line_end(GRPC_FAILED_PRECONDITION, "x", "announce_expired");
	else
		say_enrolled(
		    fake.answer == MALFORMED_ENROLLED ? "short" : HOST);
}

static void
take_announcement(const Wire__AnnounceHost *w)
{
	struct settings kept;
	struct err e = { 0 };

	fake.announced++;
	assert_int_equal(w->public_key.len, sizeof(fake.key));
	memcpy(fake.key, w->public_key.data, sizeof(fake.key));
	assert_string_equal(w->os, "linux");
	assert_rc(settings_load(&kept, fake.config, &e), RC_OK);
	fake.key_was_saved = kept.announce_key != NULL && kept.host_id == NULL;
	settings_free(&kept);
	loop_defer(line.conn.o.loop, fake_on_announced, NULL);
}

enum rc
grpc_call_send(struct grpc_ccall *c, struct str msg)
{
	Wire__AnnounceMessage *m =
	    wire__announce_message__unpack(NULL, msg.n, (const uint8_t *)msg.p);

	(void)c;
	assert_non_null(m);
	if (m->body_case == WIRE__ANNOUNCE_MESSAGE__BODY_ANNOUNCE) {
		take_announcement(m->announce);
	} else {
		fake.signatures++;
		assert_int_equal(m->signed_nonce->signature.len,
		    CRYPT_SIGN_SIZE);
		assert_true(keyproof_verify(&fake.proof,
		    m->signed_nonce->signature.data, fake.key));
		loop_defer(line.conn.o.loop, fake_on_signed, NULL);
	}
	wire__announce_message__free_unpacked(m, NULL);
	return RC_OK;
}

enum rc
tls_client_new(const struct tls_client_opts *o, struct tls_ctx **out,
    struct err *e)
{
	(void)e;
	fake.pinned = o->pin != NULL;
	assert_null(o->ca_file); /* else the system's */
	*out = NULL;
	return RC_OK;
}

/* ----------------------------------------------------------------- fixture */

static enum rc
announce(struct settings *s, enum answer answer, struct err *e)
{
	struct loop *l = help_loop();
	enum rc rc;

	memset(&fake, 0, sizeof(fake));
	memset(&line, 0, sizeof(line));
	fake.answer = answer;
	line.refused = answer == NO_CONNECTION;
	fake.config = s->path;
	*e = (struct err){ 0 };
	rc = announce_run(s, l, SERVER, e);
	loop_free(l);
	return rc;
}

/* M-093, M-096 */
static void
an_accepted_agent_has_its_configuration(void **state)
{
	struct settings s, again;
	struct err e;

	load(&s, *state);
	assert_rc(announce(&s, ACCEPTS, &e), RC_OK);
	assert_true(fake.key_was_saved);
	assert_int_equal(fake.signatures, 1);
	load(&again, *state);
	assert_string_equal(again.host_id, HOST);
	assert_string_equal(again.agent_token, "the-bearer");
	assert_string_equal(again.server, SERVER);
	assert_int_equal(strlen(again.secrets_key), 44);
	assert_null(again.announce_key);
	/* By CA: a proxy's certificate may come instead of the server's. */
	assert_null(again.cert_pin_sha256);
	settings_free(&s);
	settings_free(&again);
}

static void
the_pin_is_part_of_what_is_signed(void **state)
{
	struct settings s;
	struct err e;

	load(&s, *state);
	settings_set(&s.cert_pin_sha256, PIN_HEX);
	assert_rc(announce(&s, ACCEPTS, &e), RC_OK);
	assert_true(fake.pinned);
	assert_int_equal(fake.signatures, 1);
	assert_string_equal(s.cert_pin_sha256, PIN_HEX);
	settings_free(&s);
}

/* M-093: as long as nobody has decided the key stays. */
static void
another_start_shows_the_same_key(void **state)
{
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	struct settings s;
	struct err e;

	load(&s, *state);
	assert_rc(announce(&s, EXPIRES, &e), RC_TIMEOUT);
	assert_true(str_contains(str_of(e.msg), STR("within 1 hour")));
	memcpy(key, fake.key, sizeof(key));
	settings_free(&s);
	load(&s, *state);
	assert_rc(announce(&s, ACCEPTS, &e), RC_OK);
	assert_memory_equal(fake.key, key, sizeof(key));
	settings_free(&s);
}

/* M-091 */
static void
a_rejected_key_is_forgotten(void **state)
{
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE];
	struct settings s;
	struct err e;

	load(&s, *state);
	assert_rc(announce(&s, REJECTS, &e), RC_DENIED);
	assert_string_equal(e.msg, "rejected by admin");
	memcpy(key, fake.key, sizeof(key));
	settings_free(&s);
	load(&s, *state);
	assert_null(s.announce_key);
	assert_null(s.host_id);
	assert_rc(announce(&s, ACCEPTS, &e), RC_OK);
	assert_memory_not_equal(fake.key, key, sizeof(key));
	settings_free(&s);
}

static void
a_lost_connection_is_made_again(void **state)
{
	struct settings s;
	struct err e;

	load(&s, *state);
	assert_rc(announce(&s, DROPS_ONCE, &e), RC_OK);
	assert_int_equal(line.dials, 2);
	assert_int_equal(line.frees, 2);
	assert_string_equal(s.host_id, HOST);
	settings_free(&s);
}

/* Before anything was shown; nothing of it is an identity. */
static void
what_is_wrong_is_told_at_once(void **state)
{
	static const struct {
		enum answer answer;
		enum rc rc;
		const char *says;
	} table[] = {
		{ OTHER_FINGERPRINT, RC_PROTO, "does not fit" },
		{ SHORT_NONCE, RC_PROTO, "does not fit" },
		{ OUT_OF_TURN, RC_PROTO, "out of turn" },
		{ GARBAGE, RC_PROTO, "malformed" },
		{ MALFORMED_ENROLLED, RC_PROTO, "malformed" },
		{ TOO_MANY, RC_BUSY, "100 hosts wait" },
		{ NO_CONNECTION, RC_OFFLINE, "refused" },
	};
	struct settings s;
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		load(&s, *state);
		assert_rc(announce(&s, table[i].answer, &e), table[i].rc);
		assert_int_equal(line.dials, 1);
		check_refused(&s, *state, &e, table[i].says);
	}
}

static void
a_key_that_is_none_is_not_replaced(void **state)
{
	struct settings s;
	struct err e;

	load(&s, *state);
	settings_set(&s.announce_key, "c2hvcnQ=");
	assert_rc(announce(&s, ACCEPTS, &e), RC_INVALID);
	assert_true(str_contains(str_of(e.msg), STR("announce_key")));
	assert_int_equal(line.dials, 0);
	assert_string_equal(s.announce_key, "c2hvcnQ=");
	settings_free(&s);
}

static void
no_key_is_shown_without_tls(void **state)
{
	struct loop *l = help_loop();
	struct settings s;
	struct err e;

	memset(&fake, 0, sizeof(fake));
	memset(&line, 0, sizeof(line));
	load(&s, *state);
	assert_rc(announce_run(&s, l, "http://backup.example", &e), RC_INVALID);
	assert_int_equal(line.dials, 0);
	settings_free(&s);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(an_accepted_agent_has_its_configuration),
		unit_test_in_folder(the_pin_is_part_of_what_is_signed),
		unit_test_in_folder(another_start_shows_the_same_key),
		unit_test_in_folder(a_rejected_key_is_forgotten),
		unit_test_in_folder(a_lost_connection_is_made_again),
		unit_test_in_folder(what_is_wrong_is_told_at_once),
		unit_test_in_folder(a_key_that_is_none_is_not_replaced),
		unit_test_in_folder(no_key_is_shown_without_tls),
	};

	if (crypt_init(NULL) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
