/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream of frames arrives in two pieces; the first byte says where it is
 * cut.  The pieces must give the same frames as the whole, and each frame,
 * put again, the same bytes.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/frame.h"

enum {
	FRAME_MAX = 4096,
	STREAM_MAX = 1 << 20
};

/* Takes whole frames off in and appends them, put again, to out. */
static enum rc
take_frames(struct buf *in, struct buf *out)
{
	struct str payload;
	size_t size, before;
	uint8_t kind;
	enum rc rc;

	while ((rc = frame_peek(buf_str(in), FRAME_MAX, &kind, &payload,
	            &size)) == RC_OK) {
		ASSERT(size <= in->len && size <= FRAME_MAX);
		ASSERT(size == payload.n + FRAME_HEAD);
		before = out->len;
		frame_put(out, kind, payload);
		ASSERT(out->len == before + size);
		ASSERT(memcmp(out->data + before, in->data, size) == 0);
		buf_drop(in, size);
	}
	ASSERT(rc == RC_BUSY || rc == RC_LIMIT || rc == RC_PROTO);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole, pieces, out_whole, out_pieces;
	struct str s;
	size_t cut;
	enum rc rc;

	if (n < 1 || n > STREAM_MAX)
		return 0;
	s = str_from(data + 1, n - 1);
	cut = s.n == 0 ? 0 : data[0] * s.n / 255;
	buf_init(&whole, STREAM_MAX);
	buf_init(&pieces, STREAM_MAX);
	buf_init(&out_whole, STREAM_MAX);
	buf_init(&out_pieces, STREAM_MAX);

	buf_put_str(&whole, s);
	rc = take_frames(&whole, &out_whole);
	buf_put_str(&pieces, str_sub(s, 0, cut));
	take_frames(&pieces, &out_pieces);
	buf_put_str(&pieces, str_sub(s, cut, s.n));
	ASSERT(take_frames(&pieces, &out_pieces) == rc);
	ASSERT(str_eq(buf_str(&out_whole), buf_str(&out_pieces)));
	ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));

	buf_fini(&whole);
	buf_fini(&pieces);
	buf_fini(&out_whole);
	buf_fini(&out_pieces);
	return 0;
}
