/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_ESCAPE_H
#define RENDER_ESCAPE_H
/* Outside text into HTML, safe in element content and quoted attributes. */
#include "lib/base/str.h"

struct buf;

/* & " < > ' become entities; malformed UTF-8 and control characters other
 * than tab, newline and carriage return become U+FFFD. */
void escape_html(struct buf *out, struct str s);
#endif
