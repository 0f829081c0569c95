/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/expand.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "render/escape.h"
#include "render/template.h"
#include "render/value.h"

enum {
	INDENT_MAX = 4096
};

/* What a parent tag passes to its template: the blocks among its nodes.
 * below: what was passed where the tag itself stands. */
struct args {
	const struct template *t;
	uint32_t from;
	uint32_t end;
	const struct args *below;
};

/* A run of nodes being written.  ctx: what it adds to the context. */
struct span {
	const struct template *t;
	uint32_t from;
	uint32_t at;
	uint32_t end;
	bool loop; /* again with ctx->next */
	const struct value *ctx;
	const struct args *over; /* block arguments in force */
	struct args own;         /* passed by the parent tag of this span */
	size_t indent_at;        /* what lines begin with: a part of */
	size_t indent_n;         /* ex->indent */
	size_t dedent;
	size_t restore; /* length of ex->indent after the span */
};

struct ex {
	const struct template_set *set;
	struct buf *out;
	struct buf indent;
	size_t depth;
	struct span stack[EXPAND_DEPTH];
};

static const struct value *
lookup_first(const struct ex *ex, struct str name)
{
	const struct value *v;
	size_t i;

	for (i = ex->depth; i > 0; i--) {
		if (ex->stack[i - 1].ctx == NULL)
			continue;
		v = value_get(ex->stack[i - 1].ctx, name);
		if (v != NULL)
			return v;
	}
	return NULL;
}

static const struct value *
lookup(const struct ex *ex, struct str name)
{
	const struct value *v;
	struct str word, rest;
	size_t i;
	bool more;

	if (str_eqz(name, ".")) {
		for (i = ex->depth; i > 0; i--) {
			if (ex->stack[i - 1].ctx != NULL)
				return ex->stack[i - 1].ctx;
		}
		return NULL;
	}
	more = str_cut(name, '.', &word, &rest);
	v = lookup_first(ex, word);
	while (more && v != NULL) {
		more = str_cut(rest, '.', &word, &rest);
		v = value_get(v, word);
	}
	return v;
}

static struct span *
push(struct ex *ex, const struct template *t, uint32_t from, uint32_t end)
{
	const struct span *under;
	struct span *s;

	if (ex->depth == EXPAND_DEPTH)
		return NULL;
	s = &ex->stack[ex->depth];
	memset(s, 0, sizeof(*s));
	if (ex->depth > 0) {
		under = &ex->stack[ex->depth - 1];
		s->over = under->over;
		s->indent_at = under->indent_at;
		s->indent_n = under->indent_n;
		s->dedent = under->dedent;
	}
	ex->depth++;
	s->t = t;
	s->from = from;
	s->at = from;
	s->end = end;
	s->restore = ex->indent.len;
	return s;
}

static void
begin_line(struct ex *ex, const struct span *s)
{
	const struct buf *out = ex->out;

	if (s->indent_n == 0)
		return;
	if (out->len == 0 || out->data[out->len - 1] == '\n')
		buf_put(ex->out, ex->indent.data + s->indent_at, s->indent_n);
}

static size_t
blanks(struct str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return i;
}

/* The part of a tag's or line's indentation that is left after the
 * definition's own was taken off. */
static struct str
dedented(struct str text, size_t dedent)
{
	size_t n = blanks(text);

	if (n > dedent)
		n = dedent;
	return str_sub(text, n, text.n - n);
}

static void
write_var(struct ex *ex, const struct template_node *n)
{
	const struct value *v = lookup(ex, n->name);

	if (v == NULL || v->kind != VALUE_TEXT)
		return;
	if (n->op == TEMPLATE_RAW)
		buf_put_str(ex->out, v->text);
	else
		escape_html(ex->out, v->text);
}

static bool
open_section(struct ex *ex, struct span *s, const struct template_node *n,
    uint32_t at)
{
	const struct value *v = lookup(ex, n->name);
	struct span *in;

	if (value_truthy(v) == (n->op == TEMPLATE_INVERTED))
		return true;
	in = push(ex, s->t, at + 1, n->end);
	if (in == NULL)
		return false;
	if (n->op == TEMPLATE_INVERTED)
		return true;
	in->loop = v->kind == VALUE_LIST;
	in->ctx = in->loop ? v->first : v;
	return true;
}

/* Indents span in by what it has from below, and more. */
static void
indent_more(struct ex *ex, struct span *in, struct str more)
{
	size_t at = ex->indent.len;
	char *room = buf_reserve(&ex->indent, in->indent_n + more.n);

	if (room == NULL)
		return;
	if (in->indent_n > 0)
		memcpy(room, ex->indent.data + in->indent_at, in->indent_n);
	if (more.n > 0)
		memcpy(room + in->indent_n, more.p, more.n);
	buf_added(&ex->indent, in->indent_n + more.n);
	in->indent_at = at;
	in->indent_n += more.n;
}

