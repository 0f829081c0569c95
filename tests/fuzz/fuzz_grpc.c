/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stream of messages cut in two, by the first byte, must give what the
 * whole gives.  The texts of gRPC's fields beside it.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/base/buf.h"
#include "lib/net/grpc_frame.h"
#include "lib/net/grpc_text.h"

enum {
	MESSAGE_MAX = 1000,
	OUT_MAX = 1 << 20
};

static enum rc
take(struct grpc_frames *f, struct str bytes, struct buf *out)
{
	struct str msg;
	enum rc rc;

	while ((rc = grpc_frames_next(f, &bytes, &msg)) == RC_OK) {
		ASSERT(msg.n <= MESSAGE_MAX);
		buf_put_u32(out, (uint32_t)msg.n);
		buf_put_str(out, msg);
	}
	ASSERT(rc != RC_BUSY || bytes.n == 0);
	return rc;
}

static void
check_frames(struct str s, size_t cut)
{
	struct grpc_frames whole, parts;
	struct buf a, b;
	enum rc rc, rc2;

	buf_init(&a, OUT_MAX);
	buf_init(&b, OUT_MAX);
	grpc_frames_init(&whole, MESSAGE_MAX);
	grpc_frames_init(&parts, MESSAGE_MAX);
	rc = take(&whole, s, &a);
	rc2 = take(&parts, str_sub(s, 0, cut), &b);
	if (rc2 == RC_BUSY)
		rc2 = take(&parts, str_sub(s, cut, s.n), &b);
	ASSERT(rc == rc2);
	ASSERT(str_eq(buf_str(&a), buf_str(&b)));
	if (rc == RC_BUSY)
		ASSERT(grpc_frames_whole(&whole) == grpc_frames_whole(&parts));
	grpc_frames_fini(&whole);
	grpc_frames_fini(&parts);
	buf_fini(&a);
	buf_fini(&b);
}

static void
check_texts(struct str s)
{
	struct buf a, b;
	uint64_t ms;

	buf_init(&a, OUT_MAX);
	buf_init(&b, OUT_MAX);
	grpc_percent_put(&a, s);
	grpc_percent_get(&b, buf_str(&a));
	ASSERT(str_eq(buf_str(&b), s));
	buf_reset(&a);
	grpc_percent_get(&a, s);
	ASSERT(a.len <= s.n);
	if (grpc_timeout_parse(s, &ms))
		ASSERT(s.n <= 9);
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s;

	if (n < 1 || n > 20000)
		return 0;
	s = str_from(data + 1, n - 1);
	check_frames(s, data[0] * s.n / 255);
	check_texts(s);
	return 0;
}
