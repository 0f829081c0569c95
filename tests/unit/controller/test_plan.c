/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source groups, schedules and hooks as their ops leave them. */
#include "controller/plan.h"

#include "tests/unit/controller/op_help.h"

#include "controller/hooks_own.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "controller/schedules.h"
#include "controller/sources.h"
#include "lib/base/json.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/status.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

#define NOW INT64_C(1790000000000)

static const uint8_t key[CRYPT_KEY_SIZE] = { 7, 7, 7 };
static const uint8_t other_key[CRYPT_KEY_SIZE] = { 8 };
static const struct ulid host = { { 1 } }, other = { { 2 } };

static void
make_host(struct fixture *f)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx = fixture_write(f);

	h.id = id_bytes(&host);
	h.name = text("web-1");
	h.os = text("linux");
	h.config_version = 1;
	h.plan_format = 1;
	host_store_put(tx, &h);
	fixture_commit(tx);
}

static enum rc
run(struct fixture *f, op_fn *fn, void *in, struct err *e)
{
	struct op *op = op_new(fn, NULL, NULL);
	enum rc rc;

	op->in = in;
	rc = op_run(f, op);
	*e = op->err;
	op_free(op);
	return rc;
}

static struct ulid
make_group(struct fixture *f, const char *name, uint32_t hourly)
{
	char *paths[] = { text("/etc"), NULL };
	struct json_strs includes = { paths, 1 };
	struct sources_edit ed = { .host = host,
		.name = name,
		.includes = &includes,
		.keep_given = true,
		.keep = REC__RETENTION__INIT,
		.now_ms = NOW };
	struct err e;

	ed.keep.hourly = hourly;
	assert_rc(run(f, sources_put_op, &ed, &e), RC_OK);
	assert_true(ed.made);
	return ed.group;
}

static struct ulid
make_schedule(struct fixture *f, const char *cron, const struct ulid *group)
{
	char id[ULID_TEXT_CAP], *ids[] = { id, NULL };
	struct json_strs groups = { ids, 1 };
	struct schedules_edit ed = { .host = host,
		.cron = cron,
		.groups = &groups,
		.now_ms = NOW,
		.usual_zone = "UTC" };
	struct err e;

	ulid_text(group, id);
	assert_rc(run(f, schedules_put_op, &ed, &e), RC_OK);
	return ed.schedule;
}

static int64_t
since(struct fixture *f, struct schedules_edit *ed)
{
	struct store_tx *tx;
	struct err e;
	int64_t ms;

	assert_rc(run(f, schedules_put_op, ed, &e), RC_OK);
	tx = fixture_read(f);
	ms = schedule_store_get(tx, &host, &ed->schedule)->since_ms;
	fixture_end(tx);
	return ms;
}

/* Other groups or another spread leave it at its times. */
static void
a_schedule_begins_anew_with_other_times(void **state)
{
	struct fixture *f = *state;
	struct ulid group;
	struct schedules_edit ed = { .host = host, .usual_zone = "UTC" };

	make_host(f);
	group = make_group(f, "g", 0);
	ed.schedule = make_schedule(f, "30 2 * * *", &group);
	ed.now_ms = NOW + 1;
	ed.jitter_given = true;
	ed.jitter_s = 60;
	ed.cron = "30 2 * * *";
	assert_int_equal(since(f, &ed), NOW);
	ed.now_ms = NOW + 2;
	ed.cron = "31 2 * * *";
	assert_int_equal(since(f, &ed), NOW + 2);
	ed.now_ms = NOW + 3;
	ed.enabled_given = true;
	assert_int_equal(since(f, &ed), NOW + 2); /* paused */
	ed.now_ms = NOW + 4;
	ed.enabled = true;
	assert_int_equal(since(f, &ed), NOW + 4);
}

static struct Rec__Host *
the_host(struct store_tx *tx)
{
	struct Rec__Host *h = host_store_get(tx, &host);

	assert_non_null(h);
	return h;
}

/* M-164, M-166, M-176: each change is a version; what is kept finer than it is
 * made is found out by either side's change, and is no version of its own. */
