/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/job_page.h"

#include "lib/base/arena.h"
#include "render/value.h"

static uint64_t
reachable(const struct job_found *found)
{
	return found->total < JOB_QUERY_REACH ? found->total : JOB_QUERY_REACH;
}

void
job_page_read(const struct view *v, struct job_query *q,
    struct job_found *found, job_store_fn *fn, void *ctx)
{
	const uint64_t last = JOB_QUERY_REACH / JOB_PAGE_SIZE;
	uint64_t page = view_param_number(v, "page", 1);

	q->max = JOB_PAGE_SIZE;
	q->skip = ((page < last ? page : last) - 1) * JOB_PAGE_SIZE;
	job_query(v->state, q, found, fn, ctx);
	if (q->skip == 0 || q->skip < found->total)
		return;
	/* Past the end. */
	q->skip = found->total == 0
	              ? 0
	              : (reachable(found) - 1) / JOB_PAGE_SIZE * JOB_PAGE_SIZE;
	job_query(v->state, q, found, fn, ctx);
}

void
job_page_put(struct view *v, struct value *root, const struct job_query *q,
    const struct job_found *found, const char *base)
{
	struct view_pager pager = { .base = base,
		.page = q->skip / JOB_PAGE_SIZE + 1,
		.size = JOB_PAGE_SIZE,
		.total = reachable(found) };

	view_pager(root, "pager", &pager);
	value_printf(root, "of", "%s%s",
	    found->more && found->total <= JOB_QUERY_REACH ? "more than " : "",
	    text_count(v->arena, found->total));
}
