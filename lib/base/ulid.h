/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_ULID_H
#define LIB_BASE_ULID_H
/*
 * ULIDs: 48 bits of milliseconds, 80 random bits, big-endian, so memcmp
 * order is time order.  Text: 26 characters of Crockford base32, upper case
 * when written, either case when read.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"

enum {
	ULID_TEXT_CAP = 27
};

struct ulid {
	uint8_t b[16];
};

/* Within one millisecond and process the ids ascend.  Any thread. */
void ulid_new(struct ulid *out);
void ulid_text(const struct ulid *id, char out[ULID_TEXT_CAP]);
MUST_USE bool ulid_parse(struct str s, struct ulid *out);
int64_t ulid_time_ms(const struct ulid *id);
bool ulid_eq(const struct ulid *a, const struct ulid *b);
bool ulid_is_zero(const struct ulid *id);
#endif
