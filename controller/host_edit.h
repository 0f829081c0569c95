/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOST_EDIT_H
#define CONTROLLER_HOST_EDIT_H
/*
 * What an operator sets for one host beside its credentials, tags and plans:
 * how much bandwidth restic may take, whether the host is always on, and how
 * old a backup may be.  What is not given stays.
 */
#include "lib/base/rc.h"

struct op;
struct req;
struct route_json;
struct store_tx;

enum {
	HOST_EDIT_KBPS_MAX = 100000000,
	HOST_EDIT_AGE_MIN_S = 3600,
	HOST_EDIT_AGE_MAX_S = 366 * 86400
};

/* PUT /api/hosts/{id}/bandwidth, and the form; 0 or less: no cap. */
void host_edit_bandwidth(struct req *r);
extern const struct route_json host_edit_bandwidth_body;
void host_edit_bandwidth_form(struct req *r);
/* POST /api/hosts/{id}/mode, and the form; an allowed age of 0 is that of the
 * host's schedules. */
void host_edit_mode(struct req *r);
extern const struct route_json host_edit_mode_body;
void host_edit_mode_form(struct req *r);
#endif
