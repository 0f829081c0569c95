/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/bulk.h"

#include "controller/appearance.h"
#include "controller/op.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/store/store.h"

enum {
	HOST_ARENA = 8 << 20
};

enum rc
bulk_add(struct bulk_hosts *b, struct str text, struct err *e)
{
	struct ulid id;
	size_t i;

	if (!ulid_parse(text, &id))
		return err_set(e, RC_INVALID, "'%.26s' is not a host's id",
		    log_safe(text));
	for (i = 0; i < b->n; i++)
		if (ulid_eq(&b->ids[i], &id))
			return RC_OK;
	if (b->n == BULK_HOSTS_MAX)
		return err_set(e, RC_INVALID, "at most %d hosts at once",
		    BULK_HOSTS_MAX);
	b->ids[b->n++] = id;
	return RC_OK;
}

enum rc
bulk_named(struct bulk_hosts *b, const struct json_strs *ids, struct err *e)
{
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && i < ids->n; i++)
		rc = bulk_add(b, str_of(ids->v[i]), e);
	return rc;
}

enum rc
bulk_ticked(struct bulk_hosts *b, const struct req *r, struct err *e)
{
	const struct str ticked = STR("host-");
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && i < r->form_count; i++)
		if (str_starts(r->form[i].name, ticked))
			rc = bulk_add(b,
			    str_sub(r->form[i].name, ticked.n, ULID_TEXT_CAP),
			    e);
	return rc;
}

enum rc
bulk_each(struct store_tx *state, struct op *op, size_t n, bulk_one_fn *one)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct store_tx *tx;
		struct arena a;
		struct err e;
		enum rc rc;

		arena_init(&a, HOST_ARENA);
		tx = store_begin_child(state, &a);
		one(tx, op, i);
		rc = store_commit(tx, &e);
		arena_fini(&a);
		if (rc != RC_OK)
			return store_fail(state, rc, "%s", e.msg);
	}
	return store_rc(state);
}

void
bulk_back(struct req *r, struct buf *out)
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
