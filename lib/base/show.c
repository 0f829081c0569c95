/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/show.h"

#include <stdbool.h>

#include "lib/base/buf.h"

/* C1 controls, and what turns the direction of writing: U+0080..U+009F,
 * U+061C, U+200E, U+200F, U+2028..U+202E, U+2066..U+2069. */
static bool
treacherous(const unsigned char *p, size_t n)
{
	if (n == 2)
		return (p[0] == 0xc2 && p[1] < 0xa0) ||
		       (p[0] == 0xd8 && p[1] == 0x9c);
	if (n != 3 || p[0] != 0xe2)
		return false;
	if (p[1] == 0x80)
		return p[2] == 0x8e || p[2] == 0x8f ||
		       (p[2] >= 0xa8 && p[2] <= 0xae);
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

void
show_text(struct buf *b, struct str s)
{
	size_t i;

	while (s.n > 0) {
		const unsigned char *p = (const unsigned char *)s.p;
		size_t n = str_utf8_len(s);
		bool bad =
		    n == 0 || p[0] < 0x20 || p[0] == 0x7f || treacherous(p, n);

		n = n == 0 ? 1 : n;
		if (!bad)
			buf_put(b, p, n);
		for (i = 0; bad && i < n; i++)
			buf_printf(b, "\\x%02x", p[i]);
		s = str_sub(s, n, s.n);
	}
}
