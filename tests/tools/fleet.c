/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tools/fleet_own.h"

#include <inttypes.h>
#include <string.h>
#include <version.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"
#include "spool/joblog.h"

enum {
	HEX_CAP = 65,
	BATCH = 50, /* hosts a commit */
	RUNS_MAX = 1100,
	LOG_PART = 4000,  /* lines appended at a time */
	LOG_LONG = 400000 /* more lines than that are short ones */
};

/* clang-format off */
static const char *const state_names[] = {
	[FLEET_STALE] = "stale", [FLEET_NEVER] = "never",
	[FLEET_FAILED] = "failed", [FLEET_INCOMPLETE] = "incomplete",
	[FLEET_RUNNING] = "running", [FLEET_NEW] = "new", [FLEET_OK] = "ok",
};

static const struct {
	const char *name, *tag;
	bool windows;
} roles[] = {
	{ "web", "web", false }, { "db", "db", false }, { "app", "app", false },
	{ "mail", "mail", false }, { "build", "ci", false },
	{ "fs", "files", true }, { "cache", "web", false },
	{ "dc", "directory", true }, { "proxy", "web", false },
	{ "ws", "desk", true }, { "log", "ops", false }, { "git", "ci", false },
};

static const char *const places[] = { "prod", "office", "staging", "lab" };

/* Weights of the states in per cent, after the first hosts, which show one
 * of each. */
static const struct {
	enum fleet_state state;
	uint64_t upto;
} weights[] = {
	{ FLEET_STALE, 3 }, { FLEET_NEVER, 4 }, { FLEET_FAILED, 9 },
	{ FLEET_INCOMPLETE, 13 }, { FLEET_RUNNING, 16 }, { FLEET_NEW, 17 },
	{ FLEET_OK, 100 },
};

static const struct {
	const char *cause, *error;
	int code;
} causes[] = {
	{ "locked", "Fatal: unable to create lock in backend: repository is "
	            "already locked by PID 41220 on db-02 by root", 11 },
	{ "unreachable", "Fatal: unable to open repository: Get \"https://"
	                 "vault-01.example.net/\": dial tcp: i/o timeout", 1 },
	{ "access_denied", "Fatal: server response unexpected: 403 Forbidden", 1 },
	{ "wrong_password", "Fatal: wrong password or no key found", 12 },
	{ "missing_path", "Fatal: all source directories/files do not exist", 1 },
};
/* clang-format on */

const char *
fleet_state_name(enum fleet_state s)
{
	return state_names[s];
}

/* ------------------------------------------------------------------ chance */

/* splitmix64 */
uint64_t
fleet_roll(struct fleet *f)
{
	uint64_t z = f->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* From lo up to hi, both included. */
int64_t
fleet_between(struct fleet *f, int64_t lo, int64_t hi)
{
	return lo + (int64_t)(fleet_roll(f) % (uint64_t)(hi - lo + 1));
}

bool
fleet_chance(struct fleet *f, uint64_t percent)
{
	return fleet_roll(f) % 100 < percent;
}

struct ulid
fleet_id_at(struct fleet *f, int64_t ms)
{
	uint64_t a = fleet_roll(f), b = fleet_roll(f);
	struct ulid id;
	int i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)((uint64_t)ms >> (8 * (5 - i)));
	memcpy(id.b + 6, &a, sizeof(a));
	memcpy(id.b + 14, &b, 2);
	return id;
}

/* protobuf-c has no const; puts do not write. */
static ProtobufCBinaryData
bytes(const struct ulid *id)
{
	return (
	    ProtobufCBinaryData){ sizeof(id->b), (uint8_t *)(uintptr_t)id->b };
}

static char *
text(const char *z)
{
	return (char *)(uintptr_t)z;
}

/* -------------------------------------------------------------------- jobs */

/* A log has no more than 40 MiB. */
static void
say(char *line, size_t cap, uint64_t i, bool brief)
{
	bool said;

	if (brief)
		said = str_fmt(line, cap, "%" PRIu64, i + 1);
	else
		said = str_fmt(line, cap,
		    "processed %" PRIu64 " files, %" PRIu64 ".%u GiB", i * 12,
		    i / 9, (unsigned)(i % 10));
	if (!said)
		line[0] = '\0';
}

