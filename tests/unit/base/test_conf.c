/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/base/str.h"
#include "tests/unit/base/tmpdir.h"

struct settings {
	char *listen;
	char *url;
	char *token;
	char *only_env;
	int64_t days;
	int64_t max_bytes;
	bool secure;
	struct conf_strs proxies;
};

/* clang-format off */
#define AT(m) offsetof(struct settings, m)
static const struct conf_key keys[] = {
	{ "listen", "RMT_LISTEN", CONF_STR, 0, 1, 100, ":8443", AT(listen), "Address and port." },
	{ "base_url", "RMT_URL", CONF_STR, 0, 1, 20, NULL, AT(url), "Public address." },
	{ "token", "RMT_TOKEN", CONF_STR, CONF_SECRET, 4, 20, NULL, AT(token), "A secret." },
	{ NULL, "RMT_ONLY", CONF_STR, 0, 0, 20, "\"quoted\"", AT(only_env), "Not in the file." },
	{ "days", "RMT_DAYS", CONF_INT, 0, 1, 3650, "90", AT(days), "Days to keep." },
	{ "max_bytes", "RMT_MAX", CONF_SIZE, 0, 0, INT64_MAX, "20G", AT(max_bytes), "Bytes to keep." },
	{ "secure", "RMT_SECURE", CONF_BOOL, 0, 0, 0, "true", AT(secure), "Secure cookies." },
	{ "proxies", "RMT_PROXIES", CONF_STRS, 0, 0, 3, "127.0.0.1/32, ::1/128", AT(proxies), "Trusted proxies." },
};
/* clang-format on */

struct ctx {
	struct tmpdir dir;
	struct settings s;
	struct err e;
};

static int
setup(void **state)
{
	static struct ctx c;
	size_t i;

	c = (struct ctx){ .e = { .msg = "" } };
	tmpdir_make(&c.dir);
	for (i = 0; i < ARRAY_LEN(keys); i++)
		(void)unsetenv(keys[i].env);
	*state = &c;
	return 0;
}

static int
teardown(void **state)
{
	struct ctx *c = *state;
	size_t i;

	conf_free(keys, ARRAY_LEN(keys), &c->s);
	for (i = 0; i < ARRAY_LEN(keys); i++)
		(void)unsetenv(keys[i].env);
	tmpdir_remove(c->dir.path);
	return 0;
}

/* What is there before must not matter to conf_load. */
static enum rc
load_path(struct ctx *c, const char *path, bool must_exist)
{
	memset(&c->s, 0x5a, sizeof(c->s));
	return conf_load(keys, ARRAY_LEN(keys), path, must_exist, &c->s, &c->e);
}

static enum rc
load(struct ctx *c, const char *text)
{
	enum rc rc;

	tmpdir_write(&c->dir, "t.yaml", text);
	rc = load_path(c, c->dir.file, true);
	if (rc != RC_OK) { /* nothing half-read stays behind */
		assert_null(c->s.listen);
		assert_null(c->s.token);
		assert_null(c->s.only_env);
		assert_int_equal(c->s.days, 0);
		assert_int_equal(c->s.proxies.n, 0);
		assert_null(c->s.proxies.v);
	}
	return rc;
}

static void
unload(struct ctx *c)
{
	conf_free(keys, ARRAY_LEN(keys), &c->s);
}

static void
assert_says(struct ctx *c, const char *part)
{
	if (strstr(c->e.msg, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, c->e.msg);
}

static void
assert_defaults(const struct settings *s)
{
	assert_string_equal(s->listen, ":8443");
	assert_null(s->url);
	assert_null(s->token);
	assert_string_equal(s->only_env, "\"quoted\"");
	assert_int_equal(s->days, 90);
	assert_int_equal(s->max_bytes, (int64_t)20 << 30);
	assert_true(s->secure);
	assert_int_equal(s->proxies.n, 2);
	assert_string_equal(s->proxies.v[0], "127.0.0.1/32");
	assert_string_equal(s->proxies.v[1], "::1/128");
}

static void
without_a_file_defaults_hold(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(conf_load(keys, ARRAY_LEN(keys), NULL, false, &c->s,
	                     &c->e),
	    RC_OK);
	assert_defaults(&c->s);
	unload(c);
	assert_int_equal(load_path(c, "/no/such.yaml", false), RC_OK);
	assert_defaults(&c->s);
	unload(c);
	assert_int_equal(conf_load(keys, ARRAY_LEN(keys), "/no/such.yaml", true,
	                     &c->s, &c->e),
	    RC_NOTFOUND);
	assert_says(c, "/no/such.yaml");
	assert_null(c->s.listen);
}

static void
empty_files_are_fine(void **state)
{
	static const char *const texts[] = { "", "\n\n", "# only words\n",
		"---\n", "---\n...\n", "{}\n", "~\n", "%YAML 1.1\n---\n" };
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(load(c, texts[i]), RC_OK);
		assert_defaults(&c->s);
		unload(c);
	}
	assert_int_equal(load(c, ""), RC_OK);
}

