/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every page over a made-up fleet: what must be on it, and what must not. */
#include "tests/unit/render/pages_help.h"

static void
the_fleet_shows_every_state_with_its_reason(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", OPERATOR, NULL);
	must(s, "4 of 9 hosts need attention");
	must(s, "Offline 9 d, allowed 26 h");
	must(s, "Never backed up");
	must(s, "The repository is locked by another process");
	must(s, "37 files could not be read");
	must(s, "62 %");
	must(s, "4 min left");
	must(s, "4m 12s \xc2\xb7 41.0 MiB added");
	must(s, "&lt;img src=x onerror=alert(1)&gt;");
	must(s, "2 failed (9 Nov, 19 Nov)");
	must(s, "<dt>Protected</dt><dd>6 ");
	must(s, "data-live=\"fleet.stats\"");
	must(s, "action=\"/hosts/run\"");
	must(s, "Open the sources of db-02");
	must(s, "name=\"host-");
	must(s, "Back up now");
	must_not(s, "No hosts yet");
}

static void
a_viewer_sees_no_buttons_that_act(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", VIEWER, NULL);
	must_not(s, "Open the sources of");
	must_not(s, "name=\"host-");
	must_not(s, "Back up now");
	must_not(s, "/hosts/new");
	show_job(s, VIEWER, SEED_JOB_RUNNING);
	must_not(s, "/cancel");
	show_host(s, "host", VIEWER, SEED_APP);
	must_not(s, "/source-groups/");
}

/* M-307 */
static void
filters_narrow_the_rows_and_keep_the_counts(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", OPERATOR, "q", "tag:prod -tag:db", "sort", "name",
	    NULL);
	must(s, ">app-01<");
	must(s, ">mail-01<");
	must_not(s, ">db-01<");
	must_not(s, ">build-03<");
	must(s, "Stale <span class=\"m\">1</span>");
	must(s, "<option value=\"name\" selected>");
	must(s, "\"/?q=tag:prod%20-tag:db%20state:stale&amp;sort=name\"");
	must(s, "\"/hosts.csv?q=tag:prod%20-tag:db&amp;sort=name\"");
	must(s, "aria-sort=\"ascending\"><a href=\"/?q=tag:prod%20-tag:db&amp;"
	        "sort=name&amp;dir=desc\">Host</a>");
	show(s, "dashboard", OPERATOR, "status", "offline", NULL);
	must(s, ">mail-01<");
	must(s, ">web-03<");
	must_not(s, ">app-01<");
	show(s, "dashboard", OPERATOR, "q", "<nothing>", NULL);
	must(s, "No host fits this filter");
	must(s, "Clear the filter");
	show(s, "dashboard", OPERATOR, "q", "colour:<b> web", NULL);
	must(s, "There is no filter colour:.");
	must(s, "aria-invalid=\"true\"");
	must(s, ">web-03<");
	must_not(s, ">app-01<");
}

/* M-323: a chip a tag, counted over the whole fleet, that writes the query. */
static void
chips_of_tags_write_the_query(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", OPERATOR, "q", "tag:db web", NULL);
	must(s, "\"/?q=tag:db%20web%20tag:prod\">prod <span class=\"m\">5<");
	must(s, "\"/?q=web\" aria-current=\"true\">db <span class=\"m\">2<");
	must(s, "\"/?q=tag:db%20web%20tag:office\">office");
}

/* ui/design.md, 8: rows stay where they are; a sentence says how many moved. */
static void
what_changed_since_is_counted(void **state)
{
	struct site *s = *state;
	char rows[128];

	show_part(s, "dashboard", "hosts", OPERATOR, "rows", "-", NULL);
	must(s, "data-live=\"hosts\">9 hosts changed, <a href=\"/?page=1\"");
	assert_true(str_fmt(rows, sizeof(rows), "%s,", host_text(SEED_DB1)));
	assert_true(
	    str_copy(rows + strlen(rows), 64, str_of(host_text(SEED_DB2))));
	show_part(s, "dashboard", "hosts", OPERATOR, "rows", rows, "q",
	    "tag:db", "sort", "name", NULL);
	must(s, "data-live=\"hosts\" hidden>");
	show_part(s, "dashboard", "hosts", OPERATOR, "rows", rows, "q",
	    "tag:db", NULL);
	must(s, ">1 host changed, ");
	show_part(s, "dashboard", "hosts", OPERATOR, "rows", rows, "q", "db-01",
	    "sort", "name", NULL);
	must(s, ">1 host changed, ");
	show_part(s, "dashboard", "hosts", OPERATOR, "rows", rows, "q",
	    "tag:prod", "sort", "name", NULL);
	must(s, ">3 hosts changed, ");
}

