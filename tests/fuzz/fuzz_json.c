/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One text goes through the reader table and the document view.  What a
 * table lets in obeys its limits, what was refused has a message, and what
 * the writer makes of the texts is read back the same.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"

enum {
	TEXT_MAX = 64,
	ELEMENTS = 5,
	INT_MAX_VALUE = 1000,
	DEPTH = 32,
	INPUT_MAX = 1 << 16
};

struct body {
	char *name;
	char *note;
	int64_t count;
	bool on;
	struct json_strs list;
	bool seen;
};

/* clang-format off */
#define AT(m) offsetof(struct body, m)
static const struct json_field fields[] = {
	{ "name", JSON_STR, JSON_REQUIRED, 1, TEXT_MAX, AT(name), 0, AT(seen) },
	{ "note", JSON_STR, JSON_NULL_OK, 0, TEXT_MAX, AT(note), 0, JSON_NO_SEEN },
	{ "count", JSON_INT, JSON_NULL_OK, -INT_MAX_VALUE, INT_MAX_VALUE, AT(count), 0, JSON_NO_SEEN },
	{ "on", JSON_BOOL, JSON_NULL_OK, 0, 0, AT(on), 0, JSON_NO_SEEN },
	{ "list", JSON_STRS, JSON_NULL_OK, 0, ELEMENTS, AT(list), TEXT_MAX, JSON_NO_SEEN },
};
/* clang-format on */

static void
check_text(const char *z, size_t min)
{
	const size_t n = strlen(z);

	ASSERT(n >= min && n <= TEXT_MAX);
	ASSERT(str_utf8_ok(str_from(z, n)));
}

static void
check_body(const struct body *b)
{
	size_t i;

	ASSERT(b->seen && b->name != NULL);
	check_text(b->name, 1);
	if (b->note != NULL)
		check_text(b->note, 0);
	ASSERT(b->count >= -INT_MAX_VALUE && b->count <= INT_MAX_VALUE);
	ASSERT(b->list.n <= ELEMENTS);
	for (i = 0; i < b->list.n; i++)
		check_text(b->list.v[i], 0);
}

/* The name written and read again is the name. */
static void
check_written(struct str name, struct arena *a)
{
	struct body again = { 0 };
	struct json_out j;
	struct buf b;

	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put_int(&j, "other", -1);
	json_put_str(&j, "name", name);
	json_obj_end(&j);
	ASSERT(json_read(buf_str(&b), fields, ARRAY_LEN(fields), &again, a,
	           NULL) == RC_OK);
	ASSERT(str_eqz(name, again.name));
	buf_fini(&b);
}

static void
read_body(struct str text)
{
	struct body b = { 0 };
	struct err e = { .msg = "" };
	struct arena a;
	enum rc rc;

	arena_init(&a, KIB(16));
	rc = json_read(text, fields, ARRAY_LEN(fields), &b, &a, &e);
	if (rc == RC_OK) {
		check_body(&b);
		check_written(str_of(b.name), &a);
	} else {
		ASSERT(rc == RC_PROTO || rc == RC_INVALID || rc == RC_LIMIT);
		ASSERT(e.rc == rc && e.msg[0] != '\0');
		ASSERT(str_utf8_ok(str_of(e.msg)));
	}
	arena_fini(&a);
}

static void
walk(const struct json *v, int depth)
{
	size_t i;

	ASSERT(depth <= DEPTH);
	ASSERT(str_utf8_ok(json_self_text(v)));
	(void)json_int(v, "count", 0);
	(void)json_num(v, "count", 0);
	if (json_is_array(v)) {
		for (i = 0; i < json_len(v); i++)
			walk(json_at(v, i), depth + 1);
		ASSERT(json_at(v, i) == NULL);
	} else if (json_is_object(v) && json_get(v, "x") != NULL) {
		walk(json_get(v, "x"), depth + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_from(data, n);
	struct json *doc = NULL;
	enum rc rc;

	if (n > INPUT_MAX)
		return 0;
	read_body(text);
	rc = json_parse(text, &doc, NULL);
	ASSERT((rc == RC_OK) == (doc != NULL));
	if (doc != NULL)
		walk(doc, 0);
	json_free(doc);
	return 0;
}
