/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/ingest_help.h"

#include <time.h>

/*
 * A controller that is killed at random instants, and an agent that sends its
 * queue again and again, some of it twice and some of it out of order.  What
 * was acknowledged is never sent again; at the end every job has its state
 * and its log once, whole and in order.
 */
enum {
	JOBS = 40,
	CHUNKS = 40, /* a job */
	PER_CHUNK = 7,
	LINES = CHUNKS * PER_CHUNK,
	GAP_JOB = 2, /* lines of one of its chunks' places are dropped */
	GAP_CHUNK = 11,
	LIVES = 400
};

enum step_kind {
	STEP_START,
	STEP_LINES,
	STEP_GAP,
	STEP_END
};

struct step {
	enum step_kind kind;
	unsigned job;
	uint64_t seq;
	uint64_t first;
};

struct model {
	struct desk *d;
	char jobs[JOBS][ULID_TEXT_CAP];
	struct step steps[JOBS * (CHUNKS + 2)];
	size_t count;
	uint64_t last;
	uint32_t seed;
	uint64_t acked;
};

static uint32_t
dice(struct model *m, uint32_t sides)
{
	m->seed = m->seed * 1664525u + 1013904223u;
	return (m->seed >> 8) % sides;
}

static void
add(struct model *m, enum step_kind kind, unsigned job, uint64_t first)
{
	/* A gap stands for three numbers. */
	m->last += kind == STEP_GAP ? 3 : 1;
	m->steps[m->count++] = (struct step){ kind, job, m->last, first };
}

/* The queue as it lies on the agent's disk. */
static void
plan(struct model *m)
{
	struct ulid id;
	unsigned j, c;

	for (j = 0; j < JOBS; j++) {
		ulid_new(&id);
		ulid_text(&id, m->jobs[j]);
		add(m, STEP_START, j, 0);
		for (c = 0; c < CHUNKS; c++)
			add(m,
			    j == GAP_JOB && c == GAP_CHUNK ? STEP_GAP
			                                   : STEP_LINES,
			    j, 1 + (uint64_t)c * PER_CHUNK);
		add(m, STEP_END, j, 0);
	}
}

static enum rc
send_step(struct model *m, const struct step *s)
{
	const char *job = m->jobs[s->job];

	switch (s->kind) {
	case STEP_START:
		return desk_started(m->d, s->seq, job);
	case STEP_LINES:
		return desk_lines(m->d, s->seq, job, s->first, PER_CHUNK);
	case STEP_GAP:
		return desk_gap(m->d, s->seq - 2, s->seq, job, s->first,
		    PER_CHUNK);
	case STEP_END:
		return desk_finished(m->d, s->seq, job, "succeeded", LINES);
	}
	return RC_INVALID;
}

static size_t
step_from(const struct model *m, uint64_t seq)
{
	size_t k = 0;

	while (k < m->count && m->steps[k].seq < seq)
		k++;
	return k;
}

/* Says hello as the agent would; what was acknowledged is gone. */
static size_t
say_hello(struct model *m)
{
	uint64_t resume = 0;
	size_t running = step_from(m, m->acked + 1);

	if (running == m->count)
		running--;
	if (desk_hello(m->d, m->acked + 1, m->last + 1,
	        m->jobs[m->steps[running].job], &resume) != RC_OK ||
	    resume <= m->acked)
		_exit(4);
	/* Committed, and killed before it could be said. */
	if (resume > m->acked + 1)
		agents_ack(NULL, &m->d->host, resume - 1);
	m->acked = resume - 1;
	return step_from(m, resume);
}

