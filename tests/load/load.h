/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_LOAD_LOAD_H
#define TESTS_LOAD_LOAD_H
/*
 * The load program: thousands of agents in one process, on one loop, over
 * lib/net's own gRPC client.  What they say is what a real agent says; only
 * their event queues are in memory, and their jobs are made up.
 *
 * load_agent.c   one agent: connects, says hello, comes back when cut off
 * load_queue.c   its events: numbered, kept until acknowledged, sent again
 * load_fleet.c   options, standard input, the table of commands
 * load_beat.c, load_events.c, load_logs.c ...   one command each
 *
 * A command is a row of the table in load_fleet.c.  Its function starts the
 * work and returns; load_reply() says that it is done.  Meanwhile step() is
 * called every millisecond, and a struct load_pace tells how much is due.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "proto/agent.pb-c.h"
#include "tests/load/load_times.h"

struct grpc_ccall;
struct grpc_conn;
struct load;
struct load_soak;
struct loop;
struct loop_timer;
struct tls_ctx;

enum {
	LOAD_ARGS = 4,     /* numbers behind a command */
	LOAD_SEEN_JOBS = 8 /* whose command an agent knows again */
};

enum load_state {
	LOAD_AWAY,    /* not asked to connect */
	LOAD_WAITING, /* for the back-off timer */
	LOAD_DIALLING,
	LOAD_HELLO,
	LOAD_LIVE
};

/* An event that is not acknowledged yet. */
struct load_event {
	struct list link;
	uint64_t seq;
	int64_t put_us;
	size_t n;
	char packed[]; /* an AgentMessage */
};

struct load_agent {
	struct load *load;
	char *host, *bearer; /* texts */
	enum load_state state;
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	struct loop_timer *retry;
	unsigned failures; /* in a row, for the back-off */
	int64_t dial_us, beat_ms;
	int64_t ping_us; /* of the PING not yet answered, 0: none */
	uint8_t instance[32], epoch[16];
	/* Events: next_seq is the one to be given, sent the last on its way. */
	uint64_t next_seq, sent, acked;
	struct list queue;
	size_t flying; /* bytes sent and not acknowledged */
	size_t held;   /* and of all that is not acknowledged */
	char seen[LOAD_SEEN_JOBS][ULID_TEXT_CAP];
	unsigned seen_next;
	void *job; /* of load_logs.c */
};

struct load_stats {
	uint64_t events, sent, acked;  /* sent counts those sent again too */
	uint64_t commands, duplicates; /* a duplicate: a command seen before */
	uint64_t reconnects, refused, failed; /* failed: dials */
	uint64_t beats;
};

/* How much of `rate` a second is due. */
struct load_pace {
	double rate;
	int64_t began_us, end_us;
	uint64_t done;
};

struct load {
	struct loop *loop;
	struct tls_ctx *tls;
	char url[128];
	struct load_agent *agents;
	size_t count;  /* in the file */
	size_t wanted; /* agents 0..wanted-1 are to be connected */
	size_t live;
	size_t dialling; /* connecting, until hello is answered */
	size_t shaking;  /* handshakes under way */
	struct list shakes;
	size_t turn; /* load_next_live() goes round */
	struct load_stats stats;
	struct load_times connect, ack, beat; /* ms; reset by commands */
	/* The command at work. */
	const char *command;
	double args[LOAD_ARGS];
	void (*step)(struct load *l);
	struct load_pace pace;
	uint64_t start; /* for a step that needs to remember a count */
	struct loop_timer *tick, *idle;
	struct buf out;
	struct json_out json;
	struct load_soak *soak; /* NULL: nothing soaks */
	struct list arrivals;   /* commands, for wait-commands */
	uint64_t arrived;
};

/* ------------------------------------------------------------- commands */

/* Begins the answer: members follow by json_put_*() to &l->json. */
void load_answer(struct load *l);
/* Sends it; the next command may come. */
void load_reply(struct load *l);
/* {"error": why} */
void load_refuse(struct load *l, const char *why);
void load_put_times(struct load *l, const char *name,
    const struct load_times *t);
