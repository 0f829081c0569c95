/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fake/seed.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "spool/joblog.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum {
	PATH_CAP = 1024,
	TODAY = 20776,
	LOG_LINES = 1200,
	WIDE_LINES = 520,
	SNAPSHOTS = 120
};

enum outcome {
	NOT,
	OK,
	BAD,
	PART
};

struct host_row {
	const char *name, *os, *arch, *restic;
	const char *tags[2];
	int64_t enrolled_ago, seen_ago, backup_ago, attempt_ago;
	Rec__JobState state;
	uint64_t size;
	bool online, incomplete;
};

#define DONE REC__JOB_STATE__JOB_SUCCEEDED
#define FAIL REC__JOB_STATE__JOB_FAILED

/* clang-format off */
static const struct host_row rows[SEED_HOSTS] = {
	[SEED_MAIL] = { "mail-01", "linux", "amd64", "0.14.0", { "prod", NULL },
	    200 * DAY_MS, 9 * DAY_MS, 9 * DAY_MS, 9 * DAY_MS, DONE,
	    GIB(412), false, false },
	[SEED_BUILD] = { "build-03", "linux", "arm64", "0.18.0", { "ci", NULL },
	    2 * DAY_MS, 0, 0, 0, REC__JOB_STATE__JOB_NONE, 0, true, false },
	[SEED_DB2] = { "db-02", "linux", "amd64", "0.18.0", { "prod", "db" },
	    261 * DAY_MS, 0, 25 * HOUR_MS, 2 * HOUR_MS, FAIL,
	    GIB(1239), true, false },
	[SEED_FS] = { "win-fs-01", "windows", "amd64", "0.18.0",
	    { "office", NULL }, 90 * DAY_MS, 0, 11 * HOUR_MS, 11 * HOUR_MS,
	    DONE, GIB(2908), true, true },
	[SEED_DB1] = { "db-01", "linux", "amd64", "0.18.0", { "prod", "db" },
	    261 * DAY_MS, 0, 6 * HOUR_MS, 6 * HOUR_MS, DONE, GIB(1372), true,
	    false },
	[SEED_APP] = { "app-01", "linux", "amd64", "0.18.0", { "prod", NULL },
	    150 * DAY_MS, 0, 2 * HOUR_MS, 2 * HOUR_MS, DONE, GIB(214), true,
	    false },
	[SEED_WEB] = { "web-03", "linux", "amd64", "0.14.0", { "prod", "web" },
	    18 * DAY_MS, 12 * MINUTE_MS, 2 * HOUR_MS, 2 * HOUR_MS, DONE,
	    MIB(66458), false, false },
	[SEED_NEW] = { "app-02", "linux", "amd64", "0.18.0", { NULL, NULL },
	    10 * MINUTE_MS, 0, 0, 0, REC__JOB_STATE__JOB_NONE, 0, true,
	    false },
	[SEED_EVIL] = { "<img src=x onerror=alert(1)>", "li\"nux", "'x", "",
	    { "<b>", "a&b" }, 20 * DAY_MS, 0, 3 * HOUR_MS, 3 * HOUR_MS, DONE,
	    512, true, false },
};
/* clang-format on */

static struct ulid
made_id(uint8_t kind, uint8_t n, int64_t at_ms)
{
	struct ulid id = { { 0 } };
	int i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)((uint64_t)at_ms >> (8 * (5 - i)));
	id.b[6] = kind;
	id.b[15] = n;
	return id;
}

struct ulid
seed_host_id(enum seed_host h)
{
	return made_id(1, (uint8_t)h, SEED_NOW_MS - rows[h].enrolled_ago);
}

struct ulid
seed_group_id(enum seed_host h)
{
	return made_id(2, (uint8_t)h, SEED_NOW_MS - rows[h].enrolled_ago);
}

struct ulid
seed_job_id(enum seed_job j)
{
	static const int64_t ago[] = { [SEED_JOB_FAILED] = 2 * HOUR_MS,
		[SEED_JOB_INCOMPLETE] = 11 * HOUR_MS,
		[SEED_JOB_RUNNING] = 13 * MINUTE_MS,
		[SEED_JOB_OK] = 2 * HOUR_MS,
		[SEED_JOB_QUEUED] = MINUTE_MS,
		[SEED_JOB_CANCELLED] = 30 * HOUR_MS,
		[SEED_JOB_EXPIRED] = 100 * DAY_MS };

	return made_id(3, (uint8_t)j, SEED_NOW_MS - ago[j]);
}

