/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SEARCH_H
#define CONTROLLER_SEARCH_H
/* Search over hosts, jobs and snapshots: lib/store/search.h says what is
 * found.  The page itself is page_search. */

struct req;

/* GET /search/hits?q=: region search.hits of the page, for the palette. */
void search_hits(struct req *r);
/* GET /api/search?q= */
void search_api(struct req *r);
#endif
