/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A month of 1,000 hosts in one process, with the test's own clock: the ticker
 * and the store are real, jobs end after a while.  A few hosts are away for
 * days, some share repositories, and the controller is down for a day.  The
 * same in each run.
 */
#include "tests/unit/controller/upkeep_help.h"

#include "controller/upkeep_rules.h"

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

#ifdef RM_SANITIZED
#define FLEET 60 /* each transaction costs milliseconds there */
#else
#define FLEET 1000
#endif

enum {
	HOSTS = FLEET,
	SHARED = HOSTS / 10, /* of them two and two with one repository */
	AWAY = HOSTS / 50,   /* of them from the 10th to the 20th */
	DAYS = 30,
	DOWN_DAY = 24, /* of the controller */
	RUNNING = 4000
};

struct month {
	struct fixture f;
	struct store_tx *tx;
	int64_t start_ms, now_ms;
	struct upkeep_host hosts[HOSTS];
	uint8_t repos[SHARED / 2][REPO_ID_SIZE];
	/* Jobs under way, in the order they end. */
	struct ulid running[RUNNING];
	int64_t ends_ms[RUNNING];
	size_t first, last;
	unsigned runs[HOSTS][REC__JOB_KIND__KIND_CHECK + 1];
	int64_t last_forget_ms[HOSTS];
	unsigned by_minute[61]; /* of the hour after 3, on an ordinary day */
};

static unsigned
index_of(const struct ulid *host)
{
	return (unsigned)host->b[4] << 24 | (unsigned)host->b[5] << 16 |
	       (unsigned)host->b[6] << 8 | host->b[7];
}

static int
setup(void **state)
{
	struct month *m = MEM_NEW(struct month);
	uint32_t n;

	fixture_init(&m->f);
	m->start_ms = upkeep_at("2026-11-01T00:00:00Z");
	m->now_ms = m->start_ms;
	m->tx = fixture_write(&m->f);
	for (n = 0; n < HOSTS; n++) {
		struct upkeep_host *u = &m->hosts[n];

		*u = (struct upkeep_host){ .id = id_n(1, n),
			.admin = true,
			.keeps = true,
			.online = true };
		if (n < SHARED) {
			memset(m->repos[n / 2], 1 + (int)n / 2, REPO_ID_SIZE);
			u->repo = m->repos[n / 2];
		}
		assert_true(
		    str_fmt(u->name, sizeof(u->name), "host-%u", (unsigned)n));
		upkeep_put_host(m->tx, u);
		upkeep_make(m->tx, &u->id);
		upkeep_hello(m->tx, &u->id, "UTC", m->start_ms);
		arena_reset(&m->f.arena);
	}
	fixture_commit(m->tx);
	*state = m;
	return 0;
}

static void
set_online(struct month *m, unsigned host, bool online)
{
	struct Rec__Host *h = host_store_get(m->tx, &m->hosts[host].id);

	h->online = online;
	h->last_seen_at_ms = m->now_ms;
	host_store_put(m->tx, h);
	if (online)
		upkeep_hello(m->tx, &m->hosts[host].id, "UTC", m->now_ms);
}

/* The first AWAY hosts of those that share nothing. */
static void
come_and_go(struct month *m)
{
	int64_t day = (m->now_ms - m->start_ms) / day_ms;
	unsigned n;

	if ((m->now_ms - m->start_ms) % day_ms != 0 || (day != 10 && day != 20))
		return;
	for (n = SHARED; n < SHARED + AWAY; n++)
		set_online(m, n, day == 20);
}

