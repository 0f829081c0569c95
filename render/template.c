/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/template.h"

#include <string.h>

#include "lib/base/mem.h"
#include "render/template_set.h"

enum {
	DELIM_MAX = 16,
	NONE = -1
};

/* The line being read.  Its tags decide at its end whether it is written. */
struct line {
	size_t first; /* node */
	unsigned tags;
	bool ink;        /* text other than blanks, or a variable */
	bool parent;     /* a parent tag opens or closes here */
	long last_block; /* node of a block that opens last, or NONE */
};

struct parser {
	struct template *t;
	size_t cap;
	struct str src;
	size_t pos;
	char open[DELIM_MAX];
	char close[DELIM_MAX];
	size_t nest[TEMPLATE_NEST];
	size_t depth;
	struct line line;
	struct err *e;
};

static enum rc
fail(struct parser *p, size_t at, const char *what)
{
	size_t i, line = 1;

	for (i = 0; i < at && i < p->src.n; i++)
		line += p->src.p[i] == '\n';
	return err_set(p->e, RC_INVALID, "template %.*s, line %zu: %s",
	    STR_ARG(p->t->name), line, what);
}

static struct template_node *
node(struct parser *p, enum template_op op, struct str name)
{
	struct template_node *n;

	if (p->t->count == p->cap) {
		if (p->cap == TEMPLATE_NODES)
			return NULL;
		p->cap = p->cap == 0 ? 64 : p->cap * 2;
		p->t->nodes =
		    mem_realloc(p->t->nodes, p->cap * sizeof(*p->t->nodes));
	}
	n = &p->t->nodes[p->t->count];
	memset(n, 0, sizeof(*n));
	n->op = op;
	n->name = name;
	n->end = (uint32_t)++p->t->count;
	return n;
}

static bool
blank(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (memchr(" \t\r\n", s.p[i], 4) == NULL)
			return false;
	}
	return true;
}

/* Blanks and tabs at pos. */
static struct str
margin(const struct parser *p, size_t pos)
{
	size_t end = pos;

	while (
	    end < p->src.n && (p->src.p[end] == ' ' || p->src.p[end] == '\t'))
		end++;
	return str_sub(p->src, pos, end - pos);
}

/* Indentation of the first tag of the line, when nothing but blanks stands
 * before it. */
static void
indent_first(struct parser *p, bool alone)
{
	struct template_node *n = NULL;
	struct str before = { "", 0 };
	size_t i = p->line.first;

	if (i < p->t->count && p->t->nodes[i].op == TEMPLATE_TEXT) {
		before = p->t->nodes[i].name;
		i++;
	}
	if (i < p->t->count)
		n = &p->t->nodes[i];
	if (n == NULL || !blank(before))
		return;
	if (n->op == TEMPLATE_BLOCK) {
		n->indent = before;
	} else if (n->op == TEMPLATE_PARTIAL || n->op == TEMPLATE_PARENT) {
		n->indent = before;
		n->alone = alone;
	}
}

/* A line of tags alone is not written: its blanks go. */
static void
end_line(struct parser *p)
{
	const struct line *l = &p->line;
	struct template_node *n;
	bool alone;
	size_t i;

	alone = !l->ink && (l->tags == 1 || (l->tags > 1 && l->parent));
	indent_first(p, alone);
	if (alone && l->last_block != NONE) {
		n = &p->t->nodes[l->last_block];
		n->indent = margin(p, p->pos);
		n->dedent = (uint32_t)n->indent.n;
	}
	for (i = l->first; alone && i < p->t->count; i++) {
		if (p->t->nodes[i].op == TEMPLATE_TEXT)
			p->t->nodes[i].name.n = 0;
	}
	if (!alone && l->first < p->t->count)
		p->t->nodes[l->first].bol = true;
	p->line = (struct line){ .first = p->t->count, .last_block = NONE };
}

static enum rc
text(struct parser *p, size_t end)
{
	while (p->pos < end) {
		const char *nl = memchr(p->src.p + p->pos, '\n', end - p->pos);
		size_t n = nl == NULL ? end - p->pos
		                      : (size_t)(nl - p->src.p) + 1 - p->pos;
		struct str s = str_sub(p->src, p->pos, n);

		if (node(p, TEMPLATE_TEXT, s) == NULL)
			return fail(p, p->pos, "too many tags and lines");
		p->line.ink = p->line.ink || !blank(s);
		p->pos += n;
		if (nl != NULL)
			end_line(p);
	}
	return RC_OK;
}

static bool
find(const struct parser *p, size_t from, const char *what, size_t *out_at)
{
	const char *hit =
	    memmem(p->src.p + from, p->src.n - from, what, strlen(what));

	if (hit == NULL)
		return false;
	*out_at = (size_t)(hit - p->src.p);
	return true;
}

/* {{=<% %>=}} */
static enum rc
delimiters(struct parser *p, size_t at, struct str body)
{
	struct str open, close;

	if (body.n < 1 || body.p[body.n - 1] != '=')
		return fail(p, at, "a delimiter tag ends with =");
	body = str_trim(str_sub(body, 0, body.n - 1));
	if (!str_cut(body, ' ', &open, &close))
		return fail(p, at, "a delimiter tag names two delimiters");
	close = str_trim(close);
	if (open.n == 0 || close.n == 0 ||
	    memchr(open.p, '=', open.n) != NULL ||
	    memchr(close.p, '=', close.n) != NULL ||
	    memchr(close.p, ' ', close.n) != NULL ||
	    !str_copy(p->open, sizeof(p->open), open) ||
	    !str_copy(p->close, sizeof(p->close), close))
		return fail(p, at, "the delimiters are not usable");
	p->line.tags++;
	return RC_OK;
}

