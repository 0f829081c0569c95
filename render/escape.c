/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/escape.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

static const char replacement[] = "\xef\xbf\xbd";

static const char *
entity(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\n':
	case '\r':
		return NULL;
	default:
		return c < 0x20 || c == 0x7f ? replacement : NULL;
	}
}

/* Nearly all of any text: told without the table of entities. */
static bool
is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '(' && c <= ';') ||
	       (c >= 'A' && c <= 'Z') || c == ' ';
}

/* Length of the run at the front that may be copied as it is. */
static size_t
plain_run(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		uint8_t c = (uint8_t)s.p[i];
		size_t n = 1;

		if (is_plain(c)) {
			i++;
			continue;
		}
		if (c < 0x80 && entity(c) != NULL)
			break;
		if (c >= 0x80) {
			n = str_utf8_len(str_sub(s, i, s.n - i));
			if (n == 0)
				break;
		}
		i += n;
	}
	return i;
}

void
escape_html(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t n = plain_run(s);
		uint8_t c;

		buf_put(out, s.p, n);
		s = str_sub(s, n, s.n - n);
		if (s.n == 0)
			return;
		c = (uint8_t)s.p[0];
		buf_puts(out, c < 0x80 ? entity(c) : replacement);
		s = str_sub(s, 1, s.n - 1);
	}
}
