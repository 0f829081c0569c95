/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct str
str_of(const char *z)
{
	return str_from(z, z == NULL ? 0 : strlen(z));
}

struct str
str_from(const void *p, size_t n)
{
	return (struct str){ p, n };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eqz(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
str_case_eq(struct str a, struct str b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool
str_contains(struct str s, struct str part)
{
	return part.n == 0 ||
	       (s.n != 0 && memmem(s.p, s.n, part.p, part.n) != NULL);
}

bool
str_case_contains(struct str s, struct str part)
{
	size_t i;
	char first;

	if (part.n == 0)
		return true;
	first = lower(part.p[0]);
	for (i = 0; part.n <= s.n && i <= s.n - part.n; i++)
		if (lower(s.p[i]) == first &&
		    str_case_eq(str_sub(s, i, part.n), part))
			return true;
	return false;
}

bool
str_among(char *const *v, size_t n, const char *z)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(v[i], z) == 0)
			return true;
	return false;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (d != 0)
		return d < 0 ? -1 : 1;
	return (a.n > b.n) - (a.n < b.n);
}

struct str
str_sub(struct str s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return str_from(from == 0 ? s.p : s.p + from, n);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str
str_trim(struct str s)
{
	while (s.n != 0 && is_space(s.p[s.n - 1]))
		s.n--;
	while (s.n != 0 && is_space(s.p[0]))
		s = str_sub(s, 1, s.n);
	return s;
}

bool
str_cut(struct str s, char sep, struct str *head, struct str *tail)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, sep, s.n);
	size_t n;

	if (at == NULL) {
		*head = s;
		*tail = str_from(NULL, 0);
		return false;
	}
	n = (size_t)(at - s.p);
	*head = str_sub(s, 0, n);
	*tail = str_sub(s, n + 1, s.n);
	return true;
}

bool
str_next(struct str *rest, char sep, struct str *word)
{
	/* str_cut leaves NULL behind the last word, "" before an empty one. */
	if (rest->p == NULL)
		return false;
	str_cut(*rest, sep, word, rest);
	return true;
}

bool
str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, digit;
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		digit = (uint64_t)(s.p[i] - '0');
		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

bool
str_i64(struct str s, int64_t min, int64_t max, int64_t *out)
{
	bool minus = str_starts(s, STR("-"));
	uint64_t limit = (uint64_t)INT64_MAX + (minus ? 1 : 0), u;
	int64_t v;

	if (!str_u64(str_sub(s, minus ? 1 : 0, s.n), limit, &u))
		return false;
	/* -(u - 1) - 1 stays in range for INT64_MIN. */
	v = minus && u != 0 ? -(int64_t)(u - 1) - 1 : (int64_t)u;
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

/* The second byte decides about overlong forms, surrogates and the end of
 * the range; this is the table of RFC 3629, section 4. */
static const struct utf8_row {
	uint8_t first_min, first_max, second_min, second_max, size;
} utf8_rows[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool
utf8_row_matches(const struct utf8_row *row, const uint8_t *p, size_t n)
{
	size_t i;

	if (p[0] < row->first_min || p[0] > row->first_max || n < row->size)
		return false;
	if (row->size > 1 && (p[1] < row->second_min || p[1] > row->second_max))
		return false;
	for (i = 2; i < row->size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t
str_utf8_len(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t i;

	if (s.n == 0)
		return 0;
	for (i = 0; i < ARRAY_LEN(utf8_rows); i++)
		if (utf8_row_matches(&utf8_rows[i], p, s.n))
			return utf8_rows[i].size;
	return 0;
}

bool
str_utf8_ok(struct str s)
{
	size_t at, step;

	for (at = 0; at < s.n; at += step) {
		step = str_utf8_len(str_sub(s, at, s.n));
		if (step == 0 || s.p[at] == '\0')
			return false;
	}
	return true;
}

bool
str_fmt(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	ASSERT(cap > 0);
	va_start(ap, fmt);
	n = vsnprintf(dst, cap, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < cap)
		return true;
	dst[0] = '\0';
	return false;
}

bool
str_copy(char *dst, size_t cap, struct str s)
{
	ASSERT(cap > 0);
	if (s.n >= cap) {
		dst[0] = '\0';
		return false;
	}
	if (s.n != 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}
