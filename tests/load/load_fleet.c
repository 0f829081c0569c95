/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "tests/load/load.h"

enum {
	AGENTS_MAX = 19500,
	LINE_MAX_BYTES = 256,
	ANSWER_MAX = 4194304,
	IDLE_MS = 1000
};

static const char usage[] =
    "usage: load_fleet --server HOST:PORT --pin SHA256HEX --bearers FILE\n"
    "    [--agents N] [--skip N]\n"
    "Simulated agents against one controller on loopback.  FILE has a line\n"
    "\"host-id bearer\" for each, as seed --bearers writes it; --skip leaves\n"
    "out the first ones, --agents takes at most so many (19500).\n"
    "Commands come on standard input, one a line, and are answered with one\n"
    "line of JSON each; times are in ms.  The end of the input ends it.\n"
    "  connect N RATE       the first N agents, RATE a second (0: at once)\n"
    "  drop N               cuts the last N; they come back by themselves\n"
    "  wait-live N SECONDS  until N are there\n"
    "  beat RATE SECONDS    heartbeats\n"
    "  events RATE SECONDS  durable events\n"
    "  logs LINES JOBS SECONDS   LINES a second from JOBS jobs\n"
    "  lines LINES JOBS SECONDS  the same of jobs that go on afterwards\n"
    "  wait-commands N      commands that came since the last answer\n"
    "  handshakes N         connects, TLS and closes\n"
    "  soak LINES JOBS MEAN SEED  from now on LINES a second from JOBS jobs\n"
    "                       of MEAN lines, beside other commands\n"
    "  soak-ended           which jobs have ended since: id, host, lines\n"
    "  soak-stop            ends them; until all is acknowledged\n"
    "  stats                what was counted\n"
    "  quit\n";

/* ---------------------------------------------------------------- answers */

void
load_answer(struct load *l)
{
	buf_reset(&l->out);
	json_out_init(&l->json, &l->out);
	json_obj(&l->json, NULL);
}

void
load_reply(struct load *l)
{
	struct err e;

	json_obj_end(&l->json);
	buf_putc(&l->out, '\n');
	l->step = NULL;
	l->command = NULL;
	loop_timer_stop(l->tick);
	if (fsio_write_all(STDOUT_FILENO, buf_str(&l->out), &e) != RC_OK)
		loop_stop(l->loop);
}

void
load_refuse(struct load *l, const char *why)
{
	load_answer(l);
	json_put(&l->json, "error", why);
	load_reply(l);
}

void
load_put_times(struct load *l, const char *name, const struct load_times *t)
{
	json_obj(&l->json, name);
	json_put_uint(&l->json, "n", t->n);
	json_put_num(&l->json, "p50", load_times_at(t, 50));
	json_put_num(&l->json, "p99", load_times_at(t, 99));
	json_put_num(&l->json, "max", load_times_max(t));
	json_obj_end(&l->json);
}

/* ------------------------------------------------------------------- pace */

void
load_every_ms(struct load *l, void (*step)(struct load *l))
{
	l->step = step;
	loop_timer_start(l->tick, 0, 1);
}

void
load_pace_start(struct load_pace *p, double rate, double seconds)
{
	p->rate = rate;
	p->done = 0;
	p->began_us = clock_mono_us();
	p->end_us = p->began_us + (int64_t)(seconds * 1e6);
}

uint64_t
load_pace_due(const struct load_pace *p)
{
	double s = (double)(clock_mono_us() - p->began_us) / 1e6;
	double all = s * p->rate;

	return all > (double)p->done ? (uint64_t)all - p->done : 0;
}

bool
load_pace_over(const struct load_pace *p)
{
	return clock_mono_us() >= p->end_us;
}

struct load_agent *
load_next_live(struct load *l)
{
	struct load_agent *a;
	size_t i;

	for (i = 0; i < l->wanted; i++) {
		a = &l->agents[l->turn++ % l->wanted];
		if (a->state == LOAD_LIVE)
			return a;
	}
	return NULL;
}