/* step is called every millisecond until load_reply(). */
void load_every_ms(struct load *l, void (*step)(struct load *l));
void load_pace_start(struct load_pace *p, double rate, double seconds);
/* How many more are due now; the caller adds what it does to p->done. */
uint64_t load_pace_due(const struct load_pace *p);
bool load_pace_over(const struct load_pace *p);
/* Live agents in turn; NULL: there is none. */
struct load_agent *load_next_live(struct load *l);

void load_connect(struct load *l);
void load_drop(struct load *l);
void load_wait_live(struct load *l);
void load_beat(struct load *l);
void load_events(struct load *l);
void load_logs(struct load *l);
void load_lines(struct load *l);
void load_shake(struct load *l);
void load_shake_fini(struct load *l);
void load_wait_commands(struct load *l);
/* A heartbeat to each agent that is due one, as real ones do. */
void load_on_idle(void *ctx);

/* ---------------------------------------------------------------- agent */

void load_agent_init(struct load_agent *a, struct load *l, struct str host,
    struct str bearer);
void load_agent_fini(struct load_agent *a);
void load_agent_dial(struct load_agent *a);
/* Cuts the connection; it comes back as if the network had done it. */
void load_agent_cut(struct load_agent *a);
void load_agent_send(struct load_agent *a, const Wire__AgentMessage *m);
/* One heartbeat; probe: with a PING behind it, whose answer proves that the
 * controller has taken the heartbeat, and is timed in load.beat. */
void load_agent_beat(struct load_agent *a, bool probe);

/* ---------------------------------------------------------------- queue */

void load_queue_init(struct load_agent *a);
void load_queue_fini(struct load_agent *a);
/* Numbers the event, keeps it until it is acknowledged, sends it when there
 * is room.  The time from here to the acknowledgement goes to load.ack. */
void load_queue_put(struct load_agent *a, Wire__Event *ev);
/* The controller wants events from resume on. */
void load_queue_resume(struct load_agent *a, uint64_t resume);
void load_queue_ack(struct load_agent *a, uint64_t seq);
/* Sends what fits the window. */
void load_queue_pump(struct load_agent *a);
/* As much waits as may be under way: what prints has to wait as well. */
bool load_queue_full(const struct load_agent *a);
/* Everything is acknowledged. */
bool load_queue_empty(const struct load_agent *a);
/* The oldest event held. */
uint64_t load_queue_first(const struct load_agent *a);

/* ----------------------------------------------------------------- jobs */

/* Accepts, runs in no time, reports the end: each job once. */
void load_on_command(struct load_agent *a, const Wire__Command *c);
void load_job_started(struct load_agent *a, const char *id, const char *kind);
void load_job_finished(struct load_agent *a, const char *id, uint64_t lines);
void load_arrivals_fini(struct load *l);
/* The job at work goes into a hello; h lives shorter than the agent. */
void load_logs_hello(struct load_agent *a, Wire__Hello *h);
void load_logs_forget(struct load_agent *a);
/* One job at a time: its lines are numbered, a hello names it.  id NULL: one
 * that the agent started by itself. */
void load_job_begin(struct load_agent *a, const char *id);
void load_job_print(struct load_agent *a, uint64_t n);
void load_job_end(struct load_agent *a);
/* NULL: none runs. */
const char *load_job_id(const struct load_agent *a);

/* ----------------------------------------------------------------- soak */

void load_soak(struct load *l);
void load_soak_ended(struct load *l);
void load_soak_stop(struct load *l);
void load_soak_fini(struct load *l);
/* The agent runs another job; one at a time. */
bool load_soak_busy(const struct load_agent *a);
/* Runs a job of the API; false: nothing soaks, it is run in no time. */
bool load_soak_run(struct load_agent *a, const char *id);
#endif
