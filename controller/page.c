/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/page.h"

#include <inttypes.h>
#include <string.h>

#include "controller/appearance.h"
#include "controller/asset.h"
#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/enrol.h"
#include "controller/page_own.h"
#include "controller/req.h"
#include "lib/base/clock.h"
#include "lib/base/frame.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "render/pages.h"

enum {
	PLAIN_PARAMS = 16,
	FRAME_REQUEST = 1,
	SECRET_MAX = 4096,
	MINUTE_MS = 60000
};

#define HTML "text/html; charset=utf-8"

/* ---------------------------------------------------- without the renderer */

static void
put_escaped(struct buf *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&':
			buf_puts(b, "&amp;");
			break;
		case '<':
			buf_puts(b, "&lt;");
			break;
		case '>':
			buf_puts(b, "&gt;");
			break;
		case '"':
			buf_puts(b, "&quot;");
			break;
		case '\'':
			buf_puts(b, "&#39;");
			break;
		default:
			buf_putc(b, s.p[i]);
		}
	}
}

/* The static notice; also what an error page becomes meanwhile. */
static void
notice(struct req *r, int status, struct str title, struct str text)
{
	struct buf b;

	buf_init(&b, KIB(8));
	buf_puts(&b, "<!doctype html>\n<html lang=\"en\"><head>"
	             "<meta charset=\"utf-8\"><meta name=\"viewport\" "
	             "content=\"width=device-width\"><title>");
	put_escaped(&b, title);
	buf_puts(&b, "</title><link rel=\"stylesheet\" "
	             "href=\"/static/style.css\"></head><body><main "
	             "class=\"notice\"><h1>");
	put_escaped(&b, title);
	buf_puts(&b, "</h1><p>");
	put_escaped(&b, text);
	buf_printf(&b, "</p><p>Request %s</p></main></body></html>\n", r->id);
	req_text(r, status, HTML, buf_str(&b));
	buf_fini(&b);
}

static void
unavailable(struct req *r)
{
	req_add_field(r, "retry-after", "5");
	notice(r, 503, STR("Pages are not available at the moment"),
	    STR("The process that draws pages is restarting. Agents, backups "
	        "and the API go on. Load this page again in a few seconds."));
}

static struct str
param(const struct page_param *params, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(params[i].name, name) == 0)
			return params[i].value;
	}
	return str_from("", 0);
}

/* ---------------------------------------------------------------- requests */

struct page_ask {
	const char *page;
	const char *fragment;
	const struct page_param *params;
	size_t n;
};

static bool
fill_params(struct Ipc__RenderRequest *m, const struct page_ask *ask,
    struct arena *a)
{
	struct Ipc__Param *params = arena_array(a, ask->n + 1, sizeof(*params));
	size_t i;

	m->params = arena_array(a, ask->n + 1, sizeof(*m->params));
	if (params == NULL || m->params == NULL)
		return false;
	for (i = 0; i < ask->n; i++) {
		ipc__param__init(&params[i]);
		params[i].name = arena_dup(a, ask->params[i].name);
		params[i].value = arena_str(a, ask->params[i].value);
		m->params[i] = &params[i];
	}
	m->n_params = ask->n;
	return arena_rc(a) == RC_OK;
}

static enum rc
put_frame(struct buf *frame, const struct Ipc__RenderRequest *m)
{
	struct buf packed;
	char *room;
	enum rc rc = RC_LIMIT;

	buf_init(&packed, PAGES_REQUEST_MAX);
	room = buf_reserve(&packed, ipc__render_request__get_packed_size(m));
	if (room != NULL) {
		buf_added(&packed,
		    ipc__render_request__pack(m, (uint8_t *)room));
		frame_put(frame, FRAME_REQUEST, buf_str(&packed));
		rc = buf_rc(frame);
	}
	buf_wipe_fini(&packed);
	return rc;
}

