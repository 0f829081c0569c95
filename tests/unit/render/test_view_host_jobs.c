/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tab Jobs of a host, as far as the day is concerned. */
#include "tests/unit/store/store_fixture.h"

#include "lib/base/clock.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

/* 2026-11-19 in days since 1970, and its midnight. */
enum {
	DAY = 20776
};
static const int64_t midnight_ms = (int64_t)DAY * 86400000;
static const int64_t minute_ms = 60000;

static struct ulid
job_at(int64_t ms)
{
	struct ulid id = { { 0 } };
	unsigned i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
	return id;
}

static void
put_job(struct store_tx *tx, const struct ulid *host, const struct ulid *group,
    int64_t began_ms, bool outcome)
{
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id = job_at(began_ms);

	j.id = id_bytes(&id);
	j.host_id = id_bytes(host);
	j.group_id = id_bytes(group);
	j.group_name = text("home");
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_FAILED;
	j.log_closed = true;
	j.created_at_ms = j.started_at_ms = began_ms;
	job_store_put(tx, &j);
	o.state = j.state;
	o.job_id = id_bytes(&id);
	if (outcome)
		plan_store_put_day(tx, host, DAY, group, &o);
}

/* How many rows the tab has for a query. */
static size_t
rows(struct fixture *f, const struct ulid *host, const char *state,
    const char *q)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct Ipc__Param p[4], *params[4];
	char id[ULID_TEXT_CAP];
	const char *const values[] = { id, "2026-11-19", state, q };
	static const char *const names[] = { "id", "day", "state", "q" };
	struct view v = { .arena = &f->arena, .req = &req };
	const struct value *list, *item;
	struct value *root;
	size_t i, n = 0;

	ulid_text(host, id);
	for (i = 0; i < 4; i++) {
		ipc__param__init(&p[i]);
		p[i].name = text(names[i]);
		p[i].value = text(values[i]);
		params[i] = &p[i];
	}
	req.params = params;
	req.n_params = 4;
	req.now_ms = midnight_ms + (int64_t)1200 * minute_ms;
	v.clock = (struct text_clock){ "UTC", req.now_ms };
	v.state = fixture_read(f);
	v.live = store_begin_read(f->live, &f->arena);
	root = value_root(&f->arena);
	assert_rc(view_host_jobs(&v, root), RC_OK);
	list = value_get(root, STR("jobs"));
	assert_non_null(list);
	for (item = list->first; item != NULL; item = item->next)
		n++;
	store_abort(v.live);
	fixture_end(v.state);
	return n;
}

/* Every coloured day of the strip leads to the job that coloured it. */
static void
a_day_has_the_backup_that_ran_over_midnight(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1), home = id_n(2, 1), etc = id_n(2, 2);
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &host, "web-1");
	put_job(tx, &host, &home, midnight_ms - minute_ms, true);
	put_job(tx, &host, &etc, midnight_ms - 2 * minute_ms, false);
	fixture_commit(tx);
	assert_int_equal(rows(f, &host, "", ""), 1);
	assert_int_equal(rows(f, &host, "failed", "HOM"), 1);
	assert_int_equal(rows(f, &host, "succeeded", ""), 0);
	assert_int_equal(rows(f, &host, "", "other"), 0);
	tx = fixture_write(f);
	put_job(tx, &host, &etc, midnight_ms + minute_ms, true);
	fixture_commit(tx);
	/* Its own day's is not there twice. */
	assert_int_equal(rows(f, &host, "", ""), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_day_has_the_backup_that_ran_over_midnight, fixture_setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