static void
values_of_every_type_are_read(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(load(c, "# controller\n"
	                         "listen: 0.0.0.0:443   # all\n"
	                         "base_url: \"https://b\\u00fccher\"\n"
	                         "token: 'a b: #c'\n"
	                         "days: 3650\n"
	                         "max_bytes: 32k\n"
	                         "secure: No\n"
	                         "proxies:\n  - 10.0.0.0/8\n  - \"a,b\"\n"),
	    RC_OK);
	assert_string_equal(c->s.listen, "0.0.0.0:443");
	assert_string_equal(c->s.url, "https://b\xc3\xbc"
	                              "cher");
	assert_string_equal(c->s.token, "a b: #c");
	assert_int_equal(c->s.days, 3650);
	assert_int_equal(c->s.max_bytes, 32768);
	assert_false(c->s.secure);
	assert_int_equal(c->s.proxies.n, 2);
	assert_string_equal(c->s.proxies.v[1], "a,b");
}

static void
lists_come_in_three_forms(void **state)
{
	static const char *const texts[] = { "proxies: [a, b ,c]\n",
		"proxies: a, b,c\n", "proxies:\n- a\n- b\n- c\n" };
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(load(c, texts[i]), RC_OK);
		assert_int_equal(c->s.proxies.n, 3);
		assert_string_equal(c->s.proxies.v[0], "a");
		assert_string_equal(c->s.proxies.v[1], "b");
		assert_string_equal(c->s.proxies.v[2], "c");
		unload(c);
	}
	assert_int_equal(load(c, "proxies: []\n"), RC_OK);
	assert_int_equal(c->s.proxies.n, 0);
}

static void
key_without_value_leaves_the_default(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(load(c, "listen:\nbase_url: ~\ntoken: null\ndays:\n"
	                         "secure:\nproxies:\nmax_bytes:\n"),
	    RC_OK);
	assert_defaults(&c->s);
	unload(c);
	assert_int_equal(load(c, "base_url: 'null'\n"), RC_OK);
	assert_string_equal(c->s.url, "null");
}

struct bad {
	const char *text;
	const char *says;
};

static void
wrong_files_are_refused_with_their_line(void **state)
{
	static const struct bad bad[] = {
		{ "days: 1\nlisten: x\ndays: 2\n",
		    "t.yaml:3: the key days is there twice" },
		{ "\nlisten: x\nlist: y\n", "t.yaml:3: unknown key list" },
		{ "RMT_ONLY: x\n", "t.yaml:1: unknown key RMT_ONLY" },
		{ "\"a\\nb\": x\n", "t.yaml:1: unknown key a\\x0ab" },
		{ "days: 1\nlisten:\n  port: 1\n",
		    "t.yaml:3: listen: must be" },
		{ "listen: {a: b}\n", "t.yaml:1: listen: must be" },
		{ "proxies:\n- a\n- [b]\n", "t.yaml:3: proxies: elements" },
		{ "proxies:\n- a\n- b: c\n", "t.yaml:3: proxies: elements" },
		{ "proxies: [a, b, c, d]\n",
		    "t.yaml:1: proxies: must have a number of elements" },
		{ "proxies: [a, '']\n", "proxies: has an empty element" },
		{ "proxies: a,,b\n", "proxies: has an empty element" },
		{ "days: [1]\n", "t.yaml:1: days: must be a single value" },
		{ "days: 0\n", "t.yaml:1: days: must be between 1 and 3650" },
		{ "days: 3651\n", "days: must be between 1 and 3650" },
		{ "days: 1.5\n", "days: must be a whole number" },
		{ "days: '1 '\n", "days: must be a whole number" },
		{ "days: 0x10\n", "days: must be a whole number" },
		{ "days: 99999999999999999999\n", "days: must be a whole" },
		{ "max_bytes: 5X\n", "max_bytes: must be a size" },
		{ "max_bytes: K\n", "max_bytes: must be a size" },
		{ "max_bytes: -1\n", "max_bytes: must be a size" },
		{ "max_bytes: 9999999999T\n", "max_bytes: must be a size" },
		{ "secure: maybe\n", "secure: must be true or false" },
		{ "secure: 'true '\n", "secure: must be true or false" },
		{ "listen: ''\n", "listen: must have a length between 1" },
		{ "base_url: 123456789012345678901\n",
		    "base_url: must have a length between 1 and 20" },
		{ "listen: \"a\\nb\"\n", "listen: has a control character" },
		{ "listen: \"a\\0b\"\n", "listen: " },
		{ "listen: &a x\nbase_url: *a\n", "t.yaml:2: base_url: must" },
		{ "<<: {listen: x}\n", "t.yaml:1: unknown key" },
		{ "? [a]\n: b\n", "t.yaml:1: a key must be" },
		{ "listen: a\n---\nlisten: b\n",
		    "t.yaml:2: a second document" },
		{ "- listen\n", "t.yaml:1: must be lines of the form" },
		{ "just text\n", "t.yaml:1: must be lines of the form" },
		{ "listen: 'open\n", "t.yaml:2: " },
		{ "a: b: c\n", "t.yaml:1: " },
		{ "listen: x\n\tdays: 1\n", "t.yaml:2: " },
		{ "listen: x\n days: 1\n", "t.yaml:" },
		{ "listen: @x\n", "t.yaml:1: " },
		{ "listen: \"\\q\"\n", "t.yaml:1: " },
		{ "listen: x\ndays: \xff\n", "t.yaml:" },
		{ "listen: \xc0\x80\n", "t.yaml:" },
		{ "listen: \x01\n", "t.yaml:" },
	};
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(load(c, bad[i].text), RC_INVALID);
		assert_says(c, bad[i].says);
		assert_says(c, c->dir.path);
	}
}

