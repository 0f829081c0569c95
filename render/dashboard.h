/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_DASHBOARD_H
#define RENDER_DASHBOARD_H
/*
 * What the two files of the dashboard share: view_dashboard.c has the fleet
 * in figures and rows, dashboard_filters.c the controls, which are links
 * that write the query.
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/store/fleet_query.h"
#include "lib/store/fleet_store.h"

struct value;
struct view;

enum {
	DASHBOARD_TAGS = 256 /* told apart when counting */
};

struct dashboard_tag {
	const char *name;
	size_t n;
};

struct dashboard {
	struct view *v;
	const char *text; /* of the query */
	struct fleet_query query;
	struct fleet_order order;
	uint64_t page;
	struct fleet_list list; /* every host, then those of the filter */
	/* counts over the whole fleet */
	size_t total, safe, offline, attention, behind;
	size_t by_status[STATUS_HOST_COUNT];
	uint64_t stored, snapshots;
	struct dashboard_tag tags[DASHBOARD_TAGS]; /* hashed by name */
	/* hosts without a backup inside the allowed age, the first few */
	const char *unsafe[3];
};

/* Reads q, status, repo_status, tag, updates, sort, dir and page. */
void dashboard_read(struct dashboard *d);
/* One more host of the whole fleet: its tags. */
void dashboard_count_tags(struct dashboard *d, const struct Rec__Host *h);
/* before + "q=...&sort=...&dir=...&" + after; empty: nothing of it. */
const char *dashboard_link(const struct dashboard *d, const char *before,
    const char *after);
/* Members: q, q_problem, chips, tags, more_tags, sorts, columns, clear. */
void dashboard_put_filters(struct dashboard *d, struct value *root);
#endif
