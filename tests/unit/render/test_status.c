/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/attr.h"
#include "render/status.h"

#define NOW INT64_C(1795097880000)
#define HOUR INT64_C(3600000)

#define DONE REC__JOB_STATE__JOB_SUCCEEDED
#define FAIL REC__JOB_STATE__JOB_FAILED
#define NONE REC__JOB_STATE__JOB_NONE

#define READY REC__REPO_STATUS__REPO_READY
#define BROKEN REC__REPO_STATUS__REPO_INIT_FAILED
#define UNTRIED REC__REPO_STATUS__REPO_UNKNOWN

struct row {
	int64_t enrolled_ago, backup_ago; /* 0: never backed up */
	Rec__JobState last;
	bool incomplete, running;
	enum status_host want;
	Rec__RepoStatus repo;
};

static void
the_first_state_that_applies_is_the_hosts(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ 900 * HOUR, 2 * HOUR,  DONE, false, false, STATUS_OK, READY },
		{ 900 * HOUR, 26 * HOUR, DONE, false, false, STATUS_OK, READY },
		{ 900 * HOUR, 26 * HOUR + 1, DONE, false, false, STATUS_STALE, READY },
		{ 900 * HOUR, 2 * HOUR,  DONE, true,  false, STATUS_INCOMPLETE, READY },
		{ 900 * HOUR, 2 * HOUR,  FAIL, false, false, STATUS_FAILED, READY },
		{ 900 * HOUR, 30 * HOUR, FAIL, false, false, STATUS_STALE, READY },
		{ 900 * HOUR, 30 * HOUR, FAIL, false, true,  STATUS_RUNNING, READY },
		{ 24 * HOUR,  0, NONE, false, false, STATUS_NEW, READY },
		{ 24 * HOUR + 1, 0, NONE, false, false, STATUS_NEVER, READY },
		{ 2 * HOUR,   0, FAIL, false, false, STATUS_FAILED, READY },
		{ 48 * HOUR,  0, FAIL, false, false, STATUS_NEVER, READY },
		{ 900 * HOUR, 2 * HOUR, REC__JOB_STATE__JOB_CANCELLED, false,
		  false, STATUS_OK, READY },
		/* Nothing is green that its repository does not bear out. */
		{ 900 * HOUR, 2 * HOUR,  DONE, false, false, STATUS_FAILED, BROKEN },
		{ 900 * HOUR, 2 * HOUR,  DONE, true,  false, STATUS_FAILED, BROKEN },
		{ 900 * HOUR, 2 * HOUR,  DONE, false, false, STATUS_NEW, UNTRIED },
		{ 900 * HOUR, 2 * HOUR,  DONE, true,  false, STATUS_INCOMPLETE, UNTRIED },
		{ 900 * HOUR, 30 * HOUR, DONE, false, false, STATUS_STALE, BROKEN },
		{ 2 * HOUR,   0, NONE, false, false, STATUS_NEW, BROKEN },
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct Rec__Host h = REC__HOST__INIT;

		h.always_on = true;
		h.enrolled_at_ms = NOW - rows[i].enrolled_ago;
		if (rows[i].backup_ago != 0)
			h.last_backup_at_ms = NOW - rows[i].backup_ago;
		h.last_backup_state = rows[i].last;
		h.last_backup_incomplete = rows[i].incomplete;
		h.repo_status = rows[i].repo;
		if (status_of_host(&h, rows[i].running, NOW) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

/* M-324, M-328 */
static void
the_allowed_age_follows_host_schedules_and_profile(void **state)
{
	/* clang-format off */
	static const struct {
		uint32_t own_s, interval_s;
		bool always_on;
		int64_t want;
	} rows[] = {
		{ 0,    0,          true,  26 * HOUR },
		{ 0,    24 * 3600,  true,  50 * HOUR },
		{ 0,    3600,       true,  4 * HOUR },
		{ 3600, 24 * 3600,  true,  HOUR },
		{ 3600, 24 * 3600,  false, HOUR },
		{ 0,    24 * 3600,  false, 168 * HOUR },
		{ 0,    168 * 3600, false, 338 * HOUR },
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct Rec__Host h = REC__HOST__INIT;

		h.allowed_age_s = rows[i].own_s;
		h.backup_interval_s = rows[i].interval_s;
		h.always_on = rows[i].always_on;
		assert_int_equal(status_allowed_ms(&h), rows[i].want);
		assert_int_equal(status_asleep(&h), !rows[i].always_on);
	}
}

static void
only_states_that_need_somebody_count(void **state)
{
	(void)state;
	assert_true(status_needs_attention(STATUS_STALE));
	assert_true(status_needs_attention(STATUS_NEVER));
	assert_true(status_needs_attention(STATUS_FAILED));
	assert_true(status_needs_attention(STATUS_INCOMPLETE));
	assert_false(status_needs_attention(STATUS_RUNNING));
	assert_false(status_needs_attention(STATUS_NEW));
	assert_false(status_needs_attention(STATUS_OK));
}

static void
a_job_looks_like_its_outcome(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;

	(void)state;
	j.state = DONE;
	assert_string_equal(status_job_look(&j)->name, "succeeded");
	j.incomplete = true;
	assert_string_equal(status_job_look(&j)->name, "incomplete");
	j.state = FAIL;
	assert_string_equal(status_job_look(&j)->name, "failed");
	j.state = REC__JOB_STATE__JOB_RUNNING;
	assert_string_equal(status_job_look(&j)->name, "running");
	assert_string_equal(status_kind_words(REC__JOB_KIND__KIND_BACKUP),
	    "Backup");
	assert_string_equal(status_kind_words((Rec__JobKind)99), "Job");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_state_that_applies_is_the_hosts),
		cmocka_unit_test(
		    the_allowed_age_follows_host_schedules_and_profile),
		cmocka_unit_test(only_states_that_need_somebody_count),
		cmocka_unit_test(a_job_looks_like_its_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