static ProtobufCBinaryData
bytes(struct ulid *id)
{
	return (ProtobufCBinaryData){ sizeof(id->b), id->b };
}

/* protobuf-c has no const; puts do not write. */
static char *
text(const char *z)
{
	return (char *)(uintptr_t)z;
}

static void
put_days(struct store_tx *tx, enum seed_host h, struct ulid id)
{
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct ulid group = seed_group_id(h);
	int64_t enrolled = TODAY - rows[h].enrolled_ago / DAY_MS;
	int64_t last = TODAY - rows[h].backup_ago / DAY_MS, day;

	for (day = TODAY - 29; day <= last; day++) {
		if (day < enrolled || rows[h].backup_ago == 0)
			continue;
		o.state = DONE;
		o.incomplete =
		    h == SEED_FS && (day > TODAY - 4 || day % 9 == 0);
		if (h == SEED_DB2 && (day == TODAY || day == TODAY - 10))
			o.state = FAIL;
		plan_store_put_day(tx, &id, (uint32_t)day, &group, &o);
	}
	o.state = FAIL;
	if (h == SEED_DB2)
		plan_store_put_day(tx, &id, TODAY, &group, &o);
}

static void
put_group(struct store_tx *tx, enum seed_host h, struct ulid id,
    const char *name, uint8_t variant)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct ulid group = seed_group_id(h), job;
	char *paths[] = { text("/etc"), text("/home") };

	group.b[14] = variant;
	g.id = bytes(&group);
	g.host_id = bytes(&id);
	g.name = text(name);
	g.n_includes = 2;
	g.includes = paths;
	g.created_at_ms = SEED_NOW_MS - rows[h].enrolled_ago;
	g.last_state = rows[h].state;
	job = seed_job_id(h == SEED_DB2  ? SEED_JOB_FAILED
	                  : h == SEED_FS ? SEED_JOB_INCOMPLETE
	                                 : SEED_JOB_OK);
	if (rows[h].backup_ago != 0)
		g.last_job = bytes(&job);
	plan_store_put(tx, &g);
}

static void
put_host(struct store_tx *tx, enum seed_host h)
{
	const struct host_row *r = &rows[h];
	struct Rec__Host rec = REC__HOST__INIT;
	struct ulid id = seed_host_id(h);
	struct ulid running = seed_job_id(SEED_JOB_RUNNING);
	char *tags[2] = { text(r->tags[0]), text(r->tags[1]) };

	rec.id = bytes(&id);
	rec.name = text(r->name);
	rec.reported_name = text(h == SEED_FS ? "WIN-4711" : r->name);
	rec.os = text(r->os);
	rec.arch = text(r->arch);
	rec.agent_version = text("0.1.0");
	rec.restic_version = text(r->restic);
	rec.n_tags = r->tags[0] == NULL ? 0 : r->tags[1] == NULL ? 1 : 2;
	rec.tags = tags;
	rec.enrolled_at_ms = SEED_NOW_MS - r->enrolled_ago;
	rec.last_seen_at_ms = SEED_NOW_MS - r->seen_ago;
	rec.online = r->online;
	rec.always_on = true;
	rec.repo_status = h == SEED_BUILD ? REC__REPO_STATUS__REPO_INIT_FAILED
	                  : h == SEED_NEW ? REC__REPO_STATUS__REPO_UNKNOWN
	                                  : REC__REPO_STATUS__REPO_READY;
	rec.repo_status_error =
	    text(h == SEED_BUILD
	             ? "Fatal: create repository failed: server response "
	               "unexpected: 401 Unauthorized"
	             : "");
	rec.repo_url = text("rest:https://vault-01.example.net/");
	rec.repo_size_bytes = r->size;
	rec.snapshot_count = h == SEED_APP ? SNAPSHOTS : 0;
	rec.snapshots_at_ms = SEED_NOW_MS - 2 * HOUR_MS;
	if (r->backup_ago != 0)
		rec.last_backup_at_ms = SEED_NOW_MS - r->backup_ago;
	if (r->attempt_ago != 0)
		rec.last_attempt_at_ms = SEED_NOW_MS - r->attempt_ago;
	rec.last_backup_state = r->state;
	rec.last_backup_incomplete = r->incomplete;
	if (h == SEED_DB1)
		rec.current_job = bytes(&running);
	host_store_put(tx, &rec);
	put_group(tx, h, id, h == SEED_DB2 ? "postgres-dump" : "default", 0);
	if (h == SEED_APP)
		put_group(tx, h, id, "home <b>", 1);
	put_days(tx, h, id);
}

