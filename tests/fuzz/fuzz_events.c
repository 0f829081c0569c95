/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server-sent events: however the bytes come in, the same is taken out of
 * them; and what is shown of them never commands a terminal. */
#include "tests/fuzz/fuzz.h"

#include "controller/cli/events.h"
#include "lib/base/show.h"

enum {
	INPUT_MAX = 65536,
	OUT_MAX = 1 << 20
};

static bool
note(void *ctx, struct str name, struct str data)
{
	struct buf *out = ctx;

	buf_put_str(out, name);
	buf_putc(out, 0);
	buf_put_str(out, data);
	buf_putc(out, 0);
	return true;
}

static uint64_t
take(struct str s, size_t step, struct buf *out)
{
	struct events ev;
	uint64_t id;
	size_t i;

	events_init(&ev, note, out);
	for (i = 0; i < s.n; i += step)
		ASSERT(events_feed(&ev, str_sub(s, i, step)));
	id = ev.id;
	events_fini(&ev);
	return id;
}

static void
check_shown(struct str s)
{
	struct buf b;
	size_t i;

	buf_init(&b, (size_t)4 * INPUT_MAX + 1);
	show_text(&b, s);
	for (i = 0; i < b.len; i++)
		ASSERT((unsigned char)b.data[i] >= 0x20 && b.data[i] != 0x7f);
	ASSERT(str_utf8_ok(buf_str(&b)));
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = str_from(data, n);
	struct buf whole, pieces;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	buf_init(&whole, OUT_MAX);
	buf_init(&pieces, OUT_MAX);
	ASSERT(take(s, n, &whole) == take(s, (size_t)1 + data[0] % 7, &pieces));
	ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));
	check_shown(s);
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
