/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/tzif.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum {
	HEAD_BYTES = 44,
	DAY_S = 86400,
	MAX_CHANGES = 4000, /* the longest zone known has about 250 */
	MAX_TYPES = 256,
	MAX_OFFSET_S = 26 * 3600
};

/* The year 9999: further on rules are not worth following. */
#define LAST_S INT64_C(253402300799)

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
	uint8_t version;
};

static bool
read_head(struct rd *r, struct counts *c)
{
	bool magic = str_eq(rd_bytes(r, 4), STR("TZif"));

	c->version = rd_u8(r);
	rd_bytes(r, 15);
	c->isut = rd_u32(r);
	c->isstd = rd_u32(r);
	c->leap = rd_u32(r);
	c->time = rd_u32(r);
	c->type = rd_u32(r);
	c->chars = rd_u32(r);
	return magic && rd_rc(r) == RC_OK && c->version >= '2' &&
	       c->leap == 0 && c->time <= MAX_CHANGES && c->type >= 1 &&
	       c->type <= MAX_TYPES && c->isut <= MAX_TYPES &&
	       c->isstd <= MAX_TYPES && c->chars <= TZIF_MAX_BYTES;
}

static int64_t
read_i64(struct rd *r)
{
	uint64_t u = rd_u64(r);
	int64_t v;

	memcpy(&v, &u, sizeof(v));
	return v;
}

static int32_t
read_i32(struct rd *r)
{
	uint32_t u = rd_u32(r);
	int32_t v;

	memcpy(&v, &u, sizeof(v));
	return v;
}

/* The offset of local time type i out of the table of 6-byte rows. */
static bool
type_offset(struct str types, size_t i, int32_t *out)
{
	struct rd r;
	int32_t v;

	rd_init(&r, str_sub(types, i * 6, 6));
	v = read_i32(&r);
	if (rd_rc(&r) != RC_OK || v < -MAX_OFFSET_S || v > MAX_OFFSET_S)
		return false;
	*out = v;
	return true;
}

/* The 64-bit data block: times, an index per time, types, the rest. */
static bool
read_changes(struct rd *r, const struct counts *c, struct tzif *z)
{
	struct str times = rd_bytes(r, (size_t)c->time * 8);
	struct str index = rd_bytes(r, c->time);
	struct str types = rd_bytes(r, (size_t)c->type * 6);
	struct rd at;
	size_t i;

	rd_bytes(r, (size_t)c->chars + c->isstd + c->isut);
	if (rd_rc(r) != RC_OK || !type_offset(types, 0, &z->first_offset_s))
		return false;
	z->changes = mem_array(c->time, sizeof(*z->changes));
	z->n = c->time;
	rd_init(&at, times);
	for (i = 0; i < z->n; i++) {
		z->changes[i].at_s = read_i64(&at);
		if (i > 0 && z->changes[i].at_s <= z->changes[i - 1].at_s)
			return false;
		if (!type_offset(types, (uint8_t)index.p[i],
		        &z->changes[i].offset_s))
			return false;
	}
	return true;
}

/*
 * The footer is a POSIX TZ rule such as "CET-1CEST,M3.5.0,M10.5.0/3": names,
 * offsets west of UTC, and the two days of change.
 */
static bool
take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static bool
take_int(struct str *s, int min, int max, int *out)
{
	size_t n = 0;
	uint64_t v;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!str_u64(str_sub(*s, 0, n), (uint64_t)max, &v) || (int)v < min)
		return false;
	*s = str_sub(*s, n, s->n);
	*out = (int)v;
	return true;
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "CET", or anything between angle brackets. */
static bool
take_name(struct str *s)
{
	struct str name, rest;
	size_t n = 0;

	if (take(s, '<')) {
		if (!str_cut(*s, '>', &name, &rest))
			return false;
		*s = rest;
		return name.n > 0;
	}
	while (n < s->n && is_letter(s->p[n]))
		n++;
	*s = str_sub(*s, n, s->n);
	return n >= 3;
}

