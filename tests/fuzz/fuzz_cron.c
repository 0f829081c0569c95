/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedule expressions: what parses goes forward, at a full minute, in
 * bounded time. */
#include "tests/fuzz/fuzz.h"

#include "lib/base/cron.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int64_t at = INT64_C(1700000000000), next;
	struct cron c;
	struct err e;
	int i;

	if (cron_parse(str_from(data, n), "Europe/Berlin", &c, &e) != RC_OK)
		return 0;
	for (i = 0; i < 3 && cron_next(&c, at, &next); i++, at = next) {
		ASSERT(next > at);
		ASSERT(next % (c.every_s > 0 ? 1000 : 60000) == 0);
	}
	(void)cron_next(&c, 0, &next);
	(void)cron_next(&c, INT64_C(253402300799999), &next);
	return 0;
}
