/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/ulid.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/crypt.h"

enum {
	TIME_BYTES = 6,
	RANDOM_BYTES = 10,
	TEXT_LEN = ULID_TEXT_CAP - 1
};

_Static_assert(TIME_BYTES + RANDOM_BYTES == sizeof(struct ulid), "128 bits");

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
_Static_assert(sizeof(digits) == 33, "base32");

/* Ids ascend over all threads of the process, hence state in the file. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ulid last;

static void
put_time(struct ulid *id, int64_t ms)
{
	uint64_t v = ms < 0 ? 0 : (uint64_t)ms;
	size_t i;

	for (i = 0; i < TIME_BYTES; i++)
		id->b[i] = (uint8_t)(v >> (8 * (TIME_BYTES - 1 - i)));
}

static void
increment(struct ulid *id)
{
	size_t i = sizeof(id->b);

	/* The top random bit starts clear: the time is never reached. */
	while (i > 0 && ++id->b[--i] == 0)
		continue;
}

void
ulid_new(struct ulid *out)
{
	struct ulid id;

	crypt_random(id.b + TIME_BYTES, RANDOM_BYTES);
	id.b[TIME_BYTES] &= 0x7f;
	ASSERT(pthread_mutex_lock(&lock) == 0);
	/* Inside the lock, or a slow thread would return to an older time. */
	put_time(&id, clock_now_ms());
	if (memcmp(id.b, last.b, TIME_BYTES) == 0) {
		id = last;
		increment(&id);
	}
	last = id;
	ASSERT(pthread_mutex_unlock(&lock) == 0);
	*out = id;
}

void
ulid_text(const struct ulid *id, char out[ULID_TEXT_CAP])
{
	/* 26 digits hold 130 bits: two zero bits come first. */
	unsigned bits = 0, have = 2;
	size_t i, at = 0;

	for (i = 0; i < sizeof(id->b); i++) {
		bits = (bits << 8 | id->b[i]) & 0xfff;
		have += 8;
		while (have >= 5) {
			have -= 5;
			out[at++] = digits[bits >> have & 31];
		}
	}
	ASSERT(at == TEXT_LEN && have == 0);
	out[at] = '\0';
}

static int
digit_value(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

bool
ulid_parse(struct str s, struct ulid *out)
{
	struct ulid id;
	unsigned bits = 0, have = 0;
	size_t i, at = 0;
	int v;

	/* A first digit over 7 would need a 129th bit. */
	if (s.n != TEXT_LEN || s.p[0] > '7')
		return false;
	for (i = 0; i < TEXT_LEN; i++) {
		v = digit_value(s.p[i]);
		if (v < 0)
			return false;
		bits = (bits << 5 | (unsigned)v) & 0xfff;
		have += i == 0 ? 3 : 5;
		if (have >= 8) {
			have -= 8;
			id.b[at++] = (uint8_t)(bits >> have);
		}
	}
	ASSERT(at == sizeof(id.b));
	*out = id;
	return true;
}

int64_t
ulid_time_ms(const struct ulid *id)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < TIME_BYTES; i++)
		ms = ms * 256 + id->b[i];
	return ms;
}

bool
ulid_eq(const struct ulid *a, const struct ulid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
ulid_is_zero(const struct ulid *id)
{
	static const struct ulid zero;

	return ulid_eq(id, &zero);
}
