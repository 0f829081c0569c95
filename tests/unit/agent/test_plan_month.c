/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A month of 1,000 hosts in one process: agent/due.c against an oracle that
 * knows every due time beforehand.  Hosts sleep, are switched off, crash at
 * any point, have their clocks set; the repository and the controller go
 * away for days; two months, with the clock changes of autumn and spring.
 *
 * The oracle walks the list of due times by itself.  Of each look it says
 * which due time has to stand in the line; of each run whether it may begin:
 * never for a due time before the last one, never again after a success; and
 * whenever nothing waits, all that fired has begun.  Each day some of the
 * snapshots are forgotten, and none that retention promises.
 */
#include "tests/unit/agent/month_oracle.h"

#include "lib/base/spread.h"

/* The controller's, of which the host hears when both are there. */
static void
forget(struct host *h)
{
	if (h->running || h->is_cut || h->t < h->forget_at)
		return;
	shelf_forget(h->shelf);
	shelf_check(h->shelf);
	while (h->forget_at <= h->t)
		h->forget_at += DAY;
}

/* ---------------------------------------------------------------- the disk */

static void
store(struct host *h)
{
	if (!due_take_changed(h->d))
		return;
	buf_reset(&h->stored);
	assert_rc(due_save(h->d, wall(h), &h->stored), RC_OK);
	memcpy(h->stored_o, h->o, sizeof(h->o));
}

static void
end_job(struct host *h, enum due_end end)
{
	const struct due_run *r = due_find(h->d, &h->job);
	int64_t retry;

	assert_non_null(r);
	retry = due_retry_at(h->d, &h->job, end, wall(h));
	/* Tried again it has not ended for those it stands for. */
	if (retry == 0 || end == DUE_SUCCEEDED)
		note_end(h, r, end);
	else
		h->w->failed++;
	due_ended(h->d, &h->job, end, retry);
	h->running = false;
}

/* Another process, from what is on disk.  What was begun has begun. */
static void
start_again(struct host *h)
{
	size_t i, g;

	due_free(h->d);
	h->d = due_new(&h->id);
	assert_rc(due_load(h->d, buf_str(&h->stored)), RC_OK);
	due_plan(h->d, &h->plan.plan, h->zone, wall(h));
	for (i = 0; i < SCHEDULES; i++) {
		for (g = 0; g < GROUPS; g++)
			h->stored_o[i].begun[g] = h->o[i].begun[g];
		h->o[i] = h->stored_o[i];
	}
	h->looked = 0;
	if (h->running) { /* jobs/<id> knows it: agent_restarted */
		due_begin(h->d, &h->job);
		end_job(h, DUE_FAILED);
	}
	store(h);
}

/* ----------------------------------------------------------------- a life */

static enum due_end
outcome(struct host *h)
{
	if (h->t > h->w->until)
		return DUE_SUCCEEDED;
	if (within(h->t, h->w->away) || one_in(&h->dice, 33))
		return DUE_FAILED;
	if (one_in(&h->dice, 200))
		return DUE_HOPELESS;
	return one_in(&h->dice, 300) ? DUE_CANCELLED : DUE_SUCCEEDED;
}

static void
count_nightly(struct host *h, const struct due_run *r)
{
	int64_t second = (h->t - h->w->from) / 1000 - 7200;
	int i;

	if (!ulid_eq(&r->covers[0].schedule, &h->o[0].id) || second < 0 ||
	    second >= 7200)
		return;
	h->job_end = h->t + 15 * MINUTE;
	for (i = 0; i < 15 * 60; i++)
		h->w->nightly[second + i]++;
}

static void
begin_job(struct host *h)
{
	const struct due_run *r = due_ready(h->d, wall(h));

	if (r == NULL)
		return;
	h->job = r->job;
	h->running = true;
	h->job_begin = wall(h);
	h->job_end = h->t + between(&h->dice, MINUTE, 40 * MINUTE);
	count_nightly(h, r);
	note_begin(h, r);
	due_begin(h->d, &h->job);
}

