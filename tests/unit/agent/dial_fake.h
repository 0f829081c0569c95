/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_DIAL_FAKE_H
#define TESTS_UNIT_AGENT_DIAL_FAKE_H
/*
 * A connection to a controller that is made up: one call on it, whose answers
 * the test says with line_say() and line_end().  What the agent sends comes
 * to the test's own grpc_call_send().  And the agent's own configuration.
 */
#include "tests/unit/agent/agent_help.h"

#include "agent/settings.h"
#include "lib/net/grpc_client.h"
#include "lib/net/tls.h"

struct grpc_conn {
	struct grpc_dial_opts o;
};

struct grpc_ccall {
	struct grpc_ccall_opts o;
};

static struct line {
	bool refused; /* nobody listens */
	struct grpc_conn conn;
	struct grpc_ccall call;
	unsigned dials, frees, cancels;
} line;

static inline void
line_on_dialled(void *ctx)
{
	struct err e = { 0 };

	(void)ctx;
	if (!line.refused) {
		line.conn.o.on_ready(line.conn.o.ctx, &line.conn);
		return;
	}
	err_set(&e, RC_OFFLINE, "connecting to h: refused");
	line.conn.o.on_down(line.conn.o.ctx, &line.conn, &e);
}

struct grpc_conn *
grpc_dial(const struct grpc_dial_opts *o)
{
	line.conn.o = *o;
	line.dials++;
	loop_defer(o->loop, line_on_dialled, NULL);
	return &line.conn;
}

void
grpc_conn_free(struct grpc_conn *c)
{
	(void)c;
	line.frees++;
}

struct grpc_ccall *
grpc_call_open(struct grpc_conn *c, const struct grpc_ccall_opts *o)
{
	(void)c;
	assert_null(o->bearer);
	line.call.o = *o;
	return &line.call;
}

void
grpc_call_half_close(struct grpc_ccall *c)
{
	(void)c;
}

void
grpc_call_cancel(struct grpc_ccall *c)
{
	(void)c;
	line.cancels++;
}

static inline void
line_say(struct str message)
{
	line.call.o.on_message(line.call.o.ctx, &line.call, message);
}

static inline void
line_end(enum grpc_status st, const char *msg, const char *code)
{
	line.call.o.on_end(line.call.o.ctx, &line.call, st, str_of(msg),
	    str_of(code));
}

void
tls_ctx_unref(struct tls_ctx *c)
{
	(void)c;
}

/* agent.yaml as another process finds it; settings_free() afterwards. */
static inline void
load(struct settings *s, const char *dir)
{
	char path[256];
	struct err e = { 0 };

	help_path(path, dir, "agent.yaml");
	assert_int_equal(setenv("RM_STATE_DIR", dir, 1), 0);
	assert_rc(settings_load(s, path, &e), RC_OK);
}

/* The refusal says so, and nothing became an identity.  Frees s. */
static inline void
check_refused(struct settings *s, const char *dir, const struct err *e,
    const char *says)
{
	assert_true(str_contains(str_of(e->msg), str_of(says)));
	settings_free(s);
	load(s, dir);
	assert_null(s->host_id);
	assert_null(s->agent_token);
	settings_free(s);
}
#endif