static enum rc
open_tag(struct parser *p, size_t at, enum template_op op, struct str name)
{
	if (p->depth == TEMPLATE_NEST)
		return fail(p, at, "sections nest too deeply");
	if (node(p, op, name) == NULL)
		return fail(p, at, "too many tags and lines");
	p->nest[p->depth++] = p->t->count - 1;
	p->line.tags++;
	p->line.parent = p->line.parent || op == TEMPLATE_PARENT;
	p->line.last_block =
	    op == TEMPLATE_BLOCK ? (long)p->t->count - 1 : NONE;
	return RC_OK;
}

static enum rc
close_tag(struct parser *p, size_t at, struct str name)
{
	struct template_node *n;

	if (p->depth == 0)
		return fail(p, at, "a section is closed that was not opened");
	n = &p->t->nodes[p->nest[p->depth - 1]];
	if (!str_eq(n->name, name))
		return fail(p, at, "another section is open here");
	n->end = (uint32_t)p->t->count;
	p->depth--;
	p->line.tags++;
	p->line.parent = p->line.parent || n->op == TEMPLATE_PARENT;
	p->line.last_block = NONE;
	return RC_OK;
}

static enum rc
leaf(struct parser *p, size_t at, enum template_op op, struct str name)
{
	struct template_node *n = node(p, op, name);

	if (n == NULL)
		return fail(p, at, "too many tags and lines");
	p->line.last_block = NONE;
	if (op == TEMPLATE_PARTIAL)
		p->line.tags++;
	else
		p->line.ink = true;
	return RC_OK;
}

/* {{*name}} of partials and parents: the name is looked up. */
static void
set_dynamic(struct parser *p)
{
	struct template_node *n = &p->t->nodes[p->t->count - 1];

	if (n->name.n < 1 || n->name.p[0] != '*')
		return;
	n->dynamic = true;
	n->name = str_trim(str_sub(n->name, 1, n->name.n - 1));
}

static enum rc
tag(struct parser *p, size_t at, char sigil, struct str name)
{
	enum rc rc;

	if (name.n == 0)
		return fail(p, at, "the tag names nothing");
	switch (sigil) {
	case '#':
		return open_tag(p, at, TEMPLATE_SECTION, name);
	case '^':
		return open_tag(p, at, TEMPLATE_INVERTED, name);
	case '$':
		return open_tag(p, at, TEMPLATE_BLOCK, name);
	case '/':
		return close_tag(p, at, name);
	case '<':
		rc = open_tag(p, at, TEMPLATE_PARENT, name);
		break;
	case '>':
		rc = leaf(p, at, TEMPLATE_PARTIAL, name);
		break;
	case '&':
	case '{':
		return leaf(p, at, TEMPLATE_RAW, name);
	default:
		return leaf(p, at, TEMPLATE_VAR, name);
	}
	if (rc == RC_OK)
		set_dynamic(p);
	return rc;
}

/* One tag; p->pos stands at its opening delimiter. */
static enum rc
read_tag(struct parser *p)
{
	size_t at = p->pos, from = at + strlen(p->open), end;
	char ending[DELIM_MAX + 1];
	char sigil = from < p->src.n ? p->src.p[from] : '\0';
	struct str body;

	if (!str_fmt(ending, sizeof(ending), "%s%s", sigil == '{' ? "}" : "",
	        p->close))
		return fail(p, at, "the delimiters are not usable");
	if (!find(p, from, ending, &end))
		return fail(p, at, "the tag is not closed");
	body = str_sub(p->src, from, end - from);
	p->pos = end + strlen(ending);
	if (body.n == 0)
		return fail(p, at, "the tag names nothing");
	if (memchr("#^$/<>&{!=", sigil, 10) == NULL)
		return tag(p, at, '\0', str_trim(body));
	body = str_sub(body, 1, body.n - 1);
	if (sigil == '!') {
		p->line.tags++;
		return RC_OK;
	}
	if (sigil == '=')
		return delimiters(p, at, body);
	return tag(p, at, sigil, str_trim(body));
}

static enum rc
parse(struct parser *p)
{
	enum rc rc = RC_OK;
	size_t at;

	while (rc == RC_OK && p->pos < p->src.n) {
		if (!find(p, p->pos, p->open, &at))
			return text(p, p->src.n);
		rc = text(p, at);
		if (rc == RC_OK)
			rc = read_tag(p);
	}
	return rc;
}

enum rc
template_parse(struct template *t, struct str source, struct err *e)
{
	struct parser p = { .t = t,
		.src = source,
		.open = "{{",
		.close = "}}",
		.line = { .last_block = NONE },
		.e = e };
	enum rc rc;

	if (source.n > TEMPLATE_MAX)
		return err_set(e, RC_LIMIT,
		    "template %.*s: larger than %d bytes", STR_ARG(t->name),
		    TEMPLATE_MAX);
	rc = parse(&p);
	if (rc != RC_OK)
		return rc;
	end_line(&p);
	if (p.depth > 0)
		return fail(&p,
		    (size_t)(t->nodes[p.nest[p.depth - 1]].name.p - source.p),
		    "the section is not closed");
	return RC_OK;
}
