/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text, numbers and encodings: what is accepted has one written form, and
 * what was written is read back. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	INPUT_MAX = 4096
};

static void
check_numbers(struct str s)
{
	char text[32];
	uint64_t u;
	int64_t i;

	if (str_u64(s, UINT64_MAX, &u)) {
		while (s.n > 1 && s.p[0] == '0')
			s = str_sub(s, 1, s.n);
		ASSERT(str_fmt(text, sizeof(text), "%" PRIu64, u));
		ASSERT(str_eqz(s, text));
	}
	if (str_i64(s, INT64_MIN, INT64_MAX, &i)) {
		ASSERT(str_fmt(text, sizeof(text), "%" PRId64, i));
		ASSERT(i == 0 || s.p[0] == '0' || str_starts(s, STR("-0")) ||
		       str_eqz(s, text));
	}
}

static void
check_decoders(struct str s)
{
	size_t cap = s.n + 1, len = 0, url;
	uint8_t *bin = mem_alloc(cap);
	char *text = mem_alloc(2 * s.n + 8);

	for (url = 0; url < 2; url++) {
		if (!str_unb64(s, url == 1, bin, cap, &len))
			continue;
		str_b64(bin, len, url == 1, text, STR_B64_CAP(len));
		ASSERT(str_eqz(s, text));
	}
	if (str_unhex(s, bin, s.n / 2)) {
		str_hex(bin, s.n / 2, text, s.n + 1);
		ASSERT(str_case_eq(s, str_of(text)));
	}
	mem_free(bin);
	mem_free(text);
}

static void
check_encoders(struct str s)
{
	size_t len = 0, url;
	uint8_t *bin = mem_alloc(s.n);
	char *text = mem_alloc(2 * s.n + 8);

	for (url = 0; url < 2; url++) {
		str_b64(s.p, s.n, url == 1, text, STR_B64_CAP(s.n));
		ASSERT(str_unb64(str_of(text), url == 1, bin, s.n, &len));
		ASSERT(str_eq(s, str_from(bin, len)));
	}
	str_hex(s.p, s.n, text, 2 * s.n + 1);
	ASSERT(str_unhex(str_of(text), bin, s.n));
	ASSERT(str_eq(s, str_from(bin, s.n)));
	mem_free(bin);
	mem_free(text);
}

static void
check_words(struct str s)
{
	struct str rest = s, word;
	struct buf joined;
	size_t n = 0;

	buf_init(&joined, INPUT_MAX + 1);
	while (str_next(&rest, ',', &word)) {
		if (n++ > 0)
			buf_putc(&joined, ',');
		ASSERT(!str_contains(word, STR(",")));
		buf_put_str(&joined, word);
	}
	ASSERT(buf_rc(&joined) == RC_OK);
	ASSERT(str_eq(buf_str(&joined), s));
	buf_fini(&joined);
}

static void
check_characters(struct str s)
{
	const char *safe = log_safe(s);
	struct str rest = s;
	bool ok = true;
	size_t step;

	while (rest.n != 0) {
		step = str_utf8_len(rest);
		ASSERT(step <= rest.n && step <= 4);
		if (step == 0 || rest.p[0] == '\0')
			ok = false;
		rest = str_sub(rest, step == 0 ? 1 : step, rest.n);
	}
	ASSERT(ok == str_utf8_ok(s));
	ASSERT(str_utf8_ok(str_of(safe)) && strlen(safe) <= 205);
	for (; *safe != '\0'; safe++)
		ASSERT((unsigned char)*safe >= ' ' && *safe != '\x7f');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = str_from(data, n);

	if (n == 0 || n > INPUT_MAX)
		return 0;
	check_numbers(s);
	check_decoders(s);
	check_encoders(s);
	check_words(s);
	check_characters(s);
	return 0;
}