/* What many backups came to: numbers and ids, in words of ours. */
static void
results_of_many_runs_are_told(void **state)
{
	struct site *s = *state;
	char mail[64];

	assert_true(str_copy(mail, sizeof(mail), str_of(host_text(SEED_MAIL))));
	show(s, "dashboard", OPERATOR, "started", "2", "waiting", "1",
	    "offline", mail, "refused", host_text(SEED_EVIL), NULL);
	must(s, "2 backups started.");
	must(s, "1 was waiting already and is not started twice.");
	must(s, "Offline, waiting up to a day for them to return: mail-01.");
	must(s, "to back up: &lt;img");
	show(s, "dashboard", OPERATOR, "ticked", "0", NULL);
	must(s, "No host was ticked.");
	show(s, "dashboard", OPERATOR, "started", "<b>", "offline", "nonsense",
	    NULL);
	must_not(s, "started.");
}

/* M-312 */
static void
an_empty_fleet_says_what_to_do(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", ADMIN, NULL);
	must(s, "No hosts yet");
	must(s, "href=\"/hosts/new\"");
	must(s, "data-live=\"pending.list\"");
}

/* M-231, W-26 */
static void
the_host_page_lists_snapshots_by_pages(void **state)
{
	struct site *s = *state;

	show_host(s, "host", OPERATOR, SEED_APP);
	must(s, "7c1e9f04");
	must(s, "/etc \xc2\xb7 /home \xc2\xb7 /var/&lt;lib&gt;");
	must(s, "1\xe2\x80\x93"
	        "50 of 120");
	must(s, "?page=3\"");
	must(s, "aria-current=\"page\">Snapshots");
	must(s, "home &lt;b&gt;");
	show(s, "host", OPERATOR, "id", host_text(SEED_APP), "page", "3", NULL);
	must(s, "101\xe2\x80\x93"
	        "120 of 120");
	show(s, "host", OPERATOR, "id", host_text(SEED_APP), "page", "999",
	    NULL);
	must(s, "101\xe2\x80\x93"
	        "120 of 120");
}

/* M-232, M-243 */
static void
the_host_page_names_the_problem_and_its_log(void **state)
{
	struct site *s = *state;

	show_host(s, "host", OPERATOR, SEED_DB2);
	must(s, "The last backup failed");
	must(s, job_text(SEED_JOB_FAILED));
	show_host(s, "host", OPERATOR, SEED_BUILD);
	must(s, "The repository could not be prepared");
	must(s, "401 Unauthorized");
	must(s, "No snapshots yet");
	show_host(s, "host", OPERATOR, SEED_MAIL);
	must(s, "Needs restic 0.17+ on the agent host. This host runs 0.14.0.");
	show_host(s, "host", OPERATOR, SEED_FS);
	must(s, "calls itself <b class=\"m\">WIN-4711</b>");
	show_host(s, "host", OPERATOR, SEED_EVIL);
	must(s, "&lt;b&gt;");
}

/* M-157 */
static void
the_jobs_tab_filters_by_result_and_day(void **state)
{
	struct site *s = *state;
	char row[64];

	show_host(s, "host_jobs", OPERATOR, SEED_DB2);
	must(s, ">Cancelled<");
	must(s, "The repository is locked by another process");
	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "state",
	    "failed", NULL);
	must_not(s, ">Cancelled<");
	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "day",
	    "2026-11-18", NULL);
	must(s, ">Cancelled<");
	must(s, "18 Nov only, show all");
	assert_true(str_fmt(row, sizeof(row), "id=\"job-%s\"",
	    job_text(SEED_JOB_FAILED)));
	must_not(s, row);
	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "state",
	    "\"><b>", NULL);
	must(s, ">Cancelled<");
}

static void
live_lists_follow_the_filter_and_only_the_first_page(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", OPERATOR, "q", "a b", "status", "ok", NULL);
	must(s, "data-events=\"/events?page=dashboard&amp;q=a%20b%20state:ok"
	        "&amp;number=1\"");
	must(s, "data-live=\"hosts\"");
	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "page", "999",
	    NULL);
	must(s, ">Cancelled<");
	must(s, "data-live=\"host.jobs\"");
	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "state",
	    "failed", "day", "2026-11-19", NULL);
	must(s, "&amp;state=failed&amp;day=2026-11-19\"");
}

