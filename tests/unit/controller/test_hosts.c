/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/edge_fixture.h"

#include "lib/base/clock.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"

#define T1 "2023-11-14T22:13:20.000Z"

enum {
	JOBS = 6
};

static const int64_t t1 = 1700000000000;
static const struct ulid host = { { 1, 2, 3 } }, group = { { 4 } },
                         job = { { 5 } };

static unsigned
get_of_host(struct edge *e, const char *rest)
{
	char path[128], id[ULID_TEXT_CAP];

	ulid_text(&host, id);
	assert_true(str_fmt(path, sizeof(path), "/api/hosts/%s%s", id, rest));
	return edge_get(e, path, e->cookie);
}

static void
assert_says(const struct edge *e, const char *const *parts)
{
	for (; *parts != NULL; parts++) {
		if (!edge_said(e, *parts))
			fail_msg("%s is not in %s", *parts,
			    buf_text(&e->answer));
	}
}

static void
commit(struct edge *e, struct store_tx *tx)
{
	struct err err;

	assert_rc(store_commit(tx, &err), RC_OK);
	arena_reset(&e->f.arena);
}

/* Every field has a value that no other field has. */
static void
put_full_host(struct edge *e, bool online, bool incomplete)
{
	char *tags[] = { text("prod"), text("db") };
	struct store_tx *tx = store_begin_write(e->c.state, &e->f.arena);
	struct Rec__Host h = REC__HOST__INIT;

	h.id = id_bytes(&host);
	h.name = text("db-02");
	h.reported_name = text("db-02.lan");
	h.os = text("linux");
	h.arch = text("arm64");
	h.agent_version = text("0.0.9");
	h.restic_version = text("0.18.1");
	h.protocol_version = 3;
	h.tags = tags;
	h.n_tags = 2;
	h.enrolled_at_ms = t1;
	h.last_seen_at_ms = t1 + 1000;
	h.online = online;
	h.always_on = true;
	h.repo_status = REC__REPO_STATUS__REPO_INIT_FAILED;
	h.repo_status_error = text("no route \"x\"");
	h.repo_url = text("rest:https://backup/db-02");
	h.repo_username = text("db");
	h.repo_size_bytes = 101;
	h.repo_raw_size_bytes = 202;
	h.snapshot_count = 303;
	h.snapshots_at_ms = t1 + 2000;
	h.last_backup_at_ms = t1 + 3000;
	h.last_attempt_at_ms = t1 + 4000;
	h.last_backup_state = REC__JOB_STATE__JOB_SUCCEEDED;
	h.last_backup_incomplete = incomplete;
	h.current_job = id_bytes(&job);
	h.config_version = 404;
	h.applied_config_version = 403;
	h.bandwidth_up_kbps = 505;
	h.bandwidth_down_kbps = 606;
	h.duplicate_notice = text("seen twice");
	h.boot_time_ms = t1 + 5000;
	host_store_put(tx, &h);
	commit(e, tx);
}

