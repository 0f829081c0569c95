/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a host is in its state, in words. */
#include "tests/unit/store/store_fixture.h"

#include "lib/base/attr.h"
#include "lib/store/host_store.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"

static const int64_t now_ms = INT64_C(1795097880000);
static const int64_t hour_ms = INT64_C(3600000);

#define READY REC__REPO_STATUS__REPO_READY

struct row {
	bool online, running;
	int64_t seen_h, backup_h; /* ago */
	const char *want;
	Rec__RepoStatus repo;
};

static void
put_one(struct fixture *f, const struct row *r)
{
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, 1);
	struct Rec__Host h = REC__HOST__INIT;
	struct err e;

	h.id = id_bytes(&id);
	h.name = text("web-01");
	h.always_on = true;
	h.online = r->online;
	h.enrolled_at_ms = now_ms - 1000 * hour_ms;
	h.last_seen_at_ms = now_ms - r->seen_h * hour_ms;
	h.last_backup_at_ms = now_ms - r->backup_h * hour_ms;
	h.repo_status = r->repo;
	h.init_job = id_bytes(&id);
	host_store_put(tx, &h);
	assert_rc(store_commit(tx, &e), RC_OK);
}

static void
expect(struct fixture *f, const struct row *r)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct Rec__Job backup = REC__JOB__INIT;
	struct ulid id = id_n(1, 1);
	struct value *root;
	struct host_view hv;
	struct arena a;
	struct view v;

	backup.kind = REC__JOB_KIND__KIND_BACKUP;
	put_one(f, r);
	arena_init(&a, MIB(1));
	req.now_ms = now_ms;
	v = (struct view){ .arena = &a,
		.req = &req,
		.clock = { "UTC", now_ms } };
	v.state = store_begin_read(f->state, &a);
	v.live = v.state;
	host_view_init(&v, host_store_get(v.state, &id), &hv);
	host_view_load(&v, &hv);
	if (r->running) {
		hv.status = STATUS_RUNNING;
		hv.running = &backup;
	}
	root = value_root(&a);
	host_view_put(&v, root, &hv);
	assert_string_equal(value_get(root, STR("reason"))->text.p, r->want);
	store_abort(v.state);
	arena_fini(&a);
}

static void
what_is_too_long_is_what_is_named(void **state)
{
	static const struct row rows[] = {
		{ true, false, 0, 100, "No backup for 4 d, allowed 26 h",
		    READY },
		{ false, false, 100, 100, "Offline 4 d, allowed 26 h", READY },
		/* It went away long after its last backup. */
		{ false, false, 1, 100, "No backup for 4 d, allowed 26 h",
		    READY },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		expect(*state, &rows[i]);
}

static void
a_run_on_a_host_that_is_away_says_so(void **state)
{
	static const struct row rows[] = {
		{ true, true, 0, 10, "", READY },
		{ false, true, 2, 10, "unreachable for 2 h", READY },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		expect(*state, &rows[i]);
}

/* Of a host that was well before its repository was changed. */
static void
a_repository_that_does_not_open_is_the_reason(void **state)
{
	static const struct row rows[] = {
		{ true, false, 0, 1, "", READY },
		{ true, false, 0, 1, "Repository not ready",
		    REC__REPO_STATUS__REPO_INIT_FAILED },
		{ true, false, 0, 1, "Repository or credentials were changed",
		    REC__REPO_STATUS__REPO_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		expect(*state, &rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_is_too_long_is_what_is_named),
		store_test(a_repository_that_does_not_open_is_the_reason),
		store_test(a_run_on_a_host_that_is_away_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
