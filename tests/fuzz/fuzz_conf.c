/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One text is loaded as a settings file.  What is let in obeys its limits and
 * survives a dump and a second load; what is refused has a message and leaves
 * nothing behind.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/base/fsio.h"
#include "lib/base/str.h"

enum {
	TEXT_MAX = 64,
	ELEMENTS = 5,
	DAYS_MAX = 3650,
	INPUT_MAX = 1 << 14
};

struct settings {
	char *listen;
	char *secret;
	int64_t days;
	int64_t bytes;
	bool on;
	struct conf_strs list;
};

/* clang-format off */
#define AT(m) offsetof(struct settings, m)
static const struct conf_key keys[] = {
	{ "listen", NULL, CONF_STR, 0, 1, TEXT_MAX, ":8443", AT(listen), "Address." },
	{ "secret", NULL, CONF_STR, CONF_SECRET, 0, TEXT_MAX, NULL, AT(secret), "Secret." },
	{ "days", NULL, CONF_INT, 0, 1, DAYS_MAX, "90", AT(days), "Days." },
	{ "bytes", NULL, CONF_SIZE, 0, 0, INT64_MAX, "20G", AT(bytes), "Bytes." },
	{ "on", NULL, CONF_BOOL, 0, 0, 0, "true", AT(on), "Switch." },
	{ "list", NULL, CONF_STRS, 0, 0, ELEMENTS, "a, b", AT(list), "List." },
};
/* clang-format on */

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum rc
load(struct str text, struct settings *s, struct err *e)
{
	char path[64];
	enum rc rc;
	int fd;

	fd = memfd_create("conf", MFD_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT(fsio_write_all(fd, text, NULL) == RC_OK);
	ASSERT(str_fmt(path, sizeof(path), "/proc/self/fd/%d", fd));
	rc = conf_load(keys, ARRAY_LEN(keys), path, true, s, e);
	(void)close(fd);
	return rc;
}

static void
check_limits(const struct settings *s)
{
	size_t i;

	ASSERT(s->listen != NULL && s->listen[0] != '\0');
	ASSERT(strlen(s->listen) <= TEXT_MAX);
	ASSERT(str_utf8_ok(str_of(s->listen)));
	ASSERT(s->days >= 1 && s->days <= DAYS_MAX && s->bytes >= 0);
	ASSERT(s->list.n <= ELEMENTS);
	for (i = 0; i < s->list.n; i++)
		ASSERT(s->list.v[i][0] != '\0');
}

static void
check_dump(const struct settings *s)
{
	struct settings again;
	struct err e = { .msg = "" };
	struct buf b;
	size_t i;

	buf_init(&b, KIB(256));
	conf_dump(keys, ARRAY_LEN(keys), s, &b);
	ASSERT(buf_rc(&b) == RC_OK);
	ASSERT(load(buf_str(&b), &again, &e) == RC_OK);
	ASSERT(same(s->listen, again.listen) && same(s->secret, again.secret));
	ASSERT(s->days == again.days && s->bytes == again.bytes);
	ASSERT(s->on == again.on && s->list.n == again.list.n);
	for (i = 0; i < s->list.n; i++)
		ASSERT(same(s->list.v[i], again.list.v[i]));
	conf_free(keys, ARRAY_LEN(keys), &again);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct settings s;
	struct err e = { .msg = "" };
	enum rc rc;

	if (n > INPUT_MAX)
		return 0;
	rc = load(str_from(data, n), &s, &e);
	if (rc == RC_OK) {
		check_limits(&s);
		check_dump(&s);
	} else {
		ASSERT(rc == RC_INVALID && e.msg[0] != '\0');
		ASSERT(str_utf8_ok(str_of(e.msg)));
		ASSERT(s.listen == NULL && s.list.v == NULL);
	}
	conf_free(keys, ARRAY_LEN(keys), &s);
	return 0;
}
