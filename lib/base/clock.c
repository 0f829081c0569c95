/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
	DAY_S = 86400,
	US_PER_S = 1000000,
	US_PER_MS = 1000,
	NS_PER_US = 1000
};
#define DAY_MS (DAY_S * INT64_C(1000))
#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
/* Civil dates stay exact and without overflow far beyond any use. */
#define CIVIL_LIMIT_MS (INT64_C(1000000) * 366 * DAY_MS)

/* Time is the one thing that the whole process shares. */
static atomic_bool fake;
static _Atomic int64_t fake_wall_ms;
static _Atomic int64_t fake_mono_ms;

void
clock_fake(int64_t wall_ms, int64_t mono_ms)
{
	atomic_store(&fake_wall_ms, wall_ms);
	atomic_store(&fake_mono_ms, mono_ms);
	atomic_store(&fake, wall_ms >= 0);
}

static int64_t
read_ms(clockid_t id)
{
	struct timespec ts;

	ASSERT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
	return atomic_load(&fake) ? atomic_load(&fake_wall_ms)
	                          : read_ms(CLOCK_REALTIME);
}

int64_t
clock_mono_ms(void)
{
	return atomic_load(&fake) ? atomic_load(&fake_mono_ms)
	                          : read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_mono_us(void)
{
	struct timespec ts;

	if (atomic_load(&fake))
		return atomic_load(&fake_mono_ms) * US_PER_MS;
	ASSERT(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / NS_PER_US;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

/* Years begin in March here, so that the leap day is the last one. */
static int64_t
days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = floor_div(y, 400), of_era = y - era * 400;
	int64_t from_march = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       from_march - 719468;
}

int64_t
clock_year_start_s(int year)
{
	return days_from_civil(year, 1, 1) * DAY_S;
}

static void
civil_from_days(int64_t days, struct civil *out)
{
	int64_t shifted = days + 719468, era = floor_div(shifted, 146097);
	int64_t day = shifted - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	out->day = (int)(of_year - (153 * month + 2) / 5 + 1);
	out->month = (int)(month < 10 ? month + 3 : month - 9);
	out->year = (int)(year + era * 400 + (out->month <= 2 ? 1 : 0));
	/* 1970-01-01 was a Thursday. */
	out->weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
}

void
clock_civil(int64_t ms, int32_t offset_s, struct civil *out)
{
	int64_t days, rest;

	if (ms > CIVIL_LIMIT_MS)
		ms = CIVIL_LIMIT_MS;
	if (ms < -CIVIL_LIMIT_MS)
		ms = -CIVIL_LIMIT_MS;
	ms += (int64_t)offset_s * 1000;
	days = floor_div(ms, DAY_MS);
	rest = ms - days * DAY_MS;
	civil_from_days(days, out);
	out->hour = (int)(rest / 3600000);
	out->minute = (int)(rest / 60000 % 60);
	out->second = (int)(rest / 1000 % 60);
	out->ms = (int)(rest % 1000);
}

static char *
put_number(char *p, int v, int digits, char after)
{
	int i;

	for (i = digits - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	p[digits] = after;
	return p + digits + 1;
}

void
clock_text(int64_t ms, char out[CLOCK_TEXT_CAP])
{
	struct civil c;
	char *p = out;

	if (ms < 0)
		ms = 0;
	if (ms > LAST_MS)
		ms = LAST_MS;
	clock_civil(ms, 0, &c);
	p = put_number(p, c.year, 4, '-');
	p = put_number(p, c.month, 2, '-');
	p = put_number(p, c.day, 2, 'T');
	p = put_number(p, c.hour, 2, ':');
	p = put_number(p, c.minute, 2, ':');
	p = put_number(p, c.second, 2, '.');
	p = put_number(p, c.ms, 3, 'Z');
	*p = '\0';
}

/* Takes exactly digits digits in min..max off the front. */
static bool
take_number(struct str *s, size_t digits, int min, int max, int *out)
{
	uint64_t v;

	if (s->n < digits ||
	    !str_u64(str_sub(*s, 0, digits), (uint64_t)max, &v) || (int)v < min)
		return false;
	*s = str_sub(*s, digits, s->n);
	*out = (int)v;
	return true;
}

static bool
take_char(struct str *s, const char *any_of)
{
	if (s->n == 0 || s->p[0] == '\0' || strchr(any_of, s->p[0]) == NULL)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static int
month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool
take_date(struct str *s, struct civil *c)
{
	return take_number(s, 4, 0, 9999, &c->year) && take_char(s, "-") &&
	       take_number(s, 2, 1, 12, &c->month) && take_char(s, "-") &&
	       take_number(s, 2, 1, month_days(c->year, c->month), &c->day);
}

/* Milliseconds from 1 to 9 digits; what is finer is cut off. */
static bool
take_fraction(struct str *s, int *out_ms)
{
	int scale = 100, ms = 0;
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
		ms += (s->p[n] - '0') * scale;
		scale /= 10;
		n++;
	}
	*s = str_sub(*s, n, s->n);
	*out_ms = ms;
	return n >= 1 && n <= 9;
}

static bool
take_time(struct str *s, struct civil *c)
{
	c->ms = 0;
	if (!take_number(s, 2, 0, 23, &c->hour) || !take_char(s, ":") ||
	    !take_number(s, 2, 0, 59, &c->minute) || !take_char(s, ":") ||
	    !take_number(s, 2, 0, 60, &c->second))
		return false;
	return !take_char(s, ".") || take_fraction(s, &c->ms);
}

static bool
take_offset(struct str *s, int *out_s)
{
	int sign, hours, minutes;

	if (take_char(s, "Zz")) {
		*out_s = 0;
		return true;
	}
	if (take_char(s, "+"))
		sign = 1;
	else if (take_char(s, "-"))
		sign = -1;
	else
		return false;
	if (!take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
	    !take_number(s, 2, 0, 59, &minutes))
		return false;
	*out_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
clock_parse(struct str s, int64_t *out_ms)
{
	struct civil c = { 0 };
	int offset_s = 0;
	int64_t second, ms;

	if (!take_date(&s, &c) || !take_char(&s, "Tt") || !take_time(&s, &c) ||
	    !take_offset(&s, &offset_s) || s.n != 0)
		return false;
	second = days_from_civil(c.year, c.month, c.day) * DAY_S +
	         c.hour * INT64_C(3600) + c.minute * INT64_C(60) + c.second -
	         offset_s;
	/* A leap second only ends a UTC day; it reads as the next midnight. */
	if (c.second == 60 && (second % DAY_S != 0 || c.ms != 0))
		return false;
	ms = second * 1000 + c.ms;
	if (ms < 0 || ms > LAST_MS)
		return false;
	*out_ms = ms;
	return true;
}
