/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests in pieces; the first byte says how large they are. */
#include "tests/fuzz/fuzz.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/net/h1.h"
#include "tests/fuzz/fake_http.h"
#include "tests/fuzz/fake_link.h"

static void
flush(struct h1 *h, struct link *l, struct buf *out)
{
	int rounds = 0;

	while (l->due && !l->ended) {
		l->due = false;
		h1_output(h, out);
		ASSERT(++rounds < 1000);
	}
}

static void
feed(struct h1 *h, struct link *l, struct buf *out, struct str s, size_t step)
{
	while (s.n != 0 && !l->ended && !l->shut) {
		h1_input(h, str_sub(s, 0, step));
		s = str_sub(s, step, s.n);
		if (!l->ended)
			flush(h, l, out);
	}
	if (!l->ended && !l->shut) {
		h1_eof(h);
		flush(h, l, out);
	}
}

static bool
any_request(void *ctx)
{
	(void)ctx;
	return true;
}

static void
bad_request(void *ctx, enum offence kind)
{
	(void)ctx;
	ASSERT(kind == OFFENCE_HTTP1 || kind == OFFENCE_HEADERS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fake_http http = { 0 };
	struct link l = { 0 };
	struct buf out;
	struct h1 *h;

	if (n < 2 || n > 60000)
		return 0;
	buf_init(&out, MIB(16));
	h = h1_new(&(struct h1_opts){
	    .link = &l,
	    .may_begin = any_request,
	    .header_bytes = 4096,
	    .header_fields = 20,
	    .handler = &fake_http,
	    .ctx = &http,
	    .on_request = any_request,
	    .on_bad = bad_request,
	});
	feed(h, &l, &out, str_from(data + 1, n - 1), data[0] + 1U);
	h1_free(h);
	ASSERT(http.begun == http.ended);
	ASSERT(buf_rc(&out) == RC_OK);
	if (out.len != 0)
		ASSERT(str_starts(buf_str(&out), STR("HTTP/1.1 ")));
	buf_fini(&out);
	return 0;
}
