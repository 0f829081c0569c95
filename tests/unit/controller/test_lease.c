/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may begin on a repository: one rule after the other. */
#include "tests/unit/controller/lease_help.h"

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;

enum {
	MANY = 500,
	LOOK_BYTES = 1024 /* fewer than three hosts' records */
};

/* Hosts 0 and 4 share the first repository, host 1 has another. */
static void
exclusive_work_waits_for_everybody_else(void **state)
{
	struct bench *b = *state;
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	struct ulid shared = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid other = put_job(b, 1, REC__JOB_KIND__KIND_PRUNE);

	assert_true(try_send(b, &backup)); /* sent, not yet accepted */
	assert_true(try_send(b, &shared)); /* backups run side by side */
	assert_false(try_send(b, &prune));
	assert_true(try_send(b, &other));
	accept_job(b, &backup);
	assert_false(try_send(b, &prune));
	end_job(b, &shared);
	assert_false(try_send(b, &prune));
	end_job(b, &backup);
	assert_true(try_send(b, &prune));
	assert_memory_equal(repo_store_find(b->f.tx, b->repos[0])
	                        ->lease_job.data,
	    prune.b, 16);
}

static void
nothing_begins_while_a_lease_is_held(void **state)
{
	struct bench *b = *state;
	struct ulid check = put_job(b, 4, REC__JOB_KIND__KIND_CHECK);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	struct ulid forget = put_job(b, 8, REC__JOB_KIND__KIND_FORGET);
	struct ulid unlock = put_job(b, 8, REC__JOB_KIND__KIND_UNLOCK);

	assert_true(try_send(b, &check));
	assert_false(try_send(b, &backup));
	assert_false(try_send(b, &forget));
	assert_false(try_send(b, &unlock));
	end_job(b, &check);
	assert_int_equal(repo_store_find(b->f.tx, b->repos[0])->lease_job.len,
	    0);
	assert_true(try_send(b, &forget));
	assert_false(try_send(b, &backup));
	accept_job(b, &forget);
	end_job(b, &forget);
	assert_int_equal(repo_store_find(b->f.tx, b->repos[0])->lease_job.len,
	    0);
}

/* A lease whose job ended in a way that did not free it counts for nothing. */
static void
a_lease_is_what_its_job_is(void **state)
{
	struct bench *b = *state;
	struct ulid check = put_job(b, 4, REC__JOB_KIND__KIND_CHECK);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	struct Rec__Job *j;

	assert_true(try_send(b, &check));
	j = job_store_get(b->f.tx, &check);
	j->state = REC__JOB_STATE__JOB_CANCELLED;
	job_store_put(b->f.tx, j);
	assert_int_equal(repo_store_find(b->f.tx, b->repos[0])->lease_job.len,
	    16);
	assert_true(try_send(b, &backup));
}

static void
a_silent_hosts_lease_ends_when_the_repository_shows_it(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);

	assert_true(try_send(b, &prune));
	accept_job(b, &prune);
	set_online(b, 4, false);
	/* Time alone proves nothing. */
	b->now_ms += 40 * hour_ms;
	assert_false(try_send(b, &backup));
	/* A lock that is renewed says that it is at work. */
	list_locks(b, 8, 1, b->now_ms - 4 * minute_ms);
	assert_false(try_send(b, &backup));
	/* One that is not says that it is dead. */
	list_locks(b, 8, 1, b->now_ms - LEASE_SILENCE_MS);
	assert_true(try_send(b, &backup));
}

static void
what_was_seen_too_soon_proves_nothing(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);

	assert_true(try_send(b, &prune));
	accept_job(b, &prune);
	set_online(b, 4, false);
	/* Its restic may not have begun. */
	b->now_ms += LEASE_SILENCE_MS - 1;
	list_locks(b, 8, 0, 0);
	assert_false(try_send(b, &backup));
	b->now_ms += 1;
	list_locks(b, 8, 0, 0);
	assert_true(try_send(b, &backup));
	/* Heard again, it counts again: for whoever asks from now on. */
	end_job(b, &backup);
	set_online(b, 4, true);
	backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	assert_false(try_send(b, &backup));
}

