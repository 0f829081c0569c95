/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_retry.h"

#include "lib/store/host_store.h"
#include "lib/store/schedule_store.h"
#include "tests/unit/store/store_fixture.h"

enum {
	NOW = 1000000,
	LATER = NOW + 60000
};

struct plan {
	struct fixture *f;
	struct store_tx *tx;
	struct ulid host, group, other, first, second;
	struct Rec__Job job;
	struct Rec__JobDue due, *also;
};

static void
put_schedule(struct plan *p, const struct ulid *id, bool enabled,
    const struct ulid *group)
{
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	ProtobufCBinaryData groups[] = { id_bytes(&p->other), id_bytes(group) };

	s.id = id_bytes(id);
	s.host_id = id_bytes(&p->host);
	s.cron = text("@daily");
	s.enabled = enabled;
	s.group_ids = groups;
	s.n_group_ids = ARRAY_LEN(groups);
	schedule_store_put(p->tx, &s);
}

/* The agent has taken the plan of that version. */
static void
set_versions(struct plan *p, uint64_t stored, uint64_t applied)
{
	struct Rec__Host *h = host_store_get(p->tx, &p->host);

	assert_non_null(h);
	h->config_version = stored;
	h->applied_config_version = applied;
	h->plan_format = 1;
	h->plan_refused = text("");
	host_store_put(p->tx, h);
}

/* A run of two schedules failed and is tried again. */
static void
plan_open(struct plan *p, struct fixture *f)
{
	p->f = f;
	fixture_host(f, "web-1", &p->host);
	p->group = id_n(2, 1);
	p->other = id_n(2, 2);
	p->first = id_n(5, 1);
	p->second = id_n(5, 2);
	rec__job__init(&p->job);
	rec__job_due__init(&p->due);
	p->due.schedule_id = id_bytes(&p->second);
	p->also = &p->due;
	p->job.host_id = id_bytes(&p->host);
	p->job.group_id = id_bytes(&p->group);
	p->job.schedule_id = id_bytes(&p->first);
	p->job.also = &p->also;
	p->job.n_also = 1;
	p->job.retry_at_ms = LATER;
	p->tx = fixture_write(f);
	put_schedule(p, &p->first, true, &p->group);
	set_versions(p, 3, 3);
}

#define assert_retry(p, at) \
	assert_int_equal(job_retry_at((p)->tx, &(p)->job, NOW), at)

static void
it_lasts_while_a_schedule_asks_for_it(void **state)
{
	struct plan p;

	plan_open(&p, *state);
	assert_retry(&p, LATER);
	put_schedule(&p, &p.first, false, &p.group); /* paused */
	assert_retry(&p, 0);
	put_schedule(&p, &p.second, true, &p.group);
	assert_retry(&p, LATER);
	put_schedule(&p, &p.second, true, &p.other); /* without the group */
	assert_retry(&p, 0);
	put_schedule(&p, &p.first, true, &p.group);
	assert_retry(&p, LATER);
	schedule_store_del(p.tx, &p.host, &p.first);
	assert_retry(&p, 0);
	p.job.retry_at_ms = 0;
	assert_retry(&p, 0);
	store_abort(p.tx);
}

static void
an_agent_goes_by_the_plan_it_has(void **state)
{
	struct plan p;

	plan_open(&p, *state);
	schedule_store_del(p.tx, &p.host, &p.first);
	set_versions(&p, 4, 3);
	assert_retry(&p, LATER);
	set_versions(&p, 4, 4);
	assert_retry(&p, 0);
	store_abort(p.tx);
}

static void
what_is_over_stays_what_it_was(void **state)
{
	struct plan p;

	plan_open(&p, *state);
	schedule_store_del(p.tx, &p.host, &p.first);
	p.job.retry_at_ms = NOW;
	assert_retry(&p, NOW);
	store_abort(p.tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(it_lasts_while_a_schedule_asks_for_it),
		store_test(an_agent_goes_by_the_plan_it_has),
		store_test(what_is_over_stays_what_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