static void
note(struct month *m, const struct upkeep_made *made)
{
	const struct Rec__Job *j = job_store_find(m->tx, &made->job);
	unsigned host = index_of(&made->host);
	int64_t of_day = (m->now_ms - m->start_ms) % day_ms;
	int64_t day = (m->now_ms - m->start_ms) / day_ms;

	assert_non_null(j);
	m->runs[host][j->kind]++;
	if (j->kind == REC__JOB_KIND__KIND_FORGET) {
		/* One window, one run. */
		assert_true(m->last_forget_ms[host] == 0 ||
		            m->now_ms - m->last_forget_ms[host] >= hour_ms);
		m->last_forget_ms[host] = m->now_ms;
		if (day == 5 && of_day >= 3 * hour_ms && of_day <= 4 * hour_ms)
			m->by_minute[(of_day - 3 * hour_ms) / minute_ms]++;
	}
	m->running[m->last % RUNNING] = made->job;
	m->ends_ms[m->last++ % RUNNING] = m->now_ms + 3 * minute_ms;
	assert_true(m->last - m->first < RUNNING);
}

static void
end_some(struct month *m)
{
	for (;
	     m->first < m->last && m->ends_ms[m->first % RUNNING] <= m->now_ms;
	     m->first++)
		upkeep_end(m->tx, &m->running[m->first % RUNNING],
		    REC__JOB_STATE__JOB_SUCCEEDED, m->now_ms);
}

static void
pass_minute(struct month *m)
{
	struct upkeep_round r;
	size_t i;

	come_and_go(m);
	end_some(m);
	while (upkeep_any_due(m->tx, m->now_ms)) {
		r = upkeep_round_at(m->tx, m->now_ms);
		for (i = 0; i < r.n; i++)
			note(m, &r.made[i]);
		arena_reset(&m->f.arena);
	}
	m->now_ms += minute_ms;
}

static unsigned
total(const struct month *m, unsigned from, unsigned to, Rec__JobKind kind)
{
	unsigned n, sum = 0;

	for (n = from; n < to; n++)
		sum += m->runs[n][kind];
	return sum;
}

static void
check_spread(const struct month *m)
{
	unsigned n, all = 0, worst = 0;

	for (n = 0; n <= 60; n++) {
		all += m->by_minute[n];
		if (m->by_minute[n] > worst)
			worst = m->by_minute[n];
	}
	assert_int_equal(all, HOSTS);
	/* 17 a minute on average, by a hash. */
	assert_true(worst <= 40);
}

/* M-214, M-218, W-17 */
static void
each_window_is_used_once(void **state)
{
	struct month *m = *state;
	int64_t day;
	unsigned n;

	for (day = 0; day < DAYS; day++) {
		int64_t until = m->start_ms + (day + 1) * day_ms;

		m->tx = fixture_write(&m->f);
		if (day == DOWN_DAY) /* what it missed it makes up for */
			m->now_ms = until;
		while (m->now_ms < until)
			pass_minute(m);
		fixture_commit(m->tx);
	}
	check_spread(m);
	for (n = 0; n < HOSTS; n++) {
		bool away = n >= SHARED && n < SHARED + AWAY;
		/* Ten nights make one run after the return; the night the
		 * controller was down is made up for the next day. */
		unsigned want = away ? DAYS - 9 : DAYS;

		assert_int_equal(m->runs[n][REC__JOB_KIND__KIND_FORGET], want);
	}
	/* Sundays: 1, 8, 15, 22, 29. */
	n = total(m, SHARED + AWAY, HOSTS, REC__JOB_KIND__KIND_PRUNE);
	assert_int_equal(n, 5 * (HOSTS - SHARED - AWAY));
	n = total(m, SHARED + AWAY, HOSTS, REC__JOB_KIND__KIND_CHECK);
	assert_int_equal(n, HOSTS - SHARED - AWAY);
	/* Once a repository, not once a host. */
	n = total(m, 0, SHARED, REC__JOB_KIND__KIND_PRUNE);
	assert_int_equal(n, 5 * SHARED / 2);
	n = total(m, 0, SHARED, REC__JOB_KIND__KIND_CHECK);
	assert_int_equal(n, SHARED / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_window_is_used_once, setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
