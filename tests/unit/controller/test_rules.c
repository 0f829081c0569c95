/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/rules.h"

/* M-123: one version; what is new comes as fields and is not counted. */
static void
protocol_versions_have_names(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_rc(rules_protocol(1, &e), RC_OK);
	assert_rc(rules_protocol(0, &e), RC_VERSION);
	assert_string_equal(e.code, "protocol_too_old");
	assert_rc(rules_protocol(2, &e), RC_VERSION);
	assert_string_equal(e.code, "protocol_too_new");
}

static void
only_the_next_event_fits(void **state)
{
	(void)state;
	assert_int_equal(rules_seq(5, 6, 0), RULES_NEXT);
	assert_int_equal(rules_seq(5, 5, 0), RULES_KNOWN);
	assert_int_equal(rules_seq(5, 1, 0), RULES_KNOWN);
	assert_int_equal(rules_seq(5, 7, 0), RULES_ASTRAY);
	assert_int_equal(rules_seq(0, 1, 0), RULES_NEXT);
	assert_int_equal(rules_seq(0, 0, 0), RULES_KNOWN);
}

static void
a_gap_stands_for_all_its_numbers(void **state)
{
	(void)state;
	assert_int_equal(rules_seq(5, 9, 6), RULES_NEXT);
	assert_int_equal(rules_seq(5, 9, 4), RULES_NEXT); /* some are known */
	assert_int_equal(rules_seq(5, 9, 7), RULES_ASTRAY);
	assert_int_equal(rules_seq(9, 9, 6), RULES_KNOWN);
}

static void
an_agent_resumes_behind_what_is_on_disk(void **state)
{
	(void)state;
	assert_int_equal(rules_resume(true, 41, 1), 42);
	assert_int_equal(rules_resume(true, 0, 1), 1);
	assert_int_equal(rules_resume(false, 41, 1), 1);
	/* It does not hold what we lack: asking for it would never end. */
	assert_int_equal(rules_resume(true, 41, 50), 50);
	assert_int_equal(rules_resume(false, 41, 7), 7);
}

static void
check_lines(uint64_t have, uint64_t first, uint64_t count, uint64_t missing,
    uint64_t known)
{
	struct rules_lines r;

	assert_true(rules_lines(have, first, count, &r));
	assert_int_equal(r.missing, missing);
	assert_int_equal(r.known, known);
}

static void
lines_overlap_follow_or_leave_a_gap(void **state)
{
	struct rules_lines r;

	(void)state;
	check_lines(0, 1, 10, 0, 0);
	check_lines(10, 11, 5, 0, 0);
	check_lines(10, 9, 5, 0, 2);
	check_lines(10, 1, 5, 0, 5);
	check_lines(10, 21, 5, 10, 0);
	check_lines(10, 11, 0, 0, 0);
	assert_false(rules_lines(0, 0, 1, &r));
	assert_false(rules_lines(0, UINT64_MAX, 1, &r));
	assert_false(rules_lines(0, 1, UINT64_MAX, &r));
}

static void
a_second_instance_waits_until_the_first_is_silent(void **state)
{
	struct rules_peer p = { .known = true, .same = false };

	(void)state;
	p.silent_ms = 89999;
	assert_true(rules_is_duplicate(&p));
	p.silent_ms = 90000;
	assert_false(rules_is_duplicate(&p));
	p.silent_ms = 0;
	p.same = true;
	assert_false(rules_is_duplicate(&p));
	p.same = false;
	p.known = false;
	assert_false(rules_is_duplicate(&p));
}

static void
cancelling_depends_on_where_the_job_is(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;

	(void)state;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	assert_int_equal(rules_cancel(&j, true), RULES_CANCEL_NOW);
	assert_int_equal(rules_cancel(&j, false), RULES_CANCEL_NOW);
	j.sent_at_ms = 1;
	assert_int_equal(rules_cancel(&j, true), RULES_CANCEL_SEND);
	assert_int_equal(rules_cancel(&j, false), RULES_CANCEL_OFFLINE);
	j.state = REC__JOB_STATE__JOB_RUNNING;
	assert_int_equal(rules_cancel(&j, true), RULES_CANCEL_SEND);
	j.state = REC__JOB_STATE__JOB_CANCELLED;
	assert_int_equal(rules_cancel(&j, true), RULES_CANCEL_OVER);
}

static void
an_accepted_job_is_with_its_agent(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;

	(void)state;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	assert_false(rules_with_agent(&j));
	j.sent_at_ms = 1;
	assert_false(rules_with_agent(&j));
	j.accepted_at_ms = 2;
	assert_true(rules_with_agent(&j));
	j.state = REC__JOB_STATE__JOB_RUNNING;
	assert_true(rules_with_agent(&j));
	j.state = REC__JOB_STATE__JOB_FAILED;
	assert_false(rules_with_agent(&j));
}

static void
an_agents_clock_is_not_believed_beyond_reason(void **state)
{
	(void)state;
	assert_int_equal(rules_time(500, 100, 1000), 500);
	assert_int_equal(rules_time(2000, 100, 1000), 1000);
	assert_int_equal(rules_time(50, 100, 1000), 100);
	assert_int_equal(rules_time(0, 100, 1000), 1000);
	assert_int_equal(rules_time(-5, 100, 1000), 1000);
}

static void
days_turn_at_local_midnight(void **state)
{
	const int64_t midnight = INT64_C(20000) * 86400000;

	(void)state;
	assert_int_equal(rules_day(midnight, 0), 20000);
	assert_int_equal(rules_day(midnight - 1, 0), 19999);
	assert_int_equal(rules_day(midnight - 1, 3600), 20000);
	assert_int_equal(rules_day(midnight, -1), 19999);
	assert_int_equal(rules_day(0, -3600), 0);
}

