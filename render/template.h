/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_TEMPLATE_H
#define RENDER_TEMPLATE_H
/*
 * Mustache templates (specification 1.4: core, inheritance, dynamic names;
 * no lambdas), parsed once to a flat list of nodes.  Whitespace follows the
 * specification byte for byte: a tag alone on its line takes the line with
 * it, and a partial, parent or block there is indented as its tag was.
 *
 * A node's subtree is the nodes up to its end.  Text of nodes points into
 * the set's own copy of the source.  After template_link() nothing changes,
 * so any thread may expand.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

enum {
	TEMPLATE_MAX = 262144, /* bytes of one source */
	TEMPLATE_NODES = 16384,
	TEMPLATE_NEST = 32, /* sections within sections */
	TEMPLATE_COUNT = 256
};

enum template_op {
	TEMPLATE_TEXT,
	TEMPLATE_VAR, /* escaped */
	TEMPLATE_RAW,
	TEMPLATE_SECTION,
	TEMPLATE_INVERTED,
	TEMPLATE_PARTIAL,
	TEMPLATE_PARENT,
	TEMPLATE_BLOCK
};

struct template_node {
	enum template_op op;
	bool bol;          /* first on a line that is written */
	bool alone;        /* the tag had its line for itself */
	bool dynamic;      /* name is looked up to get the template's name */
	uint32_t end;      /* index behind the subtree */
	uint32_t dedent;   /* BLOCK: indentation its own content has */
	struct str name;   /* or the text itself */
	struct str indent; /* of the tag; BLOCK: of what takes its place */
	const struct template *target; /* PARTIAL and PARENT, linked */
};

struct template
{
	struct str name;
	struct template_node *nodes;
	size_t count;
};

struct template_set;

struct template_set *template_set_new(void);
void template_set_free(struct template_set *set);

/* Parses and keeps; the name is new.  Errors name template and line. */
MUST_USE enum rc template_add(struct template_set *set, const char *name,
    struct str source, struct err *e);
/* Resolves partials and parents.  strict: a name that is not there is an
 * error; else it stands for nothing. */
MUST_USE enum rc template_link(struct template_set *set, bool strict,
    struct err *e);
/* All files dir/<name>.mustache, then a strict link. */
MUST_USE enum rc template_load(struct template_set *set, const char *dir,
    struct err *e);
/* NULL: there is none. */
const struct template *template_find(const struct template_set *set,
    struct str name);
#endif
