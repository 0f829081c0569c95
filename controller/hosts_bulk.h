/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOSTS_BULK_H
#define CONTROLLER_HOSTS_BULK_H
/*
 * One change for many hosts at once: tags added and removed, always on or
 * not.  Of one commit; an id that is no host is told and changes nothing.
 */
struct req;
struct route_json;

/* POST /api/hosts/tags, and the dashboard's form. */
void hosts_bulk_tags(struct req *r);
extern const struct route_json hosts_bulk_tags_body;
/* POST /api/hosts/mode, and the dashboard's form. */
void hosts_bulk_mode(struct req *r);
extern const struct route_json hosts_bulk_mode_body;
#endif
