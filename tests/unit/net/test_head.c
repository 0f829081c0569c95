/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header sections and their HTTP/1 checks, queues, addresses. */
#include "lib/net/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/net/h1_head.h"
#include "lib/net/sendq.h"
#include "lib/net/url.h"

static void
finds_fields_while_it_grows(void **state)
{
	struct head h;
	char name[16], value[16];
	struct str n, v;
	unsigned i;

	(void)state;
	head_init(&h, 10000, 100);
	head_add(&h, STR(":method"), STR("GET"));
	for (i = 0; i < 60; i++) {
		assert_true(str_fmt(name, sizeof(name), "X-Name-%u", i));
		assert_true(str_fmt(value, sizeof(value), "Value-%u", i));
		head_add(&h, str_of(name), str_of(value));
	}
	assert_int_equal(head_rc(&h), RC_OK);
	assert_int_equal(h.count, 61);
	assert_int_equal(h.pseudo, 1);
	assert_true(str_eqz(head_get(&h, "x-name-0"), "Value-0"));
	assert_true(str_eqz(head_get(&h, "x-name-59"), "Value-59"));
	assert_null(head_get(&h, "X-Name-0").p);
	head_at(&h, 1, &n, &v);
	assert_true(str_eqz(n, "x-name-0"));
	head_add(&h, STR("X-NAME-0"), STR(""));
	assert_int_equal(head_times(&h, "x-name-0"), 2);
	head_fini(&h);
}

static void
stays_within_its_limits(void **state)
{
	struct head h;
	unsigned i;

	(void)state;
	head_init(&h, 10000, 3);
	for (i = 0; i < 4; i++)
		head_add(&h, STR("a"), STR("b"));
	assert_int_equal(head_rc(&h), RC_LIMIT);
	assert_int_equal(h.count, 3);
	head_fini(&h);
	head_init(&h, 100, 100);
	head_add(&h, STR("a"), STR("b"));
	head_add(&h, STR("a"), STR("0123456789012345678901234567890123456789"));
	assert_int_equal(head_rc(&h), RC_LIMIT);
	assert_int_equal(h.count, 1);
	head_fini(&h);
}

static void
checks_sections(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nA: b\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nA:\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nA: b:c\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nA : b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA\t: b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n A: b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n: b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA\r\n\r\n", false },
		{ "GET / HTTP/1.1\nA: b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA: b\n\r\n", false },
		{ "GET / HTTP/1.1\r\nA: \rb\r\n\r\n", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (h1_head_ok(str_of(cases[i].text)) != cases[i].ok)
			fail_msg("case %zu", i);
	assert_false(h1_head_ok(str_from("A / B\r\nC: \0\r\n\r\n", 14)));
}

static void
finds_the_end_of_a_section_in_pieces(void **state)
{
	const struct str s = { "GET / HTTP/1.1\r\nA: b\r\n\r\nbody", 28 };
	size_t n, seen = 0, end = 0;

	(void)state;
	for (n = 1; n <= s.n && end == 0; n++) {
		end = h1_head_end(str_sub(s, 0, n), seen);
		seen = n;
	}
	assert_int_equal(end, 24);
	assert_int_equal(n - 1, 24);
}

static void
takes_targets_apart(void **state)
{
	struct str host;

	(void)state;
	assert_true(str_eqz(h1_target_path(STR("/a?b"), &host), "/a?b"));
	assert_null(host.p);
	assert_true(
	    str_eqz(h1_target_path(STR("http://h:1/a?b"), &host), "/a?b"));
	assert_true(str_eqz(host, "h:1"));
	assert_true(str_eqz(h1_target_path(STR("https://h"), &host), "/"));
	assert_true(str_eqz(host, "h"));
}

static void
released(void *ctx)
{
	++*(unsigned *)ctx;
}

static void
queues_copied_and_lent_bytes(void **state)
{
	unsigned count = 0;
	struct sendq q;
	char out[64];

	(void)state;
	sendq_init(&q);
	sendq_copy(&q, STR("one "));
	sendq_copy(&q, STR("two "));
	sendq_lend(&q, STR("lent "), released, &count);
	sendq_lend(&q, STR(""), released, &count);
	assert_int_equal(count, 1);
	sendq_copy(&q, STR("three"));
	assert_int_equal(q.bytes, 18);
	assert_int_equal(sendq_move(&q, out, 6), 6);
	assert_memory_equal(out, "one tw", 6);
	assert_int_equal(sendq_move(&q, out, 7), 7);
	assert_memory_equal(out, "o lent ", 7);
	assert_int_equal(count, 2);
	assert_true(str_eqz(sendq_peek(&q), "three"));
	sendq_lend(&q, STR("more"), released, &count);
	sendq_fini(&q);
	assert_int_equal(count, 3);
	assert_int_equal(q.bytes, 0);
	assert_int_equal(sendq_peek(&q).n, 0);
	/* May be used again. */
	sendq_copy(&q, STR("x"));
	assert_int_equal(sendq_move(&q, out, sizeof(out)), 1);
	sendq_fini(&q);
}

static void
reads_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		unsigned port;
	} cases[] = {
		{ "https://ctl.example", "ctl.example", 443 },
		{ "https://ctl.example/", "ctl.example", 443 },
		{ "http://ctl:8080", "ctl", 8080 },
		{ "https://192.0.2.1:1", "192.0.2.1", 1 },
		{ "https://[fd00::1]:8443/", "fd00::1", 8443 },
		{ "https://[fd00::1]", "fd00::1", 443 },
		{ "ctl.example", NULL, 0 },
		{ "ftp://ctl", NULL, 0 },
		{ "https://", NULL, 0 },
		{ "https://:1", NULL, 0 },
		{ "https://a:0", NULL, 0 },
		{ "https://a:65536", NULL, 0 },
		{ "https://a:", NULL, 0 },
		{ "https://a:1x", NULL, 0 },
		{ "https://user@a", NULL, 0 },
		{ "https://a/path", NULL, 0 },
		{ "https://a?b", NULL, 0 },
		{ "https://a b", NULL, 0 },
		{ "https://[fd00::1", NULL, 0 },
		{ "https://[zz]", NULL, 0 },
		{ "https://fd00::1", NULL, 0 },
		{ "https://-a", NULL, 0 },
	};
	struct url u;
	struct err e;
	size_t i;
	enum rc rc;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rc = url_parse(cases[i].text, &u, &e);
		if ((rc == RC_OK) != (cases[i].host != NULL))
			fail_msg("%s", cases[i].text);
		if (rc != RC_OK)
			continue;
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.port, cases[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_fields_while_it_grows),
		cmocka_unit_test(stays_within_its_limits),
		cmocka_unit_test(checks_sections),
		cmocka_unit_test(finds_the_end_of_a_section_in_pieces),
		cmocka_unit_test(takes_targets_apart),
		cmocka_unit_test(queues_copied_and_lent_bytes),
		cmocka_unit_test(reads_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
