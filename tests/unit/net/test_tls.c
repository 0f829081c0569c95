/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both ends of TLS in memory; certificates in tests/data/tls. */
#include "lib/net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/tls_conn.h"

#define DATA "tests/data/tls/"
#define GOOD_PIN \
	"4313a3e709c9aded56c87d0966f6634839dcc01f23e25c07cc7d28ce4def6846"

enum {
	FLIGHTS = 20
};

static struct tls_ctx *
server_ctx(const char *name)
{
	struct tls_server_opts o;
	char cert[64], key[64];
	struct tls_ctx *c = NULL;
	struct err e;

	assert_true(str_fmt(cert, sizeof(cert), DATA "%s.pem", name));
	assert_true(str_fmt(key, sizeof(key), DATA "%s.key", name));
	o = (struct tls_server_opts){ .cert_file = cert, .key_file = key };
	assert_int_equal(tls_server_new(&o, &c, &e), RC_OK);
	return c;
}

struct pair {
	struct tls_ctx *sctx, *cctx;
	struct tls_conn *s, *c;
	struct buf to_s, to_c;
	enum rc srv, cli;
	struct err srv_err, cli_err;
};

/* Lends what was sent so far; the buffer is empty afterwards. */
static void
deliver(struct tls_conn *to, struct buf *from, struct buf *copy)
{
	buf_reset(copy);
	buf_put_str(copy, buf_str(from));
	buf_reset(from);
	tls_conn_input(to, buf_str(copy));
}

static void
handshake(struct pair *p)
{
	struct buf copy;
	int i;

	buf_init(&copy, MIB(1));
	p->srv = p->cli = RC_BUSY;
	for (i = 0; i < FLIGHTS; i++) {
		if (p->cli == RC_BUSY) {
			deliver(p->c, &p->to_c, &copy);
			p->cli = tls_conn_handshake(p->c, &p->cli_err);
		}
		if (p->srv == RC_BUSY) {
			deliver(p->s, &p->to_s, &copy);
			p->srv = tls_conn_handshake(p->s, &p->srv_err);
		}
	}
	tls_conn_input(p->s, str_from("", 0));
	tls_conn_input(p->c, str_from("", 0));
	buf_fini(&copy);
}

static void
pair_open(struct pair *p, const char *server, const struct tls_client_opts *o,
    const char *host)
{
	struct err e;

	*p = (struct pair){ .sctx = server_ctx(server) };
	assert_int_equal(tls_client_new(o, &p->cctx, &e), RC_OK);
	buf_init(&p->to_s, MIB(1));
	buf_init(&p->to_c, MIB(1));
	p->s = tls_conn_new(p->sctx, NULL);
	p->c = tls_conn_new(p->cctx, host);
	assert_non_null(p->s);
	assert_non_null(p->c);
	tls_conn_output(p->s, &p->to_c);
	tls_conn_output(p->c, &p->to_s);
	handshake(p);
}

static void
pair_close(struct pair *p)
{
	tls_conn_free(p->s);
	tls_conn_free(p->c);
	tls_ctx_unref(p->sctx);
	tls_ctx_unref(p->cctx);
	buf_fini(&p->to_s);
	buf_fini(&p->to_c);
}

static const uint8_t *
good_pin(void)
{
	static uint8_t pin[TLS_PIN_SIZE];

	assert_true(str_unhex(STR(GOOD_PIN), pin, sizeof(pin)));
	return pin;
}

static const uint8_t *
pin_of(const char *file)
{
	static uint8_t pin[TLS_PIN_SIZE];
	struct err e;

	assert_int_equal(tls_file_pin(file, pin, &e), RC_OK);
	return pin;
}

struct verify_case {
	const char *what;
	const char *server;
	const uint8_t *pin;
	const char *ca;
	const char *host;
	const char *refusal; /* NULL: accepted */
};

static void
check_case(const struct verify_case *v)
{
	struct tls_client_opts o = { .pin = v->pin, .ca_file = v->ca };
	struct pair p;

	pair_open(&p, v->server, &o, v->host);
	if (v->refusal == NULL && (p.cli != RC_OK || p.srv != RC_OK))
		fail_msg("%s: %s", v->what, p.cli_err.msg);
	if (v->refusal != NULL) {
		if (p.cli == RC_OK)
			fail_msg("%s: accepted", v->what);
		if (strstr(p.cli_err.msg, v->refusal) == NULL)
			fail_msg("%s: said '%s'", v->what, p.cli_err.msg);
		assert_int_equal(p.cli_err.rc, RC_AUTH);
		/* The server was told, and is not left waiting. */
		assert_int_not_equal(p.srv, RC_BUSY);
	}
	pair_close(&p);
}

