/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_RESTIC_DATA_H
#define TESTS_UNIT_AGENT_RESTIC_DATA_H
/*
 * What restic 0.14 and 0.18 really said: tests/data/restic, made by capture.sh
 * there.
 */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/fsio.h"

static const char *const versions[] = { "0.14.0", "0.18.0" };

static inline void
data_read(const char *version, const char *name, const char *ext,
    struct buf *out)
{
	char path[256];

	assert_true(str_fmt(path, sizeof(path), "tests/data/restic/%s/%s.%s",
	    version, name, ext));
	assert_rc(fsio_read(path, out, NULL), RC_OK);
}
#endif