struct job_row {
	enum seed_host host;
	Rec__JobState state;
	const char *cause, *error;
	int exit_code;
	uint64_t unread;
	int64_t took_ms;
};

/* clang-format off */
static const struct job_row job_rows[] = {
	[SEED_JOB_FAILED] = { SEED_DB2, FAIL,
	    "locked",
	    "Fatal: unable to create lock in backend: repository is already "
	    "locked by PID 41220 on db-02 by root (UID 0, GID 0)\n"
	    "lock was created at 2026-11-18 23:58:41 (12h1m33s ago)", 11, 0,
	    12000 },
	[SEED_JOB_INCOMPLETE] = { SEED_FS, DONE, "", "", 3, 37, 401000 },
	[SEED_JOB_RUNNING] = { SEED_DB1, REC__JOB_STATE__JOB_RUNNING, "", "",
	    0, 0, 0 },
	[SEED_JOB_OK] = { SEED_APP, DONE, "", "", 0, 0, 252000 },
	[SEED_JOB_QUEUED] = { SEED_DB1, REC__JOB_STATE__JOB_QUEUED, "", "", 0,
	    0, 0 },
	[SEED_JOB_CANCELLED] = { SEED_DB2, REC__JOB_STATE__JOB_CANCELLED, "",
	    "", 130, 0, 5000 },
	[SEED_JOB_EXPIRED] = { SEED_APP, DONE, "", "", 0, 0, 61000 },
};
/* clang-format on */

/* The widest lines there can be, of what grows most when escaped. */
static void
put_wide_lines(struct buf *b, int64_t at)
{
	char *line = mem_alloc(JOBLOG_LINE_MAX);
	int i;

	memset(line, '"', JOBLOG_LINE_MAX);
	for (i = 0; i < WIDE_LINES; i++)
		joblog_line(b, at + i, JOBLOG_OUT,
		    str_from(line, JOBLOG_LINE_MAX));
	mem_free(line);
}

/* Returns how many lines there are. */
static uint64_t
put_log(struct buf *b, enum seed_job j, int64_t at)
{
	int i, n = j == SEED_JOB_FAILED ? LOG_LINES - 4 : 15;
	char line[256];

	joblog_line(b, at, JOBLOG_SYS, STR("job accepted by agent 0.1.0"));
	joblog_line(b, at + 100, JOBLOG_SYS,
	    STR("restic backup --json --tag default /etc /home"));
	for (i = 0; i < n; i++) {
		(void)snprintf(line, sizeof(line),
		    "processed %d files, %d.%d GiB", i * 120, i, i % 10);
		joblog_line(b, at + 200 + (int64_t)i * 10, JOBLOG_OUT,
		    str_of(line));
	}
	if (j == SEED_JOB_CANCELLED) {
		put_wide_lines(b, at + 500);
		return (uint64_t)n + 2 + WIDE_LINES;
	}
	if (j == SEED_JOB_FAILED) {
		joblog_line(b, at + 11000, JOBLOG_ERR,
		    STR("repository is already locked, waited 5 s"));
		joblog_line(b, at + 12000, JOBLOG_ERR,
		    STR("Fatal: unable to create lock in backend: <script>"));
		return (uint64_t)n + 4;
	}
	joblog_line(b, at + 9000, JOBLOG_ERR,
	    STR("error: open /home/x: \x1b[31mpermission denied"));
	return (uint64_t)n + 3;
}

