/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "controller/controller.h"
#include "controller/page_own.h"
#include "controller/req.h"
#include "lib/base/clock.h"
#include "lib/base/frame.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/store.h"
#include "render/pages.h"

enum {
	FRAME_REPLY = 2,
	READ_SIZE = 65536,
	DEADLINE_MS = 5000, /* for one page */
	WAIT_MAX_MS = 15000,
	AWAY_MS = 3000, /* longer: requests are refused at once */
	RETRY_MIN_MS = 50,
	RETRY_MAX_MS = 2000,
	RESTART_MIN_MS = 100,
	RESTART_MAX_MS = 10000,
	ENV_MAX = 16
};

/* One connection; outlives its client until its handle is closed. */
struct link {
	uv_pipe_t pipe;
	uv_connect_t connecting;
	uv_write_t writing;
	struct page_client *client; /* NULL: given up */
	struct buf in;
	struct buf out;
	bool up;
	bool busy; /* writing and out are libuv's until page_on_written */
};

/* The renderer's process in the all-in-one mode. */
struct child {
	uv_process_t process;
	struct page_client *client; /* NULL: given up */
	int64_t started_ms;
};

struct page_client {
	struct controller *ctl;
	struct link *link;
	struct child *child;
	struct list queue;
	unsigned waiting; /* in queue */
	struct page_job *current;
	int64_t away_since_ms; /* 0: connected */
	unsigned retry_ms, restart_ms;
	struct loop_timer *deadline; /* of the current page */
	struct loop_timer *retry;    /* to connect again */
	struct loop_timer *restart;  /* to start the process again */
};

static void connect_link(struct page_client *p);
static void start_child(struct page_client *p);
static void send_next(struct page_client *p);

static uv_loop_t *
uv_of(const struct page_client *p)
{
	return loop_uv(p->ctl->loop);
}

void
page_job_free(struct page_job *j)
{
	buf_fini(&j->frame);
	buf_wipe_fini(&j->token);
	buf_wipe_fini(&j->password);
	mem_free(j);
}

static void
finish(struct page_job *j, enum rc rc, struct Ipc__RenderReply *reply)
{
	struct req *r = j->r;

	j->done(j, rc, &reply);
	if (reply != NULL)
		ipc__render_reply__free_unpacked(reply, NULL);
	page_job_free(j);
	req_release(r);
}

/* The snapshots that the renderer reads stay until its answer is here. */
static enum rc
pin(struct page_client *p)
{
	enum rc rc = store_pin(p->ctl->state);

	if (rc != RC_OK)
		return rc;
	rc = store_pin(p->ctl->live);
	if (rc != RC_OK)
		store_unpin(p->ctl->state);
	return rc;
}

static void
finish_current(struct page_client *p, enum rc rc,
    struct Ipc__RenderReply *reply)
{
	struct page_job *j = p->current;

	p->current = NULL;
	loop_timer_stop(p->deadline);
	store_unpin(p->ctl->live);
	store_unpin(p->ctl->state);
	finish(j, rc, reply);
}

/* ------------------------------------------------------------- connection */

static void
page_on_link_closed(uv_handle_t *h)
{
	struct link *l = h->data;

	buf_fini(&l->in);
	buf_fini(&l->out);
	mem_free(l);
}

static void
drop_link(struct page_client *p)
{
	struct link *l = p->link;

	if (l == NULL)
		return;
	p->link = NULL;
	l->client = NULL;
	uv_close((uv_handle_t *)&l->pipe, page_on_link_closed);
}

static void
page_on_retry(void *ctx)
{
	connect_link(ctx);
}

/* The connection is gone, or never came up. */
static void
lost(struct page_client *p, const char *why)
{
	bool was_up = p->link != NULL && p->link->up;

	drop_link(p);
	if (p->away_since_ms == 0)
		p->away_since_ms = clock_mono_ms();
	if (was_up) {
		log_warn(LOG_PAGE, "renderer lost reason=%s", why);
		p->retry_ms = RETRY_MIN_MS;
	}
	loop_timer_start(p->retry, p->retry_ms, 0);
	if (p->retry_ms < RETRY_MAX_MS)
		p->retry_ms *= 2;
	if (p->current != NULL)
		finish_current(p, RC_BUSY, NULL);
}

