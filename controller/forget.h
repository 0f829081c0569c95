/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_FORGET_H
#define CONTROLLER_FORGET_H
/*
 * Deleting a host.  One commit takes its record away, ends its open jobs and
 * notes what is to be done: from then on nobody finds it, and its agent is
 * turned away.  Then its secrets leave the vault, and its jobs with their
 * logs, snapshots and the rest go in slices of at most FORGET_ROWS rows, so
 * that others get their turn between two of them; a restart goes on where it
 * was.  What is in its repository stays there.
 * Loop thread.
 */
#include "lib/base/ulid.h"

struct controller;
struct forget;
struct req;
struct route_json;

enum {
	FORGET_ROWS = 200,
	FORGET_KEEP_MS = 604800000 /* how long a page tells of it */
};

struct forget *forget_new(struct controller *c);
void forget_free(struct forget *f);
/* Every second: goes on with what is left to do. */
void forget_tick(struct forget *f);

/* POST /hosts/{id}/delete (field confirm), DELETE /api/hosts/{id} {confirm}:
 * the host's name, typed.  204; browsers go to the dashboard. */
void forget_host(struct req *r);
extern const struct route_json forget_host_body;
#endif
