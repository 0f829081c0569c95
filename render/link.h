/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_LINK_H
#define RENDER_LINK_H
/* Queries of links, out of words that anybody may have typed. */
#include "lib/base/str.h"

struct buf;

/* "key=value&", percent-encoded but for unreserved characters and the colon of
 * our filters; nothing for an empty value. */
void link_query(struct buf *out, const char *key, struct str value);
#endif
