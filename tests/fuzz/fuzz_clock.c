/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times as text: what parses is in range, and its own text parses to the
 * same millisecond.  Eight bytes are also taken as a time of any size. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/clock.h"

static void
check_text(struct str s)
{
	char text[CLOCK_TEXT_CAP];
	int64_t ms, again;

	if (!clock_parse(s, &ms))
		return;
	ASSERT(ms >= 0 && ms <= INT64_C(253402300799999));
	clock_text(ms, text);
	ASSERT(strlen(text) == CLOCK_TEXT_CAP - 1);
	ASSERT(clock_parse(str_of(text), &again) && again == ms);
}

static void
check_civil(int64_t ms)
{
	struct civil c;
	char text[CLOCK_TEXT_CAP];
	int64_t parsed;

	clock_civil(ms, (int32_t)(ms % 100000), &c);
	ASSERT(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
	ASSERT(c.hour >= 0 && c.hour <= 23 && c.minute >= 0 && c.minute <= 59);
	ASSERT(c.second >= 0 && c.second <= 59 && c.ms >= 0 && c.ms <= 999);
	ASSERT(c.weekday >= 0 && c.weekday <= 6);
	clock_text(ms, text);
	ASSERT(clock_parse(str_of(text), &parsed));
	if (ms >= 0 && ms <= INT64_C(253402300799999))
		ASSERT(parsed == ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int64_t ms;

	check_text(str_from(data, n));
	if (n >= sizeof(ms)) {
		memcpy(&ms, data, sizeof(ms));
		check_civil(ms);
	}
	return 0;
}
