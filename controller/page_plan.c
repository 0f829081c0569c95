/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages of a host's sources and schedules, and what they show while
 * somebody types.  Their forms are taken by sources.c and schedules.c. */
#include "controller/page_own.h"
#include "controller/req.h"
#include "lib/base/arena.h"

enum {
	PREVIEW_PARAMS = 16
};

void
page_host_sources(struct req *r)
{
	static const char *const names[] = { NULL };

	page_plain(r, "host_sources", names);
}

void
page_host_schedules(struct req *r)
{
	static const char *const names[] = { "ran", "started", "waiting",
		"confirm", NULL };

	page_plain(r, "host_schedules", names);
}

void
page_host_source(struct req *r)
{
	const struct page_param params[] = { { "id", r->vars[0] },
		{ "group", r->vars[1] }, { "notice", page_saved(r) } };

	page_reply(r, 200, "host_source", params, ARRAY_LEN(params), NULL);
}

/* ?like=: one of the usual times, to begin with. */
void
page_host_schedule(struct req *r)
{
	const struct page_param params[] = { { "id", r->vars[0] },
		{ "schedule", r->vars[1] }, { "like", req_query(r, "like") },
		{ "notice", page_saved(r) } };

	page_reply(r, 200, "host_schedule", params, ARRAY_LEN(params), NULL);
}

/* ---------------------------------------------------------------- previews */

/* A region of the form's page, filled from what stands in the form's fields
 * at the moment. */
static void
preview(struct req *r, const char *page, const char *id,
    const char *const *names)
{
	const struct page_region region = { page, id, "preview" };
	struct page_param params[PREVIEW_PARAMS] = { { "id", r->vars[0] },
		{ "typed", STR("1") }, { "preview", STR("1") } };
	size_t n = 3;

	for (; *names != NULL; names++) {
		ASSERT(n < PREVIEW_PARAMS);
		params[n++] =
		    (struct page_param){ *names, req_query(r, *names) };
	}
	page_reply_region(r, &region, params, n);
}

void
page_schedule_preview(struct req *r)
{
	static const char *const names[] = { "schedule", "preset", "cron",
		"zone", "jitter_seconds", NULL };

	preview(r, "host_schedule", "schedule.preview", names);
}

void
page_source_preview(struct req *r)
{
	static const char *const names[] = { "group", "keep_last",
		"keep_hourly", "keep_daily", "keep_weekly", "keep_monthly",
		"keep_yearly", NULL };

	preview(r, "host_source", "retention.preview", names);
}
