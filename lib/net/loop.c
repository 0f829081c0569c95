/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/loop.h"

#include <signal.h>
#include <uv.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop_priv.h"

enum {
	SCRATCH_KEEP = 1 << 20,
	NS_PER_US = 1000
};
static const uint64_t watch_ns = 10000000000; /* 10 s */

struct defer {
	struct list link;
	loop_fn *fn;
	void *ctx;
};

/* Since watch_began_ns, and in the 10 s before. */
struct longest {
	uint64_t now_ns, before_ns;
};

struct loop {
	uv_loop_t uv;
	uv_idle_t idle; /* active while a later turn has work: no sleep */
	uv_prepare_t prepare;
	uv_check_t check;
	struct list defers;
	struct list due;     /* tasks for this turn */
	struct list next;    /* tasks for the next one */
	struct list patient; /* tasks that wait for a place */
	unsigned places;     /* left in this turn */
	struct list signals;
	unsigned turn;
	/* When the turn began and what was slept until then. */
	uint64_t began_ns, slept_ns, store_ns, watch_began_ns;
	struct longest turns, stores;
	struct loop_scratch scratch;
	_Alignas(max_align_t) char frame[LOOP_FRAME_SIZE];
};

struct loop_timer {
	uv_timer_t uv;
	struct loop_task at_once; /* on the next turn, instead of uv */
	loop_fn *fn;
	void *ctx;
};

struct loop_wake {
	uv_async_t uv;
	loop_fn *fn;
	void *ctx;
};

struct loop_sig {
	uv_signal_t uv;
	struct list link;
	loop_signal_fn *fn;
	void *ctx;
};

struct work {
	uv_work_t uv;
	loop_fn *work;
	loop_fn *done;
	void *ctx;
};

static void
move_all(struct list *from, struct list *to)
{
	struct list *el;

	while ((el = list_take(from)) != NULL)
		list_append(to, el);
}

/* Tasks that a task makes due run in the next round, so that two of them
 * cannot keep the loop from its sockets. */
static void
run_due(struct loop *l)
{
	struct loop_task *t;
	struct list now, *el;

	list_init(&now);
	move_all(&l->due, &now);
	while ((el = list_take(&now)) != NULL) {
		t = LIST_ENTRY(el, struct loop_task, link);
		t->fn(t);
	}
}

static void loop_on_idle(uv_idle_t *h);

static void
stay_awake(struct loop *l)
{
	uv_idle_start(&l->idle, loop_on_idle);
}

static void
watch_anew(struct longest *w)
{
	w->before_ns = w->now_ns;
	w->now_ns = 0;
}

static void
note_turn(struct longest *w, uint64_t ns)
{
	if (ns > w->now_ns)
		w->now_ns = ns;
}

static uint64_t
longest_us(const struct longest *w)
{
	return (w->now_ns > w->before_ns ? w->now_ns : w->before_ns) /
	       NS_PER_US;
}

static void
time_turn(struct loop *l)
{
	uint64_t now = uv_hrtime(), slept = uv_metrics_idle_time(&l->uv);
	uint64_t busy = now - l->began_ns - (slept - l->slept_ns);

	if (now - l->watch_began_ns > watch_ns) {
		watch_anew(&l->turns);
		watch_anew(&l->stores);
		l->watch_began_ns = now;
	}
	if (l->began_ns != 0) {
		note_turn(&l->turns, busy);
		note_turn(&l->stores, l->store_ns);
	}
	l->store_ns = 0;
	l->began_ns = now;
	l->slept_ns = slept;
}

uint64_t
loop_longest_us(const struct loop *l)
{
	return longest_us(&l->turns);
}

void
loop_note_store(void *ctx, int64_t us)
{
	struct loop *l = ctx;

	if (us > 0)
		l->store_ns += (uint64_t)us * NS_PER_US;
}

uint64_t
loop_longest_store_us(const struct loop *l)
{
	return longest_us(&l->stores);
}

static void
call_patient(struct loop *l)
{
	struct list *el;

	l->places = LOOP_PLACES;
	while (l->places > 0 && (el = list_take(&l->patient)) != NULL) {
		list_append(&l->due, el);
		l->places--;
	}
}

