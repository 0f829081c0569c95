/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"

struct value *
value_root(struct arena *a)
{
	struct value *v = arena_alloc(a, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->kind = VALUE_MAP;
	v->arena = a;
	return v;
}

struct value *
value_add(struct value *parent, struct str key, enum value_kind kind)
{
	struct value *v;

	if (parent == NULL)
		return NULL;
	v = arena_alloc(parent->arena, sizeof(*v));
	if (v == NULL)
		return NULL;
	v->kind = kind;
	v->arena = parent->arena;
	v->key = key;
	if (parent->last == NULL)
		parent->first = v;
	else
		parent->last->next = v;
	parent->last = v;
	return v;
}

void
value_bool(struct value *map, const char *key, bool b)
{
	struct value *v = value_add(map, str_of(key), VALUE_BOOL);

	if (v != NULL)
		v->truth = b;
}

void
value_null(struct value *map, const char *key)
{
	(void)value_add(map, str_of(key), VALUE_NULL);
}

void
value_lend(struct value *map, const char *key, struct str text)
{
	struct value *v = value_add(map, str_of(key), VALUE_TEXT);

	if (v != NULL)
		v->text = text;
}

void
value_text(struct value *map, const char *key, const char *z)
{
	value_lend(map, key, str_of(z));
}

void
value_copy(struct value *map, const char *key, struct str text)
{
	if (map != NULL)
		value_text(map, key, arena_str(map->arena, text));
}

void
value_printf(struct value *map, const char *key, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	char *z;
	int n;

	if (map == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small)) {
		value_copy(map, key, str_from(small, (size_t)n));
		return;
	}
	z = arena_alloc(map->arena, (size_t)n + 1);
	if (z == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(z, (size_t)n + 1, fmt, ap);
	va_end(ap);
	value_lend(map, key, str_from(z, (size_t)n));
}

struct value *
value_map(struct value *map, const char *key)
{
	return value_add(map, str_of(key), VALUE_MAP);
}

void
value_share(struct value *map, const char *key, const struct value *of)
{
	struct value *m = value_map(map, key);

	if (m == NULL || of == NULL)
		return;
	m->first = of->first;
	m->last = of->last;
}

struct value *
value_list(struct value *map, const char *key)
{
	return value_add(map, str_of(key), VALUE_LIST);
}

struct value *
value_item(struct value *list)
{
	return value_add(list, str_of(NULL), VALUE_MAP);
}

void
value_item_text(struct value *list, struct str text)
{
	struct value *v = value_add(list, str_of(NULL), VALUE_TEXT);

	if (v != NULL)
		v->text = text;
}

const struct value *
value_get(const struct value *v, struct str key)
{
	const struct value *m;

	if (v == NULL || v->kind != VALUE_MAP)
		return NULL;
	for (m = v->first; m != NULL; m = m->next) {
		/* Most names differ in their first letter: no call for them. */
		if (m->key.n == key.n &&
		    (key.n == 0 || (m->key.p[0] == key.p[0] &&
		                       memcmp(m->key.p, key.p, key.n) == 0)))
			return m;
	}
	return NULL;
}

bool
value_truthy(const struct value *v)
{
	if (v == NULL)
		return false;
	switch (v->kind) {
	case VALUE_NULL:
		return false;
	case VALUE_BOOL:
		return v->truth;
	case VALUE_TEXT:
		return v->text.n > 0;
	case VALUE_LIST:
		return v->first != NULL;
	case VALUE_MAP:
		return true;
	}
	return false;
}