static void
verifies_by_pin_and_ca(void **state)
{
	static const char ca[] = DATA "ca.pem", other[] = DATA "other.pem";
	static const char root[] = DATA "root.pem";
	static uint8_t wrong[TLS_PIN_SIZE], expired[TLS_PIN_SIZE];
	static uint8_t chain[TLS_PIN_SIZE];
	const uint8_t *good = good_pin();
	/* clang-format off */
	const struct verify_case cases[] = {
		{ "pin", "good", good, NULL, "localhost", NULL },
		{ "pin, other name", "good", good, NULL, "x.example", NULL },
		{ "pin, expired", "expired", expired, NULL, "localhost", NULL },
		{ "wrong pin", "good", wrong, NULL, "localhost", "pinned" },
		{ "pin of another", "expired", good, NULL, "localhost", "pinned" },
		{ "ca", "good", NULL, ca, "localhost", NULL },
		{ "ca, address", "good", NULL, ca, "127.0.0.1", NULL },
		{ "ca, wildcard", "good", NULL, ca, "a.wild.example", NULL },
		{ "ca, upper case", "good", NULL, ca, "LocalHost", NULL },
		{ "ca, other name", "good", NULL, ca, "x.example", "other names" },
		{ "ca, other address", "good", NULL, ca, "127.0.0.2", "other names" },
		{ "ca, wildcard itself", "good", NULL, ca, "wild.example", "other names" },
		{ "ca, two labels", "good", NULL, ca, "a.b.wild.example", "other names" },
		{ "wrong ca", "good", NULL, other, "localhost", "no known CA" },
		{ "expired", "expired", NULL, ca, "localhost", "has expired" },
		{ "both", "good", good, ca, "localhost", NULL },
		{ "both, wrong pin", "good", wrong, ca, "localhost", "pinned" },
		{ "both, wrong ca", "good", good, other, "localhost", "no known CA" },
		{ "both, other name", "good", good, ca, "x.example", "other names" },
		{ "chain, ca", "chain", NULL, root, "localhost", NULL },
		{ "chain, wrong ca", "chain", NULL, ca, "localhost", "no known CA" },
		{ "chain, pin", "chain", chain, NULL, "x.example", NULL },
		{ "chain, wrong pin", "chain", good, NULL, "localhost", "pinned" },
		{ "chain, both", "chain", chain, root, "localhost", NULL },
		{ "chain, pin, wrong ca", "chain", chain, ca, "localhost", "no known CA" },
		{ "both, expired", "expired", expired, ca, "localhost", "has expired" },
	};
	/* clang-format on */
	size_t i;

	(void)state;
	memcpy(wrong, good, sizeof(wrong));
	wrong[31] ^= 1;
	memcpy(expired, pin_of(DATA "expired.pem"), sizeof(expired));
	memcpy(chain, pin_of(DATA "chain.pem"), sizeof(chain));
	for (i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

static void
the_pin_is_the_hash_of_the_spki(void **state)
{
	char hex[2 * TLS_PIN_SIZE + 1];

	(void)state;
	/* The figure is from openssl pkey -pubin -outform der | sha256sum. */
	str_hex(pin_of(DATA "good.pem"), TLS_PIN_SIZE, hex, sizeof(hex));
	assert_string_equal(hex, GOOD_PIN);
}

static void
carries_data_both_ways(void **state)
{
	enum {
		BIG = 100000
	};
	struct tls_client_opts o = { .pin = good_pin() };
	char *sent = mem_alloc(BIG), *got = mem_alloc(BIG);
	struct pair p;
	struct buf copy;
	struct err e;
	size_t n, at = 0;
	int i;

	(void)state;
	buf_init(&copy, MIB(1));
	pair_open(&p, "good", &o, "localhost");
	assert_int_equal(tls_conn_alpn(p.s), TLS_ALPN_H2);
	assert_int_equal(tls_conn_alpn(p.c), TLS_ALPN_H2);
	for (i = 0; i < BIG; i++)
		sent[i] = (char)(i * 7);
	assert_int_equal(tls_conn_write(p.c, str_from(sent, BIG), &e), RC_OK);
	deliver(p.s, &p.to_s, &copy);
	while (tls_conn_read(p.s, got + at, BIG - at, &n, &e) == RC_OK) {
		at += n;
		if (at == BIG)
			break;
	}
	assert_int_equal(at, BIG);
	assert_memory_equal(sent, got, BIG);
	assert_int_equal(tls_conn_read(p.s, got, BIG, &n, &e), RC_BUSY);

	/* The tickets come before the data. */
	assert_int_equal(tls_conn_write(p.s, STR("back"), &e), RC_OK);
	tls_conn_close_notify(p.s);
	deliver(p.c, &p.to_c, &copy);
	assert_int_equal(tls_conn_read(p.c, got, BIG, &n, &e), RC_OK);
	assert_int_equal(n, 4);
	assert_int_equal(tls_conn_read(p.c, got, BIG, &n, &e), RC_GONE);
	pair_close(&p);
	buf_fini(&copy);
	mem_free(sent);
	mem_free(got);
}

static void
a_changed_byte_is_noticed(void **state)
{
	struct tls_client_opts o = { .pin = good_pin() };
	struct pair p;
	struct buf copy;
	struct err e;
	char got[100];
	size_t n;

	(void)state;
	buf_init(&copy, MIB(1));
	pair_open(&p, "good", &o, "localhost");
	assert_int_equal(tls_conn_write(p.c, STR("secret"), &e), RC_OK);
	assert_null(memmem(p.to_s.data, p.to_s.len, "secret", 6));
	p.to_s.data[p.to_s.len - 1] ^= 1;
	deliver(p.s, &p.to_s, &copy);
	assert_int_equal(tls_conn_read(p.s, got, sizeof(got), &n, &e),
	    RC_PROTO);
	pair_close(&p);
	buf_fini(&copy);
}

static void
server_files_must_fit(void **state)
{
	const struct {
		const char *cert, *key, *said;
		enum rc rc;
	} cases[] = {
		{ DATA "none.pem", DATA "good.key", "none.pem", RC_NOTFOUND },
		{ DATA "good.pem", DATA "none.key", "none.key", RC_NOTFOUND },
		{ DATA "README", DATA "good.key", "not a PEM cert",
		    RC_INVALID },
		{ DATA "good.pem", DATA "README", "private key", RC_INVALID },
		{ DATA "good.pem", DATA "expired.key", "does not belong",
		    RC_INVALID },
	};
	struct tls_ctx *c;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    tls_server_new(&(struct tls_server_opts){ .cert_file =
		                                                  cases[i].cert,
		                       .key_file = cases[i].key },
		        &c, &e),
		    cases[i].rc);
		if (strstr(e.msg, cases[i].said) == NULL)
			fail_msg("case %zu said '%s'", i, e.msg);
	}
	assert_int_equal(tls_client_new(&(struct tls_client_opts){ .ca_file =
	                                                               DATA
	                                                           "README" },
	                     &c, &e),
	    RC_INVALID);
}

