/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tabs Sources and Schedules, and their forms. */
#include "tests/unit/render/pages_help.h"

#include "lib/store/host_store.h"
#include "lib/store/schedule_store.h"

static const char *
schedule_text(enum seed_host h, unsigned n)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_schedule_id(h, n);

	ulid_text(&id, z);
	return z;
}

static const char *
group_text(enum seed_host h)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_group_id(h);

	ulid_text(&id, z);
	return z;
}

/* M-165, M-166, M-169 */
static void
sources_tell_paths_retention_use_and_conflict(void **state)
{
	struct site *s = *state;

	show_host(s, "host_sources", OPERATOR, SEED_APP);
	must(s, "/edit\">default</a>");
	must(s, "home &lt;b&gt;");
	must(s, "/etc \xc2\xb7 /home");
	must(s, "2 paths, 2 patterns left out");
	must(s, "last=7, h=2");
	must(s, "hourly not honoured");
	must(s, "used by 1 schedule, with hooks");
	must(s, ">120</td>"); /* snapshots with its tag */
	must(s, "A schedule uses it: take it out there first");
	must(s, "name=\"bandwidth_up_kbps\"");
	must_not(s, ">Edit<");
}

/* M-163, M-170 */
static void
the_last_group_stays_and_viewers_cannot_run(void **state)
{
	struct site *s = *state;

	show_host(s, "host_sources", OPERATOR, SEED_MAIL);
	must(s, "A host keeps one source group at least");
	must_not(s, "/delete\"");
	show_host(s, "host_sources", VIEWER, SEED_APP);
	must(s, "last=7, h=2");
	must_not(s, "/run\"");
	must_not(s, "/sources/new");
	must_not(s, "/edit");
}

/* M-171 */
static void
the_form_of_a_source_has_what_is_stored(void **state)
{
	struct site *s = *state;

	show(s, "host_source", OPERATOR, "id", host_text(SEED_APP), "group",
	    group_text(SEED_APP), NULL);
	must(s, ">\n/etc\n/home</textarea>");
	must(s, ">\n*.tmp\nnode_modules</textarea>");
	must(s, "name=\"keep_last\" class=\"m\" type=\"number\" min=\"0\" "
	        "max=\"10000\" inputmode=\"numeric\" value=\"7\"");
	must(s, "<code>hourly</code> will not be honoured");
	must(s, "name=\"retry_backoff_seconds\"");
	must(s, "value=\"120\"");
	must_not(s, "name=\"pre_hook\""); /* administrators only */
	ask(s,
	    &(struct ask){ .page = "host_source",
	        .role = OPERATOR,
	        .params = { "id", host_text(SEED_APP), "group",
	            group_text(SEED_DB2) } },
	    404);
}

static void
a_retention_tells_what_it_would_keep_while_it_is_typed(void **state)
{
	struct site *s = *state;

	show_part(s, "host_source", "retention.preview", OPERATOR, "id",
	    host_text(SEED_APP), "group", group_text(SEED_APP), "typed", "1",
	    "keep_last", "14", "keep_daily", "nonsense", NULL);
	must(s, "<b class=\"m\">14</b> of your <b class=\"m\">120</b> "
	        "snapshots would stay, <b class=\"m\">106</b> would go.");
	must_not(s, "<form");
	show_part(s, "host_source", "retention.preview", OPERATOR, "id",
	    host_text(SEED_APP), "group", group_text(SEED_APP), "typed", "1",
	    NULL);
	must(s, "all <b class=\"m\">120</b> snapshots stay");
	show_part(s, "host_source", "retention.preview", OPERATOR, "id",
	    host_text(SEED_APP), NULL);
	must(s, "No snapshot of this group yet.");
	/* What forget leaves alone is not counted. */
	show_part(s, "host_source", "retention.preview", OPERATOR, "id",
	    host_text(SEED_FS), "group", group_text(SEED_FS), "typed", "1",
	    "keep_last", "1", NULL);
	must(s, "<b class=\"m\">1</b> of your <b class=\"m\">2</b> snapshots");
}

/* M-320 */
static void
a_refused_source_keeps_what_was_typed(void **state)
{
	struct site *s = *state;

	show(s, "host_source", OPERATOR, "id", host_text(SEED_APP), "typed",
	    "1", "name", "n\"<b>", "includes", "etc\n/home", "excludes", "",
	    "keep_last", "x", "keep_daily", "14", "retry_max", "1",
	    "error.includes", "a path is not absolute", "error.keep_last",
	    "a number", NULL);
	must(s, "value=\"n&quot;&lt;b&gt;\"");
	must(s, ">\netc\n/home</textarea>");
	must(s, "id=\"g-includes-error\">A path is not absolute.<");
	must(s, "id=\"g-keep_last-error\">A number.<");
	must(s, "value=\"14\"");
	must(s, "Add source group");
}

