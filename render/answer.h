/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_ANSWER_H
#define RENDER_ANSWER_H
/*
 * From a RenderRequest to the bytes of its page: opens the transactions,
 * runs the view, closes them, expands the template.
 */
#include <stddef.h>

#include "lib/base/rc.h"

struct arena;
struct buf;
struct fleet_nexts;
struct host_months;
struct store;
struct template_set;
struct Ipc__RenderRequest;

enum {
	ANSWER_ARENA_MAX = 100663296, /* 96 MiB: 10,000 hosts and room */
	ANSWER_ASSET_CAP = 9
};

struct answer {
	const struct template_set *templates;
	struct store *state;
	struct store *live;
	const char *spool;          /* root of the job logs */
	struct host_months *months; /* kept from page to page, or NULL */
	struct fleet_nexts *nexts;
	const char *zone;             /* IANA, known */
	char asset[ANSWER_ASSET_CAP]; /* changes when static files do */
};

/* Every page's and region's template is there. */
MUST_USE enum rc answer_check(const struct answer *a, struct err *e);

/* Reads the static files once to set a->asset. */
MUST_USE enum rc answer_asset(struct answer *a, const char *dir, struct err *e);

/* Fills body and gives the reply's status.  RC_INVALID: unknown page or
 * fragment, or a page of secrets without a marker. */
MUST_USE enum rc answer_page(const struct answer *a,
    const struct Ipc__RenderRequest *req, struct arena *arena, struct buf *body,
    int *out_status, struct err *e);
#endif
