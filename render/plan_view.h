/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_PLAN_VIEW_H
#define RENDER_PLAN_VIEW_H
/*
 * What the tabs Sources and Schedules say alike of a host's plan: which
 * schedule runs what, when, and how it went.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/store/next_run.h"
#include "proto/store.pb-c.h"
#include "render/host_view.h"

struct value;
struct view;

enum {
	PLAN_VIEW_SCHEDULES = 100,
	PLAN_VIEW_RUNS = 5 /* next ones told */
};

struct plan_view {
	struct view *v;
	const struct host_view *hv; /* loaded */
	const struct Rec__Schedule **schedules;
	size_t n_schedules;
};

void plan_view_load(struct view *v, const struct host_view *hv,
    struct plan_view *out);

bool plan_view_uses(const struct Rec__Schedule *s,
    const struct Rec__SourceGroup *g);
/* Schedules that run a group. */
size_t plan_view_users(const struct plan_view *p,
    const struct Rec__SourceGroup *g);
/* "system, home", in the order they run. */
const char *plan_view_groups(const struct plan_view *p,
    const struct Rec__Schedule *s);
/* The zone whose clock counts. */
const char *plan_view_zone(const struct plan_view *p,
    const struct Rec__Schedule *s);

/* Members expr, words ("": there is no short sentence), clock (the zone, ""
 * when it is the page's), spread, broken (not readable) and runs [{text, exact,
 * relative}], the next ones. */
void plan_view_put_times(const struct plan_view *p, struct value *map,
    const struct Rec__Schedule *s, size_t runs);
/* map key {class, glyph, word, spin, at, job_link}; false: none yet. */
void plan_view_put_result(const struct plan_view *p, struct value *map,
    const char *key, const struct Rec__Job *job, int64_t at_ms);
/* The job with an id out of a record; NULL: none. */
const struct Rec__Job *plan_view_job(struct view *v, ProtobufCBinaryData id);

/* What the form says it saw: as typed, else updated_ms; "" for 0. */
struct str plan_view_seen(struct view *v, int64_t updated_ms);
/* "last=7, d=14, w=4"; "" when nothing is ever forgotten. */
const char *plan_view_retention(struct view *v, const struct Rec__Retention *r);
/* Member agent {version, held, refused, in_sync, old, behind, away}. */
void plan_view_put_agent(struct view *v, struct value *map,
    const struct Rec__Host *h);
#endif
