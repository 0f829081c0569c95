/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages about jobs over a made-up fleet. */
#include "tests/unit/render/pages_help.h"

#include <unistd.h>

#include "lib/base/fsio.h"
#include "lib/store/job_store.h"
#include "spool/joblog.h"

/* W-26: the whole fleet's jobs; every state is told by word and glyph. */
static void
the_jobs_page_shows_now_next_and_history(void **state)
{
	struct site *s = *state;

	show(s, "jobs", OPERATOR, NULL);
	must(s, "<h1>1 job running</h1>");
	must(s, "1 queued.");
	must(s, "<span class=\"mut\">asked for</span> <span title=");
	must(s, "62 %");
	must(s, "4 min left");
	must(s, "aria-label=\"Stop Backup of db-01\"");
	must(s, "aria-label=\"Cancel ");
	must(s, "The repository is locked by another process");
	must(s, "37 unread");
	must(s, ">Cancelled<");
	must(s, "aria-current=\"page\"><svg class=\"i\" aria-hidden=\"true\">"
	        "<use href=\"/static/sprite.svg?v=");
	must_not(s, "Older ones");
	/* Who may not stop is offered nothing. */
	show(s, "jobs", VIEWER, NULL);
	must_not(s, "/cancel");
}

/* What the repository is busy with has a name, for as long as it lasts. */
static void
a_job_says_whose_work_it_waits_for(void **state)
{
	struct site *s = *state;
	struct ulid by = seed_job_id(SEED_JOB_RUNNING), app, id;
	struct Rec__Job j = REC__JOB__INIT, *other;
	struct store *w;
	struct store_tx *tx = edit_site(s, &w);

	app = seed_host_id(SEED_APP);
	id = seed_job_id(SEED_JOB_QUEUED);
	id.b[15] = 98;
	j.id = (ProtobufCBinaryData){ sizeof(id.b), id.b };
	j.host_id = (ProtobufCBinaryData){ sizeof(app.b), app.b };
	j.kind = REC__JOB_KIND__KIND_PRUNE;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = SEED_NOW_MS - 60000;
	j.blocked = mut("repository_busy");
	j.blocked_by = (ProtobufCBinaryData){ sizeof(by.b), by.b };
	job_store_put(tx, &j);
	edit_done(s, tx, w);
	show(s, "jobs", OPERATOR, NULL);
	must(s, "waits for backup of db-01");
	tx = edit_site(s, &w);
	other = job_store_get(tx, &by);
	other->state = REC__JOB_STATE__JOB_SUCCEEDED;
	job_store_put(tx, other);
	edit_done(s, tx, w);
	show(s, "jobs", OPERATOR, NULL);
	must(s, "other work has the repository");
	must_not(s, "waits for backup of db-01");
}

static void
jobs_are_filtered_and_links_keep_the_filter(void **state)
{
	struct site *s = *state;

	show(s, "jobs", OPERATOR, "state", "failed", "kind", "backup", "q",
	    "DB-0 <", "until", "2026-11-19", NULL);
	must(s, "No job fits these filters");
	must(s, "value=\"DB-0 &lt;\"");
	must(s, "?q=DB-0%20%3C&amp;state=queued&amp;kind=backup&amp;"
	        "until=2026-11-19&amp;");
	must(s, "<option value=\"backup\" selected>");
	show(s, "jobs", OPERATOR, "state", "failed", "q", "DB-0", NULL);
	must(s, "The repository is locked by another process");
	must_not(s, "37 unread");
	show(s, "jobs", OPERATOR, "host", host_text(SEED_FS), NULL);
	must(s, "37 unread");
	must(s, "only, show all");
	must_not(s, "The repository is locked");
	show(s, "jobs", OPERATOR, "since", "2026-11-20", "page", "7", NULL);
	must(s, "No job fits these filters");
	/* What makes no sense filters nothing. */
	show(s, "jobs", OPERATOR, "state", "<b>", "kind", "x", "since",
	    "2026-13-99", "host", "nobody", NULL);
	must(s, "37 unread");
}

static void
no_job_at_all_is_told(void **state)
{
	struct site *s = *state;

	show(s, "jobs", OPERATOR, NULL);
	must(s, "<h1>No job is running</h1>");
	must(s, "None ended in the last 24 hours.");
	must(s, "Nothing runs.");
	must(s, "Nothing waits.");
	must(s, "No job yet.");
}

/* M-403: a failed backup says what there is to go back to. */
static void
a_failed_backup_says_what_is_left(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_FAILED);
	must(s, "The repository is locked by another process");
	must(s, "Wait for it to end");
	must(s, "rotected until</dt>");
	must(s, "<dt>Newest snapshot</dt>");
	must(s, "<dt>Failed in a row</dt>");
	/* Only an administrator may sign in to the server. */
	must_not(s, "/spool/jobs/");
	must_not(s, "zstdcat");
	show_job(s, ADMIN, SEED_JOB_FAILED);
	must(s, "/spool/jobs/");
	/* One that worked needs none of it. */
	show_job(s, OPERATOR, SEED_JOB_OK);
	must_not(s, "Failed in a row");
	must_not(s, "rotected until</dt>");
}

