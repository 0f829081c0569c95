/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_TURN_H
#define AGENT_TURN_H
/*
 * Whose turn it is when the agent has nothing to do: who came first.
 *
 * The plan's runs wait here and say since when.  The controller's jobs wait
 * with the controller, one behind the other; of the first of them the agent
 * knows by a command that it refused as busy, or by CommandWaits.  A run that
 * became ready later lets it go first.  The place is kept for TURN_KEEP_MS and
 * no longer: the job may have been cancelled, or the controller be away.
 *
 * Values only; the loop thread's.
 */
#include <stdbool.h>
#include <stdint.h>

enum {
	/* The controller asks a busy agent again after 15 s, and who polls hears
	 * of it somewhat later. */
	TURN_KEEP_MS = 30000
};

struct turn {
	int64_t asked_ms; /* the controller has waited since; 0: it does not */
	int64_t until_ms; /* monotonic */
};

/* A job of the controller's waits, and has done so for a while already. */
void turn_ask(struct turn *t, int64_t waited_ms);
/* It has its place, or is not wanted any more. */
void turn_done(struct turn *t);
/* The place is free from now on. */
void turn_free(struct turn *t);
/* Whether a run that has been ready since then goes behind it, the place
 * being free.  Who did not come while it was kept is not waited for again. */
bool turn_is_first(struct turn *t, int64_t ready_ms);
#endif