/* M-189, M-195 */
static void
hooks_are_replaced_or_removed_and_never_shown(void **state)
{
	struct site *s = *state;

	show(s, "host_source", ADMIN, "id", host_text(SEED_APP), "group",
	    group_text(SEED_APP), "pre_hook", "echo SECRET", "error.hooks",
	    "the hook is too long", NULL);
	must(s, "A hook is stored. Text here replaces it");
	must(s, "name=\"remove_pre_hook\"");
	must_not(s, "name=\"remove_post_hook\"");
	must(s, "The hook is too long.");
	must(s, "run as root on app-01");
	must_not(s, "SECRET");
}

/* M-183, M-186 */
static void
schedules_tell_when_next_and_last(void **state)
{
	struct site *s = *state;

	show_host(s, "host_schedules", OPERATOR, SEED_APP);
	must(s, "default, home &lt;b&gt;</a>");
	must(s, "Every day at 03:00");
	must(s, ">20 Nov 03:"); /* with its spread */
	must(s, "spread over 15 min");
	must(s, "Next 24 hours: backup 03:");
	must(s, "forget 00:18");
	must(s, "aria-checked=\"true\"");
	must(s, "Agent in sync");
	must(s, "version 7");
	show_host(s, "host_schedules", OPERATOR, SEED_DB2);
	must(s, "Every 12 hours");
	must(s, "0 0,12 * * * Europe/Berlin");
	/* Midnight in Berlin is 23:00 here. */
	must(s, ">19 Nov 23:00</span>");
	must(s, "15:00 <span class=\"mut\">retry</span>");
	must(s, ">Failed</a>");
}

/* M-185 */
static void
a_paused_schedule_asks_before_it_runs(void **state)
{
	struct site *s = *state;

	show(s, "host_schedules", OPERATOR, "id", host_text(SEED_WEB),
	    "confirm", schedule_text(SEED_WEB, 1), NULL);
	must(s, "<details class=\"menu edit\" open><summary class=\"btn sm\" "
	        "aria-label=\"Run now: default, paused\"");
	must(s, "name=\"confirm\" value=\"1\"");
	must(s, "Monday to Friday at 02:30");
	must(s, "Agent at version 5");
	must(s, "when it is on again");
}

/* M-185 */
static void
what_run_now_came_to_is_told_by_names_of_groups(void **state)
{
	struct site *s = *state;

	show(s, "host_schedules", OPERATOR, "id", host_text(SEED_APP), "ran",
	    schedule_text(SEED_APP, 0), "started", "2", "waiting", "1", NULL);
	must(s, "2 backups dispatched: default, home &lt;b&gt;.");
	must(s, "1 was waiting already");
}

static void
a_host_without_schedules_is_offered_a_night(void **state)
{
	struct site *s = *state;

	show_host(s, "host_schedules", OPERATOR, SEED_BUILD);
	must(s, "No schedule yet: nothing is backed up by itself.");
	must(s, "/schedules/new?like=nightly");
	must(s, "Next 24 hours: nothing runs");
	show_host(s, "host_schedules", VIEWER, SEED_BUILD);
	must_not(s, "/schedules/new");
}

static void
a_schedule_that_cannot_be_read_is_shown_as_such(void **state)
{
	struct site *s = *state;

	show_host(s, "host_schedules", OPERATOR, SEED_EVIL);
	must(s, "cannot be read here");
	must(s, "&lt;script&gt;alert(1)&lt;/script&gt;");
	must(s, "Refused by the agent");
	must(s, "&lt;b&gt;too new&lt;/b&gt;");
	show_host(s, "host_schedules", OPERATOR, SEED_FS);
	must(s, "The agent knows no schedules");
	must(s, "version 7 \xc2\xb7 agent too old for schedules");
	must_not(s, "Agent in sync");
}

/* M-184 */
static void
a_new_schedule_begins_with_a_usual_time(void **state)
{
	struct site *s = *state;

	show(s, "host_schedule", OPERATOR, "id", host_text(SEED_DB2), "like",
	    "nightly", NULL);
	must(s, "value=\"0 3 * * *\" checked");
	must(s, "title=\"Every Sunday at 03:00\"");
	must(s, "value=\"0 */6 * * *\"");
	must(s, "placeholder=\"Europe/Berlin\"");
	must(s, ">20 Nov 02:00 "); /* 03:00 in Berlin */
	must(s, "begins up to 15 min later");
	/* Its only group is ticked. */
	must(s, "name=\"group-");
	must(s, "value=\"1\" checked><span><b>postgres-dump</b>");
}

