/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_SPREAD_H
#define LIB_BASE_SPREAD_H
/*
 * How long after it is due something begins, so that a whole fleet does not
 * begin in one second: the same each time for one owner and thing, evenly
 * spread over all owners.  Any thread.
 */
#include <stdint.h>

#include "lib/base/ulid.h"

/* 0 <= result < window_s * 1000; 0 for a window of 0.  thing: the schedule,
 * or an id whose bytes are 0 but the last, which is the job kind. */
int64_t spread_ms(const struct ulid *host, const struct ulid *thing,
    uint32_t window_s);
#endif
