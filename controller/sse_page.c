/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/sse_own.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"

enum {
	REGIONS_MAX = 8,
	PARAMS_MAX = 16,
	VISIBLE_MAX = 100, /* rows of a page */
	ROW_EVERY_MS = 1000,
	AGAIN_MS = 50, /* when others are being drawn */
	OUT_MAX = 9 << 20,
	RECORD_MAX = 1 << 20
};

struct region {
	const char *name;
	unsigned every_ms;
	unsigned causes; /* 0: only after a reconnection */
};

/* What a page's stream is about. */
enum scope {
	OF_FLEET, /* and each host's row */
	OF_ALL_JOBS,
	OF_HOST,
	OF_JOB,
	OF_TOKEN
};

static bool
of_all(enum scope s)
{
	return s == OF_FLEET || s == OF_ALL_JOBS;
}

struct watched {
	const char *page;
	enum scope scope;
	enum route_role role;
	struct region regions[REGIONS_MAX];
};

#define HOST_REGIONS                                              \
	{ "host.head", 1000, SSE_HOST | SSE_JOB | SSE_PROGRESS }, \
	    { "host.facts", 1000, SSE_HOST | SSE_JOB },           \
	    { "host.strip", 1000, SSE_HOST | SSE_JOB },           \
	{                                                         \
		"host.banner", 1000, SSE_HOST | SSE_JOB           \
	}

/* clang-format off */
/* Rates: ui/design.md, 8.  A fleet's rows are kept apart, one each host. */
static const struct watched pages[] = {
	{ "dashboard", OF_FLEET, ROUTE_VIEWER, {
		{ "fleet.headline", 2000, SSE_HOST | SSE_JOB | SSE_FLEET },
		{ "fleet.stats", 2000, SSE_HOST | SSE_JOB | SSE_FLEET },
		{ "hosts", 2000, SSE_HOST | SSE_JOB | SSE_FLEET },
		{ "pending.list", 1000, SSE_FLEET | SSE_PENDING },
	} },
	{ "host", OF_HOST, ROUTE_VIEWER, { HOST_REGIONS } },
	{ "host_jobs", OF_HOST, ROUTE_VIEWER, {
		HOST_REGIONS,
		{ "host.jobs", 1000, SSE_JOB | SSE_PROGRESS },
	} },
	{ "host_sources", OF_HOST, ROUTE_VIEWER, {
		HOST_REGIONS,
		{ "host.sources", 1000, SSE_HOST | SSE_JOB },
	} },
	{ "host_schedules", OF_HOST, ROUTE_VIEWER, {
		HOST_REGIONS,
		{ "host.schedules", 1000, SSE_HOST | SSE_JOB },
	} },
	{ "host_repo", OF_HOST, ROUTE_VIEWER, {
		HOST_REGIONS,
		{ "repo.health", 1000, SSE_HOST | SSE_JOB },
	} },
	{ "job", OF_JOB, ROUTE_VIEWER, {
		{ "job.state", 500, SSE_JOB },
		{ "job.progress", 500, SSE_JOB | SSE_PROGRESS },
		{ "job.announce", 1000, SSE_JOB | SSE_PROGRESS },
	} },
	{ "jobs", OF_ALL_JOBS, ROUTE_VIEWER, {
		{ "jobs.headline", 2000, SSE_JOB },
		{ "jobs.running", 1000, SSE_HOST | SSE_JOB | SSE_PROGRESS },
		{ "jobs.next", 1000, SSE_HOST | SSE_JOB },
		{ "jobs.due", 5000, SSE_HOST | SSE_JOB },
	} },
	{ "pending", OF_TOKEN, ROUTE_OPERATOR, {
		{ "enrol.state", 500, SSE_HOST | SSE_JOB | SSE_TOKEN },
	} },
};
/* clang-format on */

/* When one region is to be drawn next, and what was sent last. */
struct slot {
	int64_t due_ms; /* 0: nothing to do */
	int64_t sent_ms;
	uint64_t hash;
};

