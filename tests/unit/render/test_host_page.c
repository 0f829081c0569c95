/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands above the tabs of a host. */
#include "tests/unit/render/pages_help.h"

#include "lib/store/host_store.h"

#define HOUR INT64_C(3600000)

/* The host as it would be after a change of its repository. */
static void
change(struct site *s, Rec__RepoStatus status, int64_t changed_at_ms)
{
	struct ulid id = seed_host_id(SEED_APP);
	char path[DIR_CAP + 16];
	struct store *state;
	struct store_tx *tx;
	struct Rec__Host *h;
	struct arena a;

	(void)snprintf(path, sizeof(path), "%s/db/state", (const char *)s->dir);
	assert_int_equal(store_open(STORE_STATE, STORE_WRITER, path, &state,
	                     &s->err),
	    RC_OK);
	arena_init(&a, MIB(1));
	tx = store_begin_write(state, &a);
	h = host_store_get(tx, &id);
	h->repo_status = status;
	h->repo_changed_at_ms = changed_at_ms;
	host_store_put(tx, h);
	assert_int_equal(store_commit(tx, &s->err), RC_OK);
	arena_fini(&a);
	store_close(state);
}

static void
show(struct site *s)
{
	const struct ask q = { "host", "", 1,
		{ "id", host_text(SEED_APP), NULL } };

	ask(s, &q, 200);
	check_safe(s);
}

static void
what_is_known_of_a_former_repository_is_called_so(void **state)
{
	struct site *s = *state;

	show(s);
	must_not(s, "repository that opened last");
	must_not(s, "was used before");
	change(s, REC__REPO_STATUS__REPO_UNKNOWN, 0);
	show(s);
	must(s, "are of the repository that opened last");
	must(s, "Not tried yet");
	change(s, REC__REPO_STATUS__REPO_INIT_FAILED, 0);
	show(s);
	must(s, "are of the repository that opened last");
	must(s, ">Failed<");
	/* It opened: its list came, a backup into it did not yet. */
	change(s, REC__REPO_STATUS__REPO_READY, SEED_NOW_MS - 1);
	show(s);
	must_not(s, "repository that opened last");
	must(s, "in the repository that was used before");
	must(s, "These snapshots are of the former repository.");
	/* Long ago. */
	change(s, REC__REPO_STATUS__REPO_READY, SEED_NOW_MS - 9000 * HOUR);
	show(s);
	must_not(s, "was used before");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_is_known_of_a_former_repository_is_called_so,
		    setup_fleet, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
