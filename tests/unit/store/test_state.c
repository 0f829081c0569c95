/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/data/state/v<N> holds databases as schema N wrote them.  They are
 * never made again: every later version has to open them.  All of them hold
 * the same, so that the tests are run with each.
 *
 * A new schema gets a folder and a row in main():
 *   store.test_state --make FOLDER
 */
#include "tests/unit/store/store_fixture.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/store/audit_store.h"
#include "lib/store/job_out.h"
#include "lib/store/job_query.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

static const char snapshot_id[] =
    "4bba301ed1c2e7f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718";

static void
make_jobs(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct Rec__JobStats st = REC__JOB_STATS__INIT;
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id = id_n(2, 1);
	char *includes[] = { text("/etc"), text("/home") };

	st.files_new = 120;
	st.snapshot_id = text(snapshot_id);
	j.id = id_bytes(&id);
	j.host_id = id_bytes(host);
	j.group_id = id_bytes(group);
	j.group_name = text("default");
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.actor_kind = REC__ACTOR_KIND__ACTOR_USER;
	j.created_at_ms = 1763700000000;
	j.finished_at_ms = 1763700060000;
	j.stats = &st;
	j.log_bytes = 4096;
	j.log_lines = 37;
	j.log_closed = true;
	j.includes = includes;
	j.n_includes = 2;
	job_store_put(tx, &j);
	id = id_n(2, 2);
	j.state = REC__JOB_STATE__JOB_RUNNING;
	j.stats = NULL;
	j.log_closed = false;
	job_store_put(tx, &j);
}

static void
make_plan(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	char *paths[] = { text("/etc"), text("/home") };

	g.id = id_bytes(group);
	g.host_id = id_bytes(host);
	g.name = text("default");
	g.includes = paths;
	g.n_includes = 2;
	plan_store_put(tx, &g);
	o.state = REC__JOB_STATE__JOB_SUCCEEDED;
	plan_store_put_day(tx, host, 20412, group, &o);
	s.id = text(snapshot_id);
	s.short_id = text("4bba301e");
	s.time_ms = 1763700050000;
	s.hostname = text("web-1");
	s.paths = paths;
	s.n_paths = 2;
	s.size_bytes = 1288490188;
	snap_store_stage(tx, host, &s);
	snap_store_replace(tx, host);
}

static void
make_state(struct fixture *f)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	struct Rec__AgentCursor c = REC__AGENT_CURSOR__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__User u = REC__USER__INIT;
	struct ulid host = id_n(1, 1), group = id_n(4, 1), user = id_n(3, 1);
	struct store_tx *tx = fixture_write(f);
	char *tags[] = { text("web"), text("production") };

	h.id = id_bytes(&host);
	h.name = text("Web-1");
	h.os = text("linux");
	h.tags = tags;
	h.n_tags = 2;
	h.repo_status = REC__REPO_STATUS__REPO_READY;
	h.repo_url = text("rest:https://backup.example/web-1/");
	h.snapshot_count = 1;
	host_store_put(tx, &h);
	c.epoch = bytes_of("0123456789abcdef", 16);
	c.last_seq = 4711;
	host_store_put_cursor(tx, &host, &c);
	make_plan(tx, &host, &group);
	make_jobs(tx, &host, &group);
	u.id = id_bytes(&user);
	u.name = text("anna");
	u.role = REC__ROLE__ROLE_ADMIN;
	user_store_put(tx, &u);
	a.action = text("host.enrolled");
	a.actor_name = text("anna");
	audit_store_add(tx, &a);
	a.action = text("job.dispatched");
	audit_store_add(tx, &a);
	fixture_commit(tx);
}

static void
make_vault(struct fixture *f)
{
	struct Rec__HostSecrets h = REC__HOST_SECRETS__INIT;
	struct Rec__EnrolToken t = REC__ENROL_TOKEN__INIT;
	struct Rec__Password p = REC__PASSWORD__INIT;
	struct Rec__Session s = REC__SESSION__INIT;
	struct ulid host = id_n(1, 1), user = id_n(3, 1);
	struct store_tx *tx = fixture_write_vault(f);
	uint8_t hash[CRYPT_HASH_SIZE];

	crypt_sha256(STR("bearer"), hash);
	h.bearer_hash = bytes_of(hash, sizeof(hash));
	h.sealed_repo = bytes_of("sealed", 6);
	vault_put_host(tx, &host, &h);
	p.argon2id = text("$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA");
	vault_put_password(tx, &user, &p);
	s.user_id = id_bytes(&user);
	s.created_at_ms = 1763700000000;
	s.expires_at_ms = 1763786400000;
	crypt_sha256(STR("cookie"), hash);
	vault_put_session(tx, hash, &s, 50);
	t.hostname = text("web-2");
	t.expires_at_ms = 1763786400000;
	crypt_sha256(STR("token"), hash);
	vault_put_token(tx, hash, &t);
	fixture_commit(tx);
}