static void
too_large_files_are_refused(void **state)
{
	static char text[300000];
	struct ctx *c = *state;

	memset(text, '#', sizeof(text) - 1);
	assert_int_equal(load(c, text), RC_LIMIT);
	memset(text, '[', 100000);
	text[100000] = '\0';
	assert_int_equal(load(c, text), RC_INVALID);
}

static void
environment_wins_over_the_file(void **state)
{
	struct ctx *c = *state;

	(void)setenv("RMT_LISTEN", ":1", 1);
	(void)setenv("RMT_ONLY", "e", 1);
	(void)setenv("RMT_DAYS", "7", 1);
	(void)setenv("RMT_MAX", "1M", 1);
	(void)setenv("RMT_SECURE", "off", 1);
	(void)setenv("RMT_PROXIES", " a ,b", 1);
	(void)setenv("RMT_URL", "", 1); /* empty: as if unset */
	assert_int_equal(load(c, "listen: :2\nbase_url: u\ndays: 8\n"
	                         "max_bytes: 2M\nsecure: on\n"
	                         "proxies: [x, y, z]\n"),
	    RC_OK);
	assert_string_equal(c->s.listen, ":1");
	assert_string_equal(c->s.url, "u");
	assert_string_equal(c->s.only_env, "e");
	assert_int_equal(c->s.days, 7);
	assert_int_equal(c->s.max_bytes, 1 << 20);
	assert_false(c->s.secure);
	assert_int_equal(c->s.proxies.n, 2);
	assert_string_equal(c->s.proxies.v[0], "a");
}

static void
wrong_environment_is_named(void **state)
{
	struct ctx *c = *state;

	(void)setenv("RMT_DAYS", "soon", 1);
	assert_int_equal(load(c, "days: 8\n"), RC_INVALID);
	assert_says(c, "RMT_DAYS (environment): must be a whole number");
	(void)unsetenv("RMT_DAYS");
	(void)setenv("RMT_ONLY", "a\nb", 1);
	assert_int_equal(load(c, ""), RC_INVALID);
	assert_says(c, "RMT_ONLY (environment): has a control character");
	(void)setenv("RMT_ONLY", "\xff", 1);
	assert_int_equal(load(c, ""), RC_INVALID);
	assert_says(c, "RMT_ONLY (environment): is not well-formed UTF-8");
}

static void
messages_never_quote_a_value(void **state)
{
	static const char *const texts[] = {
		"token: hunter2hunter2hunter2\n",
		"token: [hunter2]\n",
		"token: {hunter2: hunter2}\n",
		"token: 'hunter2\n",
		"token: \"hunter2\\q\"\n",
		"token: hunter2\ntoken: hunter2\n",
		"days: hunter2\n",
	};
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(load(c, texts[i]), RC_INVALID);
		assert_null(strstr(c->e.msg, "hunter2"));
	}
	(void)setenv("RMT_TOKEN", "hunter2hunter2hunter2", 1);
	assert_int_equal(load(c, ""), RC_INVALID);
	assert_null(strstr(c->e.msg, "hunter2"));
}

/* The sample with every comment sign before a key taken away. */
static void
uncomment(const char *sample, struct buf *out)
{
	struct str rest = str_of(sample), line;

	while (str_next(&rest, '\n', &line)) {
		if (str_starts(line, STR("#")) && !str_starts(line, STR("# ")))
			line = str_sub(line, 1, line.n);
		buf_put_str(out, line);
		buf_putc(out, '\n');
	}
}