static void
load_on_tick(void *ctx)
{
	struct load *l = ctx;

	if (l->step != NULL)
		l->step(l);
}

/* --------------------------------------------------------------- commands */

static void
load_stats(struct load *l)
{
	const struct load_stats *s = &l->stats;

	load_answer(l);
	json_put_uint(&l->json, "live", l->live);
	json_put_uint(&l->json, "events", s->events);
	json_put_uint(&l->json, "sent", s->sent);
	json_put_uint(&l->json, "acked", s->acked);
	json_put_uint(&l->json, "commands", s->commands);
	json_put_uint(&l->json, "duplicates", s->duplicates);
	json_put_uint(&l->json, "reconnects", s->reconnects);
	json_put_uint(&l->json, "refused", s->refused);
	json_put_uint(&l->json, "failed", s->failed);
	json_put_uint(&l->json, "beats", s->beats);
	load_reply(l);
}

static void
load_quit(struct load *l)
{
	load_answer(l);
	load_reply(l);
	loop_stop(l->loop);
}

static const struct command {
	const char *name;
	unsigned args;
	void (*run)(struct load *l);
} commands[] = {
	{ "connect", 2, load_connect },
	{ "drop", 1, load_drop },
	{ "wait-live", 2, load_wait_live },
	{ "beat", 2, load_beat },
	{ "events", 2, load_events },
	{ "logs", 3, load_logs },
	{ "lines", 3, load_lines },
	{ "wait-commands", 1, load_wait_commands },
	{ "handshakes", 1, load_shake },
	{ "soak", 4, load_soak },
	{ "soak-ended", 0, load_soak_ended },
	{ "soak-stop", 0, load_soak_stop },
	{ "stats", 0, load_stats },
	{ "quit", 0, load_quit },
};

static const struct command *
command_named(struct str name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eqz(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static void
obey(struct load *l, struct str line)
{
	const struct command *c;
	struct str rest = str_trim(line), word;
	uint64_t n;
	unsigned i;

	if (!str_next(&rest, ' ', &word) || word.n == 0)
		return;
	c = command_named(word);
	if (c == NULL || l->command != NULL) {
		load_refuse(l,
		    c == NULL ? "no such command" : "one command at a time");
		return;
	}
	for (i = 0; i < c->args; i++) {
		if (!str_next(&rest, ' ', &word) ||
		    !str_u64(word, 1000000000, &n)) {
			load_refuse(l, "whole numbers are missing");
			return;
		}
		l->args[i] = (double)n;
	}
	l->command = c->name;
	c->run(l);
}

/* ------------------------------------------------------------------ input */

struct input {
	uv_pipe_t pipe;
	struct load *load;
	char bytes[LINE_MAX_BYTES];
	struct buf lines;
};

static void
load_on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	struct input *in = h->data;

	(void)hint;
	*out = uv_buf_init(in->bytes, sizeof(in->bytes));
}

static void
load_on_input(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct input *in = s->data;
	struct str line, rest;
	size_t used;

	if (n < 0) {
		loop_stop(in->load->loop);
		return;
	}
	buf_put(&in->lines, b->base, (size_t)n);
	while (str_cut(buf_str(&in->lines), '\n', &line, &rest)) {
		used = line.n + 1;
		obey(in->load, line);
		buf_drop(&in->lines, used);
	}
	if (buf_rc(&in->lines) != RC_OK)
		loop_stop(in->load->loop);
}

static void
input_open(struct input *in, struct load *l)
{
	in->load = l;
	buf_init(&in->lines, 4 * (size_t)LINE_MAX_BYTES);
	ASSERT(uv_pipe_init(loop_uv(l->loop), &in->pipe, 0) == 0);
	in->pipe.data = in;
	if (uv_pipe_open(&in->pipe, STDIN_FILENO) != 0 ||
	    uv_read_start((uv_stream_t *)&in->pipe, load_on_alloc,
	        load_on_input) != 0)
		loop_stop(l->loop);
}

static void
input_close(struct input *in)
{
	uv_close((uv_handle_t *)&in->pipe, NULL);
	buf_fini(&in->lines);
}

/* ------------------------------------------------------------------ start */

struct options {
	const char *server, *bearers;
	uint8_t pin[TLS_PIN_SIZE];
	uint64_t agents, skip;
	bool pinned;
};

static bool
option(struct options *o, int opt)
{
	switch (opt) {
	case 's':
		o->server = optarg;
		return true;
	case 'b':
		o->bearers = optarg;
		return true;
	case 'p':
		o->pinned = str_unhex(str_of(optarg), o->pin, sizeof(o->pin));
		return o->pinned;
	case 'n':
		return str_u64(str_of(optarg), AGENTS_MAX, &o->agents);
	case 'k':
		return str_u64(str_of(optarg), UINT32_MAX, &o->skip);
	default:
		return false;
	}
}

static bool
parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' },
		{ "pin", required_argument, NULL, 'p' },
		{ "bearers", required_argument, NULL, 'b' },
		{ "agents", required_argument, NULL, 'n' },
		{ "skip", required_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!option(o, opt))
			return false;
	return optind == argc && o->server != NULL && o->bearers != NULL &&
	       o->pinned;
}

