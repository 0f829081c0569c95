/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_COPY_MARK_H
#define LIB_STORE_COPY_MARK_H
/*
 * copy.json in a data directory: it is a copy of another one, as of a
 * moment.  A copy is brought up to date again and again while it has the
 * mark; the controller that is started on it takes the mark away, and from
 * then on nobody writes over what that controller was told.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct copy_mark {
	int64_t copied_at_ms; /* 0: the first copy is not whole yet */
};

/* RC_NOTFOUND: dir is no copy, or one that was started. */
MUST_USE enum rc copy_mark_read(const char *dir, struct copy_mark *out,
    struct err *e);
MUST_USE enum rc copy_mark_write(const char *dir, const struct copy_mark *m,
    struct err *e);
MUST_USE enum rc copy_mark_remove(const char *dir, struct err *e);
#endif
