/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose turn it is: exclusive work that has waited for long comes next. */
#include "tests/unit/controller/lease_help.h"

/* Hosts 0, 4 and 8 share a repository.  A backup of host 0 is out, and the
 * prune of host 4 was asked for that long ago. */
static struct ulid
put_patient_prune(struct bench *b, int64_t waited_ms, struct ulid *backup)
{
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);

	b->now_ms += waited_ms;
	*backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	assert_true(try_send(b, backup));
	assert_false(try_send(b, &prune));
	assert_true(ulid_eq(&b->by, backup));
	return prune;
}

static void
set_state(struct bench *b, const struct ulid *job, Rec__JobState s)
{
	struct Rec__Job *j = job_store_get(b->f.tx, job);

	j->state = s;
	job_store_put(b->f.tx, j);
}

/* With a backup of one host or another always out it would wait for ever. */
static void
exclusive_work_that_waited_long_comes_next(void **state)
{
	struct bench *b = *state;
	struct ulid first, later, own, forget, unlock, other;
	struct ulid prune = put_patient_prune(b, LEASE_PATIENCE_MS, &first);

	/* Also of the host itself, and exclusive work; the turn is kept. */
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	own = put_job(b, 4, REC__JOB_KIND__KIND_BACKUP);
	forget = put_job(b, 8, REC__JOB_KIND__KIND_FORGET);
	other = put_job(b, 1, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
	assert_true(ulid_eq(&b->by, &prune));
	assert_false(try_send(b, &own));
	assert_true(try_send(b, &other)); /* another repository */
	end_job(b, &first);
	assert_false(try_send(b, &forget));
	assert_true(ulid_eq(&b->by, &prune));
	/* What operators mend things with waits for no turn. */
	unlock = put_job(b, 8, REC__JOB_KIND__KIND_UNLOCK);
	assert_true(try_send(b, &unlock));
	assert_false(try_send(b, &prune));
	end_job(b, &unlock);
	restart(b);
	assert_false(try_send(b, &later));
	assert_true(try_send(b, &prune));
	assert_false(try_send(b, &later));
	end_job(b, &prune);
	assert_true(try_send(b, &later));
}

static void
who_waited_for_less_lets_others_by(void **state)
{
	struct bench *b = *state;
	struct ulid first, later;
	struct ulid prune = put_patient_prune(b, LEASE_PATIENCE_MS - 1, &first);

	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_true(try_send(b, &later));
	end_job(b, &later);
	b->now_ms += 1;
	assert_false(try_send(b, &prune));
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
}

/* Ended, cancelled or expired, with its host away or busy, or deleted. */
static void
a_turn_nobody_can_use_holds_up_nobody(void **state)
{
	struct bench *b = *state;
	struct ulid first, later, run;
	struct ulid prune = put_patient_prune(b, LEASE_PATIENCE_MS, &first);

	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	set_online(b, 4, false);
	assert_true(try_send(b, &later));
	end_job(b, &later);
	set_online(b, 4, true);
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
	run = put_job(b, 4, REC__JOB_KIND__KIND_BACKUP); /* its own plan's */
	accept_job(b, &run);
	assert_true(try_send(b, &later));
	end_job(b, &later);
	end_job(b, &run);
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
	set_state(b, &prune, REC__JOB_STATE__JOB_CANCELLED);
	assert_true(try_send(b, &later));
	end_job(b, &later);
	/* And another one has it after that. */
	prune = put_job(b, 4, REC__JOB_KIND__KIND_CHECK);
	b->now_ms += LEASE_PATIENCE_MS;
	assert_false(try_send(b, &prune));
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
	gone_store_begin(b->f.tx, host_store_get(b->f.tx, &b->hosts[4].id),
	    "anna", b->now_ms);
	assert_true(try_send(b, &later));
}

/* That may last for a day. */
static void
who_waits_for_a_silent_host_holds_up_nobody(void **state)
{
	struct bench *b = *state;
	struct ulid first, later;
	struct ulid prune = put_patient_prune(b, LEASE_PATIENCE_MS, &first);

	accept_job(b, &first);
	set_online(b, 0, false);
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_true(try_send(b, &later));
	end_job(b, &later);
	set_online(b, 0, true);
	later = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &later));
	end_job(b, &first);
	assert_true(try_send(b, &prune));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(exclusive_work_that_waited_long_comes_next),
		ON_BENCH(who_waited_for_less_lets_others_by),
		ON_BENCH(a_turn_nobody_can_use_holds_up_nobody),
		ON_BENCH(who_waits_for_a_silent_host_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
