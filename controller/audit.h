/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AUDIT_H
#define CONTROLLER_AUDIT_H
/*
 * The audit log as a service: sealed from the start on, its head told to the
 * controller's own log (which an administrator keeps elsewhere), verified on
 * request.
 */
#include "lib/base/rc.h"

struct controller;
struct req;

/* Before the store thread: keys the seal and looks whether it fits; a log
 * without one (of an older version) gets it, with an entry that says so.
 * Writes the first checkpoint. */
MUST_USE enum rc audit_start(struct controller *c, struct err *e);
/* Once a day: "audit log head entries=... hash=...". */
void audit_checkpoint(struct controller *c);

void audit_verify(struct req *r); /* GET /api/audit/verify */
void audit_list(struct req *r);   /* GET /api/audit */
/* Everything that fits the filters, streamed: GET /audit.csv, /audit.json. */
void audit_csv(struct req *r);
void audit_json(struct req *r);
#endif