/* A page that takes too long may hold a snapshot that is about to be
 * reused: the renderer has to go before the pin does. */
static void
page_on_deadline(void *ctx)
{
	struct page_client *p = ctx;

	if (p->child != NULL)
		(void)uv_process_kill(&p->child->process, SIGKILL);
	lost(p, "no answer within 5 s");
}

static void
on_reply(struct page_client *p, struct str payload)
{
	struct Ipc__RenderReply *reply = ipc__render_reply__unpack(NULL,
	    payload.n, (const uint8_t *)payload.p);

	if (reply == NULL) {
		lost(p, "malformed answer");
		return;
	}
	finish_current(p, RC_OK, reply);
	send_next(p);
}

static void
take_frame(struct link *l)
{
	struct page_client *p = l->client;
	struct str payload;
	uint8_t kind;
	size_t size;
	enum rc rc;

	rc = frame_peek(buf_str(&l->in), PAGES_REPLY_MAX, &kind, &payload,
	    &size);
	if (rc == RC_BUSY)
		return;
	if (rc != RC_OK || kind != FRAME_REPLY || p->current == NULL ||
	    size != l->in.len) {
		lost(p, "unexpected bytes");
		return;
	}
	/* payload stays valid: nothing is read before this returns, and the
	 * link is freed on a later turn. */
	on_reply(p, payload);
	if (l->client != NULL)
		buf_drop(&l->in, size);
}

static void
page_on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	struct link *l = h->data;
	char *room = buf_reserve(&l->in, READ_SIZE);

	(void)suggested;
	*b = uv_buf_init(room, room != NULL ? READ_SIZE : 0);
}

static void
page_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct link *l = s->data;

	(void)b;
	if (l->client == NULL || n == 0)
		return;
	if (n < 0) {
		lost(l->client,
		    n == UV_ENOBUFS ? "answer too large" : "connection closed");
		return;
	}
	buf_added(&l->in, (size_t)n);
	take_frame(l);
}

static void
page_on_written(uv_write_t *w, int status)
{
	struct link *l = w->data;

	l->busy = false;
	if (l->client == NULL)
		return;
	if (status != 0)
		lost(l->client, "write failed");
	else
		send_next(l->client);
}

static void
page_on_connected(uv_connect_t *c, int status)
{
	struct link *l = c->data;
	struct page_client *p = l->client;

	if (p == NULL)
		return;
	if (status != 0 || uv_read_start((uv_stream_t *)&l->pipe, page_on_alloc,
	                       page_on_read) != 0) {
		lost(p, "no connection");
		return;
	}
	l->up = true;
	p->away_since_ms = 0;
	p->retry_ms = RETRY_MIN_MS;
	/* It may have been started with other templates. */
	p->ctl->template_build++;
	log_info(LOG_PAGE, "renderer connected");
	send_next(p);
}

static void
connect_link(struct page_client *p)
{
	struct link *l = MEM_NEW(struct link);

	ASSERT(p->link == NULL);
	l->client = p;
	buf_init(&l->in, PAGES_REPLY_MAX + FRAME_HEAD + READ_SIZE);
	buf_init(&l->out, PAGES_REQUEST_MAX + FRAME_HEAD);
	ASSERT(uv_pipe_init(uv_of(p), &l->pipe, 0) == 0);
	l->pipe.data = l;
	l->connecting.data = l;
	l->writing.data = l;
	p->link = l;
	uv_pipe_connect(&l->connecting, &l->pipe, p->ctl->settings.render_sock,
	    page_on_connected);
}

/* ------------------------------------------------------------------ queue */

