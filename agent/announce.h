/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_ANNOUNCE_H
#define AGENT_ANNOUNCE_H
/*
 * Announcing this host to a controller and waiting for an administrator
 * (M-083 ff.): connect -> announce -> sign the nonce -> wait -> enrolled.
 */
#include "agent/settings.h"
#include "lib/base/rc.h"

struct loop;

/* Runs the loop until it is over, at most an hour.  The key pair is saved
 * before it is used, so that the same command finds the same pending host
 * again.  On success s is saved with host id and bearer.  Before the first
 * answer a failure to connect is final; later it connects again.
 * RC_DENIED: rejected; the key is forgotten.  RC_TIMEOUT: nobody accepted.
 * RC_BUSY: an agent runs with the same state. */
MUST_USE enum rc announce_run(struct settings *s, struct loop *l,
    const char *server, struct err *e);
#endif
