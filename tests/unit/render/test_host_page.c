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
	struct store *w;
	struct store_tx *tx = edit_site(s, &w);
	struct Rec__Host *h = host_store_get(tx, &id);

	h->repo_status = status;
	h->repo_changed_at_ms = changed_at_ms;
	host_store_put(tx, h);
	edit_done(s, tx, w);
}

static void
what_is_known_of_a_former_repository_is_called_so(void **state)
{
	struct site *s = *state;

	show_host(s, "host", VIEWER, SEED_APP);
	must_not(s, "repository that opened last");
	must_not(s, "was used before");
	change(s, REC__REPO_STATUS__REPO_UNKNOWN, 0);
	show_host(s, "host", VIEWER, SEED_APP);
	must(s, "are of the repository that opened last");
	must(s, "Not tried yet");
	change(s, REC__REPO_STATUS__REPO_INIT_FAILED, 0);
	show_host(s, "host", VIEWER, SEED_APP);
	must(s, "are of the repository that opened last");
	must(s, ">Failed<");
	/* It opened: its list came, a backup into it did not yet. */
	change(s, REC__REPO_STATUS__REPO_READY, SEED_NOW_MS - 1);
	show_host(s, "host", VIEWER, SEED_APP);
	must_not(s, "repository that opened last");
	must(s, "in the repository that was used before");
	must(s, "These snapshots are of the former repository.");
	/* Long ago. */
	change(s, REC__REPO_STATUS__REPO_READY, SEED_NOW_MS - 9000 * HOUR);
	show_host(s, "host", VIEWER, SEED_APP);
	must_not(s, "was used before");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLEET(what_is_known_of_a_former_repository_is_called_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