static enum rc
put_log(struct fleet *f, struct Rec__Job *j, const struct ulid *id)
{
	uint64_t n = f->o->lines < 2 ? 2 : f->o->lines, i;
	struct buf b;
	char line[160];
	enum rc rc = RC_OK;

	buf_init(&b, MIB(4));
	joblog_line(&b, j->started_at_ms, JOBLOG_SYS,
	    STR("job accepted by agent " RM_VERSION));
	for (i = 1; rc == RC_OK && i < n; i++) {
		bool bad = i + 1 == n && j->state == FAIL;

		if (bad)
			(void)snprintf(line, sizeof(line), "%s", j->error);
		else
			say(line, sizeof(line), i, n > LOG_LONG);
		joblog_line(&b, j->started_at_ms + (int64_t)i,
		    bad ? JOBLOG_ERR : JOBLOG_OUT, str_of(line));
		if (i % LOG_PART != 0 && i + 1 < n)
			continue;
		rc = joblog_append(f->spool, id, j->log_bytes, buf_str(&b),
		    f->e);
		j->log_bytes += b.len;
		buf_reset(&b);
	}
	buf_fini(&b);
	j->log_lines = n;
	j->log_file_lines = n;
	j->first_error_line = j->state == FAIL ? n : 0;
	j->finished_lines = n;
	f->r->logs++;
	return rc == RC_OK ? joblog_compress(f->spool, id, j->log_bytes, f->e)
	                   : rc;
}

/* What a backup that made a snapshot says. */
static void
put_stats(struct fleet *f, struct Rec__JobStats *s)
{
	s->total_files_processed = (uint64_t)fleet_between(f, 900, 300000);
	s->total_bytes_processed =
	    s->total_files_processed * (uint64_t)fleet_between(f, 2000, 90000);
	s->files_new = (uint64_t)fleet_between(f, 0, 400);
	s->files_changed = (uint64_t)fleet_between(f, 1, 2000);
	s->data_added = (uint64_t)fleet_between(f, 20000, INT64_C(3000000000));
	s->data_added_packed = s->data_added / 2;
}

void
fleet_put_run(struct fleet *f, const struct made *m, const struct ulid *id,
    const struct run *r)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct Rec__JobStats stats = REC__JOB_STATS__INIT;
	struct ulid schedule = fleet_schedule_id(m);
	char *paths[] = { text("/etc"), text("/home") };

	j.id = bytes(id);
	j.host_id = bytes(&m->id);
	j.group_id = bytes(r->group);
	j.group_name = text(r->group_name);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = r->state;
	j.actor_kind = REC__ACTOR_KIND__ACTOR_SCHEDULE;
	j.created_at_ms = r->at;
	if (fleet_has_plan(m)) {
		j.schedule_id = bytes(&schedule);
		j.due_at_ms = r->at / MINUTE_MS * MINUTE_MS;
		j.attempt = 1;
	}
	j.n_includes = 2;
	j.includes = paths;
	j.restic_version = text("0.18.0");
	if (r->state != REC__JOB_STATE__JOB_QUEUED)
		j.started_at_ms = j.accepted_at_ms = r->at + 300;
	if (job_state_final(r->state)) {
		j.finished_at_ms = r->at + r->took;
		j.log_closed = true;
	}
	if (r->state == FAIL) {
		j.cause = text(causes[m->cause].cause);
		j.error = text(causes[m->cause].error);
		j.exit_code = causes[m->cause].code;
	} else if (r->state == DONE) {
		put_stats(f, &stats);
		j.stats = &stats;
		j.incomplete = r->part;
		j.unread_count =
		    r->part ? (uint64_t)fleet_between(f, 1, 90) : 0;
		j.exit_code = r->part ? 3 : 0;
	}
	if (j.log_closed && f->r->logs < f->o->logs) {
		if (put_log(f, &j, id) != RC_OK)
			(void)store_fail(f->tx, f->e->rc, "%s", f->e->msg);
	} else {
		j.log_expired = j.log_closed;
	}
	job_store_put(f->tx, &j);
	f->r->jobs++;
}

