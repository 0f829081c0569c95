/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hook.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "agent/lines.h"
#include "agent/proc.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	HOOK_LIMIT_S = 600,
	HOOK_KILL_MS = 5000,
	HOOK_LINE_MAX = 256 << 10,
	HOOK_SAID_MAX = 1 << 20,
	HOOK_LINE_COST = 64, /* what a line of the log takes beside its text */
	HOOK_ENV_MAX = 65536
};

/* hook_start -> (limit or hook_cancel: SIGTERM, SIGKILL) -> hook_on_end. */
struct hook {
	struct hook_opts o;
	struct proc *proc;
	struct loop_timer *limit;
	struct loop_timer *kill;
	bool timed_out;
	bool cancelled;
	uint64_t said;     /* bytes that went into the log */
	uint64_t left_out; /* lines that did not */
};

static void
hook_on_line(void *ctx, bool is_stderr, struct str line)
{
	struct hook *h = ctx;
	struct buf text;

	(void)is_stderr;
	if (h->said + line.n + HOOK_LINE_COST > HOOK_SAID_MAX) {
		h->left_out++;
		h->said = HOOK_SAID_MAX; /* a shorter one would be a hole */
		return;
	}
	h->said += line.n + HOOK_LINE_COST;
	buf_init(&text, HOOK_LINE_MAX + 64);
	buf_printf(&text, "hook(%s): ", h->o.phase);
	buf_put_str(&text, line);
	lines_add(h->o.lines, WIRE__LOG_STREAM__LOG_STREAM_HOOK,
	    buf_str(&text));
	buf_fini(&text);
}

static void
hook_stop(struct hook *h)
{
	if (h->proc != NULL)
		proc_signal(h->proc, SIGTERM);
	loop_timer_start(h->kill, HOOK_KILL_MS, 0);
}

static void
hook_on_limit(void *ctx)
{
	struct hook *h = ctx;

	h->timed_out = true;
	lines_printf(h->o.lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%s_hook takes longer than %u s, ending it", h->o.phase,
	    h->o.limit_s);
	hook_stop(h);
}

static void
hook_on_kill(void *ctx)
{
	struct hook *h = ctx;

	if (h->proc != NULL)
		proc_signal(h->proc, SIGKILL);
}

static enum rc
hook_judge(const struct hook *h, const struct proc_end *end, struct err *e)
{
	const char *phase = h->o.phase;

	if (end->err.rc != RC_OK)
		return err_set(e, end->err.rc, "%s_hook failed: %.200s", phase,
		    end->err.msg);
	if (h->timed_out)
		return err_set(e, RC_TIMEOUT,
		    "%s_hook failed: it took longer than %u s and was ended",
		    phase, h->o.limit_s);
	if (h->cancelled)
		return err_set(e, RC_CANCELLED, "%s_hook was cancelled", phase);
	if (end->signal != 0)
		return err_set(e, RC_IO, "%s_hook failed: ended by signal %d",
		    phase, end->signal);
	if (end->exit_code != 0)
		return err_set(e, RC_IO, "%s_hook failed: exit code %d", phase,
		    end->exit_code);
	return RC_OK;
}

static void
hook_on_end(void *ctx, const struct proc_end *end)
{
	struct hook *h = ctx;
	hook_done_fn *done = h->o.done;
	void *done_ctx = h->o.ctx;
	struct err e = { 0 };

	if (h->left_out > 0)
		lines_printf(h->o.lines, WIRE__LOG_STREAM__LOG_STREAM_SYS,
		    "hook(%s): %" PRIu64 " lines left out", h->o.phase,
		    h->left_out);
	if (hook_judge(h, end, &e) != RC_OK)
		lines_printf(h->o.lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%s", e.msg);
	loop_timer_free(h->limit);
	loop_timer_free(h->kill);
	mem_free(h);
	done(done_ctx, &e);
}

/* NAME=value into the next place; the environment is made for one call. */
static void
hook_env_add(char **env, size_t *n, const char *name, const char *value)
{
	struct buf b;

	buf_init(&b, HOOK_ENV_MAX);
	buf_printf(&b, "%s=%s", name, value);
	if (buf_rc(&b) == RC_OK)
		env[(*n)++] = mem_strndup(b.data, b.len);
	buf_fini(&b);
}

struct hook *
hook_start(const struct hook_opts *o)
{
	static char shell[] = "/bin/sh", script[] = "/proc/self/fd/3";
	char *argv[] = { shell, script, NULL };
	char *env[5] = { NULL };
	const char *path = getenv("PATH");
	struct hook *h = MEM_NEW(struct hook);
	struct proc_opts po = { .loop = o->loop };
	size_t i, n = 0;

	h->o = *o;
	if (h->o.limit_s == 0)
		h->o.limit_s = HOOK_LIMIT_S;
	h->limit = loop_timer_new(o->loop, hook_on_limit, h);
	h->kill = loop_timer_new(o->loop, hook_on_kill, h);
	hook_env_add(env, &n, "PATH",
	    path != NULL ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	hook_env_add(env, &n, "RM_JOB_ID", o->job_id);
	hook_env_add(env, &n, "RM_HOOK_PHASE", o->phase);
	if (o->status != NULL)
		hook_env_add(env, &n, "RM_JOB_STATUS", o->status);
	po.argv = argv;
	po.envp = env;
	po.files = &o->body;
	po.n_files = 1;
	po.end_group = true;
	po.line_max = HOOK_LINE_MAX;
	po.on_line = hook_on_line;
	po.on_end = hook_on_end;
	po.ctx = h;
	loop_timer_start(h->limit, h->o.limit_s * UINT64_C(1000), 0);
	h->proc = proc_start(&po);
	for (i = 0; i < n; i++)
		mem_free(env[i]);
	return h;
}

void
hook_cancel(struct hook *h)
{
	if (h->cancelled)
		return;
	h->cancelled = true;
	hook_stop(h);
}

void
hook_hurry(struct hook *h, unsigned limit_s)
{
	if (h->cancelled || h->timed_out || limit_s >= h->o.limit_s)
		return;
	h->o.limit_s = limit_s;
	loop_timer_start(h->limit, limit_s * UINT64_C(1000), 0);
}
