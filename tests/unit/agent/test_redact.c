/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "agent/redact.h"
#include "lib/base/buf.h"

#define SECRET "s3cr/t:p@ss w%rd"
#define ENCODED "s3cr%2Ft%3Ap%40ss%20w%25rd"

static void
check(const struct redact *r, const char *text, const char *expected)
{
	struct buf b;

	buf_init(&b, KIB(64));
	redact_text(r, str_of(text), &b);
	assert_str(buf_str(&b), expected);
	buf_fini(&b);
}

static void
secrets_are_found_in_any_place(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_secret(r, STR(SECRET));
	check(r, SECRET, "***");
	check(r, "a " SECRET " b " SECRET, "a *** b ***");
	check(r, SECRET SECRET, "******");
	check(r, "x" ENCODED "y", "x***y");
	check(r, "nothing here", "nothing here");
	check(r, "s3cr/t:p@ss w%r", "s3cr/t:p@ss w%r");
	check(r, "", "");
	redact_free(r);
}

/* As %q of restic's errors and its JSON write them. */
static void
quoted_secrets_are_found_too(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_secret(r, STR("p\"q\\r&<s>"));
	check(r, "p\"q\\r&<s>", "***");
	check(r, "open \"p\\\"q\\\\r&<s>\": no", "open \"***\": no");
	check(r, "{\"item\":\"p\\\"q\\\\r\\u0026\\u003cs\\u003e\"}",
	    "{\"item\":\"***\"}");
	redact_free(r);
}

/* Each line of a key, as it stands there and as JSON writes it. */
static void
documents_are_found_line_by_line(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_document(r,
	    STR("-----BEGIN KEY-----\nMIIEvCanaryCanaryCanary\n"
	        "  \"k\": "
	        "\"first-line-of-a-canary\\nsecond-line-of-the-canary\\nx\""
	        "\nshort\n"));
	check(r, "MIIEvCanaryCanaryCanary", "***");
	check(r, "a second-line-of-the-canary b", "a *** b");
	check(r, "\"k\": \"first-line-of-a-canary", "***");
	check(r, "short", "short");
	redact_free(r);
	r = redact_new();
	redact_document(r, STR("one-line"));
	check(r, "is one-line", "is ***");
	redact_free(r);
}

/* A document may have more lines than anybody remembers; the passwords of both
 * slots are known all the same. */
static void
endless_documents_are_no_trouble(void **state)
{
	struct redact *r = redact_new();
	char text[32];
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, KIB(64));
	for (i = 0; i < 1000; i++)
		buf_printf(&b, "this is line number %04d\n", i);
	redact_document(r, buf_str(&b));
	for (i = 0; i < 36; i++) {
		assert_true(str_fmt(text, sizeof(text), "& \"%d\"", i));
		redact_secret(r, str_of(text));
	}
	check(r, "this is line number 0000", "***");
	check(r, "& \"35\"", "***");
	buf_fini(&b);
	redact_free(r);
}

static void
urls_lose_their_userinfo(void **state)
{
	(void)state;
	check(NULL, "rest:https://user:pass@host:8000/r/",
	    "rest:https://***@host:8000/r/");
	check(NULL, "Head \"http://u:p@ss@h/config\": dial",
	    "Head \"http://***@h/config\": dial");
	check(NULL, "https://host/a@b", "https://host/a@b");
	check(NULL, "https://host/ mail me@host", "https://host/ mail me@host");
	check(NULL, "://@x", "://@x");
	check(NULL, "two http://a:b@c http://d:e@f",
	    "two http://***@c http://***@f");
	check(NULL, "sftp://user@host/repo", "sftp://***@host/repo");
}

static void
a_secret_across_a_url_leaves_nothing(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_secret(r, STR("canary-password"));
	check(r, "rest:http://web:canary-password@h/r", "rest:http://***@h/r");
	/* The password holds what ends a URL for a reader. */
	redact_secret(r, STR("pa/ss\"wo rd"));
	check(r, "http://web:pa/ss\"wo rd@h/", "http://web:***@h/");
	redact_free(r);
}

static void
the_longest_match_wins(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_secret(r, STR("abcd"));
	redact_secret(r, STR("abcdefgh"));
	check(r, "xabcdefghx", "x***x");
	check(r, "xabcdefgx", "x***efgx");
	redact_free(r);
}

static void
short_texts_are_no_secrets(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_secret(r, STR("ab"));
	redact_secret(r, STR(""));
	check(r, "abab", "abab");
	check(r, "http://u:ab@h", "http://***@h");
	redact_free(r);
	redact_free(NULL);
}

static void
the_password_of_a_url_is_a_secret_everywhere(void **state)
{
	struct redact *r = redact_new();

	(void)state;
	redact_url(r, STR("rest:https://user:hidden-word@host/path"));
	check(r, "login hidden-word failed", "login *** failed");
	redact_url(r, STR("/srv/repo"));
	redact_url(r, STR("s3:https://host/bucket"));
	redact_url(r, STR("sftp://user@host/x"));
	check(r, "/srv/repo user@host", "/srv/repo user@host");
	redact_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_found_in_any_place),
		cmocka_unit_test(quoted_secrets_are_found_too),
		cmocka_unit_test(documents_are_found_line_by_line),
		cmocka_unit_test(endless_documents_are_no_trouble),
		cmocka_unit_test(urls_lose_their_userinfo),
		cmocka_unit_test(a_secret_across_a_url_leaves_nothing),
		cmocka_unit_test(the_longest_match_wins),
		cmocka_unit_test(short_texts_are_no_secrets),
		cmocka_unit_test(the_password_of_a_url_is_a_secret_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