/* The k-th run before now, as its state wants it. */
static void
judge(struct fleet *f, const struct made *m, int64_t at, int k, struct run *r)
{
	r->at = at;
	r->took = fleet_between(f, 20, 900) * 1000;
	r->part = false;
	r->state = DONE;
	if (at > m->last_ok)
		r->state = FAIL;
	else if (k == 0 && m->state == FLEET_INCOMPLETE)
		r->part = true;
	else if (at < m->last_ok)
		r->state = fleet_chance(f, 3) ? FAIL : DONE;
	if (r->state == DONE && at < m->last_ok)
		r->part = fleet_chance(f, 2);
}

/* Jobs and days of one group, oldest first, so that the last run of a day
 * is the one that stays. */
static void
put_runs(struct fleet *f, struct made *m, const struct ulid *group,
    const char *name)
{
	int64_t from = f->o->now_ms - KEPT * DAY_MS, at;
	struct Rec__DayOutcome day = REC__DAY_OUTCOME__INIT;
	struct run r = { .group = group, .group_name = name };
	struct ulid id;
	int k, n = 0;

	if (m->last_run == 0)
		return;
	from = from > m->enrolled ? from : m->enrolled;
	while (n < RUNS_MAX && m->last_run - n * m->every > from)
		n++;
	for (k = n - 1; k >= 0; k--) {
		at = m->last_run - k * m->every;
		judge(f, m, at, k, &r);
		id = fleet_id_at(f, at);
		day.state = r.state;
		day.incomplete = r.part;
		day.job_id = bytes(&id);
		if ((uint64_t)k >= f->o->jobs)
			day.job_id.len = 0;
		plan_store_put_day(f->tx, &m->id, (uint32_t)(at / DAY_MS),
		    group, &day);
		if ((uint64_t)k < f->o->jobs)
			fleet_put_run(f, m, &id, &r);
	}
	if (n == 0)
		return;
	m->run = id;
	m->run_bad = r.state == FAIL;
	m->run_part = r.part;
}

/* A host that is old, and worked hard. */
static void
put_history(struct fleet *f, struct made *m, const struct ulid *group)
{
	struct run r = { .group = group,
		.group_name = "default",
		.took = MINUTE_MS / 2 };
	struct ulid id;
	uint64_t k;

	for (k = f->o->history; k > 0; k--) {
		r.at = f->o->now_ms - KEPT * DAY_MS - (int64_t)k * MINUTE_MS;
		r.state = k % 50 == 0 ? FAIL : DONE;
		id = fleet_id_at(f, r.at);
		fleet_put_run(f, m, &id, &r);
	}
}

static void
put_group(struct fleet *f, struct made *m, const struct ulid *id,
    const char *name)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Retention keep;
	char *paths[] = { text(m->windows ? "C:\\Data" : "/etc"),
		text(m->windows ? "C:\\Users" : "/home") };

	put_runs(f, m, id, name);
	g.id = bytes(id);
	g.host_id = bytes(&m->id);
	g.name = text(name);
	g.n_includes = 2;
	g.includes = paths;
	g.created_at_ms = m->enrolled;
	g.last_success_at_ms = m->last_ok;
	if (m->last_run != 0 && f->o->jobs > 0)
		g.last_job = bytes(&m->run);
	if (m->last_run != 0)
		g.last_state = m->run_bad ? FAIL : DONE;
	g.last_incomplete = m->run_part;
	fleet_fill_retention(m, id == &m->home, &g, &keep);
	plan_store_put(f->tx, &g);
}