struct sse_page {
	struct sse_stream st;
	const struct watched *what;
	struct ulid host, job;
	uint8_t token[CRYPT_HASH_SIZE];
	Rec__JobState job_state;
	struct page_param params[PARAMS_MAX + 1];
	size_t param_count;
	struct slot slots[REGIONS_MAX];
	struct map *rows; /* host id -> struct slot */
	int64_t next_ms;  /* the earliest of their due times, 0: none */
	struct buf out;
	struct loop_timer *timer;
	/* what is being drawn */
	bool drawing;
	struct slot *drawn;
	char row[ULID_TEXT_CAP];
};

static struct sse_page *
page_of(struct sse_stream *st)
{
	return (struct sse_page *)(void *)st;
}

static void
destroy(struct sse_page *p)
{
	struct req *r = p->st.r;
	size_t pos = 0;
	struct str key;
	void *row;

	while (map_next(p->rows, &pos, &key, &row))
		mem_free(row);
	map_free(p->rows);
	buf_fini(&p->out);
	mem_free(p);
	req_release(r);
}

/* ---------------------------------------------------------------- schedule */

static int64_t
earliest(const struct sse_page *p)
{
	int64_t at = INT64_MAX;
	size_t i, pos = 0;
	struct str key;
	void *row;

	for (i = 0; i < REGIONS_MAX; i++) {
		if (p->slots[i].due_ms != 0 && p->slots[i].due_ms < at)
			at = p->slots[i].due_ms;
	}
	while (map_next(p->rows, &pos, &key, &row)) {
		const struct slot *s = row;

		if (s->due_ms != 0 && s->due_ms < at)
			at = s->due_ms;
	}
	return at;
}

static void
arm(struct sse_page *p)
{
	int64_t now = clock_mono_ms();

	if (p->drawing || p->st.closed || p->st.ended || p->out.len > 0 ||
	    p->next_ms == 0)
		return;
	loop_timer_start(p->timer,
	    p->next_ms > now ? (uint64_t)(p->next_ms - now) : 0, 0);
}

/* Looks at all rows, which may be thousands: once a drawing, not whenever
 * something changes. */
static void
plan(struct sse_page *p)
{
	int64_t at = earliest(p);

	p->next_ms = at == INT64_MAX ? 0 : at;
	arm(p);
}

static void
mark(struct sse_page *p, struct slot *s, unsigned every_ms)
{
	int64_t now = clock_mono_ms();
	int64_t at = s->sent_ms + (int64_t)every_ms;

	if (s->due_ms == 0)
		s->due_ms = at > now ? at : now;
	if (p->next_ms == 0 || s->due_ms < p->next_ms)
		p->next_ms = s->due_ms;
}

static void
mark_row(struct sse_page *p, const struct ulid *host)
{
	struct str key = str_from(host->b, sizeof(host->b));
	struct slot *row = map_get(p->rows, key);

	if (row != NULL)
		mark(p, row, ROW_EVERY_MS);
}

static void
mark_causes(struct sse_page *p, const struct ulid *host, unsigned causes)
{
	size_t i;

	for (i = 0; i < REGIONS_MAX && p->what->regions[i].name != NULL; i++) {
		if ((p->what->regions[i].causes & causes) != 0)
			mark(p, &p->slots[i], p->what->regions[i].every_ms);
	}
	if (p->what->scope == OF_FLEET && host != NULL)
		mark_row(p, host);
}

/* -------------------------------------------------------------- fragments */

/* Up to the next line end of any kind: in an event stream a CR alone is one
 * too, and text behind it could be read as a field. */
static size_t
line_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\n' && s.p[n] != '\r')
		n++;
	return n;
}

void
sse_put_fragment(struct buf *out, struct str html)
{
	size_t n;

	buf_puts(out, "event: fragment\nid: 1\n");
	while (html.n > 0) {
		n = line_length(html);
		buf_puts(out, "data: ");
		buf_put_str(out, str_sub(html, 0, n));
		buf_putc(out, '\n');
		html = str_sub(html, n < html.n ? n + 1 : n, html.n);
	}
	buf_putc(out, '\n');
}

