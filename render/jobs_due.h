/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_JOBS_DUE_H
#define RENDER_JOBS_DUE_H
/* What begins by itself in the next 24 hours, backups and maintenance. */
struct value;
struct view;

/* Members due [{at, time, hosts, kind, what, link}] and due_none; hosts of one
 * minute and kind share an item. */
void jobs_due_put(struct view *v, struct value *root);
#endif
