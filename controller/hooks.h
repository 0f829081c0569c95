/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOOKS_H
#define CONTROLLER_HOOKS_H
/*
 * What runs on a host before and after its backups: bodies of the host's
 * shell, of a source group or the host's defaults.  They are sealed in the
 * vault one by one, each for its place, and are opened only to go to the
 * agent; no answer and no page holds one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct arena;
struct controller;
struct req;
struct route_json;
struct store_tx;
struct Rec__Host;
struct Rec__SourceGroup;
struct Wire__Hooks;

enum {
	HOOKS_BODY_MAX = 12288, /* bytes of one; plan.h sums them up */
	HOOKS_LIMIT_S = 600,
	HOOKS_LIMIT_MAX_S = 86400
};

/* Where to look. */
struct hooks_from {
	struct store_tx *vault;
	const uint8_t *key;
	struct arena *arena; /* has the bodies: hooks_wipe() them */
};

/* What runs around a backup of the group: its own hooks, else the host's
 * defaults, pre and post each by itself.  NULL: none.  One that cannot be
 * opened is told by .unreadable, and the run fails (W-15). */
struct Wire__Hooks *hooks_resolve(const struct hooks_from *from,
    const struct Rec__Host *h, const struct Rec__SourceGroup *g);
void hooks_wipe(struct Wire__Hooks *w); /* NULL is fine */

/* After the commit that deleted the group: its row leaves the vault, at the
 * latest at the next start. */
void hooks_forget(struct controller *c, const struct ulid *host,
    const struct ulid *group);

/* GET, PUT, DELETE /api/hosts/{id}/hooks (the defaults) and
 * /api/hosts/{id}/source-groups/{gid}/hooks: {has_pre_hook, has_post_hook,
 * hook_limit_seconds}.  Of a PUT what is absent stays, null or "" removes. */
void hooks_get(struct req *r);
void hooks_put(struct req *r);
void hooks_delete(struct req *r);
extern const struct route_json hooks_put_body;
/* POST /hosts/{id}/repo/hooks and /hosts/{id}/sources/{gid}/hooks: a blank
 * field keeps what is stored, remove_pre_hook and remove_post_hook remove. */
void hooks_form(struct req *r);
#endif