static uint64_t
hash_of(struct str html)
{
	uint8_t sum[CRYPT_HASH_SIZE];
	uint64_t h;

	crypt_sha256(html, sum);
	memcpy(&h, sum, sizeof(h));
	return h;
}

static void
sse_on_fragment(void *ctx, enum rc rc, struct str html)
{
	struct sse_page *p = ctx;
	uint64_t hash;

	p->drawing = false;
	p->st.sse->rendering--;
	if (p->st.closed) {
		destroy(p);
		return;
	}
	if (rc == RC_BUSY) {
		mark(p, p->drawn, AGAIN_MS);
	} else if (rc == RC_OK && html.n > 0) {
		hash = hash_of(html);
		if (hash != p->drawn->hash)
			sse_put_fragment(&p->out, html);
		p->drawn->hash = hash;
	}
	if (sse_flush(&p->st, &p->out))
		plan(p);
}

static void
draw(struct sse_page *p, struct slot *s, const char *region, const char *host)
{
	struct page_param *params = p->params;
	size_t n = p->param_count;

	/* A row depends on nothing but its host. */
	if (host != NULL) {
		params = &p->params[PARAMS_MAX];
		*params = (struct page_param){ "host", str_of(host) };
		n = 1;
	}
	p->drawing = true;
	p->drawn = s;
	p->st.sse->rendering++;
	s->due_ms = 0;
	s->sent_ms = clock_mono_ms();
	page_fragment(p->st.r, p->what->page, region, params, n,
	    sse_on_fragment, p);
}

static void
draw_due(struct sse_page *p)
{
	int64_t now = clock_mono_ms();
	size_t i, pos = 0;
	struct ulid host;
	struct str key;
	void *row;

	for (i = 0; i < REGIONS_MAX; i++) {
		struct slot *s = &p->slots[i];

		if (s->due_ms != 0 && s->due_ms <= now) {
			draw(p, s, p->what->regions[i].name, NULL);
			return;
		}
	}
	while (map_next(p->rows, &pos, &key, &row)) {
		struct slot *s = row;

		if (s->due_ms == 0 || s->due_ms > now)
			continue;
		memcpy(host.b, key.p, sizeof(host.b));
		ulid_text(&host, p->row);
		draw(p, s, "host.row", p->row);
		return;
	}
	plan(p);
}

static void
sse_on_due(void *ctx)
{
	struct sse_page *p = ctx;

	if (p->drawing || p->st.ended)
		return;
	if (p->st.sse->rendering >= SSE_RENDER_MAX)
		loop_timer_start(p->timer, AGAIN_MS, 0);
	else
		draw_due(p);
}

static void
sse_on_page_writable(struct req *r, void *ctx)
{
	struct sse_page *p = page_of(ctx);

	(void)r;
	if (sse_flush(&p->st, &p->out))
		plan(p);
}

static void
sse_on_page_closed(struct req *r, void *ctx)
{
	struct sse_page *p = page_of(ctx);

	(void)r;
	sse_leave(&p->st);
	loop_timer_free(p->timer);
	p->timer = NULL;
	if (!p->drawing)
		destroy(p);
}

static const struct req_stream calls = { sse_on_page_writable,
	sse_on_page_closed };

/* ------------------------------------------------------------------- route */

static const struct watched *
find_page(struct str name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(pages); i++) {
		if (str_eqz(name, pages[i].page))
			return &pages[i];
	}
	return NULL;
}

static bool
find_job(struct sse_page *p, struct str text)
{
	const struct Rec__Job *job = NULL;
	struct store_tx *tx;
	struct arena a;

	if (!ulid_parse(text, &p->job))
		return false;
	arena_init(&a, RECORD_MAX);
	tx = store_begin_read(p->st.sse->ctl->state, &a);
	job = job_store_find(tx, &p->job);
	if (job != NULL && job->host_id.len == sizeof(p->host.b)) {
		memcpy(p->host.b, job->host_id.data, sizeof(p->host.b));
		p->job_state = job->state;
	}
	store_abort(tx);
	arena_fini(&a);
	return job != NULL;
}