static void
a_job_page_in_each_state(void **state)
{
	static const struct {
		enum seed_job job;
		const char *want[4];
	} rows[] = {
		{ SEED_JOB_QUEUED,
		    { ">Queued<", "This one: ", "/cancel", "No lines yet." } },
		{ SEED_JOB_RUNNING,
		    { ">Running<", "62 %", "/cancel", "data-stream-url=" } },
		{ SEED_JOB_OK,
		    { ">OK<", "41.0 MiB", "7c1e9f04", "Run again" } },
		{ SEED_JOB_INCOMPLETE,
		    { ">Incomplete<", "37 files could not be read",
		        "exit <b class=\"m\">3<", "permission denied" } },
		{ SEED_JOB_FAILED,
		    { ">Failed<", "locked by PID 41220", "?from=201",
		        "id=\"L1200\" class=\"bad\"" } },
		{ SEED_JOB_CANCELLED,
		    { ">Cancelled<", "exit <b class=\"m\">130", "Run again",
		        "&quot;" } },
		{ SEED_JOB_EXPIRED,
		    { ">OK<", "removed by retention", "Run again",
		        "exit <b class=\"m\">0<" } },
	};
	struct site *s = *state;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		show_job(s, OPERATOR, rows[i].job);
		for (k = 0; k < 4; k++)
			must(s, rows[i].want[k]);
	}
}

static void
a_log_is_shown_by_500_lines(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_FAILED);
	must(s, "id=\"L701\"");
	must_not(s, "id=\"L700\"");
	must(s, "Fatal: unable to create lock in backend: &lt;script&gt;");
	show(s, "job", OPERATOR, "id", job_text(SEED_JOB_FAILED), "from", "201",
	    NULL);
	must(s, "id=\"L201\"");
	must(s, "id=\"L700\"");
	must_not(s, "id=\"L701\"");
	must(s, "?from=1\"");
	must(s, "?from=701#L701\"");
	show(s, "job", OPERATOR, "id", job_text(SEED_JOB_FAILED), "from",
	    "99999", NULL);
	must(s, "id=\"L1200\"");
}

static void
the_widest_log_still_fits_a_page(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_CANCELLED);
	must(s, "cut, the download has all of it");
	must(s, "id=\"L537\"");
}

static void
unknown_ids_are_404_and_say_so(void **state)
{
	static const char *ids[] = { "", "nope", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
		"../../etc/passwd" };
	static const char *pages[] = { "host", "host_jobs", "job" };
	struct site *s = *state;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(ids); i++) {
		for (k = 0; k < ARRAY_LEN(pages); k++) {
			ask(s,
			    &(struct ask){ pages[k], NULL, OPERATOR,
			        { "id", ids[i] } },
			    404);
			must(s, "Nothing here");
			must(s, "01REQUEST");
		}
	}
}

static void
error_pages_carry_their_status(void **state)
{
	struct site *s = *state;

	ask(s,
	    &(struct ask){ "error", NULL, VIEWER,
	        { "status", "403", "needs", "operator", "back", "/hosts/x" } },
	    403);
	must(s, "Your role is <b>viewer</b>. This needs <b>operator</b>.");
	must(s, "href=\"/hosts/x\"");
	ask(s,
	    &(struct ask){ "error", NULL, VIEWER,
	        { "status", "503", "back", "//evil.example" } },
	    503);
	must_not(s, "evil.example");
	ask(s, &(struct ask){ "error", NULL, VIEWER, { "status", "777" } },
	    500);
	ask(s,
	    &(struct ask){ "error", NULL, VIEWER,
	        { "status", "404", "message", "no such <host>" } },
	    404);
	must(s, "<p>No such &lt;host&gt;.</p>");
}