static void
loop_on_prepare(uv_prepare_t *h)
{
	struct loop *l = h->data;

	time_turn(l);
	l->turn++;
	call_patient(l);
	run_due(l);
	if (!list_empty(&l->due) || !list_empty(&l->patient))
		stay_awake(l);
}

static void
loop_on_check(uv_check_t *h)
{
	run_due(h->data);
}

static void
loop_on_idle(uv_idle_t *h)
{
	struct loop *l = h->data;
	struct list now, *el;
	struct defer *d;

	uv_idle_stop(&l->idle);
	move_all(&l->next, &l->due);
	list_init(&now);
	move_all(&l->defers, &now);
	while ((el = list_take(&now)) != NULL) {
		d = LIST_ENTRY(el, struct defer, link);
		d->fn(d->ctx);
		mem_free(d);
	}
}

enum rc
loop_new(struct loop **out, struct err *e)
{
	struct loop *l = MEM_NEW(struct loop);
	int r = uv_loop_init(&l->uv);

	if (r != 0) {
		mem_free(l);
		return err_set(e, RC_IO, "event loop: %s", uv_strerror(r));
	}
	(void)uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
	/* A peer that went away is an error of its write, not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	list_init(&l->defers);
	list_init(&l->due);
	list_init(&l->next);
	list_init(&l->patient);
	list_init(&l->signals);
	buf_init(&l->scratch.plain_out, MIB(64));
	buf_init(&l->scratch.cipher_out, MIB(80));
	uv_idle_init(&l->uv, &l->idle);
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	l->uv.data = l->idle.data = l->prepare.data = l->check.data = l;
	uv_prepare_start(&l->prepare, loop_on_prepare);
	uv_check_start(&l->check, loop_on_check);
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	*out = l;
	return RC_OK;
}

static void
loop_on_signal_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

static void
count_open(uv_handle_t *h, void *arg)
{
	unsigned *open = arg;

	if (uv_is_closing(h))
		return;
	log_error(LOG_NET, "handle left open at the end type=%s",
	    uv_handle_type_name(uv_handle_get_type(h)));
	++*open;
}

static void
close_own_handles(struct loop *l)
{
	struct list *el;

	while ((el = list_take(&l->signals)) != NULL)
		uv_close((uv_handle_t *)&LIST_ENTRY(el, struct loop_sig, link)
		             ->uv,
		    loop_on_signal_closed);
	uv_close((uv_handle_t *)&l->idle, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->check, NULL);
}

void
loop_free(struct loop *l)
{
	struct list *el;
	unsigned open = 0;

	if (l == NULL)
		return;
	close_own_handles(l);
	uv_walk(&l->uv, count_open, &open);
	ASSERT(open == 0);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	ASSERT(uv_loop_close(&l->uv) == 0);
	while ((el = list_take(&l->defers)) != NULL)
		mem_free(LIST_ENTRY(el, struct defer, link));
	buf_fini(&l->scratch.plain_out);
	buf_fini(&l->scratch.cipher_out);
	mem_free(l);
}

struct uv_loop_s *
loop_uv(struct loop *l)
{
	return &l->uv;
}

void
loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void
loop_defer(struct loop *l, loop_fn *fn, void *ctx)
{
	struct defer *d = MEM_NEW(struct defer);

	d->fn = fn;
	d->ctx = ctx;
	list_append(&l->defers, &d->link);
	stay_awake(l);
}

void
loop_task_due(struct loop *l, struct loop_task *t)
{
	if (!list_linked(&t->link))
		list_append(&l->due, &t->link);
}

void
loop_task_next_turn(struct loop *l, struct loop_task *t)
{
	if (list_linked(&t->link))
		return;
	list_append(&l->next, &t->link);
	stay_awake(l);
}

bool
loop_place(struct loop *l)
{
	if (l->places == 0)
		return false;
	l->places--;
	return true;
}

void
loop_task_place(struct loop *l, struct loop_task *t)
{
	if (list_linked(&t->link))
		return;
	list_append(&l->patient, &t->link);
	stay_awake(l);
}

void
loop_task_cancel(struct loop_task *t)
{
	list_del(&t->link);
}

unsigned
loop_turn(const struct loop *l)
{
	return l->turn;
}

struct loop_scratch *
loop_scratch(struct loop *l)
{
	/* One large burst must not hold its memory for ever. */
	if (l->scratch.plain_out.cap > SCRATCH_KEEP) {
		buf_fini(&l->scratch.plain_out);
		buf_fini(&l->scratch.cipher_out);
	}
	buf_reset(&l->scratch.plain_out);
	buf_reset(&l->scratch.cipher_out);
	return &l->scratch;
}

