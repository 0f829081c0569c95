/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PAGE_OWN_H
#define CONTROLLER_PAGE_OWN_H
/*
 * Between page.c, which knows requests and answers, and page_client.c,
 * which knows the renderer's socket and process.
 */
#include <stdint.h>

#include "controller/page.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "proto/render.pb-c.h"

enum {
	PAGE_MARKER_CAP = 36,
	PAGE_ETAG_CAP = 160,
	PAGE_WAITING_MAX = 64,
	PAGE_STRANGERS_MAX = 32 /* past it only who is signed in may wait */
};

struct page_job;

/* Comes once, never from inside page_send().  reply: NULL unless rc is
 * RC_OK; whoever takes it sets *reply to NULL. */
typedef void page_job_fn(struct page_job *j, enum rc rc,
    struct Ipc__RenderReply **reply);

struct page_job {
	struct list link;
	struct req *r; /* held */
	struct buf frame;
	int64_t queued_ms;
	page_job_fn *done;
	/* page.c's own */
	int status;
	bool error;               /* the error page: its own status stands */
	char etag[PAGE_ETAG_CAP]; /* "": none */
	char marker[PAGE_MARKER_CAP];
	struct buf token, password; /* wiped at the end */
	page_fragment_fn *fragment;
	void *ctx;
};

/* RC_BUSY: too many wait, or the renderer has been away for a while; j is
 * still the caller's then. */
MUST_USE enum rc page_send(struct page_client *p, struct page_job *j);
void page_job_free(struct page_job *j);

/* A page that takes the host of its address, and these of the query. */
void page_plain(struct req *r, const char *page, const char *const *names);
#endif
