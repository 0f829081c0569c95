/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/cron_words.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/text.h"

enum {
	MINUTES = 60,
	HOURS = 24,
	WEEKDAYS = 7,
	TIMES_TOLD = 4 /* of one day */
};

static const uint32_t every_hour = 0xffffff, every_month = 0x1ffe,
                      every_day = 0x7f, working_days = 0x3e;

static const char *const weekday_names[WEEKDAYS] = { "Sunday", "Monday",
	"Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

/* clang-format off */
static const struct cron_preset presets[] = {
	{ "hourly",    "Hourly",    "0 * * * *" },
	{ "nightly",   "Nightly",   "0 3 * * *" },
	{ "six-hours", "Every 6 h", "0 */6 * * *" },
	{ "weekly",    "Weekly",    "0 3 * * 0" },
	{ "monthly",   "Monthly",   "0 3 1 * *" },
};
/* clang-format on */

const struct cron_preset *
cron_presets(size_t *out_count)
{
	*out_count = ARRAY_LEN(presets);
	return presets;
}

const struct cron_preset *
cron_preset_find(struct str name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(presets); i++)
		if (str_eqz(name, presets[i].name))
			return &presets[i];
	return NULL;
}

static int
count(uint64_t bits)
{
	int n = 0;

	for (; bits != 0; bits &= bits - 1)
		n++;
	return n;
}

static int
lowest(uint64_t bits)
{
	int i = 0;

	while ((bits >> i & 1) == 0)
		i++;
	return i;
}

/* How far apart bits are that are 0, step, 2 step ... up to the end of a range
 * it divides; 0: they are not. */
static int
step_of(uint64_t bits, int range)
{
	int step = 1, i;

	if ((bits & 1) == 0)
		return 0;
	while (step < range && (bits >> step & 1) == 0)
		step++;
	if (step == range || range % step != 0)
		return 0;
	for (i = 0; i < range; i++)
		if ((bits >> i & 1) != (i % step == 0))
			return 0;
	return step;
}

/* "03:00", "00:00, 12:00"; "": too many. */
static const char *
times(struct arena *a, const struct cron *c)
{
	int minute = lowest(c->minutes), h;
	const char *sep = "";
	const char *z;
	struct buf b;

	if (count(c->minutes) != 1 || count(c->hours) > TIMES_TOLD)
		return "";
	buf_init(&b, KIB(1));
	for (h = 0; h < HOURS; h++) {
		if ((c->hours >> h & 1) == 0)
			continue;
		buf_printf(&b, "%s%02d:%02d", sep, h, minute);
		sep = ", ";
	}
	z = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* Several times a day, every day. */
static const char *
often(struct arena *a, const struct cron *c)
{
	int minute = lowest(c->minutes), n;

	if (c->hours == every_hour && count(c->minutes) == 1)
		return minute == 0
		           ? "Every hour"
		           : arena_printf(a, "Every hour at :%02d", minute);
	n = step_of(c->minutes, MINUTES);
	if (c->hours == every_hour && n > 0)
		return n == 1 ? "Every minute"
		              : arena_printf(a, "Every %d minutes", n);
	n = step_of(c->hours, HOURS);
	if (n > 1 && count(c->minutes) == 1)
		return minute == 0 ? arena_printf(a, "Every %d hours", n)
		                   : arena_printf(a, "Every %d hours at :%02d",
		                         n, minute);
	return "";
}

static const char *
on_weekdays(struct arena *a, uint32_t days)
{
	const char *sep = "";
	const char *z;
	struct buf b;
	int i;

	if (count(days) == 1)
		return arena_printf(a, "Every %s", weekday_names[lowest(days)]);
	if (days == working_days)
		return "Monday to Friday";
	buf_init(&b, KIB(1));
	for (i = 0; i < WEEKDAYS; i++) {
		if ((days >> i & 1) == 0)
			continue;
		buf_printf(&b, "%s%s", sep, weekday_names[i]);
		sep = ", ";
	}
	z = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return z;
}

const char *
cron_words(struct arena *a, const struct cron *c)
{
	const char *at;

	if (c->every_s > 0)
		return arena_printf(a, "Every %s",
		    text_duration(a, c->every_s * 1000));
	if (c->months != every_month)
		return "";
	if (c->days_star && c->weekdays == every_day &&
	    *(at = often(a, c)) != '\0')
		return at;
	at = times(a, c);
	if (*at == '\0')
		return "";
	if (c->days_star && c->weekdays == every_day)
		return arena_printf(a, "Every day at %s", at);
	if (c->days_star)
		return arena_printf(a, "%s at %s", on_weekdays(a, c->weekdays),
		    at);
	if (c->weekdays_star && count(c->days) == 1)
		return arena_printf(a, "Every month on day %d at %s",
		    lowest(c->days), at);
	return "";
}
