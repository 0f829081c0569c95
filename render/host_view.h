/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_HOST_VIEW_H
#define RENDER_HOST_VIEW_H
/*
 * What the dashboard's row and the host's own pages say alike about a host:
 * state and its reason, connection, last backup, heat strip, run button.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"
#include "render/chart.h"
#include "render/host_month.h"
#include "render/status.h"

struct value;
struct view;

enum {
	HOST_VIEW_GROUPS = 100, /* as many as a host may have */
	HOST_VIEW_STREAK = 50   /* looked back */
};

/* A host with what is looked up for it once. */
struct host_view {
	const struct Rec__Host *host;
	struct ulid id;
	enum status_host status;
	const struct Rec__Job *running; /* its current job under way, or NULL */
	const struct Rec__Job *failed;  /* of the group whose last run failed */
	const struct Rec__Job *last;    /* newest last run of any group */
	unsigned streak; /* failed backups in a row, when failed */
	const struct Rec__SourceGroup **groups;
	size_t n_groups;
};

/* The cheap part, for counting and sorting: host, id, status, running. */
void host_view_init(struct view *v, const struct Rec__Host *h,
    struct host_view *out);
/* The rest. */
void host_view_load(struct view *v, struct host_view *hv);

/* Members: id, name, os, tags, state, reason, running {percent, left},
 * link, online, offline_since, last, stored, groups [{id, name}], one_group,
 * job (id of the running one). */
void host_view_put(struct view *v, struct value *map,
    const struct host_view *hv);
/* Members next_words, next_small ("in 4 h", "18:00"), covering (the schedule
 * that alone runs all groups, or ""), spark and spark_last. */
void host_view_put_next(struct view *v, struct value *map,
    const struct host_view *hv, const struct host_month *m);
/* The 30 days with what runs now. */
void host_view_codes(const struct host_view *hv, const struct host_month *m,
    char codes[CHART_DAYS]);
/* map key {percent, left, rate, read, total, files, total_files}; false when
 * nothing is known yet. */
void host_view_progress(struct view *v, struct value *map, const char *key,
    const struct Rec__Job *job);
#endif