static enum rc
read_agents(struct load *l, const struct options *o, struct err *e)
{
	struct str rest, line, host, bearer;
	uint64_t skip = o->skip;
	struct buf text;
	enum rc rc;

	buf_init(&text, MIB(16));
	if ((rc = fsio_read(o->bearers, &text, e)) == RC_OK) {
		l->agents = mem_array(o->agents, sizeof(*l->agents));
		rest = buf_str(&text);
		while (l->count < o->agents && str_next(&rest, '\n', &line)) {
			if (!str_cut(line, ' ', &host, &bearer))
				continue;
			if (skip > 0)
				skip--;
			else
				load_agent_init(&l->agents[l->count++], l, host,
				    str_trim(bearer));
		}
	}
	buf_wipe_fini(&text);
	return rc;
}

static void
most_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static enum rc
load_open(struct load *l, const struct options *o, struct err *e)
{
	const struct tls_client_opts tls = { .pin = o->pin };
	enum rc rc;

	if (!str_fmt(l->url, sizeof(l->url), "https://%s", o->server))
		return err_set(e, RC_INVALID, "the server's name is too long");
	if ((rc = crypt_init(e)) != RC_OK || (rc = tls_init(e)) != RC_OK ||
	    (rc = tls_client_new(&tls, &l->tls, e)) != RC_OK ||
	    (rc = loop_new(&l->loop, e)) != RC_OK)
		return rc;
	buf_init(&l->out, ANSWER_MAX);
	list_init(&l->arrivals);
	list_init(&l->shakes);
	l->tick = loop_timer_new(l->loop, load_on_tick, l);
	l->idle = loop_timer_new(l->loop, load_on_idle, l);
	loop_timer_start(l->idle, IDLE_MS, IDLE_MS);
	return read_agents(l, o, e);
}

static void
load_close(struct load *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		load_agent_fini(&l->agents[i]);
	load_soak_fini(l);
	load_shake_fini(l);
	mem_free(l->agents);
	load_arrivals_fini(l);
	loop_timer_free(l->tick);
	loop_timer_free(l->idle);
	loop_free(l->loop);
	tls_ctx_unref(l->tls);
	buf_fini(&l->out);
}

int
main(int argc, char **argv)
{
	struct options o = { .agents = AGENTS_MAX };
	struct load *l = MEM_NEW(struct load);
	struct input *in = MEM_NEW(struct input);
	struct err e;

	log_open(STDERR_FILENO, LOG_WARN);
	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	most_descriptors();
	if (load_open(l, &o, &e) != RC_OK) {
		fprintf(stderr, "load_fleet: %s\n", e.msg);
		return 1;
	}
	input_open(in, l);
	loop_run(l->loop);
	input_close(in);
	load_close(l);
	mem_free(in);
	mem_free(l);
	return 0;
}
