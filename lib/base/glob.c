/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/glob.h"

/* What is left of one name of a pattern. */
struct glob {
	struct str rest;
	bool escapes;
};

/* The next character; '\0': the name ends, or a slash does it. */
static char
glob_peek(const struct glob *g)
{
	if (g->rest.n == 0 || g->rest.p[0] == '/')
		return '\0';
	return g->rest.p[0];
}

static void
glob_skip(struct glob *g)
{
	g->rest = str_sub(g->rest, 1, g->rest.n);
}

/* One character, by itself or behind a backslash. */
static bool
glob_take(struct glob *g)
{
	if (g->escapes && glob_peek(g) == '\\')
		glob_skip(g);
	if (glob_peek(g) == '\0')
		return false;
	glob_skip(g);
	return true;
}

/* One end of a range in brackets, where these two stand for something else. */
static bool
glob_take_end(struct glob *g)
{
	return glob_peek(g) != '-' && glob_peek(g) != ']' && glob_take(g);
}

/* Behind "[": "^", if it is there, then one or more of "a" and "a-z", "]". */
static bool
glob_take_class(struct glob *g)
{
	if (glob_peek(g) == '^')
		glob_skip(g);
	do {
		if (!glob_take_end(g))
			return false;
		if (glob_peek(g) != '-')
			continue;
		glob_skip(g);
		if (!glob_take_end(g))
			return false;
	} while (glob_peek(g) != ']');
	glob_skip(g);
	return true;
}

bool
glob_ok(struct str pattern, bool escapes)
{
	struct glob g = { pattern, escapes };

	while (g.rest.n > 0) {
		if (g.rest.p[0] == '/') {
			glob_skip(&g);
		} else if (g.rest.p[0] == '[') {
			glob_skip(&g);
			if (!glob_take_class(&g))
				return false;
		} else if (!glob_take(&g)) {
			return false;
		}
	}
	return true;
}