enum {
	NOW = 1000
};

static struct Rec__Job
backup(Rec__JobState s, int64_t at)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = s;
	j.started_at_ms = at - 1;
	j.finished_at_ms = at;
	return j;
}

static void
a_failed_backup_is_an_attempt_and_no_backup(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__Job j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 100);

	(void)state;
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_backup_at_ms, 100);
	assert_int_equal(h.last_attempt_at_ms, 100);
	j = backup(REC__JOB_STATE__JOB_FAILED, 200);
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_backup_at_ms, 100);
	assert_int_equal(h.last_attempt_at_ms, 200);
	assert_int_equal(h.last_backup_state, REC__JOB_STATE__JOB_FAILED);
	/* One that is told late moves neither. */
	j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 50);
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_backup_at_ms, 100);
	assert_int_equal(h.last_attempt_at_ms, 200);
	assert_int_equal(h.last_backup_state, REC__JOB_STATE__JOB_FAILED);
}

/* Our clock ran ahead once: what was stored then must not outlast what
 * happens now. */
static void
a_time_in_the_future_is_overruled(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Job j = backup(REC__JOB_STATE__JOB_FAILED, 200);

	(void)state;
	h.last_attempt_at_ms = h.last_backup_at_ms = NOW + 1;
	g.last_success_at_ms = NOW + 1;
	h.last_backup_state = REC__JOB_STATE__JOB_SUCCEEDED;
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_attempt_at_ms, 200);
	assert_int_equal(h.last_backup_state, REC__JOB_STATE__JOB_FAILED);
	j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 300);
	rules_host_backup(&h, &j, NOW);
	rules_group_backup(&g, &j, NOW);
	assert_int_equal(h.last_backup_at_ms, 300);
	assert_int_equal(g.last_success_at_ms, 300);
	assert_int_equal(rules_time(5, NOW + 1, NOW), NOW);
}

static void
an_incomplete_backup_is_a_backup(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Job j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 100);

	(void)state;
	j.incomplete = true;
	rules_host_backup(&h, &j, NOW);
	rules_group_backup(&g, &j, NOW);
	assert_int_equal(h.last_backup_at_ms, 100);
	assert_true(h.last_backup_incomplete);
	assert_int_equal(g.last_success_at_ms, 100);
	assert_true(g.last_incomplete);
}

static void
what_never_ran_is_no_attempt(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__Job j = backup(REC__JOB_STATE__JOB_CANCELLED, 100);

	(void)state;
	j.started_at_ms = 0;
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_attempt_at_ms, 0);
	j.started_at_ms = 99;
	rules_host_backup(&h, &j, NOW);
	assert_int_equal(h.last_attempt_at_ms, 100);
}

static void
the_repository_is_as_its_last_proof(void **state)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__Job j = REC__JOB__INIT;
	char why[] = "no such server";

	(void)state;
	j.kind = REC__JOB_KIND__KIND_INIT;
	j.state = REC__JOB_STATE__JOB_FAILED;
	j.error = why;
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_INIT_FAILED);
	assert_string_equal(h.repo_status_error, "no such server");
	j.state = REC__JOB_STATE__JOB_CANCELLED;
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_INIT_FAILED);
	j = backup(REC__JOB_STATE__JOB_FAILED, 1);
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_INIT_FAILED);
	j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 2);
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_READY);
	assert_string_equal(h.repo_status_error, "");
}

/* M-210: unknown until the init that tries changed credentials has ended. */
static void
what_ran_with_former_credentials_proves_nothing(void **state)
{
	uint8_t before[16] = { 1 }, init[16] = { 2 }, after[16] = { 3 };
	struct Rec__Host h = REC__HOST__INIT;
	struct Rec__Job j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 1);

	(void)state;
	h.init_job = (ProtobufCBinaryData){ sizeof(init), init };
	j.id = (ProtobufCBinaryData){ sizeof(before), before };
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_UNKNOWN);
	j.kind = REC__JOB_KIND__KIND_INIT;
	j.state = REC__JOB_STATE__JOB_FAILED;
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_UNKNOWN);
	j.id.data = init;
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_INIT_FAILED);
	j = backup(REC__JOB_STATE__JOB_SUCCEEDED, 2);
	j.id = (ProtobufCBinaryData){ sizeof(after), after };
	rules_host_repo(&h, &j);
	assert_int_equal(h.repo_status, REC__REPO_STATUS__REPO_READY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_versions_have_names),
		cmocka_unit_test(only_the_next_event_fits),
		cmocka_unit_test(a_gap_stands_for_all_its_numbers),
		cmocka_unit_test(an_agent_resumes_behind_what_is_on_disk),
		cmocka_unit_test(lines_overlap_follow_or_leave_a_gap),
		cmocka_unit_test(
		    a_second_instance_waits_until_the_first_is_silent),
		cmocka_unit_test(cancelling_depends_on_where_the_job_is),
		cmocka_unit_test(an_accepted_job_is_with_its_agent),
		cmocka_unit_test(an_agents_clock_is_not_believed_beyond_reason),
		cmocka_unit_test(days_turn_at_local_midnight),
		cmocka_unit_test(a_failed_backup_is_an_attempt_and_no_backup),
		cmocka_unit_test(a_time_in_the_future_is_overruled),
		cmocka_unit_test(an_incomplete_backup_is_a_backup),
		cmocka_unit_test(what_never_ran_is_no_attempt),
		cmocka_unit_test(the_repository_is_as_its_last_proof),
		cmocka_unit_test(
		    what_ran_with_former_credentials_proves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