static void
forms_keep_what_was_typed_and_point_at_the_first_mistake(void **state)
{
	struct site *s = *state;
	const char *focus;

	show(s, "host_new", OPERATOR, "hostname", "web\"01", "repo_url",
	    "ftp://x", "initial_paths", "/etc\n</textarea>", "error",
	    "Correct it.", "error.repo_url", "restic says no",
	    "error.initial_paths", "not a path", "repo_password",
	    "hunter2-typed", NULL);
	must(s, "value=\"web&quot;01\"");
	must(s, "/etc\n&lt;/textarea&gt;</textarea>");
	must(s, "id=\"new-repo-url-error\">restic says no");
	must_not(s, "hunter2-typed");
	focus = strstr(buf_text(&s->body), " autofocus");
	assert_non_null(focus);
	assert_null(strstr(focus + 1, " autofocus"));
	show(s, "login", NOBODY, "username", "ops", "error", "Wrong.", NULL);
	must(s, "id=\"login-username\"");
	must(s, "id=\"login-password\"");
	must(s, "action=\"/login\"");
	must(s, "<button class=\"btn pri\" type=\"submit\">");
	show(s, "bootstrap", NOBODY, NULL);
	must(s, "Minimum 12 characters");
	must_not(s, "name=\"token\"");
	show(s, "bootstrap", NOBODY, "need_token", "1", NULL);
	must(s, "name=\"token\"");
}

#define HASH(byte)                                                            \
	byte byte byte byte byte byte byte byte byte byte byte byte byte byte \
	    byte byte byte byte byte byte byte byte byte byte byte byte byte  \
	        byte byte byte byte byte

static void
secrets_are_markers_and_need_one(void **state)
{
	static const struct ask q = { "pending", NULL, OPERATOR,
		{ "hash", HASH("01"), "pin", "cGlu", "secrets",
		    "token password" } };
	struct site *s = *state;

	ask(s, &q, 200);
	must(s,
	    "echo " MARKER "-token | sudo restic-manager-agent -enroll-server "
	    "https://backup.example.net -enroll-token -<");
	must(s, "RM_TOKEN=" MARKER
	        "-token sudo --preserve-env=RM_SERVER,RM_TOKEN bash<");
	must(s, "echo '" MARKER "-password' | htpasswd -B -i");
	show(s, "pending", OPERATOR, "hash", HASH("09"), "secrets", "token",
	    NULL);
	must(s, "htpasswd -B -c .htpasswd &#39;it&#39;\\&#39;&#39;s; rm&#39;<");
	must_not(s, MARKER "-password");
	assert_int_equal(ask_raw(s, &q, ""), RC_INVALID);
	/* The region holds none of them. */
	assert_int_equal(ask_raw(s,
	                     &(struct ask){ "pending", "enrol.state", OPERATOR,
	                         { "hash", HASH("03") } },
	                     ""),
	    RC_OK);
	must(s, "href=\"/hosts/");
	must(s, "data-state=\"over\"");
}

/* A server that was restarted has only the hash. */
static void
a_command_that_is_gone_can_be_made_anew(void **state)
{
	struct site *s = *state;

	show(s, "pending", OPERATOR, "hash", HASH("01"), "secrets", "password",
	    NULL);
	must_not(s, MARKER "-token");
	must(s, "not shown any more");
	must(s,
	    "action=\"/hosts/enrollment-tokens/" HASH("01") "/regenerate\"");
}

/* M-073: what has happened, and nothing that has not. */
static void
the_panel_tells_how_far_a_host_has_come(void **state)
{
	static const struct {
		const char *hash, *has, *lacks;
	} cases[] = {
		{ HASH("01"), "The token was not used yet", "Token used" },
		{ HASH("02"), "Repository is being initialised", "is ready" },
		{ HASH("03"), "Repository is ready", "being initialised" },
		{ HASH("04"), "expired before it was used", "Open host" },
		{ HASH("05"), "The token was revoked", "Open host" },
		{ HASH("06"), "Another token was made", "Regenerate" },
		{ HASH("07"), "The host was removed since", "Open host" },
		{ HASH("08"), "could not be prepared", "is ready" },
	};
	struct site *s = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		show_part(s, "pending", "enrol.state", OPERATOR, "hash",
		    cases[i].hash, NULL);
		must(s, cases[i].has);
		must_not(s, cases[i].lacks);
	}
	ask(s,
	    &(struct ask){ "pending", NULL, OPERATOR, { "hash", HASH("0a") } },
	    404);
}

