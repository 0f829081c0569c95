/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PAGE_H
#define CONTROLLER_PAGE_H
/*
 * Client of the renderer: pins the stores, sends {page, params, viewer,
 * csrf}, streams the answer.  One request at a time, 64 wait, then 503; 5 s
 * each, then the socket is closed.  In the all-in-one mode it starts the
 * renderer and starts it again (with back-off) when it ends.
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct controller;
struct page_client;
struct req;

struct page_param {
	const char *name;
	struct str value;
};

/* Where the page has request-random markers, these texts go in,
 * HTML-escaped.  Empty: none. */
struct page_secrets {
	struct str token;
	struct str password;
};

MUST_USE enum rc page_client_new(struct controller *c, struct page_client **out,
    struct err *e);
void page_client_free(struct page_client *p);
bool page_ready(const struct page_client *p);
unsigned page_waiting(const struct page_client *p); /* for the renderer */
/* Every second: refuses what waits for a renderer that stays away. */
void page_client_tick(struct page_client *p);

/* Answers r with the page (ETag and 304 when status is 200 and there are no
 * secrets), or 503 and a static notice. */
void page_reply(struct req *r, int status, const char *page,
    const struct page_param *params, size_t n,
    const struct page_secrets *secrets);
/* The page a form stands on once more, refused with e, which params tell.
 * RC_NOTFOUND: what it is about is gone, and so is the page. */
void page_refused(struct req *r, const char *page,
    const struct page_param *params, size_t n, const struct err *e);

/* Whether a secret that is shown once may be spent on the answer to r: it is
 * no HEAD, and there is somebody to draw the page. */
bool page_may_show(const struct req *r);

/* What ?saved=<section> confirms after a form, as a sentence for the param
 * notice; empty for anything else. */
struct str page_saved(struct req *r);

/* A fragment for an event stream; done always comes, not from inside. */
typedef void page_fragment_fn(void *ctx, enum rc rc, struct str html);
void page_fragment(struct req *r, const char *page, const char *fragment,
    const struct page_param *params, size_t n, page_fragment_fn *done,
    void *ctx);

/* Answers r with a region of a page, which is no page of its own, or says
 * that `what` could not be shown; not kept by anybody. */
struct page_region {
	const char *page, *id, *what; /* literals */
};
void page_reply_region(struct req *r, const struct page_region *region,
    const struct page_param *params, size_t n);

/* Route handlers of plain pages. */
void page_dashboard(struct req *r);
void page_host(struct req *r);
void page_host_jobs(struct req *r);
void page_host_sources(struct req *r);
void page_host_source(struct req *r);
void page_host_schedules(struct req *r);
void page_host_schedule(struct req *r);
/* GET .../sources/preview and .../schedules/preview: fragments. */
void page_source_preview(struct req *r);
void page_schedule_preview(struct req *r);
void page_job(struct req *r);
void page_search(struct req *r);
void page_jobs(struct req *r);
void page_audit(struct req *r);
#endif
