/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_TRUST_H
#define CONTROLLER_CLI_TRUST_H
/* The first meeting with a controller that no authority vouches for: its
 * key's fingerprint is shown, and trusted only when a person says so. */
#include "lib/base/rc.h"

struct config;

/* Sets cfg->pin. */
MUST_USE enum rc trust_ask(struct config *cfg, struct err *e);
#endif
