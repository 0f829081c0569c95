/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writer of json.h. */
#include <math.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/ulid.h"

static void
put_escaped(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"':
		buf_puts(b, "\\\"");
		break;
	case '\\':
		buf_puts(b, "\\\\");
		break;
	case '\n':
		buf_puts(b, "\\n");
		break;
	case '\r':
		buf_puts(b, "\\r");
		break;
	case '\t':
		buf_puts(b, "\\t");
		break;
	default:
		buf_printf(b, "\\u%04x", (unsigned)c);
		break;
	}
}

/* A byte that stands for itself. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Length of the run at the front that needs no change. */
static size_t
plain_run(struct str s)
{
	size_t i = 0, n;

	for (;;) {
		while (i < s.n && is_plain((unsigned char)s.p[i]))
			i++;
		if (i == s.n || (unsigned char)s.p[i] < 0x80)
			return i;
		n = str_utf8_len(str_sub(s, i, s.n - i));
		if (n == 0)
			return i;
		i += n;
	}
}

static void
put_text(struct buf *b, struct str s)
{
	size_t n;

	buf_putc(b, '"');
	while (s.n > 0) {
		n = plain_run(s);
		buf_put(b, s.p, n);
		s = str_sub(s, n, s.n - n);
		if (s.n == 0)
			break;
		if ((unsigned char)s.p[0] >= 0x80)
			buf_puts(b, "\xef\xbf\xbd"); /* U+FFFD */
		else
			put_escaped(b, (unsigned char)s.p[0]);
		s = str_sub(s, 1, s.n - 1);
	}
	buf_putc(b, '"');
}

/* What goes before any value: the comma and the name. */
static void
before(struct json_out *j, const char *name)
{
	if (j->comma)
		buf_putc(j->b, ',');
	j->comma = true;
	if (name != NULL) {
		put_text(j->b, str_of(name));
		buf_putc(j->b, ':');
	}
}

void
json_out_init(struct json_out *j, struct buf *b)
{
	j->b = b;
	j->comma = false;
}

void
json_obj(struct json_out *j, const char *name)
{
	before(j, name);
	buf_putc(j->b, '{');
	j->comma = false;
}

void
json_obj_end(struct json_out *j)
{
	buf_putc(j->b, '}');
	j->comma = true;
}

void
json_arr(struct json_out *j, const char *name)
{
	before(j, name);
	buf_putc(j->b, '[');
	j->comma = false;
}

void
json_arr_end(struct json_out *j)
{
	buf_putc(j->b, ']');
	j->comma = true;
}

void
json_put_str(struct json_out *j, const char *name, struct str s)
{
	before(j, name);
	put_text(j->b, s);
}

void
json_put_raw(struct json_out *j, const char *name, struct str s)
{
	before(j, name);
	buf_put_str(j->b, s);
}

void
json_put(struct json_out *j, const char *name, const char *z)
{
	json_put_str(j, name, str_of(z));
}

void
json_put_int(struct json_out *j, const char *name, int64_t v)
{
	before(j, name);
	if (v < 0)
		buf_putc(j->b, '-');
	buf_put_dec(j->b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void
json_put_uint(struct json_out *j, const char *name, uint64_t v)
{
	before(j, name);
	buf_put_dec(j->b, v);
}

/* The shorter of two forms that reads back as the same number. */
void
json_put_num(struct json_out *j, const char *name, double v)
{
	char text[40];

	if (!isfinite(v)) {
		json_put_null(j, name);
		return;
	}
	if (v == floor(v) && fabs(v) < 1e15) {
		json_put_int(j, name, (int64_t)v);
		return;
	}
	if (!str_fmt(text, sizeof(text), "%.15g", v) ||
	    strtod(text, NULL) < v || strtod(text, NULL) > v)
		ASSERT(str_fmt(text, sizeof(text), "%.17g", v));
	before(j, name);
	buf_puts(j->b, text);
}

void
json_put_bool(struct json_out *j, const char *name, bool v)
{
	before(j, name);
	buf_puts(j->b, v ? "true" : "false");
}

void
json_put_null(struct json_out *j, const char *name)
{
	before(j, name);
	buf_puts(j->b, "null");
}

void
json_put_strs(struct json_out *j, const char *name, char *const *v, size_t n)
{
	size_t i;

	json_arr(j, name);
	for (i = 0; i < n; i++)
		json_put(j, NULL, v[i]);
	json_arr_end(j);
}

void
json_put_ulid(struct json_out *j, const char *name, const struct ulid *id)
{
	char text[ULID_TEXT_CAP];

	if (ulid_is_zero(id)) {
		json_put_null(j, name);
		return;
	}
	ulid_text(id, text);
	json_put(j, name, text);
}

void
json_put_time(struct json_out *j, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT_CAP];

	if (ms == 0) {
		json_put_null(j, name);
		return;
	}
	clock_text(ms, text);
	json_put(j, name, text);
}
