/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/base/str.h"

static const char hex_digits[] = "0123456789abcdef";
static const char b64_std[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

_Static_assert(sizeof(b64_std) == 65 && sizeof(b64_url) == 65, "64 digits");

void
str_hex(const void *bin, size_t n, char *dst, size_t cap)
{
	const uint8_t *p = bin;
	size_t i;

	ASSERT(cap > 0 && n <= (cap - 1) / 2);
	for (i = 0; i < n; i++) {
		dst[2 * i] = hex_digits[p[i] >> 4];
		dst[2 * i + 1] = hex_digits[p[i] & 15];
	}
	dst[2 * n] = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
str_unhex(struct str s, void *bin, size_t n)
{
	uint8_t *out = bin;
	size_t i;

	if (s.n % 2 != 0 || s.n / 2 != n)
		return false;
	for (i = 0; i < s.n; i++)
		if (hex_value(s.p[i]) < 0)
			return false;
	for (i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_value(s.p[2 * i]) * 16 +
		                   hex_value(s.p[2 * i + 1]));
	return true;
}

void
str_b64(const void *bin, size_t n, bool url, char *dst, size_t cap)
{
	const char *digits = url ? b64_url : b64_std;
	const uint8_t *p = bin;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t i, at = 0;

	ASSERT(n <= SIZE_MAX / 2 && cap >= STR_B64_CAP(n));
	for (i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		have += 8;
		while (have >= 6) {
			have -= 6;
			dst[at++] = digits[bits >> have & 63];
		}
	}
	if (have > 0)
		dst[at++] = digits[bits << (6 - have) & 63];
	while (!url && at % 4 != 0)
		dst[at++] = '=';
	dst[at] = '\0';
}

static int
b64_value(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

/* Takes the padding off; false when it is not exactly what it must be. */
static bool
b64_digits(struct str *s, bool url)
{
	if (!url && s->n % 4 != 0)
		return false;
	if (!url && str_ends(*s, STR("==")))
		s->n -= 2;
	else if (!url && str_ends(*s, STR("=")))
		s->n -= 1;
	return s->n % 4 != 1;
}

/* Every digit known and no bit set that belongs to no byte, so that one
 * value has one text. */
static bool
b64_ok(struct str s, bool url)
{
	static const int spare[] = { 0, 0, 15, 3 };
	size_t i;

	for (i = 0; i < s.n; i++)
		if (b64_value(s.p[i], url) < 0)
			return false;
	return s.n % 4 == 0 ||
	       (b64_value(s.p[s.n - 1], url) & spare[s.n % 4]) == 0;
}

bool
str_unb64(struct str s, bool url, void *bin, size_t cap, size_t *len)
{
	uint8_t *out = bin;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t i, at = 0, n;

	if (!b64_digits(&s, url) || !b64_ok(s, url))
		return false;
	n = s.n / 4 * 3 + (s.n % 4 == 0 ? 0 : s.n % 4 - 1);
	if (n > cap)
		return false;
	for (i = 0; i < s.n; i++) {
		bits = bits << 6 | (uint32_t)b64_value(s.p[i], url);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[at++] = (uint8_t)(bits >> have);
		}
	}
	ASSERT(at == n);
	*len = n;
	return true;
}