static void
put_running(struct fleet *f, struct made *m)
{
	struct Rec__LiveProgress p = REC__LIVE_PROGRESS__INIT;
	struct run r = { .group = &m->group,
		.group_name = "default",
		.state = REC__JOB_STATE__JOB_RUNNING };
	struct ulid id;

	r.at = f->o->now_ms - fleet_between(f, 1, 40) * MINUTE_MS;
	m->current = fleet_id_at(f, r.at);
	fleet_put_run(f, m, &m->current, &r);
	if (fleet_chance(f, 30)) {
		r.at = f->o->now_ms - fleet_between(f, 1, 50) * 1000;
		r.state = REC__JOB_STATE__JOB_QUEUED;
		id = fleet_id_at(f, r.at);
		fleet_put_run(f, m, &id, &r);
	}
	if (f->live == NULL)
		return;
	p.job_id = bytes(&m->current);
	p.at_ms = f->o->now_ms;
	p.percent_done = (double)fleet_between(f, 1, 99) / 100;
	p.total_files = (uint64_t)fleet_between(f, 900, 300000);
	p.files_done = p.total_files / 2;
	p.total_bytes = p.total_files * 70000;
	p.bytes_done = p.total_bytes / 2;
	p.eta_seconds = (uint64_t)fleet_between(f, 20, 4000);
	p.throughput_bps = (uint64_t)fleet_between(f, 1000000, 300000000);
	live_put_progress(f->live, &m->current, &p);
}

static uint64_t
put_snapshots(struct fleet *f, const struct made *m)
{
	char *paths[] = { text("/etc"), text("/home") };
	char *tags[] = { text("default") };
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	char id[HEX_CAP], short_id[9];
	uint64_t i, raw[4];
	int k;

	if (m->last_ok == 0)
		return 0;
	for (i = 0; i < f->o->snapshots; i++) {
		for (k = 0; k < 4; k++)
			raw[k] = fleet_roll(f);
		str_hex(raw, sizeof(raw), id, sizeof(id));
		(void)snprintf(short_id, sizeof(short_id), "%.8s", id);
		s.id = id;
		s.short_id = short_id;
		s.time_ms = m->last_ok - (int64_t)i * m->every;
		s.hostname = text(m->name);
		s.n_paths = 2;
		s.paths = paths;
		s.n_tags = 1;
		s.tags = tags;
		s.size_bytes = (uint64_t)fleet_between(f, 100000, 9000000000);
		s.file_count = (uint64_t)fleet_between(f, 900, 300000);
		snap_store_stage(f->tx, &m->id, &s);
	}
	f->r->snapshots += i;
	return i == 0 ? 0 : snap_store_replace(f->tx, &m->id);
}

/* ------------------------------------------------------------------- hosts */

static void
choose_name(struct fleet *f, struct made *m, uint64_t i)
{
	size_t role =
	    i < ARRAY_LEN(roles) ? (size_t)i : fleet_roll(f) % ARRAY_LEN(roles);
	uint64_t n = ++f->roles[role];

	m->windows = roles[role].windows;
	m->role_tag = roles[role].tag;
	m->place_tag =
	    places[m->windows ? 1 : fleet_roll(f) % ARRAY_LEN(places)];
	if (i == ARRAY_LEN(roles))
		(void)snprintf(m->name, sizeof(m->name), "%s",
		    "appliance-frankfurt-rack-17-slot-04.intern."
		    "example.org");
	else
		(void)snprintf(m->name, sizeof(m->name), "%s%s-%02" PRIu64,
		    m->windows ? "win-" : "", roles[role].name, n);
}

static void
choose_state(struct fleet *f, struct made *m, uint64_t i)
{
	uint64_t k, w = fleet_roll(f) % 100;

	m->state = (enum fleet_state)(i % FLEET_STATES);
	for (k = 0; i >= FLEET_STATES && k < ARRAY_LEN(weights); k++) {
		m->state = weights[k].state;
		if (w < weights[k].upto)
			break;
	}
	m->always_on = !fleet_chance(f, 8);
	m->online = m->always_on ? !fleet_chance(f, 4) : fleet_chance(f, 50);
	if (m->state == FLEET_STALE)
		m->online = i >= FLEET_STATES && fleet_chance(f, 20);
	if (m->state == FLEET_RUNNING || m->state == FLEET_NEW)
		m->online = true;
	m->behind = fleet_chance(f, 10);
	m->cause = (int)(fleet_roll(f) % ARRAY_LEN(causes));
}

