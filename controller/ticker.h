/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_TICKER_H
#define CONTROLLER_TICKER_H
/* What happens by the clock: presence, resends, sweeps, retention. */
struct controller;
struct ticker;

struct ticker *ticker_new(struct controller *c);
void ticker_free(struct ticker *t);
#endif