/* Self-signed */

struct folder {
	char dir[64], cert[96], key[96];
};

static void
folder_make(struct folder *f)
{
	memcpy(f->dir, "/tmp/tls-XXXXXX", 16);
	assert_non_null(mkdtemp(f->dir));
	assert_true(str_fmt(f->cert, sizeof(f->cert), "%s/c.pem", f->dir));
	assert_true(str_fmt(f->key, sizeof(f->key), "%s/k.pem", f->dir));
}

static void
folder_remove(struct folder *f)
{
	unlink(f->cert);
	unlink(f->key);
	assert_int_equal(rmdir(f->dir), 0);
}

static void
makes_a_certificate_once(void **state)
{
	static const char *const names[] = { "ctl.example", "10.1.2.3",
		"fd00::7", NULL };
	uint8_t first[TLS_PIN_SIZE], again[TLS_PIN_SIZE];
	struct folder f;
	struct stat st;
	struct err e;

	(void)state;
	folder_make(&f);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", names, &e),
	    RC_OK);
	memcpy(first, pin_of(f.cert), sizeof(first));
	assert_int_equal(stat(f.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", names, &e),
	    RC_OK);
	memcpy(again, pin_of(f.cert), sizeof(again));
	assert_memory_equal(first, again, sizeof(first));

	/* A start that was interrupted between key and certificate. */
	assert_int_equal(unlink(f.cert), 0);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", names, &e),
	    RC_OK);
	memcpy(again, pin_of(f.cert), sizeof(again));
	assert_memory_equal(first, again, sizeof(first));

	/* A certificate that lost its key is not replaced behind one's back. */
	assert_int_equal(unlink(f.key), 0);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", names, &e),
	    RC_CONFLICT);
	assert_non_null(strstr(e.msg, "k.pem"));
	folder_remove(&f);
}

static void
self_signed_serves_its_names(void **state)
{
	static const char *const names[] = { "ctl.example", "10.1.2.3",
		"fd00::7", NULL };
	static const char *const hosts[] = { "ctl.example", "10.1.2.3",
		"fd00::7", "fd00:0::07", "ctl", "10.1.2.4", NULL };
	struct tls_server_opts so;
	struct tls_client_opts co = { 0 };
	struct folder f;
	struct pair p = { 0 };
	struct err e;
	size_t i;

	(void)state;
	folder_make(&f);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", names, &e),
	    RC_OK);
	so = (struct tls_server_opts){ .cert_file = f.cert, .key_file = f.key };
	co.ca_file = f.cert;
	for (i = 0; hosts[i] != NULL; i++) {
		assert_int_equal(tls_server_new(&so, &p.sctx, &e), RC_OK);
		assert_int_equal(tls_client_new(&co, &p.cctx, &e), RC_OK);
		buf_init(&p.to_s, MIB(1));
		buf_init(&p.to_c, MIB(1));
		p.s = tls_conn_new(p.sctx, NULL);
		p.c = tls_conn_new(p.cctx, hosts[i]);
		tls_conn_output(p.s, &p.to_c);
		tls_conn_output(p.c, &p.to_s);
		handshake(&p);
		if ((p.cli == RC_OK) != (i < 4))
			fail_msg("%s: %s", hosts[i], p.cli_err.msg);
		pair_close(&p);
	}
	folder_remove(&f);
}