static enum rc
put_job(struct store_tx *tx, const char *spool, enum seed_job j, struct err *e)
{
	const struct job_row *r = &job_rows[j];
	struct Rec__Job rec = REC__JOB__INIT;
	struct Rec__JobStats stats = REC__JOB_STATS__INIT;
	struct ulid id = seed_job_id(j), host = seed_host_id(r->host);
	struct ulid group = seed_group_id(r->host);
	struct ulid user = seed_user_id(SEED_USER_OPS);
	int64_t at = ulid_time_ms(&id);
	struct buf log;
	enum rc rc = RC_OK;

	buf_init(&log, MIB(16));
	rec.id = bytes(&id);
	rec.host_id = bytes(&host);
	rec.kind = REC__JOB_KIND__KIND_BACKUP;
	rec.state = r->state;
	rec.actor_kind = REC__ACTOR_KIND__ACTOR_USER;
	rec.actor_id = bytes(&user);
	rec.group_id = bytes(&group);
	rec.group_name =
	    text(r->host == SEED_DB2 ? "postgres-dump" : "default");
	rec.created_at_ms = at;
	if (r->state != REC__JOB_STATE__JOB_QUEUED)
		rec.started_at_ms = at;
	if (job_state_final(r->state))
		rec.finished_at_ms = at + r->took_ms;
	rec.exit_code = r->exit_code;
	rec.cause = text(r->cause);
	rec.error = text(r->error);
	rec.unread_count = r->unread;
	rec.incomplete = r->unread > 0;
	rec.log_expired = j == SEED_JOB_EXPIRED;
	if (r->state == DONE) {
		stats.total_files_processed = 84310;
		stats.total_bytes_processed = MIB(6553);
		stats.data_added = MIB(41);
		stats.files_new = 12;
		stats.files_changed = 1204;
		stats.snapshot_id = text("7c1e9f0412345678");
		rec.stats = &stats;
	}
	if (r->state != REC__JOB_STATE__JOB_QUEUED && !rec.log_expired) {
		rec.log_lines = put_log(&log, j, at);
		rec.log_bytes = log.len;

		rc = joblog_append(spool, &id, 0, buf_str(&log), e);
	}
	if (rc == RC_OK && j == SEED_JOB_INCOMPLETE)
		rc = joblog_compress(spool, &id, log.len, e);
	buf_fini(&log);
	if (rc == RC_OK)
		job_store_put(tx, &rec);
	return rc;
}

static void
put_snapshots(struct store_tx *tx)
{
	struct ulid host = seed_host_id(SEED_APP);
	char *paths[] = { text("/etc"), text("/home"), text("/var/<lib>") };
	char *tags[] = { text("default") };
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	char id[65], short_id[9];
	int i;

	for (i = 0; i < SNAPSHOTS; i++) {
		(void)snprintf(id, sizeof(id), "%08x%056d",
		    0x7c1e9f04U + (unsigned)i * 2654435761U, i);
		(void)snprintf(short_id, sizeof(short_id), "%.8s", id);
		s.id = id;
		s.short_id = short_id;
		s.time_ms = SEED_NOW_MS - 2 * HOUR_MS - i * 12 * HOUR_MS;
		s.hostname = text("app-01");
		s.n_paths = 3;
		s.paths = paths;
		s.n_tags = 1;
		s.tags = tags;
		s.size_bytes = MIB(6553) - (uint64_t)i * MIB(3);
		s.file_count = 84310 - (uint64_t)i;
		snap_store_stage(tx, &host, &s);
	}
	(void)snap_store_replace(tx, &host);
}

/* Two of its own; one of another machine, one of a clock that was ahead. */
static void
put_odd_snapshots(struct store_tx *tx)
{
	static const struct {
		const char *machine;
		int64_t ago_ms;
	} odd[] = { { "WIN-4711", 12 * HOUR_MS }, { "WIN-4711", 36 * HOUR_MS },
		{ "fs-other", HOUR_MS }, { "WIN-4711", -99 * HOUR_MS } };
	struct ulid host = seed_host_id(SEED_FS);
	char *paths[] = { text("C:\\Users") }, *tags[] = { text("default") };
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	char id[65], short_id[9];
	size_t i;

	for (i = 0; i < ARRAY_LEN(odd); i++) {
		(void)snprintf(id, sizeof(id), "%08zx%056zu", i + 0x5f00, i);
		(void)snprintf(short_id, sizeof(short_id), "%.8s", id);
		s.id = id;
		s.short_id = short_id;
		s.time_ms = SEED_NOW_MS - odd[i].ago_ms;
		s.hostname = text(odd[i].machine);
		s.n_paths = s.n_tags = 1;
		s.paths = paths;
		s.tags = tags;
		snap_store_stage(tx, &host, &s);
	}
	(void)snap_store_replace(tx, &host);
}

struct user_row {
	enum seed_user user;
	const char *name, *email;
	Rec__Role role;
	int64_t seen_ago, disabled_ago, link_left;
	bool pending;
};