static bool
find_host(struct sse_page *p, struct str text)
{
	bool found = false;
	struct store_tx *tx;
	struct arena a;

	if (!ulid_parse(text, &p->host))
		return false;
	arena_init(&a, RECORD_MAX);
	tx = store_begin_read(p->st.sse->ctl->state, &a);
	found = host_store_find(tx, &p->host) != NULL;
	store_abort(tx);
	arena_fini(&a);
	return found;
}

/* The host is known once the token was used. */
static bool
find_token(struct sse_page *p)
{
	const struct Rec__Enrolment *en;
	struct store_tx *tx;
	struct arena a;

	arena_init(&a, RECORD_MAX);
	tx = store_begin_read(p->st.sse->ctl->state, &a);
	en = enrol_store_find(tx, p->token);
	if (en != NULL && en->used_host.len == sizeof(p->host.b))
		memcpy(p->host.b, en->used_host.data, sizeof(p->host.b));
	store_abort(tx);
	arena_fini(&a);
	return en != NULL;
}

static bool
find_subject(struct sse_page *p, struct req *r)
{
	switch (p->what->scope) {
	case OF_HOST:
		return find_host(p, req_query(r, "id"));
	case OF_JOB:
		return find_job(p, req_query(r, "id"));
	case OF_TOKEN:
		return str_unhex(req_query(r, "hash"), p->token,
		           sizeof(p->token)) &&
		       find_token(p);
	case OF_FLEET:
	case OF_ALL_JOBS:
		break;
	}
	return true;
}

static void
keep_params(struct sse_page *p, struct req *r)
{
	/* "page" names the page here, so its number has another name. */
	static const struct {
		const char *query, *param;
	} names[] = { { "id", "id" }, { "q", "q" }, { "status", "status" },
		{ "tag", "tag" }, { "sort", "sort" }, { "dir", "dir" },
		{ "number", "page" }, { "rows", "rows" }, { "state", "state" },
		{ "kind", "kind" }, { "day", "day" }, { "hash", "hash" },
		{ "schedule", "schedule" } };
	size_t i;

	_Static_assert(ARRAY_LEN(names) < PARAMS_MAX, "they and a row fit");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		struct str value = req_query(r, names[i].query);

		if (value.n > 0)
			p->params[p->param_count++] =
			    (struct page_param){ names[i].param, value };
	}
}

/* The rows the browser shows: only they are sent. */
static void
keep_rows(struct sse_page *p, struct req *r)
{
	struct str rest = req_query(r, "rows"), one;
	struct ulid id;

	while (map_count(p->rows) < VISIBLE_MAX && str_next(&rest, ',', &one)) {
		if (!ulid_parse(one, &id))
			continue;
		one = str_from(id.b, sizeof(id.b));
		if (map_get(p->rows, one) == NULL)
			map_put(p->rows, one, MEM_NEW(struct slot));
	}
}

static void
mark_all(struct sse_page *p)
{
	size_t i, pos = 0;
	struct str key;
	void *row;

	for (i = 0; i < REGIONS_MAX; i++) {
		if (p->what->regions[i].name != NULL)
			mark(p, &p->slots[i], 0);
	}
	while (map_next(p->rows, &pos, &key, &row))
		mark(p, row, 0);
}

/* What changed since the page was drawn; after a lost connection all of it
 * may have. */
static void
catch_up(struct sse_page *p, struct req *r)
{
	int64_t since = clock_mono_ms() - SSE_RECENT_MS;
	const struct sse *s = p->st.sse;
	size_t i;

	if (exch_field(r->x, "last-event-id").p != NULL ||
	    req_query(r, "again").n > 0) {
		mark_all(p);
		return;
	}
	if (p->what->scope == OF_TOKEN)
		mark_causes(p, NULL, SSE_TOKEN);
	for (i = 0; i < SSE_RECENT_MAX; i++) {
		const struct sse_recent *c = &s->recent[i];

		if (c->causes == 0 || c->at_ms < since)
			continue;
		if (of_all(p->what->scope) || ulid_eq(&c->host, &p->host))
			mark_causes(p, ulid_is_zero(&c->host) ? NULL : &c->host,
			    c->causes);
	}
}

