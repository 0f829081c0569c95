/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_ENROL_H
#define AGENT_ENROL_H
/* Enrolment by token: one call, then the configuration is written. */
#include "agent/settings.h"
#include "lib/base/rc.h"

struct loop;

/* token: "<secret>.<SHA-256 of the controller's SPKI>", both base64url.
 * Runs the loop until it is over, at most 60 s.  On success s is saved with
 * host id, bearer and pin.  The enrol_id is saved before the call: a lost
 * reply burns nothing, the same command may be given again.  A host that was
 * another one before sets aside that one's events and credentials.  RC_BUSY:
 * an agent runs with the same state. */
MUST_USE enum rc enrol_run(struct settings *s, struct loop *l,
    const char *server, const char *token, struct err *e);
#endif
