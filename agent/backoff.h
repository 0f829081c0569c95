/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BACKOFF_H
#define AGENT_BACKOFF_H
/* How long to wait before the next connection. */
#include <stdint.h>

enum {
	BACKOFF_MIN_MS = 1000,
	BACKOFF_MAX_MS = 60000
};

/* Full jitter: a controller that restarts meets no stampede.  Counts one
 * more failure in a row. */
uint64_t backoff_ms(unsigned *failures);
#endif
