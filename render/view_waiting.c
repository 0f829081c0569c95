/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Announced hosts that wait for approval: the panel above the host table. */
#include "lib/base/arena.h"
#include "lib/base/keyproof.h"
#include "lib/base/ulid.h"
#include "lib/store/pending_store.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

struct waiting {
	struct view *v;
	struct value *list;
	size_t n;
	bool asked; /* a rejected form belongs to one of them */
	bool found;
	struct ulid form;
};

/* The form as it was typed, or empty. */
static void
put_form(struct waiting *w, struct value *item, bool typed)
{
	static const char *const fields[] = { "repo_url", "repo_username",
		"repo_password", "allow_duplicate", NULL };
	struct arena *a = w->v->arena;
	const char *const *name;

	value_bool(item, "typed", typed);
	if (typed) {
		view_fields(w->v, item, fields);
		return;
	}
	for (name = fields; *name != NULL; name++) {
		value_bool(item, *name, false);
		value_bool(item, arena_printf(a, "%s_error", *name), false);
		value_bool(item, arena_printf(a, "%s_focus", *name), false);
	}
}

static void
put_row(struct waiting *w, const struct Rec__PendingHost *p,
    const struct ulid *id)
{
	struct value *item = value_item(w->list);
	struct arena *a = w->v->arena;
	char fingerprint[KEYPROOF_BLOCKS_CAP], text[ULID_TEXT_CAP];
	bool collides =
	    pending_store_collides(w->v->state, p, w->v->req->now_ms);

	ulid_text(id, text);
	keyproof_blocks(p->fingerprint.data, fingerprint);
	value_text(item, "id", arena_dup(a, text));
	value_text(item, "name", arena_dup(a, p->hostname));
	value_text(item, "os", arena_dup(a, p->os));
	value_text(item, "arch", arena_dup(a, p->arch));
	value_text(item, "restic", arena_dup(a, p->restic_version));
	value_text(item, "address", arena_dup(a, p->address));
	value_text(item, "fingerprint", arena_dup(a, fingerprint));
	view_time(w->v, item, "since", p->first_seen_at_ms);
	view_time(w->v, item, "until", p->expires_at_ms);
	value_bool(item, "collides", collides);
	put_form(w, item, w->asked && ulid_eq(id, &w->form));
}

static bool
view_waiting_on_row(void *ctx, const struct Rec__PendingHost *p)
{
	struct waiting *w = ctx;
	struct ulid id;

	if (!pending_store_waits(p, w->v->req->now_ms) ||
	    !view_ulid(p->id, &id) || p->fingerprint.len != CRYPT_HASH_SIZE)
		return true;
	w->n++;
	w->found = w->found || (w->asked && ulid_eq(&id, &w->form));
	put_row(w, p, &id);
	return true;
}

void
view_waiting(struct view *v, struct value *root)
{
	struct waiting w = { .v = v,
		.list = value_list(root, "pending_hosts") };

	w.asked = view_param_id(v, "pending", &w.form);
	pending_store_each(v->state, view_waiting_on_row, &w);
	value_bool(root, "any_waiting", w.n > 0);
	value_bool(root, "waiting_gone", w.asked && !w.found);
	value_bool(root, "waiting_rejected",
	    view_param_is(v, "decided", "rejected"));
	value_text(root, "waiting_n", text_count(v->arena, w.n));
}
