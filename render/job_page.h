/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_JOB_PAGE_H
#define RENDER_JOB_PAGE_H
/* Numbered pages of a list of jobs: those that job_query() reaches. */
#include "lib/store/job_query.h"
#include "render/view.h"

enum {
	JOB_PAGE_SIZE = 50
};

/* Gives the jobs of the page that ?page= asks for, or of the last there is;
 * fills skip and max of q. */
void job_page_read(const struct view *v, struct job_query *q,
    struct job_found *found, job_store_fn *fn, void *ctx);
/* Members pager, whose links are base and the number, and of: how many there
 * are in all. */
void job_page_put(struct view *v, struct value *root, const struct job_query *q,
    const struct job_found *found, const char *base);
#endif
