/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/csv.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"

/* Every cell is followed by a comma, the last one's becomes the line end. */
void
csv_end(struct buf *b)
{
	if (b->len > 0)
		buf_cut(b, b->len - 1);
	buf_puts(b, "\r\n");
}

static bool
looks_like_formula(struct str s)
{
	return s.n > 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL;
}

static bool
needs_quotes(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (memchr(",\"\r\n", s.p[i], 4) != NULL)
			return true;
	}
	return false;
}

void
csv_text(struct buf *b, struct str s)
{
	bool formula = looks_like_formula(s);
	size_t i;

	if (!formula && !needs_quotes(s)) {
		buf_put_str(b, s);
		buf_putc(b, ',');
		return;
	}
	buf_puts(b, formula ? "\"'" : "\"");
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_putc(b, '"');
		buf_putc(b, s.p[i]);
	}
	buf_puts(b, "\",");
}

void
csv_z(struct buf *b, const char *z)
{
	csv_text(b, str_of(z));
}

void
csv_uint(struct buf *b, uint64_t v)
{
	buf_put_dec(b, v);
	buf_putc(b, ',');
}

void
csv_time(struct buf *b, int64_t ms)
{
	char text[CLOCK_TEXT_CAP] = "";

	if (ms != 0)
		clock_text(ms, text);
	csv_z(b, text);
}
