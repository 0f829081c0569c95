/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_VIEW_H
#define RENDER_VIEW_H
/*
 * One request on its way to a page: what a view may look at, and helpers
 * that put common things into the value tree.  Everything dies with the
 * arena, the transactions before that.
 *
 * Templates look names up outwards, so a view sets every name its template
 * asks for, also when there is nothing to say (view_bool false).
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "proto/render.pb-c.h"
#include "render/text.h"

struct arena;
struct fleet_nexts;
struct host_months;
struct store_tx;
struct ulid;
struct value;

struct view {
	struct arena *arena;
	const struct Ipc__RenderRequest *req;
	struct text_clock clock;
	struct store_tx *state;
	struct store_tx *live;
	const char *spool;
	struct host_months *months; /* kept from page to page, or NULL */
	struct fleet_nexts *nexts;  /* the same */
	bool can_operate;           /* the viewer may run, stop and add */
	int status;                 /* of the reply; page error sets it */
};

/* "" when the request does not have it. */
struct str view_param(const struct view *v, const char *name);
bool view_param_is(const struct view *v, const char *name, const char *z);
/* A whole number of at least 1; dflt when absent or malformed. */
uint64_t view_param_number(const struct view *v, const char *name,
    uint64_t dflt);
MUST_USE bool view_param_id(const struct view *v, const char *name,
    struct ulid *out);
/* As a sentence: a capital first, a full stop last. */
struct str view_sentence(const struct view *v, struct str text);
/* At most max bytes, never half a character. */
struct str view_cut(struct str text, size_t max);
bool view_can_admin(const struct view *v);
/* Something of a region is to be drawn: it, every region, or the whole page. */
bool view_wants(const struct view *v, const char *region);
/* Copies the named params into map under their own names. */
void view_keep_params(const struct view *v, struct value *map,
    const char *const *names);
/* For each field of a form: <name>, <name>_error with the sentence of param
 * error.<name>, and <name>_focus for the first one that has it. */
void view_fields(const struct view *v, struct value *root,
    const char *const *names);
/* map key {ms, machine, relative, when, exact}; false for 0. */
void view_time(const struct view *v, struct value *map, const char *key,
    int64_t ms);
/* Hex text of 16 raw id bytes as a ULID; "" for other lengths. */
const char *view_id(const struct view *v, ProtobufCBinaryData id);
bool view_ulid(ProtobufCBinaryData id, struct ulid *out);

/* Numbered pages.  base: the link up to its query, which ends with "page=". */
struct view_pager {
	const char *base;
	uint64_t page; /* from 1; corrected to the last one */
	uint64_t size;
	uint64_t total;
};
/* map key {any, first, last, total, pages [{n, href, current, gap}]}; the list is
 * empty for a single page. */
void view_pager(struct value *map, const char *key, struct view_pager *p);
#endif
