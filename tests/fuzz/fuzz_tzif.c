/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled time zones: what parses gives a sane offset at every time. */
#include "tests/fuzz/fuzz.h"

#include "lib/base/tzif.h"

enum {
	DAY_S = 86400
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tzif z;
	int64_t t;
	size_t i;

	if (!tzif_parse(str_from(data, n), &z))
		return 0;
	for (t = -40000; t < 100000; t += 97)
		ASSERT(tzif_offset(&z, t * DAY_S) < 27 * 3600);
	for (i = 0; i < z.n; i++)
		ASSERT(tzif_offset(&z, z.changes[i].at_s) > -27 * 3600);
	tzif_offset(&z, INT64_MIN);
	tzif_offset(&z, INT64_MAX);
	tzif_fini(&z);
	return 0;
}