static void
choose_times(struct fleet *f, struct made *m)
{
	int64_t now = f->o->now_ms, streak = 0;

	m->every = DAY_MS;
	m->enrolled = now - fleet_between(f, 35, 400) * DAY_MS;
	if (fleet_chance(f, 10))
		m->enrolled = now - fleet_between(f, 3, 29) * DAY_MS;
	m->last_run = now - fleet_between(f, 15, 22 * 60) * MINUTE_MS;
	switch (m->state) {
	case FLEET_STALE:
		streak = m->online ? fleet_between(f, 2, 12) : 0;
		if (!m->online)
			m->last_run = now - fleet_between(f, 2, 20) * DAY_MS;
		m->enrolled = now - fleet_between(f, 35, 400) * DAY_MS;
		break;
	case FLEET_FAILED:
		m->every = 4 * HOUR_MS;
		streak = fleet_between(f, 1, 5);
		m->last_run = now - fleet_between(f, 5, 180) * MINUTE_MS;
		break;
	case FLEET_NEVER:
		m->enrolled = now - fleet_between(f, 2, 10) * DAY_MS;
		m->last_run = 0;
		break;
	case FLEET_NEW:
		m->enrolled = now - fleet_between(f, 1, 600) * MINUTE_MS;
		m->last_run = 0;
		break;
	case FLEET_RUNNING:
		m->last_run =
		    now - fleet_between(f, 23 * 60, 25 * 60) * MINUTE_MS;
		break;
	case FLEET_INCOMPLETE:
	case FLEET_OK:
		break;
	}
	m->last_ok = m->last_run == 0 ? 0 : m->last_run - streak * m->every;
}

static void
fill_agent(struct fleet *f, const struct made *m, struct Rec__Host *h)
{
	static const char *const restic[] = { "0.18.0", "0.18.0", "0.16.4",
		"0.14.0" };

	h->reported_name = text(m->name);
	h->os = text(m->windows ? "windows" : "linux");
	h->arch = text(fleet_chance(f, 12) ? "arm64" : "amd64");
	h->agent_version = text(m->behind ? "0.0.9" : RM_VERSION);
	h->restic_version = text(restic[fleet_roll(f) % ARRAY_LEN(restic)]);
	h->protocol_version = 1;
	h->online = m->online;
	h->always_on = m->always_on;
	h->last_seen_at_ms = f->o->now_ms - fleet_between(f, 1, 20) * 1000;
	if (!m->online)
		h->last_seen_at_ms =
		    m->state == FLEET_STALE
		        ? m->last_run
		        : f->o->now_ms - fleet_between(f, 3, 900) * MINUTE_MS;
	h->boot_time_ms = h->last_seen_at_ms - fleet_between(f, 1, 90) * DAY_MS;
}

static void
fill_repository(struct fleet *f, const struct made *m, struct Rec__Host *h)
{
	h->repo_status = REC__REPO_STATUS__REPO_READY;
	if (m->state == FLEET_NEW)
		h->repo_status = REC__REPO_STATUS__REPO_UNKNOWN;
	if (m->state == FLEET_NEVER) {
		h->repo_status = REC__REPO_STATUS__REPO_INIT_FAILED;
		h->repo_status_error = text("Fatal: create repository failed: "
		                            "server response unexpected: 401");
	}
	h->repo_url = text("rest:https://vault-01.example.net/");
	h->repo_username = text(m->name);
	h->config_version = h->applied_config_version = 1;
	if (m->last_ok == 0)
		return;
	h->repo_size_bytes = (UINT64_C(1) << fleet_between(f, 30, 41)) +
	                     (uint64_t)fleet_between(f, 0, INT64_C(900000000));
	h->repo_raw_size_bytes = h->repo_size_bytes / 2 * 3;
	h->snapshots_at_ms = m->last_ok;
}

static void
put_host(struct fleet *f, struct made *m)
{
	struct Rec__Host h = REC__HOST__INIT;
	char *tags[] = { text(m->place_tag), text(m->role_tag) };
	struct ulid init = m->group; /* the job is gone with its age */

	h.id = bytes(&m->id);
	h.name = text(m->name);
	h.n_tags = 2;
	h.tags = tags;
	h.enrolled_at_ms = m->enrolled;
	fill_agent(f, m, &h);
	fill_repository(f, m, &h);
	/* Its agent will come: it is not to try the repository first. */
	if (f->o->bearers != NULL) {
		h.init_job = bytes(&init);
		fleet_put_no_upkeep(f, m);
	}
	h.snapshot_count = put_snapshots(f, m);
	h.last_backup_at_ms = m->last_ok;
	h.last_attempt_at_ms = m->last_run;
	if (m->last_run != 0)
		h.last_backup_state = m->run_bad ? FAIL : DONE;
	h.last_backup_incomplete = m->run_part;
	fleet_fill_planned(m, &h);
	if (!ulid_is_zero(&m->current))
		h.current_job = bytes(&m->current);
	fleet_put_sizes(f, m, &h);
	host_store_put(f->tx, &h);
	f->r->states[m->state]++;
	f->r->offline += !m->online;
}