static void
a_refused_schedule_keeps_what_was_typed(void **state)
{
	struct site *s = *state;

	show(s, "host_schedule", OPERATOR, "id", host_text(SEED_APP),
	    "schedule", schedule_text(SEED_APP, 0), "typed", "1", "preset", "",
	    "cron", "61 * * * *", "zone", "Europe/Paris", "jitter_seconds",
	    "77", "groups", group_text(SEED_APP), "error.cron",
	    "minute 61 is above 59", "error.groups", "choose one", NULL);
	must(s, "value=\"61 * * * *\"");
	must(s, "value=\"Europe/Paris\"");
	must(s, "<option value=\"77\" selected>");
	must(s, "Minute 61 is above 59.");
	must(s, "Choose one.");
	must(s, "value=\"\" checked><span>Other</span>");
	must(s, "value=\"1\" checked><span><b>default</b>");
	must_not(s, "value=\"1\" checked><span><b>home");
	must_not(s, "name=\"enabled\" value=\"1\" checked");
}

static void
the_preview_alone_follows_the_fields(void **state)
{
	struct site *s = *state;

	show_part(s, "host_schedule", "schedule.preview", OPERATOR, "id",
	    host_text(SEED_APP), "typed", "1", "preset", "30 2 * * 1-5", "cron",
	    "nonsense", "zone", "UTC", "jitter_seconds", "0", NULL);
	must(s, "Monday to Friday at 02:30");
	must(s, "<li title=\"20 Nov 2026 02:30:00\">20 Nov 02:30 ");
	must(s, ">23 Nov 02:30 ");
	must_not(s, "<form");
	show_part(s, "host_schedule", "schedule.preview", OPERATOR, "id",
	    host_text(SEED_APP), "typed", "1", "cron", "<b>", NULL);
	must(s, "s-failed");
	must_not(s, "<b>");
}

/* M-224, M-305, M-310, M-311 */
static void
a_row_tells_what_comes_next_and_offers_what_fits(void **state)
{
	struct site *s = *state;

	show_part(s, "dashboard", "host.row", OPERATOR, "host",
	    host_text(SEED_APP), NULL);
	must(s, "in 12 h<small>20 Nov 03:");
	must(s, "<small class=\"nx\">next in 12 h</small>");
	must(s, "/run\" aria-label=\"Run all groups of app-01\"");
	must(s, "<path d=\"M1 17L3.3 16.6");
	must(s, "<path class=\"last\" d=\"M69 3h.01\"");
	show_part(s, "dashboard", "host.row", OPERATOR, "host",
	    host_text(SEED_DB2), NULL);
	must(s, "retry in 42 min<small>15:00");
	show_part(s, "dashboard", "host.row", OPERATOR, "host",
	    host_text(SEED_BUILD), NULL);
	must(s, "none<small>no schedule yet");
	must(s, ">Open ");
}

/* M-326 */
static void
a_host_that_comes_and_goes_sleeps(void **state)
{
	struct site *s = *state;

	show_part(s, "dashboard", "host.row", VIEWER, "host",
	    host_text(SEED_MAIL), NULL);
	must(s, "Asleep \xc2\xb7 last seen 9 d ago \xc2\xb7 will catch up on "
	        "return");
	must(s, "on wake<small>catches up");
	must(s, "<small class=\"nx\">next run: on wake</small>");
	must(s, "zzzzzzzzz\"");
	must(s, "9 asleep");
	must(s, ">1 job waits \xc2\xb7 Away 9 d, allowed 7 d<");
	must_not(s, "Offline since");
}

static void
a_job_of_a_schedule_tells_due_attempt_and_next_try(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_FAILED);
	must(s, "by schedule");
	must(s, "due <b class=\"m\">19 Nov 12:00</b>");
	must(s, "attempt <b class=\"m\">2</b>");
	must(s, "tried again <b class=\"m\" title=\"19 Nov 2026 15:00:00\">in "
	        "42 min</b>");
	must(s, "/jobs?schedule=");
	must(s, ">all runs of this schedule</a>");
	show_job(s, OPERATOR, SEED_JOB_OK);
	must_not(s, "all runs of this schedule");
}

/* Its schedule was paused, and the agent knows. */
static void
what_no_schedule_asks_for_is_not_tried_again(void **state)
{
	struct site *s = *state;
	struct ulid host = seed_host_id(SEED_DB2);
	struct ulid sid = seed_schedule_id(SEED_DB2, 0);
	struct Rec__Schedule *sched;
	struct Rec__Host *h;
	struct store *w;
	struct store_tx *tx = edit_site(s, &w);

	sched = schedule_store_get(tx, &host, &sid);
	sched->enabled = false;
	schedule_store_put(tx, sched);
	h = host_store_get(tx, &host);
	h->applied_config_version = h->config_version;
	h->plan_format = 1;
	h->plan_refused = mut("");
	host_store_put(tx, h);
	edit_done(s, tx, w);
	show_job(s, OPERATOR, SEED_JOB_FAILED);
	must(s, "not tried again: no schedule asks for it any more");
	must_not(s, "tried again <b");
	show_part(s, "dashboard", "host.row", OPERATOR, "host",
	    host_text(SEED_DB2), NULL);
	must_not(s, "retry in");
}

