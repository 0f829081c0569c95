/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_KEEP_PREVIEW_H
#define RENDER_KEEP_PREVIEW_H
/* What a retention would keep of a source group's snapshots, as forget would
 * decide it: of those with this machine's name, by its own clock. */
struct host_view;
struct keep_policy;
struct value;
struct view;
struct Rec__SourceGroup;

/* Member keep {total, kept, removed, kept_n, removed_n, total_n, empty, none,
 * most}.  g NULL: a group that has no snapshots yet. */
void keep_preview_put(struct view *v, struct value *root,
    const struct host_view *hv, const struct Rec__SourceGroup *g,
    const struct keep_policy *p);
#endif