/* Not in the request's own arena: a live view packs many, for days. */
static enum rc
pack(struct page_job *j, struct req *r, const struct page_ask *ask)
{
	struct Ipc__RenderRequest m = IPC__RENDER_REQUEST__INIT;
	struct Ipc__Viewer viewer = IPC__VIEWER__INIT;
	struct arena a;
	enum rc rc = RC_LIMIT;

	arena_init(&a, 2 * (size_t)PAGES_REQUEST_MAX);
	viewer.user_name = r->user_name;
	viewer.role = (int32_t)r->role;
	m.viewer = &viewer;
	m.page = arena_dup(&a, ask->page);
	m.fragment = arena_dup(&a, ask->fragment);
	m.csrf = r->csrf;
	m.base_url = arena_dup(&a, req_base_url(r));
	m.request_id = r->id;
	m.now_ms = clock_now_ms();
	m.theme = arena_dup(&a, appearance_theme(r));
	m.density = arena_dup(&a, appearance_density(r));
	m.marker = j->marker;
	if (fill_params(&m, ask, &a))
		rc = put_frame(&j->frame, &m);
	arena_fini(&a);
	return rc;
}

static struct page_job *
job_new(struct req *r, page_job_fn *done)
{
	struct page_job *j = MEM_NEW(struct page_job);

	j->r = r;
	j->done = done;
	buf_init(&j->frame, PAGES_REQUEST_MAX + FRAME_HEAD);
	buf_init(&j->token, SECRET_MAX);
	buf_init(&j->password, SECRET_MAX);
	return j;
}

/* ------------------------------------------------------------------- ETags */

/* What the page shows changes with these; 0 for pages without a tag. */
struct versions {
	uint64_t hosts, jobs, host, live;
	bool any;
};

static void
host_versions(struct store_tx *tx, const struct ulid *id, struct versions *v)
{
	const struct Rec__Host *h = host_store_find(tx, id);

	v->any = h != NULL;
	v->host = store_host_version(tx, id);
	v->live = h != NULL && h->current_job.len > 0;
}

static bool
page_on_running(void *ctx, const struct Rec__Job *j)
{
	(void)j;
	*(bool *)ctx = true;
	return false;
}

static void
read_versions(struct store_tx *tx, const struct page_ask *ask,
    struct versions *v)
{
	struct str text = param(ask->params, ask->n, "id");
	const struct Rec__Job *job;
	struct ulid id;
	bool running = false;

	memset(v, 0, sizeof(*v));
	if (strcmp(ask->page, "dashboard") == 0 ||
	    strcmp(ask->page, "jobs") == 0) {
		v->any = true;
		v->hosts = store_version(tx, VER_HOSTS);
		v->jobs = store_version(tx, VER_JOBS);
		job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING,
		    page_on_running, &running);
		v->live = running;
	} else if (strcmp(ask->page, "audit") == 0) {
		v->any = true;
		v->hosts = store_version(tx, VER_AUDIT);
		v->jobs = store_version(tx, VER_HOSTS); /* their names */
	} else if (!ulid_parse(text, &id)) {
		return;
	} else if (strcmp(ask->page, "job") == 0) {
		job = job_store_find(tx, &id);
		if (job == NULL || job->host_id.len != sizeof(id.b))
			return;
		memcpy(id.b, job->host_id.data, sizeof(id.b));
		host_versions(tx, &id, v);
	} else if (strcmp(ask->page, "host") == 0 ||
	           strcmp(ask->page, "host_repo") == 0 ||
	           strcmp(ask->page, "host_sources") == 0 ||
	           strcmp(ask->page, "host_schedules") == 0 ||
	           strcmp(ask->page, "host_jobs") == 0) {
		host_versions(tx, &id, v);
	}
}

/* Session and role, so that nobody gets another's page; the minute, because times
 * are told relatively. */
