/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/tags.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/json_doc.h"
#include "lib/store/host_store.h"

struct tags_in {
	struct json_strs tags;
};

/* clang-format off */
static const struct json_field put_fields[] = {
	{ "tags", JSON_STRS, JSON_REQUIRED, 0, TAGS_MAX, offsetof(struct tags_in, tags), TAG_MAX_BYTES, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json tags_put_body = { put_fields, ARRAY_LEN(put_fields),
	sizeof(struct tags_in) };

/* op->in */
struct tags_edit {
	struct ulid host;
	struct json_strs *tags;
	bool changed;
};

/* ------------------------------------------------------------------- rules */

static bool
alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool
tag_ok(const char *z)
{
	const char *p;

	for (p = z; *p != '\0'; p++)
		if (!alnum(*p) && strchr(".-_", *p) == NULL)
			return false;
	return (size_t)(p - z) <= TAG_MAX_BYTES && (alnum(*z) || *z == '_');
}

enum rc
tags_check(struct json_strs *tags, struct err *e)
{
	size_t i, n = 0;

	for (i = 0; i < tags->n; i++) {
		if (!tag_ok(tags->v[i]))
			return err_set(e, RC_INVALID,
			    "tag %zu: use "
			    "letters, digits and . - _, no blanks, at most %d "
			    "characters",
			    i + 1, (int)TAG_MAX_BYTES);
		if (!str_among(tags->v, n, tags->v[i]))
			tags->v[n++] = tags->v[i];
	}
	tags->n = n;
	if (n > TAGS_MAX)
		return err_set(e, RC_INVALID, "a host has at most %d tags",
		    (int)TAGS_MAX);
	return RC_OK;
}

/* ---------------------------------------------------------------------- op */

static void
audit(struct store_tx *tx, const struct op *op, const struct tags_edit *ed,
    const struct Rec__Host *h)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(32));
	json_put_strs(&doc.j, "before", h->tags, h->n_tags);
	json_put_strs(&doc.j, "after", ed->tags->v, ed->tags->n);
	op_audit(tx, op, "host.tags_updated", "host", &ed->host, h->name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

bool
tags_are(const struct Rec__Host *h, char *const *v, size_t n)
{
	size_t i;

	for (i = 0; h->n_tags == n && i < n; i++)
		if (strcmp(h->tags[i], v[i]) != 0)
			return false;
	return h->n_tags == n;
}

static enum rc
tags_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct tags_edit *ed = op->in;
	struct Rec__Host *h = host_store_get(state, &ed->host);

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	ed->changed = !tags_are(h, ed->tags->v, ed->tags->n);
	if (!ed->changed)
		return RC_OK;
	audit(state, op, ed, h);
	h->tags = ed->tags->v;
	h->n_tags = ed->tags->n;
	host_store_put(state, h);
	return store_rc(state);
}

/* ------------------------------------------------------------------ routes */

static void
page_again(struct req *r, const struct err *e)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "tags_typed", req_field(r, "tags") },
		{ "error.tags", str_of(arena_dup(&r->arena, e->msg)) },
	};

	page_refused(r, "host", params, ARRAY_LEN(params), e);
}

static void
refuse(struct req *r, const struct err *e)
{
	if (r->wants_html && e->rc == RC_INVALID)
		page_again(r, e);
	else
		req_fail(r, e);
}

static void
answer(struct req *r, const struct tags_edit *ed)
{
	struct json_doc doc;

	if (r->wants_html) {
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s?saved=tags",
		        STR_ARG(r->vars[0])));
		return;
	}
	json_doc_init(&doc, KIB(32));
	json_put_strs(&doc.j, "tags", ed->tags->v, ed->tags->n);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static void
tags_on_stored(struct req *r, struct op *op)
{
	const struct tags_edit *ed = op->in;

	if (op->err.rc != RC_OK) {
		refuse(r, &op->err);
		return;
	}
	if (ed->changed)
		sse_host_changed(r->ctl->sse, &ed->host);
	answer(r, ed);
}

static void
edit(struct req *r, struct json_strs *tags)
{
	struct tags_edit *ed, given = { .changed = false };
	struct op *op;
	struct err e;

	if (!req_need_ulid(r, 0, "there is no such host", &given.host))
		return;
	if (tags_check(tags, &e) != RC_OK) {
		refuse(r, &e);
		return;
	}
	op = op_with(tags_op, &given, sizeof(given));
	ed = op->in;
	ed->tags = op_keep_strs(op, tags);
	req_submit(r, op, tags_on_stored);
}

void
tags_put(struct req *r)
{
	struct tags_in *in = r->in;

	edit(r, &in->tags);
}

enum rc
tags_words(struct req *r, const char *field, struct json_strs *out,
    struct err *e)
{
	struct str text = req_field(r, field), word;
	size_t from = 0, i;

	out->n = 0;
	/* Not more words than every second character. */
	out->v = arena_array(&r->arena, text.n / 2 + 2, sizeof(*out->v));
	for (i = 0; out->v != NULL && i <= text.n; i++) {
		if (i < text.n && strchr(", \t\r\n", text.p[i]) == NULL)
			continue;
		word = str_sub(text, from, i - from);
		from = i + 1;
		if (word.n > 0)
			out->v[out->n++] = arena_str(&r->arena, word);
	}
	return out->v != NULL ? RC_OK
	                      : err_set(e, RC_LIMIT, "the form is too large");
}

void
tags_form(struct req *r)
{
	struct json_strs tags;
	struct err e;

	if (tags_words(r, "tags", &tags, &e) != RC_OK)
		req_fail(r, &e);
	else
		edit(r, &tags);
}
