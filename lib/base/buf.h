/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H
/*
 * Growable bytes with a hard maximum and a sticky error: write freely,
 * check buf_rc() once.  data[len] is always NUL, so data may be used as a C
 * string.  Invariant: len <= cap <= max; data == NULL only while cap == 0
 * (buf_text() then gives "").
 *
 * struct rd reads a borrowed slice the same way: after the first failure
 * every further read gives zero and rd_rc() says RC_PROTO.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	enum rc rc; /* RC_OK or RC_LIMIT */
};

/* Storage by the caller; max in bytes, at least 1. */
void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Overwrites the contents first: for secrets. */
void buf_wipe_fini(struct buf *b);
/* Empties, keeps the storage and clears the error. */
void buf_reset(struct buf *b);
enum rc buf_rc(const struct buf *b);

void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *z);
void buf_put_str(struct buf *b, struct str s);
void buf_putc(struct buf *b, char c);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* big-endian, as all */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_dec(struct buf *b, uint64_t v); /* its decimal digits */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Percent-encoded, for one part of a URL: all but the unreserved characters
 * (RFC 3986, 2.3) and those of also. */
void buf_put_percent(struct buf *b, struct str s, const char *also);
/* Room for n more bytes to be filled in by the caller, then buf_added(m),
 * m <= n.  NULL when it would pass max. */
MUST_USE char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* Drops n bytes from the front or keeps only the first n. */
void buf_drop(struct buf *b, size_t n);
void buf_cut(struct buf *b, size_t n);
/* Lends until the next change. */
struct str buf_str(const struct buf *b);
const char *buf_text(const struct buf *b);
/* Moves the storage out (mem_free it); b is empty afterwards. */
MUST_USE char *buf_take(struct buf *b, size_t *out_len);

struct rd {
	const uint8_t *p;
	size_t left;
	enum rc rc; /* RC_OK or RC_PROTO */
};

void rd_init(struct rd *r, struct str s);
enum rc rd_rc(const struct rd *r);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
/* Lends n bytes; empty after a failure. */
struct str rd_bytes(struct rd *r, size_t n);
/* rc when everything was read and nothing is left. */
enum rc rd_end(const struct rd *r);
#endif
