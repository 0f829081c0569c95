/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands as they arrive, and what a job says at its begin and end. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/load/load.h"

enum {
	PATIENCE_S = 30
};

struct arrival {
	struct list link;
	char job[ULID_TEXT_CAP];
	int64_t at_us; /* monotonic */
};

void
load_job_started(struct load_agent *a, const char *id, const char *kind)
{
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	char restic[] = "0.18.0";

	s.job_id = (char *)(uintptr_t)id;
	s.kind = (char *)(uintptr_t)kind;
	s.started_at_ms = clock_now_ms();
	s.restic_version = restic;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	load_queue_put(a, &ev);
}

void
load_job_finished(struct load_agent *a, const char *id, uint64_t lines)
{
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	char status[] = "succeeded";

	f.job_id = (char *)(uintptr_t)id;
	f.status = status;
	f.started_at_ms = f.finished_at_ms = clock_now_ms();
	f.log_lines = lines;
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	load_queue_put(a, &ev);
}

static void
arrived(struct load *l, const char *job)
{
	struct arrival *r = MEM_NEW(struct arrival);

	r->at_us = clock_mono_us();
	if (!str_copy(r->job, sizeof(r->job), str_of(job)))
		r->job[0] = '\0';
	list_append(&l->arrivals, &r->link);
	l->arrived++;
}

static bool
seen_before(const struct load_agent *a, const char *job)
{
	unsigned i;

	for (i = 0; i < LOAD_SEEN_JOBS; i++)
		if (strcmp(a->seen[i], job) == 0)
			return true;
	return false;
}

static void
remember(struct load_agent *a, const char *job)
{
	unsigned i = a->seen_next++ % LOAD_SEEN_JOBS;

	if (!str_copy(a->seen[i], sizeof(a->seen[i]), str_of(job)))
		a->seen[i][0] = '\0';
}

static void
answer(struct load_agent *a, char *job, bool accepted)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;
	char busy[] = "busy";

	r.job_id = job;
	r.accepted = accepted;
	if (!accepted)
		r.error = busy;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_RESULT;
	m.result = &r;
	load_agent_send(a, &m);
}

void
load_on_command(struct load_agent *a, const Wire__Command *c)
{
	char *job;

	if (c->body_case != WIRE__COMMAND__BODY_RUN)
		return;
	job = c->run->job_id;
	a->load->stats.commands++;
	if (seen_before(a, job)) {
		a->load->stats.duplicates++;
		answer(a, job, true);
		return;
	}
	if (load_soak_busy(a)) {
		answer(a, job, false);
		return;
	}
	remember(a, job);
	arrived(a->load, job);
	answer(a, job, true);
	if (load_soak_run(a, job))
		return;
	load_job_started(a, job, c->run->kind);
	load_job_finished(a, job, 0);
}

/* ---------------------------------------------------------- wait-commands */

static void
put_arrivals(struct load *l)
{
	struct arrival *r;
	struct list *el;

	load_answer(l);
	json_put_uint(&l->json, "commands", l->arrived);
	json_arr(&l->json, "arrived");
	while ((el = list_take(&l->arrivals)) != NULL) {
		r = LIST_ENTRY(el, struct arrival, link);
		json_obj(&l->json, NULL);
		json_put(&l->json, "job", r->job);
		json_put_num(&l->json, "at", (double)r->at_us / 1000);
		json_obj_end(&l->json);
		mem_free(r);
	}
	json_arr_end(&l->json);
	l->arrived = 0;
	load_reply(l);
}

static void
step_wait_commands(struct load *l)
{
	if ((double)l->arrived >= l->args[0] || load_pace_over(&l->pace))
		put_arrivals(l);
}

/* wait-commands N: new ones since the last answer; at most 30 s. */
void
load_wait_commands(struct load *l)
{
	load_pace_start(&l->pace, 0, PATIENCE_S);
	load_every_ms(l, step_wait_commands);
}

void
load_arrivals_fini(struct load *l)
{
	struct list *el;

	while ((el = list_take(&l->arrivals)) != NULL)
		mem_free(LIST_ENTRY(el, struct arrival, link));
}
