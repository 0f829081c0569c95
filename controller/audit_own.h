/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AUDIT_OWN_H
#define CONTROLLER_AUDIT_OWN_H
/* What the files of audit share. */
#include "lib/base/rc.h"

struct audit_query;
struct audit_row;
struct buf;
struct json_out;
struct req;

/* The filters of the query string; they live as long as r. */
MUST_USE enum rc audit_query_of(struct req *r, struct audit_query *q,
    struct err *e);
/* One entry as a member of a list. */
void audit_put_json(struct json_out *j, const struct audit_row *row);
/* One line of the table; names of the columns for NULL.  A cell that a
 * spreadsheet would take for a formula begins with an apostrophe. */
void audit_put_csv(struct buf *out, const struct audit_row *row);
#endif
