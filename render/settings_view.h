/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_SETTINGS_VIEW_H
#define RENDER_SETTINGS_VIEW_H
/* What the pages below Settings share. */
#include <stdint.h>

#include "lib/base/str.h"
#include "proto/store.pb-c.h"

struct ulid;
struct value;
struct view;

/* nav_settings, and settings_<tab> for the side navigation of
 * settings-layout.mustache; tab: one of its entries. */
void settings_common(struct view *v, struct value *root, const char *tab);
/* As the API and forms name it; "" for none. */
const char *settings_role(Rec__Role role);
/* tokens [{token_name, token_role, token_over, created, expires, used,
 * revoke}] and any_tokens of api-tokens.mustache; base: what is before
 * /tokens/{id}/revoke.  How many. */
uint64_t settings_tokens(struct view *v, struct value *root,
    const struct ulid *user, const char *base);
/* List key [{role_name, role_words, chosen}] up to max. */
void settings_roles(struct value *root, const char *key, Rec__Role max,
    struct str chosen);
#endif
