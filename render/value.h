/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_VALUE_H
#define RENDER_VALUE_H
/*
 * What a template is filled with: a tree of texts, truths, lists and maps
 * that lives in one arena.  Past the arena's ceiling the constructors give
 * NULL, and every function takes a NULL container as nothing, so a view
 * checks arena_rc() once, at its end.
 * Keys are borrowed: string literals, or text that outlives the tree.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"

struct arena;

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_TEXT,
	VALUE_LIST,
	VALUE_MAP
};

struct value {
	enum value_kind kind;
	bool truth;      /* of VALUE_BOOL */
	struct str text; /* of VALUE_TEXT, borrowed */
	struct arena *arena;
	struct str key;     /* within a map */
	struct value *next; /* sibling in the same list or map */
	struct value *first;
	struct value *last;
};

struct value *value_root(struct arena *a); /* an empty map */
/* Members of a map.  A key is set once. */
void value_bool(struct value *map, const char *key, bool b);
void value_null(struct value *map, const char *key);
void value_lend(struct value *map, const char *key, struct str text);
void value_text(struct value *map, const char *key, const char *z);
void value_copy(struct value *map, const char *key, struct str text);
void value_printf(struct value *map, const char *key, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
struct value *value_map(struct value *map, const char *key);
struct value *value_list(struct value *map, const char *key);
/* A map with the members of another one, which must not change any more. */
void value_share(struct value *map, const char *key, const struct value *of);
/* Appends to a list. */
struct value *value_item(struct value *list);
void value_item_text(struct value *list, struct str text);

/* Any node by kind, for trees built from data: key NULL in a list. */
struct value *value_add(struct value *parent, struct str key,
    enum value_kind kind);

/* Member of a map; NULL when v is no map or has no such key. */
const struct value *value_get(const struct value *v, struct str key);
/* False, null, empty text and empty list are not. */
bool value_truthy(const struct value *v);
#endif