static void
each_change_is_a_version(void **state)
{
	struct fixture *f = *state;
	struct schedules_gone gone = { .host = host, .now_ms = NOW };
	struct ulid group;
	struct store_tx *tx;
	struct err e;

	make_host(f);
	group = make_group(f, "g", 24);
	gone.schedule = make_schedule(f, "30 2 * * *", &group);
	tx = fixture_read(f);
	assert_int_equal(the_host(tx)->config_version, 3);
	assert_int_equal(the_host(tx)->backup_interval_s, 86400);
	assert_string_equal(plan_store_get(tx, &host, &group)
	                        ->conflict_dimension,
	    "hourly");
	fixture_end(tx);
	assert_rc(run(f, schedules_delete_op, &gone, &e), RC_OK);
	tx = fixture_read(f);
	assert_int_equal(the_host(tx)->config_version, 4);
	assert_int_equal(the_host(tx)->backup_interval_s, 0);
	assert_string_equal(plan_store_get(tx, &host, &group)
	                        ->conflict_dimension,
	    "");
	fixture_end(tx);
	assert_rc(run(f, schedules_delete_op, &gone, &e), RC_NOTFOUND);
}

static enum rc
save_group(struct fixture *f, const struct ulid *group, uint32_t hourly,
    int64_t seen_ms, int64_t now_ms)
{
	struct sources_edit ed = { .host = host,
		.group = *group,
		.keep_given = true,
		.keep = REC__RETENTION__INIT,
		.seen_ms = seen_ms,
		.now_ms = now_ms };
	struct err e;
	enum rc rc;

	ed.keep.hourly = hourly;
	rc = run(f, sources_put_op, &ed, &e);
	if (rc != RC_OK)
		assert_string_equal(e.code, "changed_meanwhile");
	return rc;
}

/* Two tabs were opened at NOW. */
static void
a_form_replaces_nothing_that_it_has_not_seen(void **state)
{
	struct fixture *f = *state;
	struct ulid group;

	make_host(f);
	group = make_group(f, "g", 1);
	assert_rc(save_group(f, &group, 2, NOW, NOW + 1), RC_OK);
	assert_rc(save_group(f, &group, 3, NOW, NOW + 2), RC_CONFLICT);
	/* Once more the same, as a second click sends it. */
	assert_rc(save_group(f, &group, 2, NOW, NOW + 3), RC_OK);
	/* The other one is shown again as of then. */
	assert_rc(save_group(f, &group, 3, NOW + 1, NOW + 4), RC_CONFLICT);
	assert_rc(save_group(f, &group, 3, NOW + 3, NOW + 5), RC_OK);
	assert_rc(save_group(f, &group, 4, 0, NOW + 6), RC_OK); /* JSON */
}

/* A schedule that is off, or another group's, makes nothing more often. */
static void
a_conflict_is_of_the_groups_own_schedules(void **state)
{
	struct fixture *f = *state;
	struct ulid daily, loose, off;
	struct schedules_edit ed = { .host = host,
		.enabled = false,
		.enabled_given = true,
		.now_ms = NOW,
		.usual_zone = "UTC" };
	struct store_tx *tx;
	struct err e;

	make_host(f);
	daily = make_group(f, "g", 24);
	loose = make_group(f, "h", 24);
	(void)make_schedule(f, "30 2 * * *", &daily);
	off = make_schedule(f, "0 * * * *", &daily);
	ed.schedule = off;
	assert_rc(run(f, schedules_put_op, &ed, &e), RC_OK);
	tx = fixture_read(f);
	assert_string_equal(plan_store_get(tx, &host, &daily)
	                        ->conflict_dimension,
	    "hourly");
	assert_string_equal(plan_store_get(tx, &host, &loose)
	                        ->conflict_dimension,
	    "");
	fixture_end(tx);
}

static void
put_job(struct fixture *f, const struct ulid *id, const struct ulid *group,
    int64_t sent_ms)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct store_tx *tx = fixture_write(f);

	j.id = id_bytes(id);
	j.host_id = id_bytes(&host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.group_id = id_bytes(group);
	j.created_at_ms = NOW - 1000;
	j.sent_at_ms = sent_ms;
	job_store_put(tx, &j);
	fixture_commit(tx);
}