/* One life of the controller, in a process of its own. */
static void
live(struct model *m, int out)
{
	size_t next, top; /* top: the first it has not got in this life */
	unsigned burst;

	desk_open(m->d);
	m->d->told.pipe = out;
	m->d->told.acked = m->acked;
	next = top = say_hello(m);
	while (m->d->told.acked < m->last) {
		for (burst = dice(m, 9); burst > 0 && next < m->count;
		     burst--) {
			if (send_step(m, &m->steps[next]) != RC_OK)
				_exit(5);
			next++;
		}
		top = next > top ? next : top;
		if (next > 3 && dice(m, 4) == 0 &&
		    send_step(m, &m->steps[next - 1 - dice(m, 3)]) != RC_OK)
			_exit(6); /* known already */
		if (top + 1 < m->count && dice(m, 6) == 0) {
			if (send_step(m, &m->steps[top + 1]) != RC_PROTO)
				_exit(7); /* out of order */
			m->acked = m->d->told.acked;
			next = say_hello(m);
		}
		desk_run(m->d, 1 + dice(m, 4), m->last);
	}
	_exit(0);
}

static void
nap(unsigned us)
{
	const struct timespec t = { 0, (long)us * 1000 };

	nanosleep(&t, NULL);
}

static bool
take_ack(struct model *m, int from)
{
	uint64_t seq;

	if (read(from, &seq, sizeof(seq)) != (ssize_t)sizeof(seq))
		return false;
	assert_true(seq > m->acked);
	m->acked = seq;
	return true;
}

/* Killed a moment after some acknowledgements, so that it gets somewhere.
 * True when everything is acknowledged. */
static bool
one_life(struct model *m)
{
	int ends[2], status = 0;
	unsigned acks;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	m->seed += 7;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		live(m, ends[1]);
	}
	close(ends[1]);
	for (acks = 1 + dice(m, 12); acks > 0; acks--)
		if (!take_ack(m, ends[0]))
			break;
	nap(dice(m, 3000));
	kill(pid, SIGKILL);
	while (take_ack(m, ends[0]))
		continue;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return m->acked == m->last;
}

static void
check_job(struct model *m, unsigned job)
{
	const struct Rec__Job *j = desk_job(m->d, m->jobs[job]);
	uint64_t gap = 1 + (uint64_t)GAP_CHUNK * PER_CHUNK, n;
	struct buf have, want;

	assert_non_null(j);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_SUCCEEDED);
	assert_int_equal(j->log_lines, LINES);
	assert_true(j->log_closed && !j->log_damaged);
	assert_int_equal(j->log_truncated, job == GAP_JOB);
	buf_init(&have, MIB(1));
	buf_init(&want, MIB(1));
	buf_printf(&want,
	    "sys job=%s kind=backup host=web-1 group=\"\" restic=0.14.0\n",
	    m->jobs[job]);
	for (n = 1; n <= LINES; n++) {
		if (job == GAP_JOB && n >= gap && n < gap + PER_CHUNK) {
			buf_printf(&want, "%s",
			    n == gap ? "sys 7 lines dropped\n" : "");
			continue;
		}
		buf_printf(&want, "out line %u\n", (unsigned)n);
	}
	buf_printf(&want, "sys end state=succeeded exit=0 lines=%u\n",
	    (unsigned)LINES);
	desk_log(m->d, m->jobs[job], &have);
	assert_string_equal(buf_text(&have), buf_text(&want));
	buf_fini(&have);
	buf_fini(&want);
}

static void
kill_until_done(uint32_t seed)
{
	struct model *m = MEM_NEW(struct model);
	unsigned lives = 1, job;

	m->d = desk_new();
	m->seed = seed;
	plan(m);
	while (lives < LIVES && !one_life(m))
		lives++;
	print_message("seed %u: %u lives\n", (unsigned)seed, lives);
	assert_int_equal(m->acked, m->last);
	desk_open(m->d);
	for (job = 0; job < JOBS; job++)
		check_job(m, job);
	desk_close(m->d);
	desk_free(m->d);
	mem_free(m);
}

static void
every_event_counts_once_however_often_the_controller_dies(void **state)
{
	(void)state;
	kill_until_done(1);
	kill_until_done(4711);
	kill_until_done(20261121);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_event_counts_once_however_often_the_controller_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
