/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_THROTTLE_H
#define CONTROLLER_THROTTLE_H
/*
 * Sign-in attempts, counted per account and per address for 15 minutes.
 * Past the limit each further attempt has to wait longer than the one
 * before; nothing is ever locked.  An address from which the account has
 * signed in before has a counter of its own, so that strangers who guess at
 * an account do not keep its owner out.
 * In memory only.  Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct throttle;

enum {
	THROTTLE_WINDOW_MS = 900000,
	THROTTLE_ACCOUNT_MAX = 5,
	THROTTLE_ADDRESS_MAX = 20,
	THROTTLE_DELAY_MAX_S = 300,
	THROTTLE_ENTRIES_MAX = 4096
};

struct throttle *throttle_new(void);
void throttle_free(struct throttle *t);

/* Counts an attempt as failed beforehand, so that many at once are counted
 * too.  0: go on; else the seconds to wait, and nothing was counted. */
unsigned throttle_begin(struct throttle *t, const char *account,
    const char *address);
/* The attempt succeeded: takes it back and forgets the account's failures. */
void throttle_succeeded(struct throttle *t, const char *account,
    const char *address);
/* Whether the account has signed in from that address lately. */
bool throttle_known(const struct throttle *t, const char *account,
    const char *address);
/* The attempt was never decided (too busy, an error of ours). */
void throttle_undo(struct throttle *t, const char *account,
    const char *address);
void throttle_tick(struct throttle *t); /* forgets what is over */
size_t throttle_count(const struct throttle *t);
/* What counts as one address: a /64 of IPv6 is one customer's, its single
 * addresses cost nothing. */
void throttle_network(const char *address, char *dst, size_t cap);
#endif
