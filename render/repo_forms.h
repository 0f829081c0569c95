/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_REPO_FORMS_H
#define RENDER_REPO_FORMS_H
/*
 * The forms of the tab Repository.  Each stands alone: it shows what is
 * stored, or what was typed and refused, and its own errors only.
 */
struct host_view;
struct value;
struct view;

/* Members: connection, admin, variables, bandwidth, maintenance, hooks,
 * danger (maps: <field>, <field>_error, <field>_focus), name_pattern. */
void repo_forms_put(struct view *v, struct value *root,
    const struct host_view *hv);
#endif
