/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tab Repository: health, trend, forms that stand alone. */
#include "tests/fake/seed_plans.h"
#include "tests/unit/render/pages_help.h"

static int
setup_repos(void **state)
{
	struct site *s;

	if (setup_fleet(state) != 0)
		return -1;
	s = *state;
	if (seed_plans(s->dir, &s->err) != RC_OK)
		fail_msg("plans: %s", s->err.msg);
	return 0;
}

static void
show(struct site *s, enum seed_host h, int role)
{
	const struct ask q = { "host_repo", "", role,
		{ "id", host_text(h), "has_password", "1", NULL } };

	ask(s, &q, 200);
	check_safe(s);
}

/* M-222, W-16 */
static void
health_tells_what_waits_and_why(void **state)
{
	struct site *s = *state;

	show(s, SEED_DB2, 2);
	must(s, "stale, 14 h");
	must(s, "held by PID 41220 on db-02");
	must(s, "exclusive, ");
	must(s, "waits: it needs admin credentials");
	must(s, "/repo#admin\">Add them</a>");
	must(s, "12 removed, 40 kept");
	must(s, "part 7 of 20 read back");
	must(s, "value=\"35\" aria-label=\"Data read back in this round\"");
	must(s, "by another host");
	must(s, "Prune</a> by <b class=\"m\">web-03</b>");
	must(s, "A lock was left behind 14 h ago and keeps maintenance out.");
	must(s, "b9b9b9b9b9b9<");
	must(s, "/repo\">web-03</a>");
	must(s, "href=\"#admin\" title=\"It needs admin credentials\">Prune");
}

static void
a_lease_is_told_while_its_job_lasts(void **state)
{
	struct site *s = *state;

	show(s, SEED_DB2, 2);
	must(s, ">In use: ");
	show(s, SEED_APP, 2);
	must_not(s, ">In use: ");
}

static void
a_check_that_found_errors_comes_first(void **state)
{
	struct site *s = *state;

	show(s, SEED_EVIL, 3);
	must(s, ">Damaged</span>");
	must(s, "3 errors found");
	must(s, "&lt;img src=x&gt;.");
	must(s, "waits: &lt;b&gt;odd&lt;/b&gt;");
}

/* W-16: a repository that backups can use is not all there is to it. */
static void
maintenance_that_failed_or_cannot_run_is_told_first(void **state)
{
	struct site *s = *state;

	show(s, SEED_FS, 2);
	must(s, ">Maintenance failed</span>");
	must(s, "<p>The last forget failed.</p>");
	must(s, "The server only lets append.");
	must(s, "will wait then: it needs admin credentials");
	must_not(s, "Nothing here needs anybody");
	show(s, SEED_APP, 2);
	must_not(s, "will wait then");
}

static void
what_another_host_did_since_is_neither_failed_nor_overdue(void **state)
{
	struct site *s = *state;

	show(s, SEED_WEB, 2);
	must(s, "by another host <time");
	must_not(s, "Maintenance failed");
	must_not(s, "overdue");
	must(s, "Nothing here needs anybody");
}

/* M-225 */
static void
the_trend_has_three_ranges_and_a_table(void **state)
{
	const struct ask month = { "host_repo", "", 1,
		{ "id", host_text(SEED_DB2), "range", "30", NULL } };
	const struct ask odd = { "host_repo", "", 1,
		{ "id", host_text(SEED_DB2), "range", "31", NULL } };
	struct site *s = *state;

	ask(s, &odd, 200);
	must(s, "repo?range=90\" aria-current=\"true\"");
	must(s, "aria-label=\"90 days. Stored size from 900 GiB to ");
	must(s, "22 Aug: 900 GiB, 169 snapshots</title>");
	must(s, "Show as table");
	must(s, "<path class=\"mk\" d=\"M337 0v210M674.1 0v210\"/>");
	ask(s, &month, 200);
	must(s, "repo?range=30\" aria-current=\"true\"");
	must_not(s, "22 Aug: ");
	must(s, "30 days. Stored size from ");
	show(s, SEED_FS, 1);
	must(s, "Nothing is known of its size yet");
	must_not(s, "class=\"chart\"");
}

