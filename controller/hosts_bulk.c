/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hosts_bulk.h"

#include <string.h>

#include "controller/appearance.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "controller/tags.h"
#include "lib/base/buf.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/store/host_store.h"

enum {
	HOSTS_MAX = 100,
	HOST_ARENA = 8 << 20
};

/* The body of both. */
struct bulk_in {
	struct json_strs ids, add, remove;
	bool always_on;
};

#define IN(member) offsetof(struct bulk_in, member)

/* clang-format off */
static const struct json_field tags_fields[] = {
	{ "host_ids", JSON_STRS, JSON_REQUIRED, 1, HOSTS_MAX, IN(ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
	{ "add",      JSON_STRS, 0, 0, TAGS_MAX, IN(add), TAG_MAX_BYTES, JSON_NO_SEEN },
	{ "remove",   JSON_STRS, 0, 0, TAGS_MAX, IN(remove), TAG_MAX_BYTES, JSON_NO_SEEN },
};
static const struct json_field mode_fields[] = {
	{ "host_ids",  JSON_STRS, JSON_REQUIRED, 1, HOSTS_MAX, IN(ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
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

struct bulk_host {
	struct ulid id;
	enum bulk_end end;
};

/* op->in */
struct bulk {
	struct bulk_host hosts[HOSTS_MAX];
	size_t n;
	bool tags; /* else the mode */
	struct json_strs add, remove;
	bool always_on;
};

/* ---------------------------------------------------------- on the store */

static bool
among(char *const *v, size_t n, const char *z)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(v[i], z) == 0)
			return true;
	return false;
}

/* What stays, then what is new; false: no room for all of it. */
static bool
join_tags(const struct Rec__Host *h, const struct bulk *b, char **out,
    size_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < h->n_tags; i++)
		if (!among(b->remove.v, b->remove.n, h->tags[i]))
			out[(*n)++] = h->tags[i];
	for (i = 0; i < b->add.n; i++) {
		if (among(out, *n, b->add.v[i]))
			continue;
		if (*n >= TAGS_MAX)
			return false;
		out[(*n)++] = b->add.v[i];
	}
	return true;
}

static bool
same_tags(const struct Rec__Host *h, char *const *v, size_t n)
{
	size_t i;

	for (i = 0; h->n_tags == n && i < n; i++)
		if (strcmp(h->tags[i], v[i]) != 0)
			return false;
	return h->n_tags == n;
}

static void
audit(struct store_tx *tx, const struct op *op, const struct bulk *b,
    const struct Rec__Host *h, const struct ulid *id)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(32));
	if (b->tags) {
		json_put_strs(&doc.j, "added", b->add.v, b->add.n);
		json_put_strs(&doc.j, "removed", b->remove.v, b->remove.n);
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
		if (same_tags(h, tags, n))
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

/* Each host in an arena of its own: what was read of one is not kept for the
 * next. */
static enum rc
bulk_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct bulk *b = op->in;
	size_t i;

	(void)vault;
	for (i = 0; i < b->n; i++) {
		struct store_tx *tx;
		struct arena a;
		struct err e;
		enum rc rc;

		arena_init(&a, HOST_ARENA);
		tx = store_begin_child(state, &a);
		b->hosts[i].end = change(tx, op, b, &b->hosts[i].id);
		rc = store_commit(tx, &e);
		arena_fini(&a);
		if (rc != RC_OK)
			return store_fail(state, rc, "%s", e.msg);
	}
	return store_rc(state);
}

/* --------------------------------------------------------------- answers */

void
hosts_bulk_back(struct req *r, struct buf *out)
{
	static const char *const ours[] = { "started=", "waiting=", "offline=",
		"refused=", "ticked=", "edited=" };
	struct str path, rest, one;
	size_t i;

	str_cut(str_of(appearance_back(r)), '?', &path, &rest);
	buf_puts(out, "/?");
	while (str_eqz(path, "/") && str_next(&rest, '&', &one)) {
		for (i = 0; i < ARRAY_LEN(ours); i++) {
			if (str_starts(one, str_of(ours[i])))
				break;
		}
		if (i < ARRAY_LEN(ours) || one.n == 0)
			continue;
		buf_put_str(out, one);
		buf_putc(out, '&');
	}
}

static size_t
count(const struct bulk *b, enum bulk_end end)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		n += b->hosts[i].end == end;
	return n;
}

