/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that agents started by themselves, and the lines they print. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/load/load.h"

enum {
	LINES_MAX = 200, /* of one chunk: 40 KiB of an event's 64 */
	LINE_SIZE = 200,
	LAST_ACKS_US = 30000000
};

struct load_job {
	char id[ULID_TEXT_CAP];
	char *ids[1]; /* for a hello */
	uint64_t lines;
	bool over; /* it has said so */
};

void
load_logs_hello(struct load_agent *a, Wire__Hello *h)
{
	struct load_job *j = a->job;

	if (j == NULL || j->over)
		return;
	j->ids[0] = j->id;
	h->running_job_ids = j->ids;
	h->n_running_job_ids = 1;
}

void
load_logs_forget(struct load_agent *a)
{
	mem_free(a->job);
	a->job = NULL;
}

void
load_job_begin(struct load_agent *a, const char *id)
{
	struct load_job *j = MEM_NEW(struct load_job);
	struct ulid own;

	ulid_new(&own);
	ulid_text(&own, j->id);
	if (id != NULL && !str_copy(j->id, sizeof(j->id), str_of(id)))
		j->id[0] = '\0';
	a->job = j;
	load_job_started(a, j->id, "backup");
}

struct line {
	Wire__LogLine wire;
	char text[LINE_SIZE];
};

/* Each line says its number, so that a test can find every one again. */
static void
make_line(struct line *l, uint64_t number, int64_t now)
{
	memset(l->text, '.', LINE_SIZE);
	if (str_fmt(l->text, LINE_SIZE,
	        "line %llu unchanged /srv/data/projects/build/objects/"
	        "%08x/part-%02u.bin, saved in 0.%03us (%u.1 KiB added) ",
	        (unsigned long long)number, (unsigned)(number * 2654435761U),
	        (unsigned)(number % 89), (unsigned)(number % 1000),
	        (unsigned)(number % 900)))
		l->text[strlen(l->text)] = '.';
	wire__log_line__init(&l->wire);
	l->wire.ts_ms = now;
	l->wire.stream = WIRE__LOG_STREAM__LOG_STREAM_STDOUT;
	l->wire.payload.data = (uint8_t *)l->text;
	l->wire.payload.len = LINE_SIZE;
}

static void
put_chunk(struct load_agent *a, uint64_t n)
{
	struct load_job *j = a->job;
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	struct line *made = mem_array(n, sizeof(*made));
	Wire__LogLine *lines[LINES_MAX];
	int64_t now = clock_now_ms();
	uint64_t i;

	for (i = 0; i < n; i++) {
		make_line(&made[i], j->lines + i + 1, now);
		lines[i] = &made[i].wire;
	}
	c.job_id = j->id;
	c.first_line = j->lines + 1;
	c.lines = lines;
	c.n_lines = n;
	ev.body_case = WIRE__EVENT__BODY_LOG;
	ev.log = &c;
	j->lines += n;
	load_queue_put(a, &ev);
	mem_free(made);
}

static void
put_jobs(struct load *l)
{
	const struct load_job *j;
	size_t i;

	json_arr(&l->json, "jobs");
	for (i = 0; i < l->wanted; i++) {
		j = l->agents[i].job;
		if (j == NULL)
			continue;
		json_obj(&l->json, NULL);
		json_put(&l->json, "id", j->id);
		json_put_uint(&l->json, "lines", j->lines);
		json_obj_end(&l->json);
		load_logs_forget(&l->agents[i]);
	}
	json_arr_end(&l->json);
}

void
load_job_print(struct load_agent *a, uint64_t n)
{
	uint64_t part;

	for (; n > 0; n -= part) {
		part = n < LINES_MAX ? n : LINES_MAX;
		put_chunk(a, part);
	}
}

void
load_job_end(struct load_agent *a)
{
	struct load_job *j = a->job;

	load_job_finished(a, j->id, j->lines);
	load_logs_forget(a);
}

const char *
load_job_id(const struct load_agent *a)
{
	const struct load_job *j = a->job;

	return j == NULL ? NULL : j->id;
}

static bool
all_acked(const struct load *l)
{
	return l->stats.events == l->stats.acked ||
	       clock_mono_us() - l->pace.end_us > LAST_ACKS_US;
}

static void
step_ended(struct load *l)
{
	if (!all_acked(l))
		return;
	put_jobs(l);
	json_put_uint(&l->json, "unacked", l->stats.events - l->stats.acked);
	load_reply(l);
}

static void
end_jobs(struct load *l)
{
	struct load_job *j;
	size_t i;

	for (i = 0; i < l->wanted; i++) {
		j = l->agents[i].job;
		if (j == NULL)
			continue;
		load_job_finished(&l->agents[i], j->id, j->lines);
		j->over = true;
	}
}

/* The last line is acknowledged. */
static void
step_drain(struct load *l)
{
	if (!all_acked(l))
		return;
	load_answer(l);
	json_put_uint(&l->json, "lines", l->pace.done);
	json_put_num(&l->json, "took_ms",
	    (double)(clock_mono_us() - l->pace.began_us) / 1000);
	load_put_times(l, "ack", &l->ack);
	if (strcmp(l->command, "logs") == 0) {
		end_jobs(l);
		load_every_ms(l, step_ended);
		return;
	}
	json_put_uint(&l->json, "unacked", l->stats.events - l->stats.acked);
	load_reply(l);
}

/* Lines that are due are shared out evenly; a job speaks about ten times a
 * second, as a real agent gathers them.  One whose agent may not send more
 * waits, as restic does at a full pipe. */
static void
step_logs(struct load *l)
{
	uint64_t jobs = (uint64_t)l->args[1], due = load_pace_due(&l->pace);
	uint64_t share = (uint64_t)(l->pace.rate / 10) / jobs + 1, full = 0;
	struct load_agent *a;

	if (load_pace_over(&l->pace)) {
		load_every_ms(l, step_drain);
		return;
	}
	share = share < LINES_MAX ? share : LINES_MAX;
	while (due >= share && full < jobs) {
		a = &l->agents[l->start++ % jobs];
		if (load_queue_full(a)) {
			full++;
			continue;
		}
		full = 0;
		put_chunk(a, share);
		l->pace.done += share;
		due -= share;
	}
}

static void
step_begun(struct load *l)
{
	if (!all_acked(l))
		return;
	l->start = 0;
	load_times_reset(&l->ack);
	load_pace_start(&l->pace, l->args[0], l->args[2]);
	load_every_ms(l, step_logs);
}

/* lines RATE_LINES_PER_S JOBS SECONDS: the first JOBS agents run a job each
 * and print; it is over when all is acknowledged.  Beginning and end of the
 * jobs are not in the times. */
void
load_lines(struct load *l)
{
	size_t i;

	if (l->args[1] < 1 || l->args[1] > (double)l->wanted) {
		load_refuse(l, "logs needs so many connected agents as jobs");
		return;
	}
	for (i = 0; i < (size_t)l->args[1]; i++)
		if (l->agents[i].job == NULL)
			load_job_begin(&l->agents[i], NULL);
	load_pace_start(&l->pace, 0, 0);
	load_every_ms(l, step_begun);
}

/* logs RATE_LINES_PER_S JOBS SECONDS: the jobs end as well. */
void
load_logs(struct load *l)
{
	load_lines(l);
}
