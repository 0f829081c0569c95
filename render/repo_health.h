/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_REPO_HEALTH_H
#define RENDER_REPO_HEALTH_H
/*
 * How a host's repository is, as the tab Repository tells it: locks, what is
 * under way, and how forget, prune and check went and when they come next.
 */
struct host_view;
struct value;
struct view;

/* Member health: {class, glyph, word, spin, headline, why, advice, init_link,
 * tried, raw, listed, held, can_try, lock, busy, upkeep [...]}. */
void repo_health_put(struct view *v, struct value *root,
    const struct host_view *hv);
#endif