static void
answer_html(struct req *r, const struct bulk *b)
{
	struct buf to;

	buf_init(&to, KIB(16));
	hosts_bulk_back(r, &to);
	if (b->n == 0)
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
	for (i = 0; i < b->n; i++)
		if (b->hosts[i].end == end)
			json_put_ulid(j, NULL, &b->hosts[i].id);
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
		for (i = 0; i < b->n; i++) {
			if (b->hosts[i].end != refused[k].end)
				continue;
			json_obj(&doc.j, NULL);
			json_put_ulid(&doc.j, "host_id", &b->hosts[i].id);
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

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	for (i = 0; i < b->n; i++)
		if (b->hosts[i].end == BULK_CHANGED)
			sse_host_changed(r->ctl->sse, &b->hosts[i].id);
	if (r->wants_html)
		answer_html(r, b);
	else
		answer_json(r, b);
}

/* ------------------------------------------------------------- questions */

static enum rc
add_host(struct bulk *b, struct str text, struct err *e)
{
	struct ulid id;
	size_t i;

	if (!ulid_parse(text, &id))
		return err_set(e, RC_INVALID, "'%.26s' is not a host's id",
		    log_safe(text));
	for (i = 0; i < b->n; i++)
		if (ulid_eq(&b->hosts[i].id, &id))
			return RC_OK;
	if (b->n == HOSTS_MAX)
		return err_set(e, RC_INVALID, "at most %d hosts at once",
		    HOSTS_MAX);
	b->hosts[b->n++].id = id;
	return RC_OK;
}

static enum rc
read_hosts(struct req *r, struct bulk *b, struct err *e)
{
	const struct bulk_in *in = r->in;
	const struct str ticked = STR("host-");
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; in != NULL && rc == RC_OK && i < in->ids.n; i++)
		rc = add_host(b, str_of(in->ids.v[i]), e);
	for (i = 0; in == NULL && rc == RC_OK && i < r->form_count; i++)
		if (str_starts(r->form[i].name, ticked))
			rc = add_host(b,
			    str_sub(r->form[i].name, ticked.n, ULID_TEXT_CAP),
			    e);
	return rc;
}

/* Into the op's arena. */
static enum rc
keep_tags(struct op *op, const struct json_strs *from, struct json_strs *out,
    struct err *e)
{
	size_t i;

	out->v = arena_array(&op->arena, from->n + 1, sizeof(*out->v));
	ASSERT(out->v != NULL); /* a request's body is small */
	for (i = 0; i < from->n; i++)
		out->v[i] = arena_dup(&op->arena, from->v[i]);
	out->n = from->n;
	return tags_check(out, e);
}

static enum rc
read_tags(struct req *r, struct op *op, struct bulk *b, struct err *e)
{
	const struct bulk_in *in = r->in;
	struct json_strs typed, none = { .n = 0 };
	bool removes = str_eqz(req_field(r, "do"), "remove");
	enum rc rc;

	if (in == NULL) {
		rc = tags_words(r, "bulk_tags", &typed, e);
		if (rc == RC_OK)
			rc =
			    keep_tags(op, removes ? &none : &typed, &b->add, e);
		if (rc == RC_OK)
			rc = keep_tags(op, removes ? &typed : &none, &b->remove,
			    e);
		return rc;
	}
	rc = keep_tags(op, &in->add, &b->add, e);
	if (rc == RC_OK)
		rc = keep_tags(op, &in->remove, &b->remove, e);
	return rc;
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
	rc = read_hosts(r, b, &e);
	if (rc == RC_OK && tags)
		rc = read_tags(r, op, b, &e);
	if (rc == RC_OK && b->n > 0) {
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