static void
make_etag(struct req *r, const struct page_ask *ask, char *dst, size_t cap)
{
	struct controller *c = r->ctl;
	struct store_tx *state, *live;
	struct versions v;
	char session[17];

	dst[0] = '\0';
	if (ulid_is_zero(&r->user_id))
		return;
	state = store_begin_read(c->state, &r->arena);
	read_versions(state, ask, &v);
	if (v.live != 0) {
		live = store_begin_read(c->live, NULL);
		v.live = store_txid(live);
		store_abort(live);
	}
	if (store_rc(state) != RC_OK)
		v.any = false;
	store_abort(state);
	if (!v.any)
		return;
	str_hex(r->session_hash, 8, session, sizeof(session));
	if (!str_fmt(dst, cap,
	        "W/\"%llx-%llx-%llx-%llx-%llx-%llx-%llx-%s%d%s%s\"",
	        (unsigned long long)store_instance(c->state),
	        (unsigned long long)v.hosts, (unsigned long long)v.jobs,
	        (unsigned long long)v.host, (unsigned long long)v.live,
	        (unsigned long long)c->template_build,
	        (unsigned long long)(clock_now_ms() / MINUTE_MS), session,
	        (int)r->role, appearance_theme(r), appearance_density(r)))
		dst[0] = '\0';
}

static bool
not_modified(struct req *r, const char *etag)
{
	struct str seen = exch_field(r->x, "if-none-match");

	if (*etag == '\0' || !asset_etag_matches(seen, str_of(etag)))
		return false;
	req_add_field(r, "etag", etag);
	req_add_field(r, "cache-control", "private, no-cache");
	req_empty(r, 304);
	return true;
}

/* ----------------------------------------------------------------- answers */

static void
page_on_sent(void *ctx)
{
	ipc__render_reply__free_unpacked(ctx, NULL);
}

/* Replaces marker + name by the secret, as often as it stands there. */
static void
put_secrets(struct buf *out, struct str html, const struct page_job *j)
{
	struct str marker = str_of(j->marker);
	struct str token = STR(PAGES_MARK_TOKEN);
	struct str password = STR(PAGES_MARK_PASSWORD);
	const char *at;
	struct str rest;

	while ((at = memmem(html.p, html.n, marker.p, marker.n)) != NULL) {
		size_t before = (size_t)(at - html.p);

		buf_put_str(out, str_sub(html, 0, before));
		rest = str_sub(html, before + marker.n, html.n);
		if (str_starts(rest, token)) {
			put_escaped(out, buf_str(&j->token));
			rest = str_sub(rest, token.n, rest.n);
		} else if (str_starts(rest, password)) {
			put_escaped(out, buf_str(&j->password));
			rest = str_sub(rest, password.n, rest.n);
		}
		html = rest;
	}
	buf_put_str(out, html);
}

static void
answer_with_secrets(struct page_job *j, int status, struct str html)
{
	struct buf b;

	buf_init(&b, PAGES_REPLY_MAX);
	put_secrets(&b, html, j);
	if (buf_rc(&b) == RC_OK)
		req_text(j->r, status, HTML, buf_str(&b));
	else
		unavailable(j->r);
	buf_wipe_fini(&b);
}

static void
page_on_page(struct page_job *j, enum rc rc, struct Ipc__RenderReply **reply)
{
	struct Ipc__RenderReply *m = *reply;
	struct req *r = j->r;
	int status = j->status;
	struct str html;

	if (r->x == NULL)
		return;
	if (rc != RC_OK) {
		unavailable(r);
		return;
	}
	html = str_from(m->body.data, m->body.len);
	if (m->error != NULL && m->error[0] != '\0')
		log_warn(LOG_PAGE, "page failed id=%s status=%d error=%s",
		    r->id, (int)m->status, log_safe(str_of(m->error)));
	if (m->status != 200 && !j->error)
		status = m->status == 404 ? 404 : 500;
	if (html.n == 0) {
		notice(r, 500, STR("This page could not be drawn"),
		    STR("The log has the reason under the request's id."));
		return;
	}
	if (j->token.len > 0 || j->password.len > 0) {
		answer_with_secrets(j, status, html);
		return;
	}
	if (status == 200 && j->etag[0] != '\0') {
		req_add_field(r, "etag", j->etag);
		req_add_field(r, "cache-control", "private, no-cache");
	}
	*reply = NULL;
	req_lent(r, status, HTML, html, page_on_sent, m);
}

/* Error pages have to say what happened even while nobody draws them. */
static void
refused(struct req *r, int status, const struct page_ask *ask)
{
	struct str message = param(ask->params, ask->n, "message");

	if (strcmp(ask->page, "error") == 0)
		notice(r, status, STR("That did not work"), message);
	else
		unavailable(r);
}