/* B-01, M-404: each projected field moves. */
static void
a_host_is_told_with_every_field(void **state)
{
	static const char *const parts[] = { "\"name\":\"db-02\"",
		"\"reported_name\":\"db-02.lan\"", "\"status\":\"online\"",
		"\"os\":\"linux\"", "\"arch\":\"arm64\"",
		"\"agent_version\":\"0.0.9\"", "\"restic_version\":\"0.18.1\"",
		"\"protocol_version\":3", "\"update_available\":true",
		"\"tags\":[\"prod\",\"db\"]", "\"always_on\":true",
		"\"duplicate_notice\":\"seen twice\"",
		"\"enrolled_at\":\"" T1 "\"",
		"\"last_seen_at\":\"2023-11-14T22:13:21.000Z\"",
		"\"boot_time\":\"2023-11-14T22:13:25.000Z\"",
		"\"repo_status\":\"init_failed\"",
		"\"repo_status_error\":\"no route \\\"x\\\"\"",
		"\"repo_url\":\"rest:https://backup/db-02\"",
		"\"repo_username\":\"db\"", "\"repo_size_bytes\":101",
		"\"repo_raw_size_bytes\":202", "\"snapshot_count\":303",
		"\"snapshots_at\":\"2023-11-14T22:13:22.000Z\"",
		"\"last_backup_status\":\"succeeded\"",
		"\"last_backup_at\":\"2023-11-14T22:13:23.000Z\"",
		"\"last_attempt_at\":\"2023-11-14T22:13:24.000Z\"",
		"\"current_job_id\":\"0500", "\"config_version\":404",
		"\"applied_config_version\":403", "\"bandwidth_up_kbps\":505",
		"\"bandwidth_down_kbps\":606", "\"init_job_id\":null", NULL };
	struct edge *e = *state;

	edge_make_ann(e);
	put_full_host(e, true, false);
	assert_int_equal(get_of_host(e, ""), 200);
	assert_says(e, parts);
	assert_int_equal(edge_get(e, "/api/hosts", e->cookie), 200);
	assert_true(edge_said(e, "{\"items\":[{\"id\":\""));
	assert_says(e, parts);
	put_full_host(e, false, true);
	assert_int_equal(get_of_host(e, ""), 200);
	assert_true(edge_said(e, "\"status\":\"offline\""));
	assert_true(edge_said(e, "\"last_backup_status\":\"incomplete\""));
}

static void
presence_is_fresher_than_the_record(void **state)
{
	struct edge *e = *state;
	struct Rec__Presence p = REC__PRESENCE__INIT;
	struct store_tx *tx;

	edge_make_ann(e);
	put_full_host(e, true, false);
	p.last_seen_ms = t1 + 60000;
	tx = store_begin_write(e->c.live, &e->f.arena);
	live_put_presence(tx, &host, &p);
	commit(e, tx);
	assert_int_equal(get_of_host(e, ""), 200);
	assert_true(
	    edge_said(e, "\"last_seen_at\":\"2023-11-14T22:14:20.000Z\""));
}

/* M-229, M-230 */
static void
snapshots_come_newest_first(void **state)
{
	char *paths[] = { text("/etc"), text("/home") };
	struct edge *e = *state;
	struct Rec__Snapshot n = REC__SNAPSHOT__INIT;
	struct store_tx *tx;
	const char *older, *newer;

	edge_make_ann(e);
	put_full_host(e, true, false);
	assert_int_equal(get_of_host(e, "/snapshots"), 200);
	assert_true(edge_said(e, "\"items\":[],\"total\":0,\"page\":1"));
	n.paths = paths;
	n.n_paths = 2;
	n.hostname = text("db-02");
	n.size_bytes = 77;
	n.file_count = 88;
	tx = store_begin_write(e->c.state, &e->f.arena);
	n.id = text("aaaaaaaabbbbbbbb");
	n.short_id = text("aaaaaaaa");
	n.time_ms = t1;
	snap_store_stage(tx, &host, &n);
	n.id = text("ccccccccdddddddd");
	n.short_id = text("cccccccc");
	n.time_ms = t1 + 1000;
	snap_store_stage(tx, &host, &n);
	assert_int_equal(snap_store_replace(tx, &host), 2);
	commit(e, tx);
	assert_int_equal(get_of_host(e, "/snapshots"), 200);
	assert_true(edge_said(e,
	    "\"refreshed_at\":\"2023-11-14T22:13:22.000Z\",\"items\":["));
	assert_true(edge_said(e, "\"paths\":[\"/etc\",\"/home\"]"));
	assert_true(edge_said(e, "\"size_bytes\":77,\"file_count\":88"));
	newer = strstr(buf_text(&e->answer), "\"short_id\":\"cccccccc\"");
	older = strstr(buf_text(&e->answer), "\"short_id\":\"aaaaaaaa\"");
	assert_non_null(newer);
	assert_non_null(older);
	assert_true(newer < older);
}