char *
loop_frame_buffer(struct loop *l)
{
	return l->frame;
}

static void
loop_on_timer(uv_timer_t *h)
{
	struct loop_timer *t = h->data;

	t->fn(t->ctx);
}

static void
loop_on_at_once(struct loop_task *task)
{
	struct loop_timer *t = LIST_ENTRY(task, struct loop_timer, at_once);

	t->fn(t->ctx);
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_timer *t = MEM_NEW(struct loop_timer);

	uv_timer_init(&l->uv, &t->uv);
	t->uv.data = t;
	t->at_once.fn = loop_on_at_once;
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

void
loop_timer_start(struct loop_timer *t, uint64_t after_ms, uint64_t every_ms)
{
	loop_timer_stop(t);
	/* libuv would run it again within the turn of its own callback, and
	 * no slice would ever end. */
	if (after_ms == 0 && every_ms == 0) {
		loop_task_next_turn(t->uv.loop->data, &t->at_once);
		return;
	}
	/* libuv's notion of now is as old as the last wake-up. */
	uv_update_time(t->uv.loop);
	uv_timer_start(&t->uv, loop_on_timer, after_ms, every_ms);
}

void
loop_timer_stop(struct loop_timer *t)
{
	loop_task_cancel(&t->at_once);
	uv_timer_stop(&t->uv);
}

static void
loop_on_timer_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	loop_task_cancel(&t->at_once);
	uv_close((uv_handle_t *)&t->uv, loop_on_timer_closed);
}

static void
loop_on_signal(uv_signal_t *h, int signum)
{
	struct loop_sig *s = h->data;

	s->fn(s->ctx, signum);
}

enum rc
loop_signal(struct loop *l, int signum, loop_signal_fn *fn, void *ctx,
    struct err *e)
{
	struct loop_sig *s = MEM_NEW(struct loop_sig);
	int r;

	uv_signal_init(&l->uv, &s->uv);
	s->uv.data = s;
	s->fn = fn;
	s->ctx = ctx;
	list_append(&l->signals, &s->link);
	if ((r = uv_signal_start(&s->uv, loop_on_signal, signum)) != 0)
		return err_set(e, RC_IO, "watching signal %d: %s", signum,
		    uv_strerror(r));
	return RC_OK;
}

static void
loop_on_work(uv_work_t *req)
{
	struct work *w = req->data;

	w->work(w->ctx);
}

static void
loop_on_work_done(uv_work_t *req, int status)
{
	struct work *w = req->data;

	ASSERT(status == 0); /* we never cancel */
	w->done(w->ctx);
	mem_free(w);
}

void
loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ctx)
{
	struct work *w = MEM_NEW(struct work);

	w->uv.data = w;
	w->work = work;
	w->done = done;
	w->ctx = ctx;
	ASSERT(uv_queue_work(&l->uv, &w->uv, loop_on_work, loop_on_work_done) ==
	       0);
}

static void
loop_on_wake(uv_async_t *h)
{
	struct loop_wake *w = h->data;

	w->fn(w->ctx);
}

struct loop_wake *
loop_wake_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_wake *w = MEM_NEW(struct loop_wake);

	ASSERT(uv_async_init(&l->uv, &w->uv, loop_on_wake) == 0);
	w->uv.data = w;
	w->fn = fn;
	w->ctx = ctx;
	return w;
}

void
loop_wake(struct loop_wake *w)
{
	uv_async_send(&w->uv);
}

static void
loop_on_wake_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

void
loop_wake_free(struct loop_wake *w)
{
	if (w != NULL)
		uv_close((uv_handle_t *)&w->uv, loop_on_wake_closed);
}