static void
copy_secrets(struct page_job *j, const struct page_secrets *secrets)
{
	uint8_t random[16];

	crypt_random(random, sizeof(random));
	j->marker[0] = 'm';
	str_hex(random, sizeof(random), j->marker + 1, sizeof(j->marker) - 1);
	buf_put_str(&j->token, secrets->token);
	buf_put_str(&j->password, secrets->password);
}

void
page_reply(struct req *r, int status, const char *page,
    const struct page_param *params, size_t n,
    const struct page_secrets *secrets)
{
	const struct page_ask ask = { page, "", params, n };
	struct page_job *j;
	char etag[PAGE_ETAG_CAP] = "";

	if (r->x == NULL)
		return;
	if (status == 200 && secrets == NULL)
		make_etag(r, &ask, etag, sizeof(etag));
	if (not_modified(r, etag))
		return;
	j = job_new(r, page_on_page);
	j->status = status;
	j->error = strcmp(page, "error") == 0;
	memcpy(j->etag, etag, sizeof(etag));
	if (secrets != NULL)
		copy_secrets(j, secrets);
	if (pack(j, r, &ask) == RC_OK && page_send(r->ctl->pages, j) == RC_OK)
		return;
	page_job_free(j);
	refused(r, status, &ask);
}

void
page_refused(struct req *r, const char *page, const struct page_param *params,
    size_t n, const struct err *e)
{
	if (e->rc == RC_NOTFOUND)
		req_fail(r, e);
	else
		page_reply(r, rc_info(e->rc)->http_status, page, params, n,
		    NULL);
}

bool
page_may_show(const struct req *r)
{
	return r->x != NULL && str_eqz(exch_method(r->x), "GET") &&
	       page_ready(r->ctl->pages);
}

static void
page_on_fragment(struct page_job *j, enum rc rc,
    struct Ipc__RenderReply **reply)
{
	struct Ipc__RenderReply *m = *reply;

	if (rc == RC_OK && m->status != 200)
		rc = m->status == 404 ? RC_NOTFOUND : RC_IO;
	if (rc == RC_OK)
		j->fragment(j->ctx, RC_OK, str_from(m->body.data, m->body.len));
	else
		j->fragment(j->ctx, rc, str_from("", 0));
}

struct late {
	page_fragment_fn *done;
	void *ctx;
};

static void
page_on_refused(void *ctx)
{
	struct late *l = ctx;

	l->done(l->ctx, RC_BUSY, str_from("", 0));
	mem_free(l);
}

void
page_fragment(struct req *r, const char *page, const char *fragment,
    const struct page_param *params, size_t n, page_fragment_fn *done,
    void *ctx)
{
	const struct page_ask ask = { page, fragment, params, n };
	struct page_job *j = job_new(r, page_on_fragment);
	struct late *l;

	j->fragment = done;
	j->ctx = ctx;
	if (pack(j, r, &ask) == RC_OK && page_send(r->ctl->pages, j) == RC_OK)
		return;
	page_job_free(j);
	l = MEM_NEW(struct late);
	l->done = done;
	l->ctx = ctx;
	loop_defer(r->ctl->loop, page_on_refused, l);
}

/* ------------------------------------------------------------------ routes */

/* clang-format off */
static const struct {
	const char *section;
	const char *sentence;
} confirmations[] = {
	{ "tags",       "Tags saved" },
	{ "connection", "Connection saved, the repository is being tried" },
	{ "deleted",    "Host deleted; its backups are still in its repository" },
	{ "probe",      "The repository is being tried" },
	{ "moved",      "Connection saved, the repository is being tried; variables and admin credentials of the one before were removed" },
	{ "variables",  "Variables saved, the repository is being tried" },
	{ "admin",      "Admin credentials saved" },
	{ "admin_deleted", "Admin credentials removed" },
	{ "bandwidth",  "Bandwidth saved" },
	{ "maintenance", "Maintenance saved" },
	{ "hooks",      "Hooks saved" },
	{ "mode",       "Presence saved" },
	{ "bearer",     "The agent is asked for another bearer" },
	{ "source",     "Source group saved" },
	{ "source-deleted", "Source group deleted; its snapshots are still there" },
	{ "schedule",   "Schedule saved" },
	{ "schedule-deleted", "Schedule deleted" },
	{ "waits",      "What waited already keeps its own bandwidth; what was given now was not taken" },
};
/* clang-format on */