static void
sample_is_a_file_of_the_defaults(void **state)
{
	struct ctx *c = *state;
	struct buf sample, live;

	buf_init(&sample, KIB(8));
	buf_init(&live, KIB(8));
	conf_sample(keys, ARRAY_LEN(keys), &sample);
	assert_int_equal(buf_rc(&sample), RC_OK);
	assert_non_null(strstr(buf_text(&sample),
	    "# Days to keep.\n# In the environment: RMT_DAYS\n#days: 90\n"));
	assert_non_null(strstr(buf_text(&sample),
	    "# Not in the file.\n# Only in the environment: RMT_ONLY\n"));
	assert_non_null(strstr(buf_text(&sample), "#base_url:\n"));
	assert_int_equal(load(c, buf_text(&sample)), RC_OK);
	assert_defaults(&c->s);
	unload(c);
	uncomment(buf_text(&sample), &live);
	assert_non_null(strstr(buf_text(&live), "\ndays: 90\n"));
	assert_int_equal(load(c, buf_text(&live)), RC_OK);
	assert_defaults(&c->s);
	buf_fini(&sample);
	buf_fini(&live);
}

static void
dumped_values_load_again(void **state)
{
	/* C1 control, byte order mark, line separator, emoji, quotes */
	char text[] = "\"\\#: \xc2\x85\xef\xbb\xbf\xe2\x80\xa8\xf0\x9f\x98\x80";
	char null[] = "null";
	char *list[] = { text, null };
	const struct settings in = { .listen = text,
		.token = null,
		.days = 5,
		.max_bytes = 123,
		.secure = false,
		.proxies = { list, 2 } };
	struct ctx *c = *state;
	struct buf b;

	buf_init(&b, KIB(8));
	conf_dump(keys, ARRAY_LEN(keys), &in, &b);
	assert_null(strstr(buf_text(&b), "base_url"));
	assert_int_equal(load(c, buf_text(&b)), RC_OK);
	assert_string_equal(c->s.listen, text);
	assert_string_equal(c->s.token, "null");
	assert_null(c->s.url);
	assert_int_equal(c->s.days, 5);
	assert_int_equal(c->s.max_bytes, 123);
	assert_false(c->s.secure);
	assert_int_equal(c->s.proxies.n, 2);
	assert_string_equal(c->s.proxies.v[0], text);
	assert_string_equal(c->s.proxies.v[1], "null");
	buf_fini(&b);
}

static void
values_that_yaml_refuses_become_marks(void **state)
{
	char text[] = "a\nb\xff";
	const struct settings in = { .listen = text };
	struct buf b;

	(void)state;
	buf_init(&b, KIB(8));
	conf_dump(keys, 1, &in, &b);
	assert_string_equal(buf_text(&b), "listen: \"a\\u000ab\\ufffd\"\n");
	buf_fini(&b);
}

static void
dumped_empty_list_stays_empty(void **state)
{
	const struct settings in = { .days = 1 };
	struct ctx *c = *state;
	struct buf b;

	buf_init(&b, KIB(8));
	conf_dump(keys, ARRAY_LEN(keys), &in, &b);
	assert_int_equal(load(c, buf_text(&b)), RC_OK);
	assert_int_equal(c->s.proxies.n, 0);
	assert_string_equal(c->s.listen, ":8443"); /* unset: the default */
	buf_fini(&b);
}

static void
default_that_breaks_its_own_rule_is_an_error(void **state)
{
	static const struct conf_key broken[] = {
		{ "n", NULL, CONF_INT, 0, 1, 5, "6", 0, "Broken." },
	};
	struct ctx *c = *state;

	assert_int_equal(conf_load(broken, 1, NULL, false, &c->s, &c->e),
	    RC_INVALID);
	assert_says(c, "default of n");
	c->s = (struct settings){ 0 };
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_file_defaults_hold),
		TEST(empty_files_are_fine),
		TEST(values_of_every_type_are_read),
		TEST(lists_come_in_three_forms),
		TEST(key_without_value_leaves_the_default),
		TEST(wrong_files_are_refused_with_their_line),
		TEST(too_large_files_are_refused),
		TEST(environment_wins_over_the_file),
		TEST(wrong_environment_is_named),
		TEST(messages_never_quote_a_value),
		TEST(sample_is_a_file_of_the_defaults),
		TEST(dumped_values_load_again),
		TEST(dumped_empty_list_stays_empty),
		TEST(values_that_yaml_refuses_become_marks),
		TEST(default_that_breaks_its_own_rule_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
