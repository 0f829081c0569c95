/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_SHOW_H
#define LIB_BASE_SHOW_H
/* Text from outside on a terminal: shown, never obeyed. */
#include "lib/base/str.h"

struct buf;

/* Control characters, changes of writing direction and malformed UTF-8
 * become \xHH; the rest stays as it is. */
void show_text(struct buf *b, struct str s);
#endif