/* what the back end takes, names only. */
static void
variables_are_named_and_never_shown(void **state)
{
	struct site *s = *state;

	show(s, SEED_WEB, 2);
	must(s, "name=\"var-AWS_SECRET_ACCESS_KEY\" class=\"m\" "
	        "type=\"password\"");
	must(s, "name=\"drop-AWS_ACCESS_KEY_ID\"");
	must(s, "More variables");
	must(s, "id=\"admin-AWS_ACCESS_KEY_ID\"");
	must(s, "Remove admin credentials");
	must(s, "value=\"4000\"");
	must(s, "action=\"/hosts/");
	must_not(s, "var-B2_ACCOUNT_ID");
	show(s, SEED_DB2, 2);
	must(s, "More variables");
	must(s, "id=\"variables-RESTIC_CACERT\" name=\"var-RESTIC_CACERT\"");
	must_not(s, "Remove admin credentials");
}

/* M-317, M-320 */
static void
a_refused_form_keeps_its_own_input_and_error(void **state)
{
	const struct ask admin = { "host_repo", "", 3,
		{ "id", host_text(SEED_DB2), "typed", "admin", "repo_url",
		    "rest:https://typed.example/x", "repo_username",
		    "typed-user", "error.repo_password", "it is needed",
		    NULL } };
	const struct ask upkeep = { "host_repo", "", 3,
		{ "id", host_text(SEED_DB2), "typed", "maintenance",
		    "forget_cadence", "61 * * * *", "check_enabled", "1",
		    "error.forget_cadence", "minutes end at 59", NULL } };
	struct site *s = *state;

	ask(s, &admin, 200);
	check_safe(s);
	must(s, "id=\"admin-password-error\">It is needed.");
	must_not(s, "id=\"repo-password-error\"");
	must(s, "id=\"admin-url\" name=\"repo_url\"");
	must(s, "value=\"rest:https://typed.example/x\" "
	        "aria-describedby=\"admin-url-hint\"");
	must_not(s, "value=\"rest:https://typed.example/x\" "
	            "aria-describedby=\"repo-url-hint\"");
	ask(s, &upkeep, 200);
	must(s, "value=\"61 * * * *\"");
	must(s, "id=\"forget-error\">Minutes end at 59.");
	must(s, "aria-label=\"Check on schedule\" checked");
	must_not(s, "aria-label=\"Prune on schedule\" checked");
	must_not(s, "id=\"prune-error\"");
}

static void
a_viewer_sees_no_form_and_an_operator_no_hooks(void **state)
{
	struct site *s = *state;

	show(s, SEED_DB2, 1);
	must_not(s, "/repo/unlock");
	must_not(s, "/admin-credentials");
	must_not(s, "/repo/check");
	must(s, "An operator can change it.");
	must(s, "part 7 of 20 read back");
	show(s, SEED_DB2, 2);
	must(s, "/repo/unlock");
	must(s, "/repo/maintenance");
	must_not(s, "/repo/hooks");
	must_not(s, "/delete\"");
	show(s, SEED_DB2, 3);
	must(s, "/repo/hooks");
}

#define REPOS(f) cmocka_unit_test_setup_teardown(f, setup_repos, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		REPOS(health_tells_what_waits_and_why),
		REPOS(a_lease_is_told_while_its_job_lasts),
		REPOS(a_check_that_found_errors_comes_first),
		REPOS(maintenance_that_failed_or_cannot_run_is_told_first),
		REPOS(
		    what_another_host_did_since_is_neither_failed_nor_overdue),
		REPOS(the_trend_has_three_ranges_and_a_table),
		REPOS(variables_are_named_and_never_shown),
		REPOS(a_refused_form_keeps_its_own_input_and_error),
		REPOS(a_viewer_sees_no_form_and_an_operator_no_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
