/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "controller/controller.h"
#include "controller/hosts.h"
#include "controller/hosts_own.h"
#include "controller/paging.h"
#include "controller/pieces.h"
#include "controller/req.h"
#include "lib/base/clock.h"
#include "lib/base/csv.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/fleet_query.h"
#include "lib/store/fleet_store.h"
#include "lib/store/host_store.h"

enum {
	PER_PAGE = 100,
	CSV_ROWS = 250, /* a piece */
	WANT_MAX = 2 * FLEET_QUERY_MAX
};

/* ------------------------------------------------------------------- sweeps */

struct sweep {
	struct req *req;
	const struct controller *ctl;
	hosts_look_fn *look;
	void *in;
	struct buf body;
	struct err err;
};

static void
hosts_on_sweep(void *ctx)
{
	struct sweep *s = ctx;
	struct hosts_reading g;

	hosts_reading_begin(&g, s->ctl);
	json_obj(&g.j, NULL);
	s->look(&g, s->in);
	json_obj_end(&g.j);
	(void)hosts_reading_end(&g, &s->err);
	s->body = g.body;
}

static void
hosts_on_swept(void *ctx)
{
	struct sweep *s = ctx;

	if (s->err.rc == RC_OK)
		req_json(s->req, 200, &s->body);
	else
		req_fail(s->req, &s->err);
	buf_fini(&s->body);
	req_release(s->req);
	mem_free(s);
}

void
hosts_sweep(struct req *r, hosts_look_fn *look, void *in)
{
	struct sweep *s = MEM_NEW(struct sweep);

	req_hold(r);
	s->req = r;
	s->ctl = r->ctl;
	s->look = look;
	s->in = in;
	loop_work(r->ctl->loop, hosts_on_sweep, hosts_on_swept, s);
}

/* ------------------------------------------------------- what is asked for */

/* Filter, order and page; text is what the query's slices lie in. */
struct wanted {
	char text[WANT_MAX];
	struct fleet_query query;
	struct fleet_order order;
	struct paging page;
};

static enum rc
read_query(struct req *r, struct wanted *w, struct err *e)
{
	const struct fleet_params p = { req_query(r, "q"),
		req_query(r, "status"), req_query(r, "repo_status"),
		req_query(r, "tag"), req_query(r, "updates") };
	struct buf b;
	bool fits;

	buf_init(&b, sizeof(w->text));
	fleet_query_join(&p, &b);
	fits = buf_rc(&b) == RC_OK &&
	       str_copy(w->text, sizeof(w->text), buf_str(&b));
	buf_fini(&b);
	if (!fits)
		return err_set(e, RC_INVALID,
		    "the filter is longer than %d bytes", FLEET_QUERY_MAX);
	fleet_query_parse(str_of(w->text), &w->query);
	if (w->query.problem[0] != '\0')
		return err_set(e, RC_INVALID, "%s", w->query.problem);
	return RC_OK;
}

static enum rc
read_wanted(struct req *r, struct wanted *w, enum fleet_sort dflt,
    struct err *e)
{
	if (!fleet_order_parse(req_query(r, "sort"), req_query(r, "dir"), dflt,
	        &w->order))
		return err_set(e, RC_INVALID,
		    "sort is attention, name, last or size, and dir asc or "
		    "desc");
	return read_query(r, w, e);
}

/* Filtered and in order. */
static enum rc
load(struct store_tx *tx, struct arena *a, const struct wanted *w,
    struct fleet_list *out)
{
	enum rc rc = fleet_store_load(tx, a, clock_now_ms(), out);

	if (rc != RC_OK)
		return store_fail(tx, rc, "the fleet is too large to list");
	fleet_store_filter(out, &w->query);
	fleet_store_sort(out, w->order);
	return RC_OK;
}

/* --------------------------------------------------------------------- JSON */

static void
list_look(struct hosts_reading *g, void *in)
{
	struct wanted *w = in;
	struct fleet_list l;
	size_t i;

	json_arr(&g->j, "items");
	if (load(g->state, &g->arena, w, &l) == RC_OK) {
		for (i = 0; i < l.n; i++) {
			if (!paging_shows(&w->page))
				continue;
			json_obj(&g->j, NULL);
			hosts_json(g, &l.rows[i]);
			json_obj_end(&g->j);
		}
	}
	json_arr_end(&g->j);
	paging_put(&w->page, &g->j);
}

void
hosts_list(struct req *r)
{
	struct wanted *w = arena_alloc(&r->arena, sizeof(*w));
	struct err e;
	enum rc rc;

	if (w == NULL)
		rc = err_set(&e, RC_LIMIT, "the request is too large");
	else if ((rc = read_wanted(r, w, FLEET_BY_NAME, &e)) == RC_OK)
		rc = paging_begin(&w->page, r, PER_PAGE, &e);
	if (rc == RC_OK)
		hosts_sweep(r, list_look, w);
	else
		req_fail(r, &e);
}

