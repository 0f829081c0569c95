/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_SEED_PLANS_H
#define TESTS_FAKE_SEED_PLANS_H
/*
 * Plans for the fleet of seed.h:
 *
 *   app-01     "default" keeps last 7 and hourly 2 (in conflict), excludes, a
 *              hook; "home <b>" keeps nothing; one schedule of both at 03:00,
 *              spread over 15 min
 *   db-02      every 12 h, Europe/Berlin; its last run is tried again in 42 min
 *   web-03     two schedules, the second one paused
 *   mail-01    comes and goes, every night
 *   the hostile one: an expression and a zone that are none
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "tests/fake/seed.h"

/* The n-th schedule of a host, from 0. */
struct ulid seed_schedule_id(enum seed_host h, unsigned n);
MUST_USE enum rc seed_plans(const char *dir, struct err *e);
#endif