static void
transmit(struct page_client *p, struct page_job *j)
{
	struct link *l = p->link;
	uv_buf_t b;

	p->current = j;
	loop_timer_start(p->deadline, DEADLINE_MS, 0);
	buf_reset(&l->out);
	buf_put_str(&l->out, buf_str(&j->frame));
	b = uv_buf_init(l->out.data, (unsigned)l->out.len);
	l->busy = buf_rc(&l->out) == RC_OK;
	if (!l->busy || uv_write(&l->writing, (uv_stream_t *)&l->pipe, &b, 1,
	                    page_on_written) != 0)
		lost(p, "write failed");
}

static void
send_next(struct page_client *p)
{
	struct page_job *j;
	struct list *el;

	/* An answer can be read before the write that asked for it is
	 * reported: nothing is sent until it is. */
	while (p->link != NULL && p->link->up && !p->link->busy &&
	       p->current == NULL && (el = list_take(&p->queue)) != NULL) {
		j = LIST_ENTRY(el, struct page_job, link);
		p->waiting--;
		if (clock_mono_ms() - j->queued_ms > WAIT_MAX_MS ||
		    j->r->x == NULL)
			finish(j, RC_TIMEOUT, NULL);
		else if (pin(p) != RC_OK)
			finish(j, RC_IO, NULL);
		else
			transmit(p, j);
	}
}

static void
page_on_turn(void *ctx)
{
	send_next(ctx);
}

static bool
is_stranger(const struct page_job *j)
{
	return ulid_is_zero(&j->r->user_id);
}

/* What it is put before: who is signed in does not wait for strangers. */
static struct list *
find_place(struct page_client *p, const struct page_job *j)
{
	struct list *it, *tmp;

	if (is_stranger(j))
		return &p->queue;
	LIST_FOREACH(it, tmp, &p->queue)
	{
		if (is_stranger(LIST_ENTRY(it, struct page_job, link)))
			return it;
	}
	return &p->queue;
}

enum rc
page_send(struct page_client *p, struct page_job *j)
{
	int64_t now = clock_mono_ms();

	if (p->waiting >= PAGE_WAITING_MAX ||
	    (p->waiting >= PAGE_STRANGERS_MAX && is_stranger(j)))
		return RC_BUSY;
	if (p->away_since_ms != 0 && now - p->away_since_ms > AWAY_MS)
		return RC_BUSY;
	j->queued_ms = now;
	req_hold(j->r);
	list_append(find_place(p, j), &j->link);
	p->waiting++;
	loop_defer(p->ctl->loop, page_on_turn, p);
	return RC_OK;
}

/* What waits for a renderer that does not come back. */
void
page_client_tick(struct page_client *p)
{
	struct list *el;

	if (p->away_since_ms == 0 ||
	    clock_mono_ms() - p->away_since_ms <= AWAY_MS)
		return;
	while ((el = list_take(&p->queue)) != NULL) {
		p->waiting--;
		finish(LIST_ENTRY(el, struct page_job, link), RC_BUSY, NULL);
	}
}

bool
page_ready(const struct page_client *p)
{
	return p->link != NULL && p->link->up;
}

unsigned
page_waiting(const struct page_client *p)
{
	return p->waiting;
}

/* ---------------------------------------------------------------- process */

static void
page_on_child_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

static void
page_on_restart(void *ctx)
{
	start_child(ctx);
}

static void
page_on_exit(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;
	struct page_client *p = c->client;

	uv_close((uv_handle_t *)process, page_on_child_closed);
	if (p == NULL)
		return;
	p->child = NULL;
	log_warn(LOG_PAGE, "renderer ended status=%lld signal=%d restart_ms=%u",
	    (long long)status, signal, p->restart_ms);
	if (clock_mono_ms() - c->started_ms > RESTART_MAX_MS)
		p->restart_ms = RESTART_MIN_MS;
	loop_timer_start(p->restart, p->restart_ms, 0);
	if (p->restart_ms < RESTART_MAX_MS)
		p->restart_ms *= 2;
}

struct environment {
	char *v[ENV_MAX];
	size_t n;
};