/* Copies, so that the files hold only what is used. */
static int
make(const char *folder)
{
	struct fixture *f;
	struct err e = { 0 };
	char path[400];
	void *state = NULL;

	fixture_setup(&state);
	f = state;
	make_state(f);
	make_vault(f);
	if (!str_fmt(path, sizeof(path), "%s/state.mdb", folder) ||
	    store_backup(f->state, path, &e) != RC_OK ||
	    !str_fmt(path, sizeof(path), "%s/vault.mdb", folder) ||
	    store_backup(f->vault, path, &e) != RC_OK) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	return fixture_teardown(&state);
}

static void
copy_kept(const char *kept, const char *name, const char *dir)
{
	struct err e = { 0 };
	struct buf b;
	char path[400];

	buf_init(&b, MIB(4));
	assert_true(str_fmt(path, sizeof(path), "%s/%s", kept, name));
	if (fsio_read(path, &b, &e) != RC_OK)
		fail_msg("%s", e.msg);
	assert_rc(fsio_join(path, sizeof(path), dir, "data.mdb"), RC_OK);
	assert_rc(fsio_mkdirs(dir, 0700, &e), RC_OK);
	assert_rc(fsio_replace(path, buf_str(&b), 0600, &e), RC_OK);
	buf_fini(&b);
}

/* The folder is what the test was given. */
static int
kept_setup(void **state)
{
	const char *kept = *state;
	struct fixture *f = MEM_NEW(struct fixture);

	assert_rc(crypt_init(NULL), RC_OK);
	fixture_dir(f);
	copy_kept(kept, "state.mdb", f->state_dir);
	copy_kept(kept, "vault.mdb", f->vault_dir);
	arena_init(&f->arena, MIB(64));
	fixture_open(f);
	*state = f;
	return 0;
}

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	unsigned *n = ctx;

	assert_string_equal(j->group_name, "default");
	assert_int_equal(j->n_includes, 2);
	assert_string_equal(j->includes[1], "/home");
	++*n;
	return true;
}

static bool
test_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	unsigned *n = ctx;

	assert_string_equal(s->id, snapshot_id);
	assert_int_equal(s->size_bytes, 1288490188);
	++*n;
	return true;
}

static bool
test_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	unsigned *n = ctx;

	assert_string_equal(g->name, "default");
	++*n;
	return true;
}

static bool
test_on_day(void *ctx, uint32_t day, const struct ulid *group,
    const struct Rec__DayOutcome *o)
{
	unsigned *n = ctx;

	assert_int_equal(day, 20412);
	assert_int_equal(group->b[0], 4);
	assert_int_equal(o->state, REC__JOB_STATE__JOB_SUCCEEDED);
	++*n;
	return true;
}

static void
kept_state_is_read(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1), job = id_n(2, 1), bad;
	unsigned jobs = 0, logs = 0, snaps = 0, groups = 0, days = 0;
	struct store_tx *tx = fixture_read(f);
	struct Rec__Host *h;
	uint64_t entries;

	h = host_store_find_name(tx, STR("web-1"));
	assert_non_null(h);
	assert_string_equal(h->name, "Web-1");
	assert_string_equal(h->tags[1], "production");
	assert_int_equal(h->repo_status, REC__REPO_STATUS__REPO_READY);
	assert_int_equal(host_store_cursor(tx, &host)->last_seq, 4711);
	assert_int_equal(job_store_get(tx, &job)->stats->files_new, 120);
	assert_int_equal(job_store_get(tx, &job)->log_lines, 37);
	job_store_of_host(tx, &host, NULL, 10, test_on_job, &jobs);
	assert_int_equal(jobs, 2);
	job_store_open_logs(tx, test_on_job, &logs);
	assert_int_equal(logs, 1);
	snap_store_of_host(tx, &host, 0, 10, test_on_snapshot, &snaps);
	assert_int_equal(snaps, 1);
	assert_int_equal(snap_store_count(tx, &host), 1);
	plan_store_of_host(tx, &host, test_on_group, &groups);
	assert_int_equal(groups, 1);
	plan_store_days(tx, &host, 0, UINT32_MAX, test_on_day, &days);
	assert_int_equal(days, 1);
	assert_int_equal(user_store_find_name(tx, STR("anna"))->role,
	    REC__ROLE__ROLE_ADMIN);
	assert_rc(audit_store_verify(tx, &bad, &entries), RC_OK);
	assert_int_equal(entries, 2);
	assert_true(ulid_is_zero(&bad));
	fixture_end(tx);
}

