/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PAGING_H
#define CONTROLLER_PAGING_H
/*
 * One page of a JSON list: ?page= from 1, ?per_page= 1 to 500.  The walk
 * offers every item; those of the page are written.
 *
 *   if (paging_begin(&p, r, 100, &e) != RC_OK) ...
 *   for each item: if (paging_shows(&p)) write it
 *   paging_put(&p, j);     "total", "page" and "per_page"
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct json_out;
struct req;

enum {
	PAGING_EACH_MAX = 500
};

struct paging {
	uint64_t page, per_page;
	uint64_t total; /* offered so far */
};

/* RC_INVALID when page or per_page is no number in its range. */
MUST_USE enum rc paging_begin(struct paging *p, struct req *r, unsigned dflt,
    struct err *e);
/* Counts one more item; true when it is on the page. */
bool paging_shows(struct paging *p);
void paging_put(const struct paging *p, struct json_out *j);
#endif