/* clang-format off */
static const struct user_row user_rows[] = {
	{ SEED_USER_OPS,     "ops",     "",                REC__ROLE__ROLE_OPERATOR, 60000, 0, 0, false },
	{ SEED_USER_ADMIN,   "admin",   "adm@example.net", REC__ROLE__ROLE_ADMIN, 2 * DAY_MS, 0, 0, false },
	{ SEED_USER_INVITED, "invited-1", "",              REC__ROLE__ROLE_VIEWER, 0, 0, 1200000, true },
	{ SEED_USER_LATE,    "late-1",  "",                REC__ROLE__ROLE_VIEWER, 0, 0, 0, true },
	{ SEED_USER_GONE,    "gone-1",  "",                REC__ROLE__ROLE_ADMIN, 9 * DAY_MS, DAY_MS, 0, false },
	{ SEED_USER_EVIL,    "<script>alert(1)</script>", "\"><b>@x", REC__ROLE__ROLE_VIEWER, 0, 0, 0, false },
};
/* clang-format on */

struct ulid
seed_user_id(enum seed_user u)
{
	return made_id(9, (uint8_t)u, SEED_NOW_MS - 300 * DAY_MS);
}

struct ulid
seed_api_token_id(int n)
{
	return made_id(10, (uint8_t)n, SEED_NOW_MS - n * DAY_MS);
}

static int64_t
ago(int64_t ms)
{
	return ms == 0 ? 0 : SEED_NOW_MS - ms;
}

static void
put_users(struct store_tx *tx)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(user_rows); i++) {
		const struct user_row *r = &user_rows[i];
		struct ulid id = seed_user_id(r->user);
		struct Rec__User u = REC__USER__INIT;

		u.id = bytes(&id);
		u.name = text(r->name);
		u.email = text(r->email);
		u.role = r->role;
		u.created_at_ms = SEED_NOW_MS - 300 * DAY_MS;
		u.last_login_ms = ago(r->seen_ago);
		u.disabled_at_ms = ago(r->disabled_ago);
		u.setup_pending = r->pending;
		if (r->link_left > 0)
			u.setup_expires_at_ms = SEED_NOW_MS + r->link_left;
		user_store_put(tx, &u);
	}
}

static void
put_api_token(struct store_tx *tx, int n, const char *name, int64_t left_ms)
{
	struct ulid id = seed_api_token_id(n);
	struct ulid user = seed_user_id(SEED_USER_OPS);
	struct Rec__ApiToken t = REC__API_TOKEN__INIT;

	t.id = bytes(&id);
	t.user_id = bytes(&user);
	t.name = text(name);
	t.role = REC__ROLE__ROLE_VIEWER;
	t.created_at_ms = SEED_NOW_MS - n * DAY_MS;
	t.expires_at_ms = SEED_NOW_MS + left_ms;
	t.last_used_at_ms = n == 1 ? SEED_NOW_MS - 60000 : 0;
	token_store_put(tx, &t);
}

struct token_row {
	enum seed_token token;
	const char *name, *username;
	int64_t age_ms, used_ms, revoked_ms;
	int host; /* -1: none */
};

/* clang-format off */
static const struct token_row token_rows[] = {
	{ SEED_TOKEN_AWAITING, "app-03",  "app-03",  6 * MINUTE_MS, 0, 0, -1 },
	{ SEED_TOKEN_USED,     "app-02",  "app-02",  9 * MINUTE_MS, 8 * MINUTE_MS, 0, SEED_NEW },
	{ SEED_TOKEN_READY,    "web-01",  "web-01",  3 * HOUR_MS, 2 * HOUR_MS, 0, SEED_WEB },
	{ SEED_TOKEN_EXPIRED,  "late-01", "late-01", 2 * HOUR_MS, 0, 0, -1 },
	{ SEED_TOKEN_REVOKED,  "gone-01", "gone-01", 4 * MINUTE_MS, 0, MINUTE_MS, -1 },
	{ SEED_TOKEN_REPLACED, "app-03",  "app-03",  8 * MINUTE_MS, 0, 6 * MINUTE_MS, -1 },
	{ SEED_TOKEN_REMOVED,  "old-01",  "old-01",  5 * HOUR_MS, 4 * HOUR_MS, 0, SEED_HOSTS },
	{ SEED_TOKEN_FAILED,   "build-03", "build-03", 7 * HOUR_MS, 6 * HOUR_MS, 0, SEED_BUILD },
	{ SEED_TOKEN_EVIL,     "<b>evil", "it's; rm", 2 * MINUTE_MS, 0, 0, -1 },
};
/* clang-format on */

