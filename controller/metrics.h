/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_METRICS_H
#define CONTROLLER_METRICS_H
/*
 * GET /metrics for Prometheus: the fleet out of the store, and the controller
 * itself.  Figures of the loop are copied, the rest is read and written by
 * the pool, so that 5,000 hosts do not hold the loop up.
 */
struct req;

/* 404 as long as neither a token nor networks are set; both must fit. */
void metrics_get(struct req *r);
#endif
