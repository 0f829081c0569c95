/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a template, with themselves as partial "p", filled with a
 * small tree: no crash, no endless walk. */
#include "tests/fuzz/fuzz.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/expand.h"
#include "render/template.h"
#include "render/value.h"

static void
fill(struct value *root)
{
	struct value *list = value_list(root, "l");
	struct value *map = value_map(root, "m");

	value_text(value_item(list), "a", "<one>");
	value_text(value_item(list), "a", "two\nlines");
	value_text(map, "a", "p");
	value_bool(root, "t", true);
	value_text(root, "a", "a \xff");
	value_text(root, "p", "p");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct template_set *set = template_set_new();
	struct str source = str_from(data, size);
	struct arena arena;
	struct value *root;
	struct buf out;

	arena_init(&arena, KIB(16));
	buf_init(&out, KIB(64));
	root = value_root(&arena);
	fill(root);
	if (template_add(set, "t", source, NULL) == RC_OK &&
	    template_add(set, "p", source, NULL) == RC_OK &&
	    template_link(set, false, NULL) == RC_OK)
		(void)!expand(set, template_find(set, STR("t")), root, &out,
		    NULL);
	buf_fini(&out);
	arena_fini(&arena);
	template_set_free(set);
	return 0;
}