static void
put_token(struct store_tx *tx, const struct token_row *r)
{
	struct Rec__Enrolment e = REC__ENROLMENT__INIT;
	uint8_t hash[CRYPT_HASH_SIZE], next[CRYPT_HASH_SIZE];
	char *tags[] = { text("prod"), text("<i>") };
	struct ulid host = { { 0 } };

	memset(hash, (int)r->token, sizeof(hash));
	memset(next, SEED_TOKEN_AWAITING, sizeof(next));
	e.hostname = text(r->name);
	e.tags = tags;
	e.n_tags = r->token == SEED_TOKEN_EVIL ? 2 : 1;
	e.repo_url = text("rest:https://vault-01.example.net/web/");
	e.repo_username = text(r->username);
	e.password_generated = r->token != SEED_TOKEN_EVIL;
	e.created_by_name = text("ops");
	e.created_at_ms = SEED_NOW_MS - r->age_ms;
	e.expires_at_ms = e.created_at_ms + HOUR_MS;
	e.used_from = text("192.0.2.44");
	if (r->used_ms != 0)
		e.used_at_ms = SEED_NOW_MS - r->used_ms;
	if (r->revoked_ms != 0)
		e.revoked_at_ms = SEED_NOW_MS - r->revoked_ms;
	if (r->token == SEED_TOKEN_REPLACED) {
		e.replaced_by.data = next;
		e.replaced_by.len = sizeof(next);
	}
	if (r->host >= 0) {
		host = r->host == SEED_HOSTS
		           ? made_id(8, 8, SEED_NOW_MS)
		           : seed_host_id((enum seed_host)r->host);
		e.used_host = bytes(&host);
	}
	enrol_store_put(tx, hash, &e);
}

static enum rc
put_fleet(struct store *s, const char *spool, struct err *e)
{
	struct arena a;
	struct store_tx *tx;
	enum rc rc = RC_OK;
	int i;

	arena_init(&a, MIB(16));
	tx = store_begin_write(s, &a);
	put_users(tx);
	put_api_token(tx, 1, "nightly <b>report</b>", 30 * DAY_MS);
	put_api_token(tx, 2, "old one", -HOUR_MS);
	for (i = 0; i < SEED_HOSTS; i++)
		put_host(tx, (enum seed_host)i);
	for (i = 0; rc == RC_OK && i <= (int)SEED_JOB_EXPIRED; i++)
		rc = put_job(tx, spool, (enum seed_job)i, e);
	put_snapshots(tx);
	put_odd_snapshots(tx);
	for (i = 0; i < (int)ARRAY_LEN(token_rows); i++)
		put_token(tx, &token_rows[i]);
	if (rc == RC_OK)
		rc = store_commit(tx, e);
	else
		store_abort(tx);
	arena_fini(&a);
	return rc;
}

static enum rc
put_progress(struct store *live, struct err *e)
{
	struct Rec__LiveProgress p = REC__LIVE_PROGRESS__INIT;
	struct ulid id = seed_job_id(SEED_JOB_RUNNING);
	struct store_tx *tx = store_begin_write(live, NULL);

	p.job_id = bytes(&id);
	p.at_ms = SEED_NOW_MS;
	p.percent_done = 0.62;
	p.files_done = 1204;
	p.total_files = 1977;
	p.bytes_done = MIB(42189);
	p.total_bytes = MIB(67994);
	p.eta_seconds = 258;
	p.throughput_bps = MIB(86);
	live_put_progress(tx, &id, &p);
	return store_commit(tx, e);
}

enum rc
seed_store(const char *dir, bool fleet, struct err *e)
{
	struct store *state = NULL, *live = NULL;
	char path[PATH_CAP];
	enum rc rc;

	(void)snprintf(path, sizeof(path), "%s/db/state", dir);
	if ((rc = fsio_mkdirs(path, 0750, e)) != RC_OK)
		return rc;
	if ((rc = store_open(STORE_STATE, STORE_WRITER, path, &state, e)) !=
	    RC_OK)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/run/live", dir);
	if ((rc = fsio_mkdirs(path, 0750, e)) != RC_OK)
		goto out;
	if ((rc = store_open(STORE_LIVE, STORE_WRITER, path, &live, e)) !=
	    RC_OK)
		goto out;
	(void)snprintf(path, sizeof(path), "%s/spool", dir);
	if ((rc = fsio_mkdirs(path, 0750, e)) != RC_OK)
		goto out;
	if (fleet && (rc = put_fleet(state, path, e)) != RC_OK)
		goto out;
	if (fleet)
		rc = put_progress(live, e);
out:
	store_close(live);
	store_close(state);
	return rc;
}