/* A backup that began there and succeeded met no exclusive lock. */
static void
a_backup_of_another_frees_an_exclusive_lease_only(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid own, check;

	assert_true(try_send(b, &prune));
	accept_job(b, &prune);
	set_online(b, 4, false);
	b->now_ms += hour_ms;
	own = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP); /* its own plan's */
	accept_job(b, &own);
	end_job(b, &own);
	check = put_job(b, 0, REC__JOB_KIND__KIND_CHECK);
	assert_true(try_send(b, &check));
	end_job(b, &check);

	/* Against a backup of a silent host it says nothing. */
	own = put_job(b, 4, REC__JOB_KIND__KIND_BACKUP);
	end_job(b, &prune);
	set_online(b, 4, true);
	assert_true(try_send(b, &own));
	accept_job(b, &own);
	set_online(b, 4, false);
	b->now_ms += hour_ms;
	own = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	accept_job(b, &own);
	end_job(b, &own);
	check = put_job(b, 0, REC__JOB_KIND__KIND_CHECK);
	assert_false(try_send(b, &check));
	/* After a day restic's lock alone protects it. */
	b->now_ms += 24 * hour_ms;
	assert_true(try_send(b, &check));
}

static void
unlock_does_not_wait_for_the_silent(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid unlock = put_job(b, 0, REC__JOB_KIND__KIND_UNLOCK);

	assert_true(try_send(b, &prune));
	accept_job(b, &prune);
	assert_false(try_send(b, &unlock));
	set_online(b, 4, false);
	assert_true(try_send(b, &unlock));
}

static void
a_deleted_hosts_lease_goes(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);

	assert_true(try_send(b, &prune));
	accept_job(b, &prune);
	gone_store_begin(b->f.tx, host_store_get(b->f.tx, &b->hosts[4].id),
	    "anna", b->now_ms);
	assert_true(try_send(b, &backup));
}

/* A prune that the agent was too busy for will be sent again. */
static void
what_a_host_runs_does_not_hide_what_was_sent_to_it(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 4, REC__JOB_KIND__KIND_PRUNE);
	struct ulid backup = put_job(b, 0, REC__JOB_KIND__KIND_BACKUP);
	struct ulid own;

	assert_true(try_send(b, &prune));
	own = put_job(b, 4, REC__JOB_KIND__KIND_BACKUP); /* its own plan's */
	accept_job(b, &own);
	assert_false(try_send(b, &backup));
	end_job(b, &own);
	assert_false(try_send(b, &backup));
	end_job(b, &prune);
	assert_true(try_send(b, &backup));
}

/* Many hosts share the repository, and few of them are at work. */
static void
a_look_reads_nobody_who_is_idle(void **state)
{
	struct bench *b = *state;
	struct ulid prune = put_job(b, 0, REC__JOB_KIND__KIND_PRUNE);
	struct ulid backup = put_job(b, 8, REC__JOB_KIND__KIND_BACKUP);
	const struct Rec__Host *h;
	const struct Rec__Job *j;
	size_t before;
	uint32_t n;

	for (n = 0; n < MANY; n++) {
		struct upkeep_host u = { .id = id_n(1, HOSTS + n),
			.repo = b->repos[0],
			.online = true };

		assert_true(
		    str_fmt(u.name, sizeof(u.name), "idle-%u", (unsigned)n));
		upkeep_put_host(b->f.tx, &u);
	}
	h = host_store_get(b->f.tx, &b->hosts[0].id);
	j = job_store_get(b->f.tx, &prune);
	before = b->f.arena.used;
	assert_true(lease_free(b->f.tx, h, j, b->now_ms, &b->by));
	assert_true(b->f.arena.used - before < LOOK_BYTES);
	assert_true(try_send(b, &backup));
	before = b->f.arena.used;
	assert_false(lease_free(b->f.tx, h, j, b->now_ms, &b->by));
	assert_true(ulid_eq(&b->by, &backup));
	assert_true(b->f.arena.used - before < LOOK_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(exclusive_work_waits_for_everybody_else),
		ON_BENCH(nothing_begins_while_a_lease_is_held),
		ON_BENCH(a_lease_is_what_its_job_is),
		ON_BENCH(
		    a_silent_hosts_lease_ends_when_the_repository_shows_it),
		ON_BENCH(what_was_seen_too_soon_proves_nothing),
		ON_BENCH(a_backup_of_another_frees_an_exclusive_lease_only),
		ON_BENCH(unlock_does_not_wait_for_the_silent),
		ON_BENCH(a_deleted_hosts_lease_goes),
		ON_BENCH(what_a_host_runs_does_not_hide_what_was_sent_to_it),
		ON_BENCH(a_look_reads_nobody_who_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