static void
env_add(struct environment *env, const char *name, const char *value)
{
	size_t cap;

	if (value == NULL)
		return;
	ASSERT(env->n < ENV_MAX - 1);
	cap = strlen(name) + strlen(value) + 2;
	env->v[env->n] = mem_alloc(cap);
	ASSERT(str_fmt(env->v[env->n], cap, "%s=%s", name, value));
	env->n++;
}

/* Only what the renderer reads: no secret can leak this way. */
static void
env_fill(struct environment *env, const struct settings *s)
{
	static const char *const passed[] = { "RM_SANDBOX_KILL", "TZDIR",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS" };
	char pid[16];
	size_t i;

	env_add(env, "RM_DATA_DIR", s->data_dir);
	env_add(env, "RM_RUNTIME_DIR", s->runtime_dir);
	env_add(env, "RM_BUNDLED_ASSETS_DIR", s->assets_dir);
	env_add(env, "RM_TIMEZONE", s->timezone);
	env_add(env, "RM_LOG_LEVEL", s->log_level);
	ASSERT(str_fmt(pid, sizeof(pid), "%ld", (long)getpid()));
	env_add(env, "RM_DIE_WITH_PARENT", pid);
	for (i = 0; i < ARRAY_LEN(passed); i++)
		env_add(env, passed[i], getenv(passed[i]));
}

static void
start_child(struct page_client *p)
{
	struct child *c = MEM_NEW(struct child);
	struct environment env = { .n = 0 };
	char *args[] = { p->ctl->settings.render, NULL };
	uv_stdio_container_t io[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 },
	};
	const uv_process_options_t o = {
		.exit_cb = page_on_exit,
		.file = args[0],
		.args = args,
		.env = env.v,
		.stdio = io,
		.stdio_count = 3,
	};
	int code;

	env_fill(&env, &p->ctl->settings);
	c->client = p;
	c->process.data = c;
	c->started_ms = clock_mono_ms();
	code = uv_spawn(uv_of(p), &c->process, &o);
	while (env.n > 0)
		mem_free(env.v[--env.n]);
	if (code == 0) {
		p->child = c;
		return;
	}
	log_error(LOG_PAGE, "renderer not started path=%s: %s", args[0],
	    uv_strerror(code));
	uv_close((uv_handle_t *)&c->process, page_on_child_closed);
	loop_timer_start(p->restart, RESTART_MAX_MS, 0);
}

/* ------------------------------------------------------------------- life */

enum rc
page_client_new(struct controller *c, struct page_client **out, struct err *e)
{
	struct page_client *p = MEM_NEW(struct page_client);

	(void)e;
	p->ctl = c;
	list_init(&p->queue);
	p->retry_ms = RETRY_MIN_MS;
	p->restart_ms = RESTART_MIN_MS;
	p->away_since_ms = clock_mono_ms();
	p->deadline = loop_timer_new(c->loop, page_on_deadline, p);
	p->retry = loop_timer_new(c->loop, page_on_retry, p);
	p->restart = loop_timer_new(c->loop, page_on_restart, p);
	if (c->settings.render != NULL)
		start_child(p);
	connect_link(p);
	*out = p;
	return RC_OK;
}

void
page_client_free(struct page_client *p)
{
	struct list *el;

	if (p == NULL)
		return;
	if (p->current != NULL)
		finish_current(p, RC_CANCELLED, NULL);
	while ((el = list_take(&p->queue)) != NULL)
		finish(LIST_ENTRY(el, struct page_job, link), RC_CANCELLED,
		    NULL);
	drop_link(p);
	if (p->child != NULL) {
		p->child->client = NULL;
		(void)uv_process_kill(&p->child->process, SIGTERM);
		uv_close((uv_handle_t *)&p->child->process,
		    page_on_child_closed);
	}
	loop_timer_free(p->deadline);
	loop_timer_free(p->retry);
	loop_timer_free(p->restart);
	mem_free(p);
}
