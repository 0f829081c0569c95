/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hosts_bulk.h"

#include "controller/bulk.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "controller/tags.h"
#include "lib/base/buf.h"
#include "lib/base/json_doc.h"
#include "lib/store/host_store.h"

/* The body of both. */
struct bulk_in {
	struct json_strs ids, add, remove;
	bool always_on;
};

#define IN(member) offsetof(struct bulk_in, member)

/* clang-format off */
static const struct json_field tags_fields[] = {
	{ "host_ids", JSON_STRS, JSON_REQUIRED, 1, BULK_HOSTS_MAX, IN(ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
	{ "add",      JSON_STRS, 0, 0, TAGS_MAX, IN(add), TAG_MAX_BYTES, JSON_NO_SEEN },
	{ "remove",   JSON_STRS, 0, 0, TAGS_MAX, IN(remove), TAG_MAX_BYTES, JSON_NO_SEEN },
};
static const struct json_field mode_fields[] = {
	{ "host_ids",  JSON_STRS, JSON_REQUIRED, 1, BULK_HOSTS_MAX, IN(ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
	{ "always_on", JSON_BOOL, JSON_REQUIRED, 0, 0, IN(always_on), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json hosts_bulk_tags_body = { tags_fields,
	ARRAY_LEN(tags_fields), sizeof(struct bulk_in) };
const struct route_json hosts_bulk_mode_body = { mode_fields,
	ARRAY_LEN(mode_fields), sizeof(struct bulk_in) };

enum bulk_end {
	BULK_SAME,
	BULK_CHANGED,
	BULK_UNKNOWN,
	BULK_FULL /* it would have too many tags */
};

/* op->in */
struct bulk {
	struct bulk_hosts hosts;
	enum bulk_end ends[BULK_HOSTS_MAX];
	bool tags; /* else the mode */
	struct json_strs *add, *remove;
	bool always_on;
};

/* ---------------------------------------------------------- on the store */

/* What stays, then what is new; false: no room for all of it. */
static bool
join_tags(const struct Rec__Host *h, const struct bulk *b, char **out,
    size_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < h->n_tags; i++)
		if (!str_among(b->remove->v, b->remove->n, h->tags[i]))
			out[(*n)++] = h->tags[i];
	for (i = 0; i < b->add->n; i++) {
		if (str_among(out, *n, b->add->v[i]))
			continue;
		if (*n >= TAGS_MAX)
			return false;
		out[(*n)++] = b->add->v[i];
	}
	return true;
}

static void
audit(struct store_tx *tx, const struct op *op, const struct bulk *b,
    const struct Rec__Host *h, const struct ulid *id)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(32));
	if (b->tags) {
		json_put_strs(&doc.j, "added", b->add->v, b->add->n);
		json_put_strs(&doc.j, "removed", b->remove->v, b->remove->n);
		json_put_strs(&doc.j, "after", h->tags, h->n_tags);
	} else {
		json_put_bool(&doc.j, "always_on", b->always_on);
	}
	op_audit(tx, op, b->tags ? "host.tags_updated" : "host.mode_updated",
	    "host", id, h->name, json_doc_end(&doc));
	json_doc_fini(&doc);
}

static enum bulk_end
change(struct store_tx *tx, const struct op *op, const struct bulk *b,
    const struct ulid *id)
{
	struct Rec__Host *h = host_store_find(tx, id);
	char *tags[2 * TAGS_MAX];
	size_t n;

	if (h == NULL)
		return BULK_UNKNOWN;
	if (b->tags) {
		if (h->n_tags > TAGS_MAX || !join_tags(h, b, tags, &n))
			return BULK_FULL;
		if (tags_are(h, tags, n))
			return BULK_SAME;
		h->tags = tags;
		h->n_tags = n;
	} else {
		if ((h->always_on != 0) == b->always_on)
			return BULK_SAME;
		h->always_on = b->always_on;
	}
	host_store_put(tx, h);
	audit(tx, op, b, h, id);
	return BULK_CHANGED;
}

static void
change_one(struct store_tx *tx, struct op *op, size_t i)
{
	struct bulk *b = op->in;

	b->ends[i] = change(tx, op, b, &b->hosts.ids[i]);
}

static enum rc
bulk_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct bulk *b = op->in;

	(void)vault;
	return bulk_each(state, op, b->hosts.n, change_one);
}

/* --------------------------------------------------------------- answers */

static size_t
count(const struct bulk *b, enum bulk_end end)
{
	size_t i, n = 0;

	for (i = 0; i < b->hosts.n; i++)
		n += b->ends[i] == end;
	return n;
}

static void
answer_html(struct req *r, const struct bulk *b)
{
	struct buf to;

	buf_init(&to, KIB(16));
	bulk_back(r, &to);
	if (b->hosts.n == 0)
		buf_puts(&to, "ticked=0");
	else
		buf_printf(&to, "edited=%zu", count(b, BULK_CHANGED));
	req_redirect(r, buf_text(&to));
	buf_fini(&to);
}

static void
put_ids(struct json_out *j, const char *name, const struct bulk *b,
    enum bulk_end end)
{
	size_t i;

	json_arr(j, name);
	for (i = 0; i < b->hosts.n; i++)
		if (b->ends[i] == end)
			json_put_ulid(j, NULL, &b->hosts.ids[i]);
	json_arr_end(j);
}

static void
answer_json(struct req *r, const struct bulk *b)
{
	static const struct {
		enum bulk_end end;
		const char *message;
	} refused[] = {
		{ BULK_UNKNOWN, "there is no host with this id" },
		{ BULK_FULL, "the host would have too many tags" },
	};
	struct json_doc doc;
	size_t i, k;

	json_doc_init(&doc, KIB(64));
	put_ids(&doc.j, "changed", b, BULK_CHANGED);
	put_ids(&doc.j, "unchanged", b, BULK_SAME);
	json_arr(&doc.j, "refused");
	for (k = 0; k < ARRAY_LEN(refused); k++) {
		for (i = 0; i < b->hosts.n; i++) {
			if (b->ends[i] != refused[k].end)
				continue;
			json_obj(&doc.j, NULL);
			json_put_ulid(&doc.j, "host_id", &b->hosts.ids[i]);
			json_put(&doc.j, "message", refused[k].message);
			json_obj_end(&doc.j);
		}
	}
	json_arr_end(&doc.j);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

static void
hosts_bulk_on_stored(struct req *r, struct op *op)
{
	const struct bulk *b = op->in;
	size_t i;

	if (!req_stored(r, op))
		return;
	for (i = 0; i < b->hosts.n; i++)
		if (b->ends[i] == BULK_CHANGED)
			sse_host_changed(r->ctl->sse, &b->hosts.ids[i]);
	if (r->wants_html)
		answer_html(r, b);
	else
		answer_json(r, b);
}

/* ------------------------------------------------------------- questions */

static enum rc
read_tags(struct req *r, struct op *op, struct bulk *b, struct err *e)
{
	const struct bulk_in *in = r->in;
	struct json_strs typed, none = { .n = 0 };
	bool removes = str_eqz(req_field(r, "do"), "remove");
	enum rc rc = RC_OK;

	if (in == NULL)
		rc = tags_words(r, "bulk_tags", &typed, e);
	if (rc != RC_OK)
		return rc;
	b->add = op_keep_strs(op, in != NULL ? &in->add
	                          : removes  ? &none
	                                     : &typed);
	b->remove = op_keep_strs(op, in != NULL ? &in->remove
	                             : removes  ? &typed
	                                        : &none);
	rc = tags_check(b->add, e);
	return rc != RC_OK ? rc : tags_check(b->remove, e);
}

static void
bulk(struct req *r, bool tags)
{
	struct op *op = op_new(bulk_op, NULL, NULL);
	struct bulk *b = arena_alloc(&op->arena, sizeof(*b));
	const struct bulk_in *in = r->in;
	struct err e;
	enum rc rc;

	ASSERT(b != NULL);
	b->tags = tags;
	b->always_on = in != NULL ? in->always_on
	                          : str_eqz(req_field(r, "always_on"), "1");
	rc = in != NULL ? bulk_named(&b->hosts, &in->ids, &e)
	                : bulk_ticked(&b->hosts, r, &e);
	if (rc == RC_OK && tags)
		rc = read_tags(r, op, b, &e);
	if (rc == RC_OK && b->hosts.n > 0) {
		op->in = b;
		req_submit(r, op, hosts_bulk_on_stored);
		return;
	}
	if (rc != RC_OK)
		req_fail(r, &e);
	else
		answer_html(r, b);
	op_free(op);
}

void
hosts_bulk_tags(struct req *r)
{
	bulk(r, true);
}

void
hosts_bulk_mode(struct req *r)
{
	bulk(r, false);
}