static void
crash(struct host *h)
{
	h->w->crashes++;
	h->t += between(&h->dice, 5000, 10 * MINUTE);
	start_again(h);
}

/* Returns when to look again, in true time. */
static int64_t
look_once(struct host *h)
{
	int64_t now = wall(h), wake, want[SCHEDULES];
	bool gap = h->looked == 0 || now - h->looked > DUE_GAP_MS;
	bool was[SCHEDULES];
	size_t i, g;

	if (within(h->t, h->w->cut)) {
		h->is_cut = true;
	} else if (h->is_cut) {
		h->is_cut = false;
		due_after_gap(h->d);
		gap = true;
	}
	for (i = 0; i < SCHEDULES; i++) {
		was[i] = in_line(h->d, &h->o[i]);
		want[i] = foresee(h, &h->o[i], gap);
	}
	wake = due_look(h->d, now);
	h->looked = now;
	for (i = 0; i < SCHEDULES; i++) {
		if (want[i] == 0 && !was[i])
			assert_false(in_line(h->d, &h->o[i]));
		for (g = 0; want[i] != 0 && g < GROUPS; g++)
			if (h->o[i].member[g])
				assert_true(stands(h->d, &h->groups[g],
				    &h->o[i], want[i]));
	}
	check_line(h);
	check_empty(h);
	return wake == DUE_NEVER ? INT64_MAX : wake - h->offset;
}

static void
happen(struct host *h, const struct incident *in)
{
	switch (in->kind) {
	case SLEEP:
		h->w->sleeps++;
		h->t += in->ms;
		h->job_end += in->ms;
		return;
	case OFF:
		if (h->running)
			end_job(h, DUE_FAILED);
		store(h);
		h->t += in->ms;
		start_again(h);
		return;
	case CRASH:
		crash(h);
		return;
	case STEP:
		h->w->steps++;
		h->offset = in->ms;
		return;
	}
}

static void
live(struct host *h, int64_t until)
{
	const struct incident *in;
	int64_t next, wake = 0;

	while (h->t < until) {
		in = h->done_incidents < h->n_incidents
		         ? &h->incidents[h->done_incidents]
		         : NULL;
		next = h->t + 2 * MINUTE;
		if (wake > h->t && wake < next)
			next = wake;
		if (h->running && h->job_end < next)
			next = h->job_end;
		if (in != NULL && in->at < next) {
			h->t = in->at > h->t ? in->at : h->t;
			h->done_incidents++;
			happen(h, in);
		} else {
			h->t = next;
		}
		if (h->running && h->job_end <= h->t)
			end_job(h, outcome(h));
		wake = look_once(h);
		if (h->t < h->w->until && one_in(&h->dice, 20000))
			crash(h); /* before it is on disk */
		store(h);
		forget(h);
		if (!h->running)
			begin_job(h);
	}
}

/* ---------------------------------------------------------------- making */

static void
make_incidents(struct host *h)
{
	static const int64_t most[] = { [SLEEP] = 30 * INT64_C(3600000),
		[OFF] = 3 * DAY,
		[CRASH] = 0,
		[STEP] = 0 };
	int64_t at = h->w->from + 30 * INT64_C(3600000);
	struct incident *in;

	while (h->n_incidents < INCIDENTS - 1 && at < h->w->until) {
		in = &h->incidents[h->n_incidents++];
		in->at = at;
		in->kind = (enum incident_kind)between(&h->dice, SLEEP, STEP);
		if (in->kind == STEP)
			in->ms = one_in(&h->dice, 2)
			             ? 0
			             : between(&h->dice, -3 * HOUR, 3 * HOUR);
		else
			in->ms =
			    between(&h->dice, MINUTE, most[in->kind] + HOUR);
		at += between(&h->dice, HOUR, 2 * DAY);
	}
	in = &h->incidents[h->n_incidents++];
	*in = (struct incident){ h->w->until, 0, STEP };
}

