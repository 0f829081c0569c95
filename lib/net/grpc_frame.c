/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/grpc_frame.h"

enum {
	KEEP = 1024 /* idle streams are many */
};

void
grpc_frames_init(struct grpc_frames *f, size_t max)
{
	f->max = max;
	buf_init(&f->part, max + GRPC_PREFIX);
}

void
grpc_frames_fini(struct grpc_frames *f)
{
	buf_fini(&f->part);
}

static enum rc
read_prefix(const struct grpc_frames *f, struct str s, size_t *whole)
{
	struct rd r;
	uint8_t flag;
	uint32_t n;

	rd_init(&r, s);
	flag = rd_u8(&r);
	n = rd_u32(&r);
	if (rd_rc(&r) != RC_OK)
		return RC_BUSY;
	if (flag > 1)
		return RC_PROTO;
	if (flag == 1)
		return RC_VERSION;
	if (n > f->max)
		return RC_LIMIT;
	*whole = GRPC_PREFIX + (size_t)n;
	return RC_OK;
}

static void
move(struct grpc_frames *f, struct str *bytes, size_t upto)
{
	size_t n = upto - f->part.len;

	if (n > bytes->n)
		n = bytes->n;
	buf_put(&f->part, bytes->p, n);
	*bytes = str_sub(*bytes, n, bytes->n);
}

static void
forget_delivered(struct grpc_frames *f)
{
	if (f->part.cap > KEEP)
		buf_fini(&f->part);
	else
		buf_reset(&f->part);
}

static bool
part_is_whole(const struct grpc_frames *f)
{
	size_t whole;

	return read_prefix(f, buf_str(&f->part), &whole) == RC_OK &&
	       f->part.len == whole;
}

enum rc
grpc_frames_next(struct grpc_frames *f, struct str *bytes, struct str *msg)
{
	size_t whole;
	enum rc rc;

	if (part_is_whole(f))
		forget_delivered(f);
	if (f->part.len == 0) {
		rc = read_prefix(f, *bytes, &whole);
		if (rc == RC_OK && whole <= bytes->n) {
			*msg =
			    str_sub(*bytes, GRPC_PREFIX, whole - GRPC_PREFIX);
			*bytes = str_sub(*bytes, whole, bytes->n);
			return RC_OK;
		}
	}
	if (f->part.len < GRPC_PREFIX)
		move(f, bytes, GRPC_PREFIX);
	if ((rc = read_prefix(f, buf_str(&f->part), &whole)) != RC_OK)
		return rc;
	move(f, bytes, whole);
	if (f->part.len < whole)
		return RC_BUSY;
	*msg = str_sub(buf_str(&f->part), GRPC_PREFIX, whole);
	return RC_OK;
}

bool
grpc_frames_whole(const struct grpc_frames *f)
{
	return f->part.len == 0 || part_is_whole(f);
}

void
grpc_frame_prefix(size_t n, char out[GRPC_PREFIX])
{
	out[0] = 0;
	out[1] = (char)(n >> 24 & 0xff);
	out[2] = (char)(n >> 16 & 0xff);
	out[3] = (char)(n >> 8 & 0xff);
	out[4] = (char)(n & 0xff);
}
