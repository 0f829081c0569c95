/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything at once, for many steps: what was sent met nobody it must not. */
#include "tests/unit/controller/lease_help.h"

static const int64_t second_ms = 1000;
static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;

enum {
	STEPS = 40000
};

/* What the world is, as far as the gate may know. */
struct world {
	struct bench *b;
	uint64_t rng;
	struct ulid queued[HOSTS]; /* zero: none */
	struct ulid out[HOSTS];    /* sent */
	bool taken[HOSTS];         /* accepted */
	Rec__JobKind kind[HOSTS];
	int64_t heard_ms[HOSTS];  /* 0: there */
	int64_t clear_ms[REPOS];  /* no lock was listed */
	int64_t shared_ms[REPOS]; /* a backup began that succeeded */
	unsigned sent, held_up, exclusive, freed, turns;
};

static bool
counts(const struct world *w, unsigned host)
{
	unsigned repo = host % REPOS;
	bool silent = w->heard_ms[host] != 0;
	int64_t seen;

	if (ulid_is_zero(&w->out[host]))
		return false;
	if (!silent)
		return true;
	if (!lease_exclusive(w->kind[host]) &&
	    w->b->now_ms >= w->heard_ms[host] + 24 * hour_ms)
		return false;
	seen = w->clear_ms[repo];
	if (lease_exclusive(w->kind[host]) && w->shared_ms[repo] > seen)
		seen = w->shared_ms[repo];
	return seen < w->heard_ms[host] + LEASE_SILENCE_MS;
}

/* The invariant: what was just sent meets nobody that counts. */
static void
meets_nobody(const struct world *w, unsigned host)
{
	unsigned n;

	for (n = host % REPOS; n < HOSTS; n += REPOS) {
		if (n == host || !counts(w, n))
			continue;
		if (w->kind[host] == REC__JOB_KIND__KIND_UNLOCK &&
		    w->heard_ms[n] != 0)
			continue;
		assert_false(lease_exclusive(w->kind[host]) ||
		             lease_exclusive(w->kind[n]));
	}
}

/* It is behind work that has waited for long, and could go. */
static bool
goes_behind(const struct world *w, unsigned host, Rec__JobKind kind)
{
	const struct Rec__Job *j = job_store_find(w->b->f.tx, &w->b->by);
	unsigned n;

	for (n = host % REPOS; n < HOSTS; n += REPOS)
		if (ulid_eq(&w->queued[n], &w->b->by))
			break;
	return n < HOSTS && n != host && w->heard_ms[n] == 0 &&
	       ulid_is_zero(&w->out[n]) && j != NULL &&
	       lease_exclusive(j->kind) &&
	       j->created_at_ms <= w->b->now_ms - LEASE_PATIENCE_MS &&
	       kind != REC__JOB_KIND__KIND_UNLOCK;
}

/* And whoever is held up is held up by somebody. */
static bool
has_reason(const struct world *w, unsigned host, Rec__JobKind kind)
{
	unsigned n;

	for (n = host % REPOS; n < HOSTS; n += REPOS)
		if (n != host && counts(w, n) &&
		    (lease_exclusive(kind) || lease_exclusive(w->kind[n])))
			return true;
	return false;
}

static void
move_send(struct world *w, unsigned host)
{
	static const Rec__JobKind kinds[] = { REC__JOB_KIND__KIND_BACKUP,
		REC__JOB_KIND__KIND_BACKUP, REC__JOB_KIND__KIND_FORGET,
		REC__JOB_KIND__KIND_PRUNE, REC__JOB_KIND__KIND_CHECK,
		REC__JOB_KIND__KIND_UNLOCK };
	const struct Rec__Job *j;

	if (ulid_is_zero(&w->queued[host]))
		w->queued[host] = put_job(w->b, host,
		    kinds[rng_below(&w->rng, ARRAY_LEN(kinds))]);
	if (w->heard_ms[host] != 0 || !ulid_is_zero(&w->out[host]))
		return; /* away, or busy: the courier does not try */
	j = job_store_get(w->b->f.tx, &w->queued[host]);
	if (!try_send(w->b, &w->queued[host])) {
		w->held_up++;
		if (!has_reason(w, host, j->kind)) {
			w->turns++;
			assert_true(goes_behind(w, host, j->kind));
		}
		return;
	}
	w->out[host] = w->queued[host];
	w->kind[host] = j->kind;
	w->taken[host] = false;
	memset(&w->queued[host], 0, sizeof(w->queued[host]));
	w->sent++;
	w->exclusive += lease_exclusive(j->kind);
	meets_nobody(w, host);
}

static void
move_end(struct world *w, unsigned host)
{
	if (ulid_is_zero(&w->out[host]) || w->heard_ms[host] != 0)
		return;
	if (!w->taken[host] && rng_below(&w->rng, 3) > 0) {
		accept_job(w->b, &w->out[host]);
		w->taken[host] = true;
		return;
	}
	end_job(w->b, &w->out[host]);
	memset(&w->out[host], 0, sizeof(w->out[host]));
	if (w->kind[host] == REC__JOB_KIND__KIND_BACKUP)
		w->shared_ms[host % REPOS] = w->b->now_ms - second_ms;
}

static void
move_presence(struct world *w, unsigned host)
{
	bool back = w->heard_ms[host] != 0;

	set_online(w->b, host, back);
	w->heard_ms[host] = back ? 0 : w->b->now_ms;
	/* What it had is lost, or goes on: both happen. */
	if (back && !ulid_is_zero(&w->out[host]) && rng_below(&w->rng, 2) == 0)
		move_end(w, host);
}

static void
move_locks(struct world *w, unsigned host)
{
	bool alive = rng_below(&w->rng, 3) == 0;

	if (w->heard_ms[host] != 0)
		return;
	list_locks(w->b, host, alive ? 1 : 0, w->b->now_ms - minute_ms);
	if (!alive) {
		w->clear_ms[host % REPOS] = w->b->now_ms;
		w->freed++;
	}
}

static void
move(struct world *w)
{
	unsigned host = rng_below(&w->rng, HOSTS);
	unsigned what = rng_below(&w->rng, 100);

	w->b->now_ms += rng_below(&w->rng, 120) * second_ms;
	if (what < 45)
		move_send(w, host);
	else if (what < 80)
		move_end(w, host);
	else if (what < 88)
		move_presence(w, host);
	else if (what < 99)
		move_locks(w, host);
	else if (rng_below(&w->rng, 10) == 0)
		restart(w->b);
	arena_reset(&w->b->f.arena);
}

static void
exclusive_work_never_meets_other_work(void **state)
{
	struct world w = { .b = *state };
	unsigned step;

	w.rng = 20261122;
	for (step = 0; step < STEPS; step++)
		move(&w);
	assert_true(w.sent > 1000 && w.exclusive > 500);
	assert_true(w.held_up > 1000 && w.freed > 100);
	assert_true(w.turns > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(exclusive_work_never_meets_other_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
