/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/time_help.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/net/offence.h"

enum {
	MINUTE_MS = 60000,
	TEXT_CAP = 65536
};

static FILE *out;

static int
make(void **state)
{
	time_stop(1000000);
	out = tmpfile();
	assert_non_null(out);
	log_open(fileno(out), LOG_INFO);
	*state = offences_new(NULL);
	return 0;
}

static int
destroy(void **state)
{
	offences_free(*state);
	log_open(STDERR_FILENO, LOG_INFO);
	(void)fclose(out);
	time_run();
	return 0;
}

/* How often the log has the text. */
static unsigned
told(const char *text)
{
	static char all[TEXT_CAP];
	const char *at = all;
	ssize_t got = pread(fileno(out), all, sizeof(all) - 1, 0);
	unsigned n = 0;

	assert_true(got >= 0 && (size_t)got < sizeof(all) - 1);
	all[got] = '\0';
	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		n++;
	}
	return n;
}

static void
an_address_is_named_once_however_often_it_offends(void **state)
{
	struct offences *o = *state;
	unsigned i;

	assert_true(offences_note(o, "192.0.2.1", OFFENCE_RESETS));
	for (i = 1; i < 100000; i++)
		assert_false(offences_note(o, "192.0.2.1", OFFENCE_RESETS));
	assert_int_equal(told("abuse"), 1);
	assert_int_equal(told("abuse begins kind=resets peer=192.0.2.1"), 1);
	assert_int_equal(offences_count(o, OFFENCE_RESETS), 100000);
	/* Another way, another address: each its line. */
	offences_note(o, "192.0.2.1", OFFENCE_FRAMES);
	offences_note(o, "192.0.2.2", OFFENCE_RESETS);
	assert_int_equal(told("abuse begins"), 3);
}

static void
what_honest_clients_do_now_and_then_is_not_named(void **state)
{
	struct offences *o = *state;
	unsigned i;

	for (i = 1; i < 20; i++)
		offences_note(o, "192.0.2.1", OFFENCE_HANDSHAKE);
	assert_int_equal(told("abuse"), 0);
	offences_note(o, "192.0.2.1", OFFENCE_HANDSHAKE);
	assert_int_equal(told("abuse begins kind=handshake"), 1);
}

static void
the_end_is_told_with_the_number(void **state)
{
	struct offences *o = *state;
	unsigned i;

	for (i = 0; i < 40; i++) {
		offences_note(o, "192.0.2.1", OFFENCE_FRAMES);
		offences_note(o, "192.0.2.1", OFFENCE_SLOW_BODY);
		pass(1000);
		offences_tick(o);
	}
	pass(MINUTE_MS - 2000);
	offences_tick(o);
	assert_int_equal(told("abuse ended"), 0);
	pass(2000);
	offences_tick(o);
	assert_int_equal(told("abuse ended kind=frames peer=192.0.2.1 "
	                      "count=40 seconds=39"),
	    1);
	/* Another spell begins anew. */
	assert_true(offences_note(o, "192.0.2.1", OFFENCE_FRAMES));
	assert_int_equal(told("abuse begins kind=frames"), 2);
}

static void
it_is_told_again_after_ten_minutes(void **state)
{
	struct offences *o = *state;
	unsigned i;

	for (i = 0; i <= 1260; i++) {
		offences_note(o, "192.0.2.1", OFFENCE_FRAMES);
		offences_tick(o);
		pass(1000);
	}
	assert_int_equal(told("abuse begins"), 1);
	assert_int_equal(told("abuse goes on"), 2);
	assert_int_equal(told("abuse ended"), 0);
}

static void
many_addresses_get_few_lines_and_little_memory(void **state)
{
	struct offences *o = *state;
	char address[32];
	unsigned i;

	for (i = 0; i < 5000; i++) {
		assert_true(str_fmt(address, sizeof(address), "10.0.%u.%u",
		    i / 250, i % 250));
		offences_note(o, address, OFFENCE_RESETS);
	}
	assert_true(told("abuse") <= OFFENCE_LINES);
	assert_int_equal(offences_count(o, OFFENCE_RESETS), 5000);
}

static void
one_ipv6_network_is_one_address(void **state)
{
	struct offences *o = *state;

	offences_note(o, "2001:db8::1", OFFENCE_RESETS);
	offences_note(o, "2001:db8::ffff:1", OFFENCE_RESETS);
	assert_int_equal(told("abuse begins"), 1);
	offences_note(o, "2001:db8:0:1::1", OFFENCE_RESETS);
	assert_int_equal(told("abuse begins"), 2);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, destroy)
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_named_once_however_often_it_offends),
		TEST(what_honest_clients_do_now_and_then_is_not_named),
		TEST(the_end_is_told_with_the_number),
		TEST(it_is_told_again_after_ten_minutes),
		TEST(many_addresses_get_few_lines_and_little_memory),
		TEST(one_ipv6_network_is_one_address),
	};
	struct err e;

	if (crypt_init(&e) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
