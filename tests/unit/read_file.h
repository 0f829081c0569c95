/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_READ_FILE_H
#define TESTS_UNIT_READ_FILE_H
/* The text of a file that is there and not empty; buf_fini() afterwards. */
#include "tests/unit/unit.h"

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"

static inline void
read_file(const char *path, struct buf *out)
{
	struct err e = { 0 };

	buf_init(out, MIB(1));
	if (fsio_read(path, out, &e) != RC_OK)
		fail_msg("%s", e.msg);
	assert_true(out->len > 0);
}
#endif
