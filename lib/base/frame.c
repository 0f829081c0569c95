/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/frame.h"

#include "lib/base/buf.h"

enum {
	LENGTH_SIZE = 4
};

void
frame_put(struct buf *out, uint8_t kind, struct str payload)
{
	/* Head and payload or nothing: half a frame would spoil the rest. */
	if (payload.n > UINT32_MAX - FRAME_HEAD)
		out->rc = RC_LIMIT;
	else if (buf_reserve(out, FRAME_HEAD + payload.n) == NULL)
		return;
	buf_put_u32(out, (uint32_t)(payload.n + 1));
	buf_put_u8(out, kind);
	buf_put_str(out, payload);
}

enum rc
frame_peek(struct str in, size_t max, uint8_t *kind, struct str *payload,
    size_t *size)
{
	struct rd r;
	uint32_t length;

	if (in.n < LENGTH_SIZE)
		return RC_BUSY;
	rd_init(&r, in);
	length = rd_u32(&r);
	if (length == 0)
		return RC_PROTO;
	if (max < LENGTH_SIZE || length > max - LENGTH_SIZE)
		return RC_LIMIT;
	if (length > r.left)
		return RC_BUSY;
	*kind = rd_u8(&r);
	*payload = rd_bytes(&r, length - 1);
	*size = LENGTH_SIZE + (size_t)length;
	return RC_OK;
}
