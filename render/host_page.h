/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_HOST_PAGE_H
#define RENDER_HOST_PAGE_H
/*
 * What all tabs of a host's page share: head, facts, tags, 30 days with
 * their figures, banner.
 */
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "render/host_view.h"

struct value;
struct view;
struct Rec__Job;

/* Of the param id, with tab the one that is open: snapshots, sources, schedules,
 * jobs, repo.
 * RC_OK: hv->host is there.  RC_NOTFOUND: there is no such host. */
MUST_USE enum rc host_page_put(struct view *v, struct value *root,
    const char *tab, struct host_view *hv);
/* The latest job that tried the repository; NULL: none. */
const struct Rec__Job *host_page_init(struct view *v,
    const struct Rec__Host *h);
#endif
