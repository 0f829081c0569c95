/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_SETTINGS_VIEW_H
#define RENDER_SETTINGS_VIEW_H
/* What the pages below Settings share. */
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

struct value;
struct view;

/* nav_settings, and settings_<tab> for the side navigation of
 * settings-layout.mustache; tab: one of its entries. */
void settings_common(struct view *v, struct value *root, const char *tab);
/* As the API and forms name it; "" for none. */
const char *settings_role(Rec__Role role);
/* List key [{role_name, role_words, chosen}] up to max. */
void settings_roles(struct value *root, const char *key, Rec__Role max,
    struct str chosen);
#endif
