/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_STR_H
#define LIB_BASE_STR_H
/*
 * Borrowed text: a pointer and a length, not NUL-terminated, owned by
 * somebody else.  Strict parsing of numbers, UTF-8, hex and base64.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/attr.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
/* For printf: printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_of(const char *z); /* NULL gives an empty str */
struct str str_from(const void *p, size_t n);
bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
bool str_case_eq(struct str a, struct str b); /* ASCII only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_contains(struct str s, struct str part);
bool str_case_contains(struct str s, struct str part); /* ASCII only */
/* Whether z is one of the n texts. */
bool str_among(char *const *v, size_t n, const char *z);
int str_cmp(struct str a, struct str b); /* bytewise, shorter first */
struct str str_sub(struct str s, size_t from, size_t n); /* clamped */
struct str str_trim(struct str s);                       /* ASCII white space */
/* Splits s at the first sep.  Without one: head = s, tail empty, false. */
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);
/* Takes the next sep-separated word off *rest; false when none is left.
 * Empty words are given. */
bool str_next(struct str *rest, char sep, struct str *word);

/* Strict decimal: whole slice, no sign for u64, no blanks, in range. */
MUST_USE bool str_u64(struct str s, uint64_t max, uint64_t *out);
MUST_USE bool str_i64(struct str s, int64_t min, int64_t max, int64_t *out);

/* Well-formed UTF-8 (RFC 3629), no surrogates, no NUL. */
bool str_utf8_ok(struct str s);
/* Bytes of the first well-formed character, 0 when it is malformed. */
size_t str_utf8_len(struct str s);

/* snprintf that fails instead of truncating (dst is then ""). */
MUST_USE bool str_fmt(char *dst, size_t cap, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Copies with NUL; false and "" when it does not fit. */
MUST_USE bool str_copy(char *dst, size_t cap, struct str s);

/* Lower-case hex with NUL: cap >= 2 * n + 1. */
void str_hex(const void *bin, size_t n, char *dst, size_t cap);
/* Exactly n bytes from 2n hex digits of either case. */
MUST_USE bool str_unhex(struct str s, void *bin, size_t n);
/* base64 (RFC 4648): url = true is the URL alphabet without padding, false
 * the standard one with padding.  cap >= STR_B64_CAP(n). */
#define STR_B64_CAP(n) (((n) + 2) / 3 * 4 + 1)
void str_b64(const void *bin, size_t n, bool url, char *dst, size_t cap);
/* Strict; *len is the number of bytes written, at most cap. */
MUST_USE bool str_unb64(struct str s, bool url, void *bin, size_t cap,
    size_t *len);
#endif