/* As after a restore, when the agent tells how jobs of an unknown group ended. */
static void
failures_without_a_group_are_counted_too(void **state)
{
	struct site *s = *state;
	struct ulid app = seed_host_id(SEED_APP), id;
	struct Rec__Job j = REC__JOB__INIT;
	char text[ULID_TEXT_CAP];
	struct store *w;
	struct store_tx *tx = edit_site(s, &w);

	id = seed_job_id(SEED_JOB_FAILED);
	j.id = (ProtobufCBinaryData){ sizeof(id.b), id.b };
	j.host_id = (ProtobufCBinaryData){ sizeof(app.b), app.b };
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_FAILED;
	j.created_at_ms = j.finished_at_ms = SEED_NOW_MS - 60000;
	for (id.b[15] = 97; id.b[15] < 99; id.b[15]++)
		job_store_put(tx, &j);
	edit_done(s, tx, w);
	id.b[15] = 98;
	ulid_text(&id, text);
	show(s, "job", OPERATOR, "id", text, NULL);
	must(s, "<dt>Failed in a row</dt><dd>2</dd>");
}

static void
a_log_that_is_gone_says_when_logs_go(void **state)
{
	struct site *s = *state;

	show(s, "job", ADMIN, "id", job_text(SEED_JOB_EXPIRED),
	    "retention_days", "90", NULL);
	must(s, "logs are kept for 90 days");
	must_not(s, "log.ndjson");
	must_not(s, "/spool/jobs/");
}

/* Cut off behind the back of the controller: what is left is shown. */
static void
a_damaged_log_shows_what_is_left(void **state)
{
	struct site *s = *state;
	struct ulid id = seed_job_id(SEED_JOB_FAILED);
	char path[JOBLOG_PATH_CAP];
	struct err e;
	struct buf b;

	assert_int_equal(joblog_path(s->spool, &id, false, path, sizeof(path)),
	    RC_OK);
	buf_init(&b, MIB(4));
	assert_int_equal(fsio_read(path, &b, &e), RC_OK);
	assert_int_equal(truncate(path, (off_t)(b.len / 2)), 0);
	buf_fini(&b);
	show_job(s, ADMIN, SEED_JOB_FAILED);
	must(s, "this is what is left");
	must(s, "id=\"L500\"");
	must_not(s, "id=\"L1200\"");
	must_not(s, ">Newer lines</a>");
	show(s, "job", ADMIN, "id", job_text(SEED_JOB_FAILED), "from", "1",
	    NULL);
	must(s, "id=\"L1\"");
	assert_int_equal(unlink(path), 0);
	show_job(s, ADMIN, SEED_JOB_FAILED);
	must(s, "The log file is missing in the spool.");
}

/* M-145: two described options in one disclosure. */
static void
a_long_log_can_be_walked_without_scripts(void **state)
{
	struct site *s = *state;

	show_job(s, OPERATOR, SEED_JOB_FAILED);
	must(s, ">Older lines</a>");
	must(s, ">First lines</a>");
	must(s, "name=\"line\" min=\"1\" max=\"1200\"");
	must_not(s, ">Newer lines</a>");
	must(s, "for people and tickets");
	must(s, "for tools, one record a line");
	show(s, "job", OPERATOR, "id", job_text(SEED_JOB_FAILED), "from", "1",
	    NULL);
	must(s, ">Newer lines</a>");
	must(s, ">Last lines</a>");
	must(s, "data-older hidden");
	/* Short ones need none of it. */
	show_job(s, OPERATOR, SEED_JOB_OK);
	must_not(s, "name=\"line\"");
	must_not(s, ">Newer lines</a>");
}

/* B-02: what was typed comes back as text. */
static void
the_search_page_shows_what_was_found(void **state)
{
	struct site *s = *state;

	show(s, "search", VIEWER, "q", "DB-", NULL);
	must(s, "<h2>Hosts</h2>");
	must(s, ">db-01</span>");
	must(s, "2 found");
	must_not(s, "<h2>Jobs</h2>");
	show_part(s, "search", "search.hits", VIEWER, "q",
	    job_text(SEED_JOB_FAILED), NULL);
	must(s, "<h2>Jobs</h2>");
	must(s, "Backup of db-02");
	must_not(s, "<html");
	show(s, "search", VIEWER, "q", "7C1e9f04", NULL);
	must(s, "#snapshot-7c1e9f04\"");
	show(s, "search", VIEWER, "q", "<img src=x onerror=alert(1)> \"'",
	    NULL);
	show(s, "search", VIEWER, NULL);
	must_not(s, "Nothing found");
	must(s, "Part of a host's name or tag");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLEET(the_jobs_page_shows_now_next_and_history),
		FLEET(a_job_says_whose_work_it_waits_for),
		FLEET(jobs_are_filtered_and_links_keep_the_filter),
		EMPTY(no_job_at_all_is_told),
		FLEET(the_search_page_shows_what_was_found),
		FLEET(a_failed_backup_says_what_is_left),
		FLEET(failures_without_a_group_are_counted_too),
		FLEET(a_log_that_is_gone_says_when_logs_go),
		FLEET(a_long_log_can_be_walked_without_scripts),
		FLEET(a_damaged_log_shows_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
