/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_TAKEOVER_H
#define CONTROLLER_TAKEOVER_H
/*
 * A start on a copy that `restic-manager state copy` made: what was
 * acknowledged after it is not here, which the log and the audit log say.
 * The copy ends with it: nothing is copied over this state any more.
 */
#include "lib/base/rc.h"

struct controller;

/* Before the store is opened: a copy that never became whole is refused. */
MUST_USE enum rc takeover_check(const struct controller *c, struct err *e);
/* When the audit log is ready. */
MUST_USE enum rc takeover_note(struct controller *c, struct err *e);
#endif
