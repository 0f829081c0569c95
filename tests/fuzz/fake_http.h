/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FUZZ_FAKE_HTTP_H
#define TESTS_FUZZ_FAKE_HTTP_H
/* A handler that answers in every way, chosen by the path's length, and
 * counts that each exchange it saw has ended. */
#include "lib/base/mem.h"
#include "lib/net/exch.h"

struct fake_http {
	unsigned begun, ended;
};

static size_t
fake_on_head(void *ctx, struct exch *x)
{
	struct fake_http *f = ctx;
	size_t i, bytes = 0;

	f->begun++;
	exch_set_user(x, f);
	ASSERT(exch_path(x).n != 0);
	for (i = 0; i < exch_field_count(x); i++)
		bytes += exch_field_at(x, i)->value.n;
	(void)exch_authority(x);
	(void)exch_field(x, "cookie");
	if (exch_path(x).n % 5 == 4)
		exch_reply(x, 401, NULL, 0, STR("no"));
	return bytes % 300;
}

static void
fake_on_request(void *ctx, struct exch *x, struct str body)
{
	const struct http_field type = { STR("content-type"), exch_query(x) };

	(void)ctx;
	ASSERT(body.n < 300);
	switch (exch_path(x).n % 5) {
	case 0:
		exch_abort(x);
		break;
	case 1:
		exch_reply(x, 200, &type, 1, body);
		break;
	case 2:
		exch_stream_begin(x, 200, NULL, 0);
		break;
	case 3:
		exch_reply_lent(x, 204, NULL, 0, body, mem_free, NULL);
		break;
	default:
		ASSERT(false); /* it was answered at the head */
	}
}

static void
fake_on_writable(void *ctx, struct exch *x)
{
	(void)ctx;
	if (exch_stream_write(x, exch_path(x)) == RC_OK)
		exch_stream_end(x);
}

static void
fake_on_close(void *ctx, struct exch *x)
{
	struct fake_http *f = ctx;

	if (exch_user(x) != NULL)
		f->ended++;
}

static const struct exch_handler fake_http = {
	.on_head = fake_on_head,
	.on_request = fake_on_request,
	.on_writable = fake_on_writable,
	.on_close = fake_on_close,
};
#endif