static void
make_oracle(struct host *h, size_t i)
{
	const Wire__PlanSchedule *p = &h->plan.schedule[i];
	struct oracle *o = &h->o[i];
	struct err e = { 0 };
	int64_t at = h->w->from;
	size_t g;

	o->id = small_id(p->id);
	assert_rc(cron_parse(str_of(p->cron),
	              p->zone[0] != '\0' ? p->zone : h->zone, &o->cron, &e),
	    RC_OK);
	o->spread = spread_ms(&h->id, &o->id, p->jitter_s);
	o->caught = at;
	for (g = 0; g < GROUPS; g++) {
		o->member[g] =
		    p->n_group_ids == 2 ||
		    strcmp(p->group_ids[0], h->plan.group[g].id) == 0;
		o->ok[g] = o->member[g] ? at : INT64_MAX;
	}
	while (o->n < DUES && at < h->w->until + 7 * DAY &&
	       cron_next(&o->cron, at, &at))
		o->dues[o->n++] = at;
	assert_true(o->n < DUES);
}

/* Nightly of both groups in an hour of jitter; something else of the first;
 * weekdays of the second. */
static void
make_plan(struct host *h, size_t n)
{
	static const char *const others[] = { "30 1 * * 0", "0 * * * *",
		"@every 6h", "15 2 * * *" };
	static const char *const zones[] = { "Europe/Berlin",
		"America/New_York", "UTC", "Australia/Lord_Howe",
		"Asia/Kolkata" };
	static const char third[] = "01JD00000000000000000SCH0F";
	struct small *s = &h->plan;

	h->zone = zones[n % ARRAY_LEN(zones)];
	small_init(s, "0 2 * * *");
	small_schedule(s, 0, DAILY, "0 2 * * *", 2);
	s->schedule[0].zone = (char *)(uintptr_t) "UTC";
	s->schedule[0].jitter_s = 3600;
	small_schedule(s, 1, OTHER, others[n % ARRAY_LEN(others)], 1);
	s->schedule[1].jitter_s = 300;
	small_schedule(s, 2, third, "30 2 * * 1-5", 1);
	s->schedule[2].group_ids = &s->ids[2][1];
	s->schedule[2].jitter_s = 1800;
	s->group[0].retry_max = (uint32_t)(n % 4);
	s->group[0].retry_backoff_s = 60;
	s->group[1].retry_max = 2;
	s->group[1].retry_backoff_s = 900;
}

static void
host_lives(struct world *w, size_t n)
{
	static int64_t dues[SCHEDULES][DUES];
	static struct host h;
	static struct shelf shelf;
	size_t i, g;

	memset(&h, 0, sizeof(h));
	shelf_open(&shelf, n / 5);
	h.shelf = &shelf;
	h.w = w;
	h.forget_at = w->from + 3 * HOUR;
	h.dice = w->seed * 1000003 + n;
	h.t = w->from;
	for (i = 0; i < sizeof(h.id.b); i++)
		h.id.b[i] = (uint8_t)dice(&h.dice);
	make_plan(&h, n);
	for (g = 0; g < GROUPS; g++)
		h.groups[g] = small_id(h.plan.group[g].id);
	for (i = 0; i < SCHEDULES; i++) {
		h.o[i].dues = dues[i];
		make_oracle(&h, i);
	}
	make_incidents(&h);
	buf_init(&h.stored, MIB(1));
	h.d = due_new(&h.id);
	due_plan(h.d, &h.plan.plan, h.zone, wall(&h));
	store(&h);
	live(&h, w->until + 4 * DAY);
	/* All is well at last: the latest of each schedule succeeded. */
	for (i = 0; i < SCHEDULES; i++)
		assert_true(settled(&h.o[i]) >= h.o[i].fired || h.running ||
		            due_at(h.d, 0) != NULL);
	w->forgotten += shelf.forgotten;
	due_free(h.d);
	buf_fini(&h.stored);
}

