/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CSV_H
#define LIB_BASE_CSV_H
/*
 * Comma-separated values as RFC 4180 has them, for people who open them in a
 * spreadsheet: a text that would be taken for a formula (it begins with
 * = + - @, a tab or a carriage return) gets an apostrophe before it.
 *
 *   csv_text(b, STR("a")); csv_uint(b, 1); csv_end(b);
 */
#include <stdint.h>

#include "lib/base/str.h"

struct buf;

void csv_text(struct buf *b, struct str s);
void csv_z(struct buf *b, const char *z);
void csv_uint(struct buf *b, uint64_t v);
/* RFC 3339, empty for 0. */
void csv_time(struct buf *b, int64_t ms);
/* The row is complete. */
void csv_end(struct buf *b);
#endif