/* W-16 */
static void
jobs_that_wait_say_why_and_how_long_and_what_comes(void **state)
{
	struct site *s = *state;

	show(s, "jobs", OPERATOR, NULL);
	must(s, "waits for the job that runs there, given up 20 Nov 14:18");
	must(s, "data-live=\"jobs.due\"");
	must(s, "waits until the host wakes, given up 20 Nov 02:18");
	must(s, "<span class=\"m nw\">18:00</span><div><a class=\"go-to m "
	        "wrap\" href=\"/hosts/");
	must(s, ">app-01</a> <span class=\"mut\">Forget</span>");
	must(s, "1 removed, 6 kept");
	show_job(s, OPERATOR, SEED_JOB_QUEUED);
	must(s, "This one: waits for the job that runs there. Given up on 20 "
	        "Nov 14:18");
}

static void
a_forget_tells_what_it_removed_and_kept(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_EXPIRED);
	must(s, ">default &lt;b&gt;</th><td role=\"cell\" class=\"num\" "
	        "data-l=\"removed\">1</td>");
	must(s, "data-l=\"kept\">6</td>");
}

static void
the_jobs_of_one_schedule_are_listed_alone(void **state)
{
	struct site *s = *state;

	show(s, "host_jobs", OPERATOR, "id", host_text(SEED_DB2), "schedule",
	    schedule_text(SEED_DB2, 0), NULL);
	must(s, job_text(SEED_JOB_FAILED));
	must_not(s, job_text(SEED_JOB_CANCELLED));
	must(s, "0 0,12 * * *</span> only, show all");
	must(s, "1\xe2\x80\x93"
	        "1 of 1");
	show_host(s, "host_jobs", OPERATOR, SEED_DB2);
	must(s, job_text(SEED_JOB_CANCELLED));
	must_not(s, "only, show all");
}

static void
what_stands_in_the_way_is_told_with_the_way_out(void **state)
{
	struct site *s = *state;

	show_host(s, "host", OPERATOR, SEED_NEW);
	must(s, "The agent did not take all of the latest plan");
	must(s, "version 7 \xc2\xb7 refused by the agent");
	show_host(s, "host_sources", OPERATOR, SEED_EVIL);
	must(s, "The repository is locked by a process that is gone");
	must(s, "Not renewed since");
	must(s, "/repo/unlock\"><input type=\"hidden\" name=\"csrf\"");
	must(s, ">Unlock</button>");
}

static void
nothing_else_is_read_for_the_head_alone(void **state)
{
	struct site *s = *state;

	show_part(s, "host_schedules", "host.head", OPERATOR, "id",
	    host_text(SEED_APP), NULL);
	must(s, "data-live=\"host.head\"");
	must_not(s, "data-live=\"host.schedules\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLANS(sources_tell_paths_retention_use_and_conflict),
		PLANS(the_last_group_stays_and_viewers_cannot_run),
		PLANS(the_form_of_a_source_has_what_is_stored),
		PLANS(a_retention_tells_what_it_would_keep_while_it_is_typed),
		PLANS(a_refused_source_keeps_what_was_typed),
		PLANS(hooks_are_replaced_or_removed_and_never_shown),
		PLANS(schedules_tell_when_next_and_last),
		PLANS(a_paused_schedule_asks_before_it_runs),
		PLANS(what_run_now_came_to_is_told_by_names_of_groups),
		PLANS(a_host_without_schedules_is_offered_a_night),
		PLANS(a_schedule_that_cannot_be_read_is_shown_as_such),
		PLANS(a_new_schedule_begins_with_a_usual_time),
		PLANS(a_refused_schedule_keeps_what_was_typed),
		PLANS(the_preview_alone_follows_the_fields),
		PLANS(a_row_tells_what_comes_next_and_offers_what_fits),
		PLANS(a_host_that_comes_and_goes_sleeps),
		PLANS(a_job_of_a_schedule_tells_due_attempt_and_next_try),
		PLANS(what_no_schedule_asks_for_is_not_tried_again),
		PLANS(jobs_that_wait_say_why_and_how_long_and_what_comes),
		PLANS(a_forget_tells_what_it_removed_and_kept),
		PLANS(the_jobs_of_one_schedule_are_listed_alone),
		PLANS(what_stands_in_the_way_is_told_with_the_way_out),
		PLANS(nothing_else_is_read_for_the_head_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
