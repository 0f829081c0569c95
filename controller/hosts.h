/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOSTS_H
#define CONTROLLER_HOSTS_H
/* Hosts, their snapshots and source groups as JSON; the fleet as list, CSV
 * and summary. */
struct req;

void hosts_list(struct req *r);      /* GET /api/hosts: filter, sort, page */
void hosts_csv(struct req *r);       /* GET /hosts.csv: the same, all of them */
void hosts_get(struct req *r);       /* GET /api/hosts/{id} */
void hosts_summary(struct req *r);   /* GET /api/fleet/summary */
void hosts_snapshots(struct req *r); /* GET /api/hosts/{id}/snapshots */
#endif
