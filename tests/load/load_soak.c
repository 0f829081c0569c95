/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work that goes on whatever else is asked: jobs of agents, connected or
 * not, and of the API, printing lines until they are told to stop. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "tests/load/load.h"

enum {
	TICK_MS = 20,
	CHUNK_MAX = 40,
	PROGRESS_MS = 1000,
	ENDED_AT_ONCE = 20000, /* fits an answer */
	PATIENCE_S = 240       /* for the last acknowledgements */
};

struct soak_job {
	struct list link;
	struct load_agent *agent;
	char id[ULID_TEXT_CAP];
	uint64_t lines, until;
	int64_t progress_ms;
};

struct load_soak {
	struct load *load;
	struct loop_timer *timer;
	struct load_pace pace;
	size_t jobs;     /* at a time, those of the API beside */
	uint64_t lines;  /* of a job, on average */
	uint64_t chance; /* state of the random numbers */
	struct list running, ended;
	size_t n_running;
	bool stopping;
};

/* ----------------------------------------------------------------- chance */

/* splitmix64: the same seed, the same fleet. */
static uint64_t
chance_below(struct load_soak *s, uint64_t limit)
{
	uint64_t z = s->chance += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return (z ^ (z >> 31)) % limit;
}

/* ------------------------------------------------------------------- jobs */

static struct soak_job *
job_of(struct list *el)
{
	return LIST_ENTRY(el, struct soak_job, link);
}

static void
begin_job(struct load_soak *s, struct load_agent *a, const char *id)
{
	struct soak_job *j = MEM_NEW(struct soak_job);

	j->agent = a;
	load_job_begin(a, id);
	if (!str_copy(j->id, sizeof(j->id), str_of(load_job_id(a))))
		j->id[0] = '\0';
	j->until = s->lines / 2 + chance_below(s, s->lines) + 1;
	list_append(&s->running, &j->link);
	s->n_running++;
}

static void
begin_missing(struct load_soak *s)
{
	struct load *l = s->load;
	struct load_agent *a;

	while (s->n_running < s->jobs) {
		a = &l->agents[chance_below(s, l->wanted)];
		if (a->job == NULL)
			begin_job(s, a, NULL);
	}
}

static void
end_job(struct load_soak *s, struct soak_job *j)
{
	load_job_end(j->agent);
	list_del(&j->link);
	list_append(&s->ended, &j->link);
	s->n_running--;
}

static void
tell_progress(struct soak_job *j)
{
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	int64_t now = clock_mono_ms();

	if (j->agent->state != LOAD_LIVE || now - j->progress_ms < PROGRESS_MS)
		return;
	j->progress_ms = now;
	p.job_id = j->id;
	p.percent_done = (double)j->lines / (double)j->until;
	p.files_done = j->lines;
	p.total_files = j->until;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_PROGRESS;
	m.progress = &p;
	load_agent_send(j->agent, &m);
}

/* The one that has waited longest speaks. */
static uint64_t
speak(struct load_soak *s)
{
	struct soak_job *j = job_of(list_take(&s->running));
	uint64_t n = chance_below(s, CHUNK_MAX) + 1;

	if (n > j->until - j->lines)
		n = j->until - j->lines;
	load_job_print(j->agent, n);
	j->lines += n;
	list_append(&s->running, &j->link);
	if (j->lines == j->until)
		end_job(s, j);
	else
		tell_progress(j);
	return n;
}

static void
load_soak_on_tick(void *ctx)
{
	struct load_soak *s = ctx;
	uint64_t due = load_pace_due(&s->pace), n;

	while (due > 0) {
		begin_missing(s);
		n = speak(s);
		s->pace.done += n;
		due -= n < due ? n : due;
	}
}

bool
load_soak_busy(const struct load_agent *a)
{
	const struct load_soak *s = a->load->soak;

	return s != NULL && (a->job != NULL || s->stopping);
}

bool
load_soak_run(struct load_agent *a, const char *id)
{
	if (a->load->soak == NULL)
		return false;
	begin_job(a->load->soak, a, id);
	return true;
}

/* --------------------------------------------------------------- commands */

static void
soak_drop(struct list *head)
{
	struct list *el;

	while ((el = list_take(head)) != NULL)
		mem_free(job_of(el));
}

void
load_soak_fini(struct load *l)
{
	if (l->soak == NULL)
		return;
	soak_drop(&l->soak->running);
	soak_drop(&l->soak->ended);
	loop_timer_free(l->soak->timer);
	mem_free(l->soak);
	l->soak = NULL;
}

/* soak LINES_PER_S JOBS LINES SEED: from now on JOBS agents print, until each
 * has printed LINES or so; then others do. */
void
load_soak(struct load *l)
{
	struct load_soak *s;

	if (l->soak != NULL || l->args[1] < 1 || l->args[2] < 1 ||
	    l->args[1] * 2 > (double)l->wanted) {
		load_refuse(l, "soak needs twice as many agents as jobs, once");
		return;
	}
	s = l->soak = MEM_NEW(struct load_soak);
	s->load = l;
	s->jobs = (size_t)l->args[1];
	s->lines = (uint64_t)l->args[2];
	s->chance = (uint64_t)l->args[3];
	list_init(&s->running);
	list_init(&s->ended);
	load_pace_start(&s->pace, l->args[0], 0);
	s->timer = loop_timer_new(l->loop, load_soak_on_tick, s);
	loop_timer_start(s->timer, TICK_MS, TICK_MS);
	load_answer(l);
	load_reply(l);
}

/* soak-ended: jobs that have ended since the last answer: id, host, lines. */
void
load_soak_ended(struct load *l)
{
	struct load_soak *s = l->soak;
	struct soak_job *j;
	struct list *el;
	size_t n = 0;

	load_answer(l);
	json_put_uint(&l->json, "running", s == NULL ? 0 : s->n_running);
	json_put_uint(&l->json, "lines", s == NULL ? 0 : s->pace.done);
	json_arr(&l->json, "ended");
	while (s != NULL && n++ < ENDED_AT_ONCE &&
	       (el = list_take(&s->ended)) != NULL) {
		j = job_of(el);
		json_arr(&l->json, NULL);
		json_put(&l->json, NULL, j->id);
		json_put(&l->json, NULL, j->agent->host);
		json_put_uint(&l->json, NULL, j->lines);
		json_arr_end(&l->json);
		mem_free(j);
	}
	json_arr_end(&l->json);
	load_reply(l);
}

static void
step_soak_stop(struct load *l)
{
	if (l->stats.events != l->stats.acked && !load_pace_over(&l->pace))
		return;
	load_answer(l);
	json_put_uint(&l->json, "unacked", l->stats.events - l->stats.acked);
	json_put_uint(&l->json, "live", l->live);
	load_reply(l);
}

/* soak-stop: ends the jobs; answered when all is acknowledged. */
void
load_soak_stop(struct load *l)
{
	struct load_soak *s = l->soak;
	struct list *el;

	if (s == NULL) {
		load_refuse(l, "nothing soaks");
		return;
	}
	s->stopping = true;
	loop_timer_stop(s->timer);
	while ((el = list_first(&s->running)) != NULL)
		end_job(s, job_of(el));
	load_pace_start(&l->pace, 0, PATIENCE_S);
	load_every_ms(l, step_soak_stop);
}
