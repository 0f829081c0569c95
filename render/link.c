/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/link.h"

#include "lib/base/buf.h"

void
link_query(struct buf *out, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(out, "%s=", key);
	buf_put_percent(out, value, ":");
	buf_putc(out, '&');
}
