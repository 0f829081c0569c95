/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/rc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

/* clang-format off */
static const struct rc_info infos[] = {
#define X(name, json, http, grpc, ex, retry, text) \
	[name] = { #name, json, http, grpc, ex, retry, text },
	RC_TABLE(X)
#undef X
};
/* clang-format on */

_Static_assert(ARRAY_LEN(infos) == RC_COUNT, "one row per result");

void
assert_failed(const char *file, int line, const char *cond)
{
	(void)fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line,
	    cond);
	abort();
}

const struct rc_info *
rc_info(enum rc rc)
{
	ASSERT((unsigned)rc < RC_COUNT);
	return &infos[rc];
}

enum rc
rc_from_grpc(int grpc_status)
{
	size_t i;

	/* Several results share a status: the first, most general row wins. */
	for (i = 0; i < RC_COUNT; i++)
		if (infos[i].grpc_status == grpc_status)
			return (enum rc)i;
	return RC_IO;
}

/* Ends the text at n bytes or before, never inside a character. */
static void
cut_text(char *z, size_t n)
{
	size_t len = strlen(z), at = 0, step;

	if (len <= n)
		return;
	while (at < n) {
		step = str_utf8_len(str_from(z + at, len - at));
		step = step == 0 ? 1 : step;
		if (at + step > n)
			break;
		at += step;
	}
	z[at] = '\0';
}

static void format(struct err *e, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

static void
format(struct err *e, const char *fmt, va_list ap)
{
	/* Room for one whole character more, so that the cut sees it. */
	char text[sizeof(e->msg) + 4];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	cut_text(text, sizeof(e->msg) - 1);
	memcpy(e->msg, text, strlen(text) + 1);
}

enum rc
err_set(struct err *e, enum rc rc, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return rc;
	e->rc = rc;
	e->code = NULL;
	e->field = NULL;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	return rc;
}

enum rc
err_code(struct err *e, enum rc rc, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return rc;
	e->rc = rc;
	e->code = code;
	e->field = NULL;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	return rc;
}

enum rc
err_field(struct err *e, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return RC_INVALID;
	e->rc = RC_INVALID;
	e->code = NULL;
	e->field = field;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	return RC_INVALID;
}

enum rc
err_wrap(struct err *e, const char *fmt, ...)
{
	struct err prefix;
	char text[2 * sizeof(e->msg) + 2];
	va_list ap;

	ASSERT(e != NULL);
	va_start(ap, fmt);
	format(&prefix, fmt, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text), "%s: %s", prefix.msg, e->msg);
	cut_text(text, sizeof(e->msg) - 1);
	memcpy(e->msg, text, strlen(text) + 1);
	return e->rc;
}

static enum rc
rc_from_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return RC_NOTFOUND;
	case EACCES:
	case EPERM:
		return RC_DENIED;
	case ENOSPC:
	case EDQUOT:
		return RC_FULL;
	case EEXIST:
		return RC_CONFLICT;
	default:
		return RC_IO;
	}
}

enum rc
err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	char space[128];
	const char *why;
	size_t len, room;
	va_list ap;

	if (e == NULL)
		return rc_from_errno(errnum);
	e->rc = rc_from_errno(errnum);
	e->code = NULL;
	e->field = NULL;
	va_start(ap, fmt);
	format(e, fmt, ap);
	va_end(ap);
	/* A long subject is cut so that the reason stays. */
	why = strerror_r(errnum, space, sizeof(space));
	room = sizeof(e->msg) - sizeof(space) - sizeof(": ");
	if (strlen(e->msg) + strlen(why) + sizeof(": ") > sizeof(e->msg))
		cut_text(e->msg, room);
	len = strlen(e->msg);
	(void)snprintf(e->msg + len, sizeof(e->msg) - len, ": %s", why);
	return e->rc;
}
