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

/* Of the param id.  RC_NOTFOUND: there is no such host. */
MUST_USE enum rc host_page_put(struct view *v, struct value *root,
    struct host_view *hv);
/* tab_<name> for each tab: snapshots, jobs, repo. */
void host_page_tab(struct value *root, const char *name);
/* The latest job that tried the repository; NULL: none. */
const struct Rec__Job *host_page_init(struct view *v,
    const struct Rec__Host *h);
#endif
