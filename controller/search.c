/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/search.h"

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/search.h"

enum {
	ANSWER_MAX = 16 << 20,
	RECORDS_MAX = 64 << 20
};

void
search_hits(struct req *r)
{
	static const struct page_region hits = { "search", "search.hits",
		"search" };
	const struct page_param q = { "q", req_query(r, "q") };

	page_reply_region(r, &hits, &q, 1);
}

/* -------------------------------------------------------------------- JSON */

struct listing {
	struct store_tx *tx;
	struct json_out *j;
};

/* host_id and host_name */
static void
put_host_of(struct listing *a, const struct ulid *id)
{
	const struct Rec__Host *h = host_store_find(a->tx, id);
	char text[ULID_TEXT_CAP];

	ulid_text(id, text);
	json_put(a->j, "host_id", text);
	if (h == NULL)
		json_put_null(a->j, "host_name");
	else
		json_put(a->j, "host_name", h->name);
}

static void
put_host(struct listing *a, const struct Rec__Host *h)
{
	json_obj(a->j, NULL);
	pb_put_id(a->j, "id", &h->id);
	json_put(a->j, "name", h->name);
	json_put_strs(a->j, "tags", h->tags, h->n_tags);
	json_obj_end(a->j);
}

static void
put_job(struct listing *a, const struct Rec__Job *job)
{
	struct ulid host;

	json_obj(a->j, NULL);
	pb_put_id(a->j, "id", &job->id);
	if (pb_id_get(&job->host_id, &host))
		put_host_of(a, &host);
	json_put(a->j, "kind", job_kind_name(job->kind));
	json_put(a->j, "status", job_state_name(job->state));
	json_put_bool(a->j, "incomplete", job->incomplete);
	json_put_time(a->j, "created_at", job->created_at_ms);
	json_obj_end(a->j);
}

static void
put_snapshot(struct listing *a, const struct search_snapshot *s)
{
	json_obj(a->j, NULL);
	json_put(a->j, "id", s->snapshot->id);
	json_put(a->j, "short_id", s->snapshot->short_id);
	put_host_of(a, &s->host);
	json_put_time(a->j, "time", s->snapshot->time_ms);
	if (s->path == NULL)
		json_put_null(a->j, "path");
	else
		json_put(a->j, "path", s->path);
	json_obj_end(a->j);
}

static void
begin_list(struct listing *a, const char *name)
{
	json_obj(a->j, name);
	json_arr(a->j, "items");
}

static void
end_list(struct listing *a, bool more)
{
	json_arr_end(a->j);
	json_put_bool(a->j, "more", more);
	json_obj_end(a->j);
}

static void
put_found(struct listing *a, const struct search_found *f)
{
	size_t i;

	begin_list(a, "hosts");
	for (i = 0; i < f->n_hosts; i++)
		put_host(a, f->hosts[i]);
	end_list(a, f->more_hosts);
	begin_list(a, "jobs");
	for (i = 0; i < f->n_jobs; i++)
		put_job(a, f->jobs[i]);
	end_list(a, f->more_jobs);
	begin_list(a, "snapshots");
	for (i = 0; i < f->n_snapshots; i++)
		put_snapshot(a, &f->snapshots[i]);
	end_list(a, f->more_snapshots);
}

void
search_api(struct req *r)
{
	struct str text = req_query(r, "q");
	struct search_found f;
	struct listing l;
	struct answer an;
	struct err e;

	if (text.n > SEARCH_TEXT_MAX) {
		(void)err_set(&e, RC_INVALID, "q: at most %d bytes",
		    (int)SEARCH_TEXT_MAX);
		req_fail(r, &e);
		return;
	}
	l.j = answer_begin(&an, r, ANSWER_MAX, RECORDS_MAX);
	l.tx = an.tx;
	search(an.tx, text, &f);
	put_found(&l, &f);
	answer_end(&an, 200);
}
