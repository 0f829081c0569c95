/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tab Repository: health, trend, forms that stand alone. */
#include "tests/unit/render/pages_help.h"

static void
show_repo(struct site *s, int role, enum seed_host h)
{
	show(s, "host_repo", role, "id", host_text(h), "has_password", "1",
	    NULL);
}

/* M-222, W-16 */
static void
health_tells_what_waits_and_why(void **state)
{
	struct site *s = *state;

	show_repo(s, OPERATOR, SEED_DB2);
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

	show_repo(s, OPERATOR, SEED_DB2);
	must(s, ">In use: ");
	show_repo(s, OPERATOR, SEED_APP);
	must_not(s, ">In use: ");
}

static void
a_check_that_found_errors_comes_first(void **state)
{
	struct site *s = *state;

	show_repo(s, ADMIN, SEED_EVIL);
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

	show_repo(s, OPERATOR, SEED_FS);
	must(s, ">Maintenance failed</span>");
	must(s, "<p>The last forget failed.</p>");
	must(s, "The server only lets append.");
	must(s, "will wait then: it needs admin credentials");
	must_not(s, "Nothing here needs anybody");
	show_repo(s, OPERATOR, SEED_APP);
	must_not(s, "will wait then");
}

static void
what_another_host_did_since_is_neither_failed_nor_overdue(void **state)
{
	struct site *s = *state;

	show_repo(s, OPERATOR, SEED_WEB);
	must(s, "by another host <time");
	must_not(s, "Maintenance failed");
	must_not(s, "overdue");
	must(s, "Nothing here needs anybody");
}

/* M-225 */
static void
the_trend_has_three_ranges_and_a_table(void **state)
{
	struct site *s = *state;

	show(s, "host_repo", VIEWER, "id", host_text(SEED_DB2), "range", "31",
	    NULL);
	must(s, "repo?range=90\" aria-current=\"true\"");
	must(s, "aria-label=\"90 days. Stored size from 900 GiB to ");
	must(s, "22 Aug: 900 GiB, 169 snapshots</title>");
	must(s, "Show as table");
	must(s, "<path class=\"mk\" d=\"M337 0v210M674.1 0v210\"/>");
	show(s, "host_repo", VIEWER, "id", host_text(SEED_DB2), "range", "30",
	    NULL);
	must(s, "repo?range=30\" aria-current=\"true\"");
	must_not(s, "22 Aug: ");
	must(s, "30 days. Stored size from ");
	show_repo(s, VIEWER, SEED_FS);
	must(s, "Nothing is known of its size yet");
	must_not(s, "class=\"chart\"");
}

/* what the back end takes, names only. */
static void
variables_are_named_and_never_shown(void **state)
{
	struct site *s = *state;

	show_repo(s, OPERATOR, SEED_WEB);
	must(s, "name=\"var-AWS_SECRET_ACCESS_KEY\" class=\"m\" "
	        "type=\"password\"");
	must(s, "name=\"drop-AWS_ACCESS_KEY_ID\"");
	must(s, "More variables");
	must(s, "id=\"admin-AWS_ACCESS_KEY_ID\"");
	must(s, "Remove admin credentials");
	must(s, "value=\"4000\"");
	must(s, "action=\"/hosts/");
	must_not(s, "var-B2_ACCOUNT_ID");
	show_repo(s, OPERATOR, SEED_DB2);
	must(s, "More variables");
	must(s, "id=\"variables-RESTIC_CACERT\" name=\"var-RESTIC_CACERT\"");
	must_not(s, "Remove admin credentials");
}

/* M-317, M-320 */
static void
a_refused_form_keeps_its_own_input_and_error(void **state)
{
	struct site *s = *state;

	show(s, "host_repo", ADMIN, "id", host_text(SEED_DB2), "typed", "admin",
	    "repo_url", "rest:https://typed.example/x", "repo_username",
	    "typed-user", "error.repo_password", "it is needed", NULL);
	must(s, "id=\"admin-password-error\">It is needed.");
	must_not(s, "id=\"repo-password-error\"");
	must(s, "id=\"admin-url\" name=\"repo_url\"");
	must(s, "value=\"rest:https://typed.example/x\" "
	        "aria-describedby=\"admin-url-hint\"");
	must_not(s, "value=\"rest:https://typed.example/x\" "
	            "aria-describedby=\"repo-url-hint\"");
	show(s, "host_repo", ADMIN, "id", host_text(SEED_DB2), "typed",
	    "maintenance", "forget_cadence", "61 * * * *", "check_enabled", "1",
	    "error.forget_cadence", "minutes end at 59", NULL);
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

	show_repo(s, VIEWER, SEED_DB2);
	must_not(s, "/repo/unlock");
	must_not(s, "/admin-credentials");
	must_not(s, "/repo/check");
	must(s, "An operator can change it.");
	must(s, "part 7 of 20 read back");
	show_repo(s, OPERATOR, SEED_DB2);
	must(s, "/repo/unlock");
	must(s, "/repo/maintenance");
	must_not(s, "/repo/hooks");
	must_not(s, "/delete\"");
	show_repo(s, ADMIN, SEED_DB2);
	must(s, "/repo/hooks");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLANS(health_tells_what_waits_and_why),
		PLANS(a_lease_is_told_while_its_job_lasts),
		PLANS(a_check_that_found_errors_comes_first),
		PLANS(maintenance_that_failed_or_cannot_run_is_told_first),
		PLANS(
		    what_another_host_did_since_is_neither_failed_nor_overdue),
		PLANS(the_trend_has_three_ranges_and_a_table),
		PLANS(variables_are_named_and_never_shown),
		PLANS(a_refused_form_keeps_its_own_input_and_error),
		PLANS(a_viewer_sees_no_form_and_an_operator_no_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
