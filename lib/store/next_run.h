/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_NEXT_RUN_H
#define LIB_STORE_NEXT_RUN_H
/*
 * When a host's schedules run: what the agent does by itself, worked out
 * again for pages, answers and figures.  Any thread; no clock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/cron.h"
#include "proto/store.pb-c.h"

struct store_tx;
struct ulid;

/* A schedule, read. */
struct next_run_rule {
	struct cron cron;
	int64_t spread_ms;
	int64_t last_due_ms; /* an @every goes on from there */
	int64_t since_ms;    /* what was due before is not run */
};

struct next_run {
	int64_t due_ms; /* by the expression */
	int64_t at_ms;  /* with the host's spread */
};

/* The zone whose clock counts: the schedule's own, else the host's, else
 * dflt. */
const char *next_run_zone(const struct Rec__Schedule *s,
    const struct Rec__Host *h, const char *dflt);
/* False: the expression or the zone is none we know. */
MUST_USE bool next_run_rule(const struct Rec__Schedule *s, const char *zone,
    struct next_run_rule *out);
/* The first one that begins strictly after a time.  False: never. */
MUST_USE bool next_run(const struct next_run_rule *r, int64_t after_ms,
    struct next_run *out);

/* The longest time between two runs one after the other, as seen over some
 * weeks from a time; 0: fewer than two runs. */
int64_t next_run_gap_ms(const struct next_run_rule *r, int64_t from_ms);
/* Host.backup_interval_s: how far apart the runs of the host's most frequent
 * enabled schedule are at most; 0: it has none. */
uint32_t next_run_interval_s(struct store_tx *tx, const struct ulid *host,
    int64_t now_ms);
#endif
