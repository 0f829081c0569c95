/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_TICKER_H
#define CONTROLLER_TICKER_H
/* What happens by the clock: presence, resends, sweeps, retention. */
#include <stdint.h>

struct controller;
struct ticker;

struct ticker *ticker_new(struct controller *c);
void ticker_free(struct ticker *t);
/* Every hour: removes the job logs that are too old or too many, and marks
 * their jobs. */
void ticker_retain(struct ticker *t);
/* Bytes of job logs when they were last counted (hourly). */
uint64_t ticker_spool_bytes(const struct ticker *t);
#endif