/* M-163 */
static void
a_group_goes_with_its_waiting_runs_unless_it_is_needed(void **state)
{
	const struct ulid unsent = { { 9, 1 } }, sent = { { 9, 2 } };
	struct fixture *f = *state;
	struct sources_gone gone = { .host = host,
		.now_ms = NOW,
		.zone = "UTC" };
	struct ulid schedule;
	struct store_tx *tx;
	struct schedules_gone off = { .host = host, .now_ms = NOW };
	struct err e;

	make_host(f);
	gone.group = make_group(f, "g", 0);
	assert_rc(run(f, sources_delete_op, &gone, &e), RC_CONFLICT);
	assert_string_equal(e.code, "last_group");
	(void)make_group(f, "h", 0);
	schedule = make_schedule(f, "@daily", &gone.group);
	assert_rc(run(f, sources_delete_op, &gone, &e), RC_CONFLICT);
	assert_string_equal(e.code, "group_in_use");
	assert_non_null(strstr(e.msg, "@daily"));
	off.schedule = schedule;
	assert_rc(run(f, schedules_delete_op, &off, &e), RC_OK);
	put_job(f, &unsent, &gone.group, 0);
	put_job(f, &sent, &gone.group, NOW - 10);
	assert_rc(run(f, sources_delete_op, &gone, &e), RC_OK);
	assert_false(gone.had_hooks);
	tx = fixture_read(f);
	assert_null(plan_store_find(tx, &host, &gone.group));
	assert_int_equal(job_store_get(tx, &unsent)->state,
	    REC__JOB_STATE__JOB_CANCELLED);
	assert_string_equal(job_store_get(tx, &unsent)->cause, "group_deleted");
	assert_int_equal(job_store_get(tx, &sent)->state,
	    REC__JOB_STATE__JOB_QUEUED);
	fixture_end(tx);
}

/* The largest plan there may be, all of whose groups come into conflict by one
 * change. */
static void
a_large_plan_is_changed_at_once(void **state)
{
	static char ids[PLAN_GROUPS_MAX][ULID_TEXT_CAP];
	static char name[16], path[5000];
	char *paths[] = { path, NULL }, *v[PLAN_GROUPS_MAX + 1] = { NULL };
	struct json_strs includes = { paths, 1 };
	struct json_strs groups = { v, PLAN_GROUPS_MAX };
	struct fixture *f = *state;
	struct schedules_edit when = { .host = host,
		.cron = "@daily",
		.groups = &groups,
		.now_ms = NOW,
		.usual_zone = "UTC" };
	struct store_tx *tx;
	struct ulid last;
	struct err e;
	int i;

	make_host(f);
	memset(path, 'x', 4000);
	path[0] = '/';
	for (i = 0; i < PLAN_GROUPS_MAX; i++) {
		struct sources_edit ed = { .host = host,
			.name = name,
			.includes = &includes,
			.keep_given = true,
			.keep = REC__RETENTION__INIT,
			.now_ms = NOW };

		ed.keep.hourly = 24;
		assert_true(str_fmt(name, sizeof(name), "g%d", i));
		assert_rc(run(f, sources_put_op, &ed, &e), RC_OK);
		ulid_text(&ed.group, ids[i]);
		v[i] = ids[i];
		last = ed.group;
	}
	assert_rc(run(f, schedules_put_op, &when, &e), RC_OK);
	tx = fixture_read(f);
	assert_string_equal(plan_store_get(tx, &host, &last)
	                        ->conflict_dimension,
	    "hourly");
	fixture_end(tx);
}