static void
refuses_bad_names(void **state)
{
	static const char *const empty[] = { "", NULL };
	char long_name[200];
	const char *const large[] = { long_name, NULL };
	struct folder f;
	struct err e;

	(void)state;
	folder_make(&f);
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", empty, &e),
	    RC_INVALID);
	assert_int_equal(tls_self_signed(f.cert, f.key, "ctl", large, &e),
	    RC_INVALID);
	assert_int_equal(tls_self_signed(f.cert, f.key, long_name,
	                     (const char *const[]){ "a", NULL }, &e),
	    RC_INVALID);
	folder_remove(&f);
}

static void
ticket_keys_are_kept(void **state)
{
	struct tls_server_opts o = { .cert_file = DATA "good.pem",
		.key_file = DATA "good.key" };
	struct tls_ctx *a = NULL, *b = NULL;
	struct folder f;
	struct stat st;
	struct err e;

	(void)state;
	folder_make(&f);
	o.ticket_key_file = f.key;
	assert_int_equal(tls_server_new(&o, &a, &e), RC_OK);
	assert_int_equal(stat(f.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tls_server_new(&o, &b, &e), RC_OK);
	tls_ctx_unref(a);
	tls_ctx_unref(b);
	assert_int_equal(truncate(f.key, 5), 0);
	assert_int_equal(tls_server_new(&o, &a, &e), RC_CORRUPT);
	folder_remove(&f);
}

struct look_case {
	const char *server, *ca, *host;
	bool trusted, named;
	const char *distrust;
};

/* It talks to anybody, and tells what is wrong with whom. */
static void
a_looking_client_remembers_what_is_wrong(void **state)
{
	static const struct look_case cases[] = {
		{ "good", DATA "ca.pem", "localhost", true, true, "" },
		{ "good", DATA "ca.pem", "x.example", true, false, "" },
		{ "good", DATA "other.pem", "localhost", false, true,
		    "no known CA" },
		{ "expired", DATA "ca.pem", "localhost", false, true,
		    "has expired" },
		{ "chain", DATA "root.pem", "localhost", true, true, "" },
		{ "chain", DATA "ca.pem", "localhost", false, true,
		    "no known CA" },
	};
	struct tls_client_opts o = { .look = true };
	const struct tls_seen *seen;
	char from[CLOCK_TEXT_CAP];
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.ca_file = cases[i].ca;
		pair_open(&p, cases[i].server, &o, cases[i].host);
		assert_int_equal(p.cli, RC_OK);
		seen = tls_conn_seen(p.c);
		assert_non_null(seen);
		assert_true(seen->any);
		assert_int_equal(seen->trusted, cases[i].trusted);
		assert_int_equal(seen->named, cases[i].named);
		assert_non_null(strstr(seen->distrust, cases[i].distrust));
		clock_text(seen->not_before_ms, from);
		assert_memory_equal(from, "2026-11-2", 9);
		clock_text(seen->not_after_ms, from);
		assert_memory_equal(from,
		    strcmp(cases[i].server, "expired") == 0 ? "2026-11-20"
		                                            : "2126-10-28",
		    10);
		if (strcmp(cases[i].server, "good") == 0)
			assert_memory_equal(seen->pin, good_pin(),
			    TLS_PIN_SIZE);
		/* HTTP/2 is offered, and taken where it is there. */
		assert_int_equal(tls_conn_alpn(p.c), TLS_ALPN_H2);
		pair_close(&p);
	}
	o = (struct tls_client_opts){ .pin = good_pin() };
	pair_open(&p, "good", &o, "localhost");
	assert_null(tls_conn_seen(p.c));
	pair_close(&p);
}

static int
start(void **state)
{
	struct err e;

	(void)state;
	return crypt_init(&e) == RC_OK && tls_init(&e) == RC_OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pin_is_the_hash_of_the_spki),
		cmocka_unit_test(verifies_by_pin_and_ca),
		cmocka_unit_test(a_looking_client_remembers_what_is_wrong),
		cmocka_unit_test(carries_data_both_ways),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(server_files_must_fit),
		cmocka_unit_test(makes_a_certificate_once),
		cmocka_unit_test(self_signed_serves_its_names),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(ticket_keys_are_kept),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