static bool
test_on_id(void *ctx, const struct ulid *host, const struct Rec__Snapshot *s)
{
	assert_int_equal(host->b[0], 1);
	return test_on_snapshot(ctx, s);
}

static bool
test_on_paths(void *ctx, const struct ulid *host, struct str paths)
{
	unsigned *n = ctx;

	assert_int_equal(host->b[0], 1);
	assert_true(str_eq(paths, STR("/etc\0/home\0")));
	++*n;
	return true;
}

/* What older schemas did not have is made by the migration. */
static void
kept_state_has_its_indexes(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_read(f);
	struct job_query q = { .kind = REC__JOB_KIND__KIND_BACKUP, .max = 10 };
	struct ulid host = id_n(1, 1), running = id_n(2, 2);
	struct job_out out = { 0 };
	unsigned jobs = 0, snaps = 0, paths = 0;
	struct job_found found;

	job_query(tx, &q, &found, test_on_job, &jobs);
	assert_int_equal(found.total, 2);
	assert_int_equal(jobs, 2);
	job_query_by_host(tx, &host, &q);
	q.looks = 1U << JOB_LOOK_RUNNING;
	job_query(tx, &q, &found, test_on_job, &jobs);
	assert_int_equal(found.total, 1);
	snap_store_by_id(tx, STR("4bba301e"), test_on_id, &snaps);
	assert_int_equal(snaps, 1);
	snap_store_each_paths(tx, test_on_paths, &paths);
	assert_int_equal(paths, 1);
	assert_true(job_out_next(tx, &out));
	assert_true(ulid_eq(&out.host, &host));
	assert_true(ulid_eq(&out.job, &running));
	assert_int_equal(out.kind, REC__JOB_KIND__KIND_BACKUP);
	assert_false(job_out_next(tx, &out));
	assert_rc(store_rc(tx), RC_OK);
	fixture_end(tx);
}

static void
kept_vault_is_read(void **state)
{
	struct fixture *f = *state;
	struct ulid user = id_n(3, 1), host = id_n(1, 1), got;
	struct store_tx *tx = fixture_read_vault(f);
	uint8_t hash[CRYPT_HASH_SIZE];

	crypt_sha256(STR("bearer"), hash);
	assert_true(vault_host_of_bearer(tx, hash, &got));
	assert_true(ulid_eq(&got, &host));
	assert_int_equal(vault_find_host(tx, &host)->sealed_repo.len, 6);
	assert_non_null(vault_find_password(tx, &user));
	crypt_sha256(STR("cookie"), hash);
	assert_int_equal(vault_find_session(tx, hash)->expires_at_ms,
	    1763786400000);
	crypt_sha256(STR("token"), hash);
	assert_string_equal(vault_find_token(tx, hash)->hostname, "web-2");
	fixture_end(tx);
}

static void
kept_goes_on(void **state)
{
	struct fixture *f = *state;
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, 2), bad;
	uint64_t entries;

	put_host(tx, &id, "web-2");
	a.action = text("host.enrolled");
	audit_store_add(tx, &a);
	fixture_commit(tx);
	tx = fixture_read(f);
	assert_int_equal(host_store_count(tx), 2);
	assert_rc(audit_store_verify(tx, &bad, &entries), RC_OK);
	assert_int_equal(entries, 3);
	fixture_end(tx);
	tx = fixture_write_vault(f);
	assert_int_equal(vault_sweep(tx, INT64_MAX, 10), 2);
	fixture_commit(tx);
}

#define kept_test(f, folder)                                    \
	{                                                       \
#f " " folder, f, kept_setup, fixture_teardown, \
		    text("tests/data/state/" folder)            \
	}
#define kept_tests(folder)                                 \
	kept_test(kept_state_is_read, folder),             \
	    kept_test(kept_state_has_its_indexes, folder), \
	    kept_test(kept_vault_is_read, folder),         \
	    kept_test(kept_goes_on, folder)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		kept_tests("v1"),
		kept_tests("v2"),
		kept_tests("v3"),
	};

	if (argc == 3 && strcmp(argv[1], "--make") == 0)
		return make(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