/* [+-]hh[:mm[:ss]], up to a week as RFC 8536 allows for times of change. */
static bool
take_hms(struct str *s, int max_hours, int32_t *out_s)
{
	int sign = 1, h, m = 0, sec = 0;

	if (take(s, '-'))
		sign = -1;
	else
		take(s, '+');
	if (!take_int(s, 0, max_hours, &h))
		return false;
	if (take(s, ':')) {
		if (!take_int(s, 0, 59, &m))
			return false;
		if (take(s, ':') && !take_int(s, 0, 59, &sec))
			return false;
	}
	*out_s = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool
take_day(struct str *s, struct tzif_rule *r)
{
	if (take(s, 'M')) {
		r->form = TZIF_WEEKDAY;
		return take_int(s, 1, 12, &r->month) && take(s, '.') &&
		       take_int(s, 1, 5, &r->week) && take(s, '.') &&
		       take_int(s, 0, 6, &r->day);
	}
	if (take(s, 'J')) {
		r->form = TZIF_JULIAN;
		return take_int(s, 1, 365, &r->day);
	}
	r->form = TZIF_ORDINAL;
	return take_int(s, 0, 365, &r->day);
}

static bool
take_rule(struct str *s, struct tzif_rule *r)
{
	r->time_s = 2 * 3600;
	return take(s, ',') && take_day(s, r) &&
	       (!take(s, '/') || take_hms(s, 167, &r->time_s));
}

static bool
read_footer(struct str s, struct tzif *z)
{
	int32_t west_s;

	if (s.n == 0)
		return true;
	if (!take_name(&s) || !take_hms(&s, 24, &west_s))
		return false;
	z->has_footer = true;
	z->std_offset_s = -west_s;
	if (s.n == 0)
		return true;
	z->has_dst = true;
	z->dst_offset_s = z->std_offset_s + 3600;
	if (!take_name(&s))
		return false;
	if (s.n != 0 && s.p[0] != ',') {
		if (!take_hms(&s, 24, &west_s))
			return false;
		z->dst_offset_s = -west_s;
	}
	return take_rule(&s, &z->dst_from) && take_rule(&s, &z->dst_to) &&
	       s.n == 0;
}

static bool
parse(struct str file, struct tzif *z)
{
	struct counts c;
	struct str footer, rest;
	struct rd r;

	if (file.n > TZIF_MAX_BYTES)
		return false;
	rd_init(&r, file);
	/* First the block of version 1 with 32-bit times, for old readers. */
	if (!read_head(&r, &c))
		return false;
	rd_bytes(&r, (size_t)c.time * 5 + (size_t)c.type * 6 + c.chars +
	                 c.isstd + c.isut);
	if (!read_head(&r, &c) || !read_changes(&r, &c, z))
		return false;
	footer = rd_bytes(&r, r.left);
	return take(&footer, '\n') && str_cut(footer, '\n', &footer, &rest) &&
	       rest.n == 0 && read_footer(footer, z);
}

bool
tzif_parse(struct str file, struct tzif *out)
{
	*out = (struct tzif){ 0 };
	if (parse(file, out))
		return true;
	tzif_fini(out);
	return false;
}

void
tzif_fini(struct tzif *z)
{
	mem_free(z->changes);
	*z = (struct tzif){ 0 };
}

/* Local seconds, as if UTC, of the rule's change in a year that begins at
 * year_s. */
static int64_t
rule_local_s(const struct tzif_rule *r, int year, int64_t year_s)
{
	static const int before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212,
		243, 273, 304, 334, 365 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t first, first_weekday, length, day;

	if (r->form == TZIF_ORDINAL)
		return year_s + (int64_t)r->day * DAY_S + r->time_s;
	if (r->form == TZIF_JULIAN) {
		day = r->day - 1 + (leap && r->day >= 60 ? 1 : 0);
		return year_s + day * DAY_S + r->time_s;
	}
	first = before_month[r->month - 1] + (leap && r->month > 2 ? 1 : 0);
	length = before_month[r->month] - before_month[r->month - 1] +
	         (leap && r->month == 2 ? 1 : 0);
	/* 1970-01-01 was a Thursday; years before are in the table. */
	first_weekday = ((year_s / DAY_S + first + 4) % 7 + 7) % 7;
	day = (r->day - first_weekday + 7) % 7 + (r->week - 1) * INT64_C(7);
	while (day >= length)
		day -= 7;
	return year_s + (first + day) * DAY_S + r->time_s;
}

static int32_t
footer_offset(const struct tzif *z, int64_t unix_s)
{
	struct civil c;
	int64_t year_s, from, to;

	if (!z->has_dst || unix_s > LAST_S || unix_s < -LAST_S)
		return z->std_offset_s;
	clock_civil(unix_s * 1000, z->std_offset_s, &c);
	year_s = clock_year_start_s(c.year);
	from = rule_local_s(&z->dst_from, c.year, year_s) - z->std_offset_s;
	to = rule_local_s(&z->dst_to, c.year, year_s) - z->dst_offset_s;
	/* South of the equator summer spans the new year. */
	if (from < to)
		return unix_s >= from && unix_s < to ? z->dst_offset_s
		                                     : z->std_offset_s;
	return unix_s >= to && unix_s < from ? z->std_offset_s
	                                     : z->dst_offset_s;
}

/* The number of changes at or before the time. */
static size_t
changes_until(const struct tzif *z, int64_t unix_s)
{
	size_t low = 0, high = z->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (z->changes[mid].at_s <= unix_s)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One change around the span: it is its begin, its end, or neither. */
static void
span_narrow(struct tzif_span *s, int64_t unix_s, int64_t at_s, int32_t before,
    int32_t after)
{
	if (at_s <= unix_s && at_s > s->from_s) {
		s->from_s = at_s;
		s->before_s = before;
		s->offset_s = after;
	} else if (at_s > unix_s && at_s < s->until_s) {
		s->until_s = at_s;
		s->after_s = after;
	}
}

/* Behind the table: the rule's changes of the years around. */
static void
footer_span(const struct tzif *z, int64_t unix_s, struct tzif_span *s)
{
	int64_t year_s, at;
	struct civil c;
	int year;

	s->offset_s = s->after_s = footer_offset(z, unix_s);
	if (!z->has_dst || unix_s > LAST_S || unix_s < -LAST_S)
		return;
	clock_civil(unix_s * 1000, z->std_offset_s, &c);
	for (year = c.year - 1; year <= c.year + 1; year++) {
		year_s = clock_year_start_s(year);
		at = rule_local_s(&z->dst_from, year, year_s) - z->std_offset_s;
		span_narrow(s, unix_s, at, z->std_offset_s, z->dst_offset_s);
		at = rule_local_s(&z->dst_to, year, year_s) - z->dst_offset_s;
		span_narrow(s, unix_s, at, z->dst_offset_s, z->std_offset_s);
	}
}

void
tzif_span(const struct tzif *z, int64_t unix_s, struct tzif_span *out)
{
	size_t n = changes_until(z, unix_s);
	int32_t offset =
	    n == 0 ? z->first_offset_s : z->changes[n - 1].offset_s;

	*out =
	    (struct tzif_span){ INT64_MIN, INT64_MAX, offset, offset, offset };
	if (n > 0) {
		out->from_s = z->changes[n - 1].at_s;
		out->before_s =
		    n == 1 ? z->first_offset_s : z->changes[n - 2].offset_s;
	}
	if (n < z->n) {
		out->until_s = z->changes[n].at_s;
		out->after_s = z->changes[n].offset_s;
	} else if (z->has_footer) {
		footer_span(z, unix_s, out);
	}
}

int32_t
tzif_offset(const struct tzif *z, int64_t unix_s)
{
	size_t low = changes_until(z, unix_s);

	if (low == z->n && z->has_footer)
		return footer_offset(z, unix_s);
	return low == 0 ? z->first_offset_s : z->changes[low - 1].offset_s;
}