static void
source_groups_are_listed(void **state)
{
	char *includes[] = { text("/srv") };
	struct edge *e = *state;
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct store_tx *tx;

	edge_make_ann(e);
	put_full_host(e, true, false);
	g.id = id_bytes(&group);
	g.host_id = id_bytes(&host);
	g.name = text("default");
	g.includes = includes;
	g.n_includes = 1;
	g.created_at_ms = t1;
	g.last_job = id_bytes(&job);
	g.last_state = REC__JOB_STATE__JOB_FAILED;
	tx = store_begin_write(e->c.state, &e->f.arena);
	plan_store_put(tx, &g);
	commit(e, tx);
	assert_int_equal(get_of_host(e, "/source-groups"), 200);
	assert_true(edge_said(e, "\"name\":\"default\""));
	assert_true(edge_said(e, "\"includes\":[\"/srv\"],\"excludes\":[]"));
	assert_true(edge_said(e, "\"last_status\":\"failed\""));
	assert_true(edge_said(e, "\"created_at\":\"" T1 "\""));
}

/* M-304, M-405 */
static void
the_summary_adds_the_fleet_up(void **state)
{
	static const Rec__JobState states[JOBS] = {
		REC__JOB_STATE__JOB_QUEUED, REC__JOB_STATE__JOB_RUNNING,
		REC__JOB_STATE__JOB_SUCCEEDED, REC__JOB_STATE__JOB_SUCCEEDED,
		REC__JOB_STATE__JOB_FAILED,
		REC__JOB_STATE__JOB_SUCCEEDED, /* two days ago */
	};
	static const char *const parts[] = { "\"total\":1", "\"online\":1",
		"\"offline\":0", "\"running\":1", "\"behind\":1",
		"\"init_failed\":1",
		"\"last_backup\":{\"succeeded\":1,\"incomplete\":0",
		"\"repo_bytes\":101", "\"snapshots\":303",
		"\"jobs_24h\":{\"queued\":1,\"running\":1,\"succeeded\":2,"
		"\"failed\":1,\"cancelled\":0,\"incomplete\":1",
		"\"partial\":false", NULL };
	struct edge *e = *state;
	struct store_tx *tx;
	size_t i;

	edge_make_ann(e);
	put_full_host(e, true, false);
	tx = store_begin_write(e->c.state, &e->f.arena);
	for (i = 0; i < JOBS; i++) {
		struct Rec__Job j = REC__JOB__INIT;
		struct ulid id = id_n(9, (uint32_t)(JOBS - i));

		j.id = id_bytes(&id);
		j.host_id = id_bytes(&host);
		j.state = states[i];
		j.incomplete = i == 3;
		j.created_at_ms =
		    clock_now_ms() - (i == JOBS - 1 ? 2 * 86400000 : 1000);
		job_store_put(tx, &j);
	}
	commit(e, tx);
	assert_int_equal(edge_get(e, "/api/fleet/summary", e->cookie), 200);
	assert_says(e, parts);
}

static void
strangers_and_unknown_ids_get_nothing(void **state)
{
	struct edge *e = *state;

	put_full_host(e, true, false);
	assert_int_equal(get_of_host(e, ""), 401);
	assert_false(edge_said(e, "db-02"));
	edge_make_ann(e);
	assert_int_equal(edge_get(e, "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV",
	                     e->cookie),
	    404);
	assert_int_equal(edge_get(e, "/api/hosts/x/snapshots", e->cookie), 404);
	assert_int_equal(edge_get(e, "/api/hosts/x/source-groups", e->cookie),
	    404);
	assert_true(edge_said(e, "{\"code\":\"not_found\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(a_host_is_told_with_every_field),
		edge_test(presence_is_fresher_than_the_record),
		edge_test(snapshots_come_newest_first),
		edge_test(source_groups_are_listed),
		edge_test(the_summary_adds_the_fleet_up),
		edge_test(strangers_and_unknown_ids_get_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