static enum rc
open_page(struct sse_page *p, struct req *r, struct err *e)
{
	p->what = find_page(req_query(r, "page"));
	if (p->what == NULL)
		return err_set(e, RC_NOTFOUND, "no page of that name is live");
	if (auth_allows(p->what->role, r->role, e) != RC_OK)
		return e->rc;
	if (!find_subject(p, r))
		return err_set(e, RC_NOTFOUND, "there is no such %s",
		    p->what->page);
	return sse_admit(p->st.sse, r, e);
}

void
sse_page_events(struct req *r)
{
	struct sse_page *p = MEM_NEW(struct sse_page);
	struct err e;

	p->st.sse = r->ctl->sse;
	p->st.r = r;
	p->rows = map_new();
	buf_init(&p->out, OUT_MAX);
	req_hold(r);
	if (open_page(p, r, &e) != RC_OK) {
		req_fail(r, &e);
		destroy(p);
		return;
	}
	keep_params(p, r);
	keep_rows(p, r);
	catch_up(p, r);
	p->timer = loop_timer_new(r->ctl->loop, sse_on_due, p);
	p->drawing = true; /* so that it outlives its beginning */
	sse_begin(&p->st, &p->st.sse->pages, &calls);
	p->drawing = false;
	if (p->st.closed)
		destroy(p);
	else
		arm(p);
}

/* ----------------------------------------------------------------- notices */

static void
put_reload(struct sse_page *p)
{
	buf_puts(&p->out, "event: reload\nid: 1\ndata:\n\n");
	(void)sse_flush(&p->st, &p->out);
}

/* Another state has other buttons: the page is drawn anew. */
static void
check_state(struct sse_page *p)
{
	char text[ULID_TEXT_CAP];
	Rec__JobState before = p->job_state;

	ulid_text(&p->job, text);
	if (find_job(p, str_of(text)) && p->job_state != before)
		put_reload(p);
}

void
sse_page_changed(struct sse *s, const struct ulid *host, const struct ulid *job,
    unsigned causes)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, &s->pages)
	{
		struct sse_page *p = page_of((struct sse_stream *)(void *)el);
		enum scope scope = p->what->scope;

		if (!of_all(scope) &&
		    (host == NULL || !ulid_eq(&p->host, host)))
			continue;
		if (scope == OF_JOB && (job == NULL || !ulid_eq(&p->job, job)))
			continue;
		if (scope == OF_JOB && causes == SSE_JOB)
			check_state(p);
		mark_causes(p, host, causes);
		arm(p);
	}
}

void
sse_host_gone(struct sse *s, const struct ulid *host)
{
	struct list *el, *next;

	sse_host_changed(s, host); /* the fleet has fewer */
	LIST_FOREACH(el, next, &s->pages)
	{
		struct sse_page *p = page_of((struct sse_stream *)(void *)el);

		if ((p->what->scope == OF_HOST || p->what->scope == OF_JOB) &&
		    ulid_eq(&p->host, host))
			put_reload(p);
	}
}

void
sse_token_changed(struct sse *s, const uint8_t hash[32])
{
	struct list *el, *next;

	LIST_FOREACH(el, next, &s->pages)
	{
		struct sse_page *p = page_of((struct sse_stream *)(void *)el);

		if (p->what->scope != OF_TOKEN ||
		    memcmp(p->token, hash, sizeof(p->token)) != 0)
			continue;
		(void)find_token(p);
		mark_causes(p, NULL, SSE_TOKEN);
		arm(p);
	}
}

void
sse_tokens_tick(struct sse *s)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, &s->pages)
	{
		struct sse_page *p = page_of((struct sse_stream *)(void *)el);

		if (p->what->scope != OF_TOKEN)
			continue;
		mark_causes(p, NULL, SSE_TOKEN);
		arm(p);
	}
}