struct str
page_saved(struct req *r)
{
	struct str section = req_query(r, "saved");
	size_t i;

	for (i = 0; i < ARRAY_LEN(confirmations); i++)
		if (str_eqz(section, confirmations[i].section))
			return str_of(confirmations[i].sentence);
	return STR("");
}

/* Query parameters go on to the renderer under their own names: what to show,
 * never a sentence to be shown, for anybody can make a link. */
static size_t
add_params(struct req *r, const char *const *names,
    struct page_param out[PLAIN_PARAMS])
{
	size_t n = 0;

	if (r->vars[0].p != NULL)
		out[n++] = (struct page_param){ "id", r->vars[0] };
	for (; *names != NULL; names++) {
		struct str value = req_query(r, *names);

		ASSERT(n < PLAIN_PARAMS);
		if (value.n > 0)
			out[n++] = (struct page_param){ *names, value };
	}
	ASSERT(n < PLAIN_PARAMS);
	out[n++] = (struct page_param){ "notice", page_saved(r) };
	return n;
}

void
page_plain(struct req *r, const char *page, const char *const *names)
{
	struct page_param params[PLAIN_PARAMS];

	page_reply(r, 200, page, params, add_params(r, names, params), NULL);
}

void
page_dashboard(struct req *r)
{
	static const char *const names[] = { "q", "status", "repo_status",
		"tag", "updates", "sort", "dir", "page", "started", "waiting",
		"offline", "refused", "ticked", "edited", "decided", NULL };
	struct page_param params[PLAIN_PARAMS + 2];
	size_t n = add_params(r, names, params);

	params[n++] = (struct page_param){ "pin", enrol_pin_base64(r) };
	params[n++] = (struct page_param){ "pin_hex", enrol_pin_hex(r) };
	page_reply(r, 200, "dashboard", params, n, NULL);
}

void
page_host(struct req *r)
{
	static const char *const names[] = { "page", NULL };

	page_plain(r, "host", names);
}

void
page_host_jobs(struct req *r)
{
	static const char *const names[] = { "q", "state", "kind", "day",
		"schedule", "page", NULL };

	page_plain(r, "host_jobs", names);
}

void
page_search(struct req *r)
{
	static const char *const names[] = { "q", NULL };

	page_plain(r, "search", names);
}

void
page_jobs(struct req *r)
{
	static const char *const names[] = { "q", "state", "kind", "host",
		"since", "until", "page", NULL };

	page_plain(r, "jobs", names);
}

/* ?line=N is led to lines that have it among them. */
static bool
lead_to_line(struct req *r)
{
	const uint64_t above = 20;
	uint64_t line;

	if (!str_u64(req_query(r, "line"), UINT32_MAX, &line) || line == 0)
		return false;
	req_redirect(r,
	    arena_printf(&r->arena, "/jobs/%.*s?from=%" PRIu64 "#L%" PRIu64,
	        STR_ARG(r->vars[0]), line > above ? line - above : 1, line));
	return true;
}

void
page_job(struct req *r)
{
	const char *days = arena_printf(&r->arena, "%" PRId64,
	    (int64_t)r->ctl->settings.log_retention_days);
	const struct page_param params[] = { { "id", r->vars[0] },
		{ "from", req_query(r, "from") },
		{ "retention_days", str_of(days) },
		{ "notice", page_saved(r) } };
	struct ulid id;

	/* Nobody is led to what is no id. */
	if (req_ulid(r, 0, &id) == RC_OK && lead_to_line(r))
		return;
	page_reply(r, 200, "job", params, ARRAY_LEN(params), NULL);
}

void
page_audit(struct req *r)
{
	static const char *const names[] = { "user", "action", "target", "q",
		"from", "to", "sort", "page", NULL };

	page_plain(r, "audit", names);
}
