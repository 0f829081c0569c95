/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_JOB_VIEW_H
#define RENDER_JOB_VIEW_H
/* What a list of jobs and a job's own page say alike about a job. */
#include "lib/base/str.h"
#include "proto/store.pb-c.h"
#include "render/status.h"

struct value;
struct view;

/* Members: id, link, kind, group, state, started, took, outcome, by. */
void job_view_put(struct view *v, struct value *map, const struct Rec__Job *j);
/* By the name in status_look: "failed". */
const struct status_look *job_view_look(const char *name);

/* Looks that have a chip, by name, those that need people first; NULL behind
 * the last. */
const char *job_view_chip(size_t i);

/* What each list of jobs can be filtered by, as it was given, if it makes
 * sense.  Lent by the request. */
struct job_filter {
	struct str q, state, kind;
};
void job_view_filter(const struct view *v, struct job_filter *out);
/* List kinds [{value, words, chosen}] for a select, "every kind" first. */
void job_view_kinds(struct value *root, struct str chosen);
/* "schedule", "alice", "restic-manager" */
const char *job_view_actor(struct view *v, const struct Rec__Job *j);
/* Of one that is queued: "the host is offline".  h: NULL when it is gone. */
const char *job_view_waiting(struct view *v, const struct Rec__Job *j,
    const struct Rec__Host *h);
/* "No errors, data part 3 of 20", "No errors, structure only" */
const char *job_view_check(struct view *v, const struct Rec__Job *j);
/* Running or ended: how long; "" while queued. */
const char *job_view_took(struct view *v, const struct Rec__Job *j);
#endif
