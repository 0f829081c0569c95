/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/upkeep_help.h"

#include "controller/lease.h"

static const int64_t second_ms = 1000;
static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;

enum {
	HOSTS = 12,
	REPOS = 4,
	STEPS = 40000,
	MANY = 500,
	LOOK_BYTES = 1024 /* fewer than three hosts' records */
};

struct bench {
	struct fixture f;
	struct store_tx *tx;
	struct upkeep_host hosts[HOSTS];
	uint8_t repos[REPOS][REPO_ID_SIZE];
	int64_t now_ms;
	struct ulid by; /* whom the last try_send() has to wait for */
};

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	uint32_t n;

	fixture_init(&b->f);
	b->now_ms = upkeep_at("2026-11-21T12:00:00Z");
	for (n = 0; n < REPOS; n++)
		memset(b->repos[n], (int)n + 1, REPO_ID_SIZE);
	b->tx = fixture_write(&b->f);
	for (n = 0; n < HOSTS; n++) {
		struct upkeep_host *u = &b->hosts[n];

		*u = (struct upkeep_host){ .id = id_n(1, n),
			.repo = b->repos[n % REPOS],
			.admin = true,
			.keeps = true,
			.online = true };
		assert_true(
		    str_fmt(u->name, sizeof(u->name), "host-%u", (unsigned)n));
		upkeep_put_host(b->tx, u);
		upkeep_make(b->tx, &u->id);
	}
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	store_abort(b->tx);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

/* ------------------------------------------------------------- the moves */

/* Queued and not sent. */
static struct ulid
put_job(struct bench *b, unsigned host, Rec__JobKind kind)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id;

	ulid_new(&id);
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&b->hosts[host].id);
	j.kind = kind;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = b->now_ms;
	job_store_put(b->tx, &j);
	return id;
}

/* As the courier's mark does. */
static bool
try_send(struct bench *b, const struct ulid *job)
{
	struct Rec__Job *j = job_store_get(b->tx, job);
	const struct Rec__Host *h;
	struct ulid host, by, taken;
	bool sent;

	assert_non_null(j);
	assert_true(key_id_field(&j->host_id, &host));
	h = host_store_get(b->tx, &host);
	sent = lease_free(b->tx, h, j, b->now_ms, &by);
	assert_int_equal(lease_take(b->tx, h, j, b->now_ms, &taken), sent);
	assert_true(ulid_eq(&by, &taken));
	assert_int_equal(ulid_is_zero(&by), sent);
	b->by = by;
	if (sent) {
		j->sent_at_ms = b->now_ms;
		job_store_put(b->tx, j);
	} else {
		lease_turn(b->tx, h, j, b->now_ms);
		assert_false(lease_turn_due(b->tx, h, j, b->now_ms));
	}
	return sent;
}

/* The agent has taken it. */
static void
accept_job(struct bench *b, const struct ulid *job)
{
	struct Rec__Job *j = job_store_get(b->tx, job);
	struct Rec__Host *h;
	struct ulid host;

	assert_true(key_id_field(&j->host_id, &host));
	h = host_store_get(b->tx, &host);
	j->state = REC__JOB_STATE__JOB_RUNNING;
	j->accepted_at_ms = j->started_at_ms = b->now_ms;
	job_store_put(b->tx, j);
	h->current_job = id_bytes(job);
	host_store_put(b->tx, h);
}

static void
end_job(struct bench *b, const struct ulid *job)
{
	upkeep_end(b->tx, job, REC__JOB_STATE__JOB_SUCCEEDED, b->now_ms);
}

static void
set_online(struct bench *b, unsigned host, bool online)
{
	struct Rec__Host *h = host_store_get(b->tx, &b->hosts[host].id);

	h->online = online;
	h->last_seen_at_ms = b->now_ms;
	host_store_put(b->tx, h);
}

/* Another host lists the repository's locks. */
static void
list_locks(struct bench *b, unsigned host, unsigned count, int64_t newest_ms)
{
	struct Rec__Host *h = host_store_get(b->tx, &b->hosts[host].id);

	h->locks_at_ms = b->now_ms;
	h->lock_count = count;
	h->lock_newest_at_ms = newest_ms;
	host_store_put(b->tx, h);
	lease_on_locks(b->tx, h);
}

/* ------------------------------------------------------------ one by one */

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
	assert_memory_equal(repo_store_find(b->tx, b->repos[0])->lease_job.data,
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
	assert_int_equal(repo_store_find(b->tx, b->repos[0])->lease_job.len, 0);
	assert_true(try_send(b, &forget));
	assert_false(try_send(b, &backup));
	accept_job(b, &forget);
	end_job(b, &forget);
	assert_int_equal(repo_store_find(b->tx, b->repos[0])->lease_job.len, 0);
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
	j = job_store_get(b->tx, &check);
	j->state = REC__JOB_STATE__JOB_CANCELLED;
	job_store_put(b->tx, j);
	assert_int_equal(repo_store_find(b->tx, b->repos[0])->lease_job.len,
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
	gone_store_begin(b->tx, host_store_get(b->tx, &b->hosts[4].id), "anna",
	    b->now_ms);
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

/* ----------------------------------------------------------- whose turn it is */

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
	struct Rec__Job *j = job_store_get(b->tx, job);

	j->state = s;
	job_store_put(b->tx, j);
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
	fixture_commit(b->tx);
	fixture_reopen(&b->f);
	b->tx = fixture_write(&b->f);
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
	gone_store_begin(b->tx, host_store_get(b->tx, &b->hosts[4].id), "anna",
	    b->now_ms);
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
		upkeep_put_host(b->tx, &u);
	}
	h = host_store_get(b->tx, &b->hosts[0].id);
	j = job_store_get(b->tx, &prune);
	before = b->f.arena.used;
	assert_true(lease_free(b->tx, h, j, b->now_ms, &b->by));
	assert_true(b->f.arena.used - before < LOOK_BYTES);
	assert_true(try_send(b, &backup));
	before = b->f.arena.used;
	assert_false(lease_free(b->tx, h, j, b->now_ms, &b->by));
	assert_true(ulid_eq(&b->by, &backup));
	assert_true(b->f.arena.used - before < LOOK_BYTES);
}

/* ------------------------------------------------------------- all at once */

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
	const struct Rec__Job *j = job_store_find(w->b->tx, &w->b->by);
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
	j = job_store_get(w->b->tx, &w->queued[host]);
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

/* The controller dies between two of its steps. */
static void
move_restart(struct world *w)
{
	fixture_commit(w->b->tx);
	fixture_reopen(&w->b->f);
	w->b->tx = fixture_write(&w->b->f);
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
		move_restart(w);
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

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		ON_BENCH(exclusive_work_that_waited_long_comes_next),
		ON_BENCH(who_waited_for_less_lets_others_by),
		ON_BENCH(a_turn_nobody_can_use_holds_up_nobody),
		ON_BENCH(who_waits_for_a_silent_host_holds_up_nobody),
		ON_BENCH(a_look_reads_nobody_who_is_idle),
		ON_BENCH(exclusive_work_never_meets_other_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
