/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ASSET_H
#define CONTROLLER_ASSET_H
/*
 * Static files: www/static is read into memory at start, so a request can
 * only ever name one of these and never a path on disk.
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct asset_set;
struct req;

/* assets_dir/www/static.  RC_LIMIT: more files or bytes than fit. */
MUST_USE enum rc asset_set_new(const char *assets_dir, struct asset_set **out,
    struct err *e);
void asset_set_free(struct asset_set *s);

void asset_get(struct req *r); /* GET /static/{*} */

/* Whether an If-None-Match names the tag (weak comparison). */
bool asset_etag_matches(struct str if_none_match, struct str etag);
#endif