/* ---------------------------------------------------------------------- CSV */

/* The hosts are chosen once; each piece looks its own up again, so that no
 * transaction stays open while a slow peer reads. */
struct export
{
	const struct controller *ctl;
	struct wanted want;
	struct ulid *ids;
	size_t n, at;
	bool chosen;
};

static bool
choose(struct export *x, struct hosts_reading *g)
{
	struct fleet_list l;
	size_t i;

	if (load(g->state, &g->arena, &x->want, &l) != RC_OK)
		return false;
	x->ids = mem_array(l.n + 1, sizeof(*x->ids));
	for (i = 0; i < l.n; i++)
		x->ids[i] = l.rows[i].id;
	x->n = l.n;
	x->chosen = true;
	return true;
}

static void
put_heading(struct buf *b)
{
	static const char *const names[] = { "name", "id", "state", "status",
		"os", "arch", "tags", "last_backup_at", "last_attempt_at",
		"last_backup_status", "repo_status", "repo_url",
		"repo_size_bytes", "snapshot_count", "agent_version",
		"restic_version", "last_seen_at", "enrolled_at" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		csv_z(b, names[i]);
	csv_end(b);
}

static void
put_tags(struct buf *out, const struct Rec__Host *h)
{
	struct buf tags;
	size_t i;

	buf_init(&tags, KIB(64));
	for (i = 0; i < h->n_tags; i++)
		buf_printf(&tags, "%s%s", i == 0 ? "" : " ", h->tags[i]);
	csv_text(out, buf_str(&tags));
	buf_fini(&tags);
}

static void
put_row(struct buf *b, struct hosts_reading *g, const struct fleet_host *f)
{
	const struct Rec__Host *h = f->host;
	char id[ULID_TEXT_CAP];

	ulid_text(&f->id, id);
	csv_z(b, h->name);
	csv_z(b, id);
	csv_z(b, status_host_name(f->state));
	csv_z(b, h->online ? "online" : "offline");
	csv_z(b, h->os);
	csv_z(b, h->arch);
	put_tags(b, h);
	csv_time(b, h->last_backup_at_ms);
	csv_time(b, h->last_attempt_at_ms);
	csv_z(b, hosts_backup_status(h));
	csv_z(b, status_repo_name(h->repo_status));
	csv_z(b, h->repo_url);
	csv_uint(b, h->repo_size_bytes);
	csv_uint(b, h->snapshot_count);
	csv_z(b, h->agent_version);
	csv_z(b, h->restic_version);
	csv_time(b, hosts_last_seen(g->live, f));
	csv_time(b, h->enrolled_at_ms);
	csv_end(b);
}

static void
put_rows(struct export *x, struct hosts_reading *g, struct buf *out)
{
	const int64_t now = clock_now_ms();
	const struct Rec__Host *h;
	struct fleet_host row;
	size_t end = x->at + CSV_ROWS;

	if (x->at == 0)
		put_heading(out);
	for (; x->at < x->n && x->at < end; x->at++) {
		h = host_store_find(g->state, &x->ids[x->at]);
		if (h == NULL)
			continue; /* removed meanwhile */
		fleet_store_host(g->state, h, now, &row);
		put_row(out, g, &row);
	}
}

static bool
hosts_on_piece(void *ctx, struct buf *out, struct err *e)
{
	struct export *x = ctx;
	struct hosts_reading g;

	hosts_reading_begin(&g, x->ctl);
	if (x->chosen || choose(x, &g))
		put_rows(x, &g, out);
	buf_fini(&g.body);
	if (hosts_reading_end(&g, e) != RC_OK)
		buf_reset(out);
	return e->rc == RC_OK && x->at < x->n;
}

static void
hosts_on_exported(void *ctx)
{
	struct export *x = ctx;

	mem_free(x->ids);
	mem_free(x);
}

void
hosts_csv(struct req *r)
{
	struct export *x = MEM_NEW(struct export);
	char day[CLOCK_TEXT_CAP], name[40];
	const struct pieces_opts o = { "text/csv; charset=utf-8", name,
		hosts_on_piece, hosts_on_exported, x };
	struct err e;

	clock_text(clock_now_ms(), day);
	(void)snprintf(name, sizeof(name), "hosts-%.10s.csv", day);
	x->ctl = r->ctl;
	if (read_wanted(r, &x->want, FLEET_BY_ATTENTION, &e) == RC_OK) {
		pieces_start(r, &o);
		return;
	}
	req_fail(r, &e);
	hosts_on_exported(x);
}
