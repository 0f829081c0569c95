/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CHECKUP_H
#define LIB_BASE_CHECKUP_H
/*
 * What a "doctor" found, step by step: each one is well, has failed (and
 * what to do), or was skipped (and why).  Texts are made safe to show.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/attr.h"

struct buf;

enum checkup_state {
	CHECKUP_OK,
	CHECKUP_FAILED,
	CHECKUP_SKIPPED
};

enum {
	CHECKUP_MAX = 32,
	CHECKUP_TEXT_CAP = 320
};

struct checkup_row {
	const char *step; /* static */
	enum checkup_state state;
	char detail[CHECKUP_TEXT_CAP];
	char advice[CHECKUP_TEXT_CAP]; /* "" when there is nothing to do */
};

struct checkup {
	struct checkup_row rows[CHECKUP_MAX];
	size_t n;
	unsigned failed;
};

void checkup_ok(struct checkup *c, const char *step, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void checkup_skip(struct checkup *c, const char *step, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void checkup_fail(struct checkup *c, const char *step, const char *advice,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A line a step, its advice below it. */
void checkup_text(const struct checkup *c, struct buf *b, bool colour);
/* {"ok", "checks": [{"check", "status", "detail", "advice"}]} */
void checkup_json(const struct checkup *c, struct buf *b);
#endif