/* What is wrong names its field and changes nothing. */
static void
wrong_values_are_refused(void **state)
{
	struct fixture *f = *state;
	char bad[] = "etc", *paths[] = { bad, NULL };
	struct json_strs includes = { paths, 1 };
	struct sources_edit group = { .host = host,
		.name = "g",
		.includes = &includes,
		.now_ms = NOW };
	struct schedules_edit when = { .host = host,
		.cron = "0 3 30 2 *",
		.now_ms = NOW,
		.usual_zone = "UTC" };
	struct store_tx *tx;
	struct err e;

	make_host(f);
	assert_rc(run(f, sources_put_op, &group, &e), RC_INVALID);
	assert_string_equal(e.field, "includes");
	assert_rc(run(f, schedules_put_op, &when, &e), RC_INVALID);
	assert_string_equal(e.field, "cron");
	assert_non_null(strstr(e.msg, "never comes true"));
	when.cron = "@daily";
	when.schedule = (struct ulid){ { 0 } };
	assert_rc(run(f, schedules_put_op, &when, &e), RC_INVALID);
	assert_string_equal(e.field, "source_group_ids");
	when.zone = "Mars/Olympus";
	when.schedule = (struct ulid){ { 0 } };
	assert_rc(run(f, schedules_put_op, &when, &e), RC_INVALID);
	assert_string_equal(e.field, "zone");
	when.host = other;
	when.schedule = (struct ulid){ { 0 } };
	assert_rc(run(f, schedules_put_op, &when, &e), RC_NOTFOUND);
	tx = fixture_read(f);
	assert_int_equal(the_host(tx)->config_version, 1);
	fixture_end(tx);
}

/* ------------------------------------------------------------------- hooks */

static void
put_hooks(struct fixture *f, const struct ulid *group, const char *pre,
    const char *post)
{
	struct arena a;
	struct hooks_edit ed = { .key = key, .host = host, .now_ms = NOW };
	struct err e;

	arena_init(&a, KIB(64));
	if (group != NULL)
		ed.group = *group;
	ed.pre = pre != NULL ? arena_dup(&a, pre) : NULL;
	ed.post = post != NULL ? arena_dup(&a, post) : NULL;
	assert_rc(run(f, hooks_put_op, &ed, &e), RC_OK);
	if (pre != NULL && pre[0] != '\0')
		assert_string_equal(ed.pre, ""); /* wiped */
	arena_fini(&a);
}

static struct Wire__Hooks *
resolve(struct fixture *f, const struct ulid *group, const uint8_t *with)
{
	struct store_tx *tx = fixture_read(f), *vault = fixture_read_vault(f);
	const struct hooks_from from = { vault, with, &f->arena };
	struct Wire__Hooks *w = hooks_resolve(&from, the_host(tx),
	    plan_store_get(tx, &host, group));

	fixture_end(vault);
	fixture_end(tx);
	return w;
}

static void
assert_body(const ProtobufCBinaryData *have, const char *want)
{
	assert_int_equal(have->len, strlen(want));
	assert_true(str_eqz(str_from(have->data, have->len), want));
}

/* M-188, M-189 */
static void
hooks_are_the_groups_own_else_the_hosts(void **state)
{
	struct fixture *f = *state;
	struct Wire__Hooks *w;
	struct ulid group;

	make_host(f);
	group = make_group(f, "g", 0);
	assert_null(resolve(f, &group, key));
	put_hooks(f, NULL, "default pre", "default post");
	put_hooks(f, &group, "own pre", NULL);
	w = resolve(f, &group, key);
	assert_body(&w->pre, "own pre");
	assert_body(&w->post, "default post");
	assert_int_equal(w->limit_s, HOOKS_LIMIT_S);
	assert_string_equal(w->unreadable, "");
	hooks_wipe(w);
	assert_int_equal(w->pre.data[0], 0);
	put_hooks(f, &group, "", "own post");
	w = resolve(f, &group, key);
	assert_body(&w->pre, "default pre");
	assert_body(&w->post, "own post");
	put_hooks(f, NULL, "", "");
	put_hooks(f, &group, NULL, "");
	assert_null(resolve(f, &group, key));
}

/* W-15: another key, a row that was put in another place, a row that is
 * missing. */
static void
hooks_that_do_not_open_say_so(void **state)
{
	struct fixture *f = *state;
	struct Rec__Hooks *stored, none = REC__HOOKS__INIT;
	struct ulid group, second;
	struct Wire__Hooks *w;
	struct store_tx *vault;

	make_host(f);
	group = make_group(f, "g", 0);
	second = make_group(f, "h", 0);
	put_hooks(f, &group, "of the first", NULL);
	put_hooks(f, &second, "of the second", NULL);
	w = resolve(f, &group, other_key);
	assert_int_equal(w->pre.len, 0);
	assert_non_null(strstr(w->unreadable, "source group g"));
	vault = fixture_write_vault(f);
	stored = vault_find_hooks(vault, &host, &second);
	vault_put_hooks(vault, &host, &group, stored);
	vault_put_hooks(vault, &host, &second, &none);
	fixture_commit(vault);
	w = resolve(f, &group, key);
	assert_int_equal(w->pre.len, 0);
	assert_non_null(strstr(w->unreadable, "cannot be opened"));
	w = resolve(f, &second, key);
	assert_non_null(strstr(w->unreadable, "source group h"));
}

