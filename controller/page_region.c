/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/page.h"
#include "controller/req.h"

struct region {
	struct req *req; /* held */
	const char *what;
};

static void
page_on_region(void *ctx, enum rc rc, struct str html)
{
	const struct region *g = ctx;
	struct req *r = g->req;
	struct err e = { 0 };

	if (rc == RC_OK) {
		req_add_field(r, "cache-control", "no-store");
		req_text(r, 200, "text/html; charset=utf-8", html);
	} else {
		(void)err_set(&e, rc, "the %s could not be shown", g->what);
		req_fail(r, &e);
	}
	req_release(r);
}

void
page_reply_region(struct req *r, const struct page_region *region,
    const struct page_param *params, size_t n)
{
	struct region *g = arena_alloc(&r->arena, sizeof(*g));

	ASSERT(g != NULL); /* a query is small */
	*g = (struct region){ r, region->what };
	req_hold(r);
	page_fragment(r, region->page, region->id, params, n, page_on_region,
	    g);
}