/* M-076 */
static void
enrolments_are_listed_with_what_can_be_done(void **state)
{
	struct site *s = *state;
	const char *first;

	show(s, "host_new", OPERATOR, NULL);
	must(s, "/hosts/enrollment-tokens/" HASH("01") "/revoke");
	must(s, "/hosts/enrollment-tokens/" HASH("04") "/regenerate");
	must_not(s, "/hosts/enrollment-tokens/" HASH("05") "/regenerate");
	must_not(s, "/hosts/enrollment-tokens/" HASH("03") "/revoke");
	must_not(s, HASH("06")); /* replaced by another one of the list */
	must(s, "used, repository failed");
	first = strstr(buf_text(&s->body), "waiting, ");
	assert_non_null(first);
	assert_true(first < strstr(buf_text(&s->body), "revoked"));
	show(s, "host_new", OPERATOR, "was", HASH("04"), NULL);
	must(s, "The command for late-01 has expired");
}

/* The page and its fragments come from the same partial: byte for byte. */
static void
each_region_is_a_part_of_its_page(void **state)
{
	struct site *s = *state;
	const struct page *pages;
	size_t n, i;

	pages = pages_table(&n);
	for (i = 0; i < n; i++) {
		const char *id = strcmp(pages[i].name, "job") == 0
		                     ? job_text(SEED_JOB_RUNNING)
		                     : host_text(SEED_APP);
		const char *const *r;
		struct buf whole;

		if (pages[i].regions[0] == NULL)
			continue;
		show(s, pages[i].name, OPERATOR, "id", id, "hash", HASH("01"),
		    NULL);
		buf_init(&whole, PAGES_REPLY_MAX);
		buf_put_str(&whole, buf_str(&s->body));
		for (r = pages[i].regions; *r != NULL; r++) {
			char mark[64];

			show_part(s, pages[i].name, *r, OPERATOR, "id", id,
			    "hash", HASH("01"), "host", id, NULL);
			assert_true(str_fmt(mark, sizeof(mark),
			    "data-live=\"%s\"", *r));
			must(s, mark);
			must_not(s, "<html");
			if (strcmp(*r, "pending.list") == 0)
				continue; /* only on the empty fleet */
			if (strstr(buf_text(&whole), mark) == NULL)
				fail_msg("%s lacks %s", pages[i].name, mark);
		}
		buf_fini(&whole);
		show_part(s, pages[i].name, PAGES_ALL, OPERATOR, "id", id,
		    "hash", HASH("01"), NULL);
	}
}

static void
one_row_is_given_for_one_host(void **state)
{
	struct site *s = *state;

	show_part(s, "dashboard", "host.row", OPERATOR, "host",
	    host_text(SEED_DB1), NULL);
	must(s, "db-01");
	must_not(s, "db-02");
	assert_true(strncmp(buf_text(&s->body), "<tr ", 4) == 0);
}

static void
unknown_pages_and_regions_are_refused(void **state)
{
	struct site *s = *state;

	assert_int_equal(ask_raw(s,
	                     &(struct ask){ "etc", NULL, ADMIN, { NULL } },
	                     MARKER),
	    RC_INVALID);
	assert_int_equal(ask_raw(s,
	                     &(struct ask){ "dashboard", "job.log", ADMIN,
	                         { NULL } },
	                     MARKER),
	    RC_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLEET(the_fleet_shows_every_state_with_its_reason),
		FLEET(a_viewer_sees_no_buttons_that_act),
		FLEET(filters_narrow_the_rows_and_keep_the_counts),
		FLEET(chips_of_tags_write_the_query),
		FLEET(what_changed_since_is_counted),
		FLEET(results_of_many_runs_are_told),
		EMPTY(an_empty_fleet_says_what_to_do),
		FLEET(the_host_page_lists_snapshots_by_pages),
		FLEET(the_host_page_names_the_problem_and_its_log),
		FLEET(the_jobs_tab_filters_by_result_and_day),
		FLEET(live_lists_follow_the_filter_and_only_the_first_page),
		FLEET(a_job_page_in_each_state),
		FLEET(a_log_is_shown_by_500_lines),
		FLEET(the_widest_log_still_fits_a_page),
		FLEET(unknown_ids_are_404_and_say_so),
		FLEET(error_pages_carry_their_status),
		FLEET(forms_keep_what_was_typed_and_point_at_the_first_mistake),
		FLEET(secrets_are_markers_and_need_one),
		FLEET(a_command_that_is_gone_can_be_made_anew),
		FLEET(the_panel_tells_how_far_a_host_has_come),
		FLEET(enrolments_are_listed_with_what_can_be_done),
		FLEET(each_region_is_a_part_of_its_page),
		FLEET(one_row_is_given_for_one_host),
		FLEET(unknown_pages_and_regions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
