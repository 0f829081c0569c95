/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/tell.h"

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/jobfile.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

enum {
	TELL_DAYS = 7,
	TELL_MAX = 5000
};
#define TELL_DAY_MS INT64_C(86400000)

struct tell {
	struct agent *agent;
	int64_t since_ms;
	unsigned told;
};

static void
tell_began(struct agent *a, struct str packed)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobStarted *s = wire__job_started__unpack(NULL, packed.n,
	    (const uint8_t *)packed.p);

	if (s == NULL)
		return;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = s;
	events_put(a->events, &ev, false);
	wire__job_started__free_unpacked(s, NULL);
}

static void
tell_end(struct agent *a, struct str packed)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobFinished *f = wire__job_finished__unpack(NULL, packed.n,
	    (const uint8_t *)packed.p);

	if (f == NULL)
		return;
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = f;
	events_put(a->events, &ev, true);
	wire__job_finished__free_unpacked(f, NULL);
}

static void
tell_on_file(void *ctx, const struct jobfile *f)
{
	struct tell *t = ctx;

	if (!f->ended || f->end.n == 0 || f->ended_ms < t->since_ms ||
	    t->told == TELL_MAX)
		return;
	if (f->began.n > 0)
		tell_began(t->agent, f->began);
	tell_end(t->agent, f->end);
	t->told++;
}

void
tell_again(struct agent *a)
{
	const int64_t now = clock_now_ms();
	struct tell t = { .agent = a,
		.since_ms = now - TELL_DAYS * TELL_DAY_MS };
	struct err e = { 0 };

	if (jobfile_load(a->settings.jobs_dir, INT64_MIN, tell_on_file, &t,
	        &e) != RC_OK)
		log_warn(LOG_JOB, "ends of jobs cannot be read error=%s",
		    log_safe(str_of(e.msg)));
	log_info(LOG_JOB, "ends of jobs told again n=%u", t.told);
}

void
tell_queued(struct events *ev, tell_queued_fn *fn, void *ctx)
{
	struct events_item item;
	struct err e = { 0 };
	uint64_t from = 1;
	Wire__Event *w;

	while (events_peek(ev, from, &item, &e) == RC_OK) {
		from = item.seq + 1;
		w = wire__event__unpack(NULL, item.packed.n,
		    (const uint8_t *)item.packed.p);
		if (w == NULL)
			continue;
		if (w->body_case == WIRE__EVENT__BODY_JOB_STARTED ||
		    w->body_case == WIRE__EVENT__BODY_JOB_FINISHED)
			fn(ctx, w);
		wire__event__free_unpacked(w, NULL);
	}
}

bool
tell_one(struct agent *a, const struct ulid *id)
{
	struct tell t = { .agent = a, .since_ms = INT64_MIN };
	struct err e = { 0 };

	if (jobfile_get(a->settings.jobs_dir, id, tell_on_file, &t, &e) !=
	    RC_OK)
		log_debug(LOG_JOB, "the end of a job is not known any more");
	return t.told > 0;
}