static bool
open_template(struct ex *ex, struct span *s, const struct template_node *n,
    uint32_t at)
{
	const struct template *t = n->target;
	const struct value *v;
	struct span *in;

	if (n->dynamic) {
		v = lookup(ex, n->name);
		t = v == NULL || v->kind != VALUE_TEXT
		        ? NULL
		        : template_find(ex->set, v->text);
	}
	if (t == NULL)
		return true;
	in = push(ex, t, 0, (uint32_t)t->count);
	if (in == NULL)
		return false;
	if (n->alone)
		indent_more(ex, in, dedented(n->indent, s->dedent));
	else
		in->indent_n = 0;
	in->dedent = 0;
	if (n->op == TEMPLATE_PARENT) {
		in->own = (struct args){ s->t, at + 1, n->end, s->over };
		in->over = &in->own;
	}
	return true;
}

static bool
find_block(const struct args *a, struct str name, uint32_t *out_at)
{
	uint32_t i;

	for (i = a->from; i < a->end; i = a->t->nodes[i].end) {
		const struct template_node *n = &a->t->nodes[i];

		if (n->op == TEMPLATE_BLOCK && str_eq(n->name, name)) {
			*out_at = i;
			return true;
		}
	}
	return false;
}

/* The outermost argument of that name wins; its content sees the arguments
 * that were in force where it was written. */
static bool
open_block(struct ex *ex, struct span *s, const struct template_node *n,
    uint32_t at)
{
	const struct args *a, *best = NULL;
	uint32_t found = 0, block = 0;
	struct span *in;

	for (a = s->over; a != NULL; a = a->below) {
		if (find_block(a, n->name, &found)) {
			best = a;
			block = found;
		}
	}
	if (best == NULL)
		return push(ex, s->t, at + 1, n->end) != NULL;
	in = push(ex, best->t, block + 1, best->t->nodes[block].end);
	if (in == NULL)
		return false;
	indent_more(ex, in, dedented(n->indent, s->dedent));
	in->dedent = best->t->nodes[block].dedent;
	in->over = best->below;
	return true;
}

static bool
step(struct ex *ex, struct span *s)
{
	uint32_t at = s->at;
	const struct template_node *n = &s->t->nodes[at];

	s->at = n->end;
	if (n->bol)
		begin_line(ex, s);
	switch (n->op) {
	case TEMPLATE_TEXT:
		buf_put_str(ex->out,
		    n->bol ? dedented(n->name, s->dedent) : n->name);
		return true;
	case TEMPLATE_VAR:
	case TEMPLATE_RAW:
		write_var(ex, n);
		return true;
	case TEMPLATE_SECTION:
	case TEMPLATE_INVERTED:
		return open_section(ex, s, n, at);
	case TEMPLATE_PARTIAL:
	case TEMPLATE_PARENT:
		return open_template(ex, s, n, at);
	case TEMPLATE_BLOCK:
		return open_block(ex, s, n, at);
	}
	return true;
}

static void
finish(struct ex *ex, struct span *s)
{
	if (s->loop && s->ctx->next != NULL) {
		s->ctx = s->ctx->next;
		s->at = s->from;
		return;
	}
	buf_cut(&ex->indent, s->restore);
	ex->depth--;
}

enum rc
expand(const struct template_set *set, const struct template *t,
    const struct value *root, struct buf *out, struct err *e)
{
	struct ex *ex = MEM_NEW(struct ex);
	size_t steps = 0;
	enum rc rc = RC_OK;

	ex->set = set;
	ex->out = out;
	buf_init(&ex->indent, INDENT_MAX);
	push(ex, t, 0, (uint32_t)t->count)->ctx = root;
	while (ex->depth > 0 && rc == RC_OK) {
		struct span *s = &ex->stack[ex->depth - 1];

		if (s->at == s->end)
			finish(ex, s);
		else if (++steps > EXPAND_STEPS || !step(ex, s))
			rc = RC_LIMIT;
		else if (buf_rc(out) != RC_OK || buf_rc(&ex->indent) != RC_OK)
			rc = RC_LIMIT;
	}
	buf_fini(&ex->indent);
	mem_free(ex);
	if (rc != RC_OK)
		return err_set(e, rc,
		    "template %.*s: the page is too large or nested too "
		    "deeply",
		    STR_ARG(t->name));
	return RC_OK;
}
