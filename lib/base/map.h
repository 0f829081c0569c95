/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_MAP_H
#define LIB_BASE_MAP_H
/*
 * Hash map from bytes to a pointer.  Keys are copied; values stay the
 * caller's.  The hash is keyed with a random key (libsodium shorthash), so
 * chosen keys cannot collide it.  Open addressing, grows at 3/4.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m); /* values are not touched */
/* With its values, each from mem_new() and without parts of its own. */
void map_free_all(struct map *m);
size_t map_count(const struct map *m);
void *map_get(const struct map *m, struct str key); /* NULL: absent */
/* value is not NULL.  Returns the value replaced, NULL when new. */
void *map_put(struct map *m, struct str key, void *value);
void *map_del(struct map *m, struct str key); /* returns the value */
/* Walk: start with *pos = 0; false at the end.  The current entry may be
 * deleted during the walk, nothing may be added. */
bool map_next(const struct map *m, size_t *pos, struct str *key, void **value);
#endif