static void
hooks_without_owner_leave_the_vault(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx, *vault;
	struct ulid group;
	struct Rec__Hooks *h;

	make_host(f);
	group = make_group(f, "g", 0);
	put_hooks(f, NULL, "a", NULL);
	put_hooks(f, &group, "b", NULL);
	vault = fixture_write_vault(f);
	h = vault_find_hooks(vault, &host, &group);
	vault_put_hooks(vault, &host, &other, h); /* of no group */
	vault_put_hooks(vault, &other, NULL, h);  /* of no host */
	fixture_commit(vault);
	tx = fixture_read(f);
	vault = fixture_write_vault(f);
	assert_int_equal(vault_sweep_hooks(tx, vault), 2);
	assert_int_equal(vault_sweep_hooks(tx, vault), 0);
	fixture_end(tx);
	assert_non_null(vault_find_hooks(vault, &host, NULL));
	assert_non_null(vault_find_hooks(vault, &host, &group));
	vault_del_host(vault, &host);
	assert_null(vault_find_hooks(vault, &host, NULL));
	assert_null(vault_find_hooks(vault, &host, &group));
	fixture_commit(vault);
}

/* -------------------------------------------------------------------- runs */

/* M-186: what its own runs did, the latest of them, whoever tells it when. */
static void
a_schedule_knows_its_latest_run(void **state)
{
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct Rec__Job j = REC__JOB__INIT;

	(void)state;
	j.id = id_bytes(&host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.started_at_ms = 90;
	j.finished_at_ms = 100;
	j.due_at_ms = 80;
	j.actor_kind = REC__ACTOR_KIND__ACTOR_USER;
	assert_false(rules_schedule_backup(&s, &j, NOW));
	assert_int_equal(s.last_at_ms, 0);
	j.actor_kind = REC__ACTOR_KIND__ACTOR_SCHEDULE;
	assert_true(rules_schedule_backup(&s, &j, NOW));
	assert_int_equal(s.last_success_at_ms, 100);
	assert_int_equal(s.last_due_ms, 80);
	j.state = REC__JOB_STATE__JOB_FAILED;
	j.finished_at_ms = 200;
	assert_true(rules_schedule_backup(&s, &j, NOW));
	assert_int_equal(s.last_state, REC__JOB_STATE__JOB_FAILED);
	assert_int_equal(s.last_success_at_ms, 100);
	/* An older success that is told late. */
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.finished_at_ms = 150;
	assert_true(rules_schedule_backup(&s, &j, NOW));
	assert_int_equal(s.last_state, REC__JOB_STATE__JOB_FAILED);
	assert_int_equal(s.last_at_ms, 200);
	assert_int_equal(s.last_success_at_ms, 150);
}

/* M-176 */
static void
drift_is_told_in_words(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;

	(void)state;
	h.config_version = h.applied_config_version = 4;
	assert_non_null(strstr(status_drift(&h), "too old"));
	h.plan_format = 1;
	assert_string_equal(status_drift(&h), "");
	h.plan_refused = text("no such zone");
	assert_string_equal(status_drift(&h), "no such zone");
	h.config_version = 5;
	assert_non_null(strstr(status_drift(&h), "not taken"));
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_change_is_a_version),
		TEST(a_conflict_is_of_the_groups_own_schedules),
		TEST(a_form_replaces_nothing_that_it_has_not_seen),
		TEST(a_group_goes_with_its_waiting_runs_unless_it_is_needed),
		TEST(a_large_plan_is_changed_at_once),
		TEST(wrong_values_are_refused),
		TEST(hooks_are_the_groups_own_else_the_hosts),
		TEST(hooks_that_do_not_open_say_so),
		TEST(hooks_without_owner_leave_the_vault),
		TEST(a_schedule_begins_anew_with_other_times),
		TEST(a_schedule_knows_its_latest_run),
		TEST(drift_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