static void
make_host(struct fleet *f, uint64_t i)
{
	struct made m = { .state = FLEET_OK };
	char id[ULID_TEXT_CAP];

	choose_name(f, &m, i);
	choose_state(f, &m, i);
	choose_times(f, &m);
	m.id = fleet_id_at(f, m.enrolled);
	m.group = fleet_id_at(f, m.enrolled);
	if (m.state == FLEET_OK && fleet_chance(f, 12)) {
		m.home = fleet_id_at(f, m.enrolled + 1);
		put_group(f, &m, &m.home, "home");
	}
	put_group(f, &m, &m.group, "default");
	fleet_put_schedule(f, &m);
	if (i == 0)
		put_history(f, &m, &m.group);
	if (m.state == FLEET_RUNNING)
		put_running(f, &m);
	put_host(f, &m);
	ulid_text(&m.id, id);
	if (f->past != NULL)
		f->past[i] = (struct fleet_past){ m.id, m.group };
	if (f->o->list != NULL)
		fprintf(f->o->list, "%s %s %s %s\n", id, state_names[m.state],
		    m.online ? "online" : "offline", m.name);
}

/* --------------------------------------------------------------- in batches */

static enum rc
make_batch(struct fleet *f, struct store *state, struct store *live,
    uint64_t from)
{
	struct arena a;
	uint64_t i;
	enum rc rc;

	arena_init(&a, MIB(512));
	f->tx = store_begin_write(state, &a);
	f->live = live == NULL ? NULL : store_begin_write(live, NULL);
	for (i = from; i < f->o->hosts && i < from + BATCH; i++)
		make_host(f, i);
	rc = store_commit(f->tx, f->e);
	if (f->live != NULL && rc == RC_OK)
		rc = store_commit(f->live, f->e);
	else if (f->live != NULL)
		store_abort(f->live);
	arena_fini(&a);
	return rc;
}

static enum rc
open_store(const struct fleet_opts *o, enum store_env env, const char *below,
    struct store **out, struct err *e)
{
	char path[PATH_CAP];

	if (!str_fmt(path, sizeof(path), "%s/%s", o->dir, below))
		return err_set(e, RC_LIMIT, "%s: the path is too long", o->dir);
	if (fsio_mkdirs(path, 0750, e) != RC_OK)
		return e->rc;
	return store_open(env, STORE_WRITER, path, out, e);
}

enum rc
fleet_put(const struct fleet_opts *o, struct fleet_result *out, struct err *e)
{
	struct fleet f = { .o = o, .r = out, .rng = o->seed, .e = e };
	struct store *state = NULL, *live = NULL;
	uint64_t i;
	enum rc rc;

	if (!str_fmt(f.spool, sizeof(f.spool), "%s/spool", o->dir))
		return err_set(e, RC_LIMIT, "%s: the path is too long", o->dir);
	if ((rc = open_store(o, STORE_STATE, "db/state", &state, e)) != RC_OK)
		goto out;
	if ((rc = fsio_mkdirs(f.spool, 0750, e)) != RC_OK)
		goto out;
	if (o->live &&
	    (rc = open_store(o, STORE_LIVE, "run/live", &live, e)) != RC_OK)
		goto out;
	if (o->past > 0)
		f.past = mem_alloc((size_t)o->hosts * sizeof(*f.past));
	for (i = 0; rc == RC_OK && i < o->hosts; i += BATCH)
		rc = make_batch(&f, state, live, i);
	if (rc == RC_OK && o->past > 0)
		rc = fleet_put_past(&f, state);
out:
	mem_free(f.past);
	store_close(live);
	store_close(state);
	return rc;
}
