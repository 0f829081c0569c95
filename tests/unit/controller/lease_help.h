/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_LEASE_HELP_H
#define TESTS_UNIT_CONTROLLER_LEASE_HELP_H
/*
 * Hosts that share repositories, host n the repository n % REPOS, in one
 * long write transaction; and what the courier, agents and time do to them.
 */
#include "tests/unit/controller/upkeep_help.h"

#include "controller/lease.h"

enum {
	HOSTS = 12,
	REPOS = 4
};

struct bench {
	struct fixture f;
	struct upkeep_host hosts[HOSTS];
	uint8_t repos[REPOS][REPO_ID_SIZE];
	int64_t now_ms;
	struct ulid by; /* whom the last try_send() has to wait for */
};

static inline int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	uint32_t n;

	fixture_init(&b->f);
	b->now_ms = upkeep_at("2026-11-21T12:00:00Z");
	for (n = 0; n < REPOS; n++)
		memset(b->repos[n], (int)n + 1, REPO_ID_SIZE);
	b->f.tx = fixture_write(&b->f);
	for (n = 0; n < HOSTS; n++) {
		struct upkeep_host *u = &b->hosts[n];

		*u = (struct upkeep_host){ .id = id_n(1, n),
			.repo = b->repos[n % REPOS],
			.admin = true,
			.keeps = true,
			.online = true };
		assert_true(
		    str_fmt(u->name, sizeof(u->name), "host-%u", (unsigned)n));
		upkeep_put_host(b->f.tx, u);
		upkeep_make(b->f.tx, &u->id);
	}
	*state = b;
	return 0;
}

/* Queued and not sent. */
static inline struct ulid
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
	job_store_put(b->f.tx, &j);
	return id;
}

/* As the courier's mark does. */
static inline bool
try_send(struct bench *b, const struct ulid *job)
{
	struct Rec__Job *j = job_store_get(b->f.tx, job);
	const struct Rec__Host *h;
	struct ulid host, by, taken;
	bool sent;

	assert_non_null(j);
	assert_true(key_id_field(&j->host_id, &host));
	h = host_store_get(b->f.tx, &host);
	sent = lease_free(b->f.tx, h, j, b->now_ms, &by);
	assert_int_equal(lease_take(b->f.tx, h, j, b->now_ms, &taken), sent);
	assert_true(ulid_eq(&by, &taken));
	assert_int_equal(ulid_is_zero(&by), sent);
	b->by = by;
	if (sent) {
		j->sent_at_ms = b->now_ms;
		job_store_put(b->f.tx, j);
	} else {
		lease_turn(b->f.tx, h, j, b->now_ms);
		assert_false(lease_turn_due(b->f.tx, h, j, b->now_ms));
	}
	return sent;
}

/* The agent has taken it. */
static inline void
accept_job(struct bench *b, const struct ulid *job)
{
	struct Rec__Job *j = job_store_get(b->f.tx, job);
	struct Rec__Host *h;
	struct ulid host;

	assert_true(key_id_field(&j->host_id, &host));
	h = host_store_get(b->f.tx, &host);
	j->state = REC__JOB_STATE__JOB_RUNNING;
	j->accepted_at_ms = j->started_at_ms = b->now_ms;
	job_store_put(b->f.tx, j);
	h->current_job = id_bytes(job);
	host_store_put(b->f.tx, h);
}

static inline void
end_job(struct bench *b, const struct ulid *job)
{
	upkeep_end(b->f.tx, job, REC__JOB_STATE__JOB_SUCCEEDED, b->now_ms);
}

static inline void
set_online(struct bench *b, unsigned host, bool online)
{
	struct Rec__Host *h = host_store_get(b->f.tx, &b->hosts[host].id);

	h->online = online;
	h->last_seen_at_ms = b->now_ms;
	host_store_put(b->f.tx, h);
}

/* Another host lists the repository's locks. */
static inline void
list_locks(struct bench *b, unsigned host, unsigned count, int64_t newest_ms)
{
	struct Rec__Host *h = host_store_get(b->f.tx, &b->hosts[host].id);

	h->locks_at_ms = b->now_ms;
	h->lock_count = count;
	h->lock_newest_at_ms = newest_ms;
	host_store_put(b->f.tx, h);
	lease_on_locks(b->f.tx, h);
}

/* The controller dies between two of its steps. */
static inline void
restart(struct bench *b)
{
	fixture_commit(b->f.tx);
	fixture_reopen(&b->f);
	b->f.tx = fixture_write(&b->f);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
#endif