static void
months(const char *from, const char *until, uint64_t seed)
{
	struct world w = { .seed = seed, .from = at(from), .until = at(until) };
	uint32_t worst = 0;
	size_t n;
	int i;

	for (i = 0; i < 4; i++) {
		w.away[i][0] = between(&seed, w.from + 2 * DAY, w.until);
		w.away[i][1] = w.away[i][0] + between(&seed, HOUR, 30 * HOUR);
		w.cut[i][0] = between(&seed, w.from + 2 * DAY, w.until);
		w.cut[i][1] = w.cut[i][0] + between(&seed, HOUR, 5 * DAY);
	}
	w.nightly = mem_array(4 * 3600, sizeof(*w.nightly));
	for (n = 0; n < HOSTS; n++)
		host_lives(&w, n);
	for (i = 0; i < 4 * 3600; i++)
		worst = w.nightly[i] > worst ? w.nightly[i] : worst;
	mem_free(w.nightly);
	print_message("due times: on time %llu, caught up %llu standing for "
	              "%llu more; once more after a failure %llu\n",
	    (unsigned long long)w.on_time, (unsigned long long)w.caught_up,
	    (unsigned long long)w.passed_over, (unsigned long long)w.again);
	print_message("runs: begun %llu, retries %llu, succeeded %llu, failed "
	              "%llu; sleeps %llu, crashes %llu, clocks set %llu; "
	              "forgotten %llu\n",
	    (unsigned long long)w.begun, (unsigned long long)w.retried,
	    (unsigned long long)w.succeeded, (unsigned long long)w.failed,
	    (unsigned long long)w.sleeps, (unsigned long long)w.crashes,
	    (unsigned long long)w.steps, (unsigned long long)w.forgotten);
	print_message("hosts at work in the worst second of the first night: "
	              "%u, mean 500\n",
	    worst);
	/* Each works half an hour from some second of the hour on. */
	assert_in_range(worst, HOSTS / 2, HOSTS * 6 / 10);
	assert_true(w.on_time > UINT64_C(50) * HOSTS);
	assert_true(w.caught_up > UINT64_C(5) * HOSTS);
	assert_true(w.retried > HOSTS && w.crashes > HOSTS);
	assert_true(w.forgotten > w.succeeded / 4);
}

static void
an_autumn_month_of_a_thousand_hosts(void **state)
{
	(void)state;
	months("2026-10-05T00:00:00Z", "2026-11-05T00:00:00Z", 1);
}

static void
a_spring_month_of_a_thousand_hosts(void **state)
{
	(void)state;
	months("2027-03-05T00:00:00Z", "2027-04-05T00:00:00Z", 2);
}

/* One host begins in the same second each night, so a month says no more of
 * seconds than a night does, and 1,000 hosts in 3,600 seconds say nothing.
 * Counted are beginnings per second of the hour over 1,000 hosts with 3,000
 * schedules each: 833 in the mean, whose chance alone is 29. */
static void
every_second_of_a_jittered_hour_is_as_good_as_another(void **state)
{
	static uint32_t begins[3600];
	uint32_t worst = 0, best = UINT32_MAX, mean;
	struct ulid host = { 0 }, schedule = { 0 };
	uint64_t d = 7;
	int i, k;

	(void)state;
	for (i = 0; i < HOSTS; i++) {
		memcpy(host.b + 8, &(uint64_t){ dice(&d) }, 8);
		for (k = 0; k < 3000; k++) {
			memcpy(schedule.b, &k, sizeof(k));
			begins[spread_ms(&host, &schedule, 3600) / 1000]++;
		}
	}
	for (i = 0; i < 3600; i++) {
		worst = begins[i] > worst ? begins[i] : worst;
		best = begins[i] < best ? begins[i] : best;
	}
	mean = HOSTS * 3000 / 3600;
	print_message("worst second %u, best %u, mean %u\n", worst, best, mean);
	assert_true(worst * 10 <= mean * 12);
	assert_true(best * 10 >= mean * 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_autumn_month_of_a_thousand_hosts),
		cmocka_unit_test(a_spring_month_of_a_thousand_hosts),
		cmocka_unit_test(
		    every_second_of_a_jittered_hour_is_as_good_as_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
