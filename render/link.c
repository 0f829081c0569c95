/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/link.h"

#include <string.h>

#include "lib/base/buf.h"

static bool
unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("-._~:", c) != NULL);
}

void
link_query(struct buf *out, const char *key, struct str value)
{
	size_t i;

	if (value.n == 0)
		return;
	buf_printf(out, "%s=", key);
	for (i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (unreserved(c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
	buf_putc(out, '&');
}
