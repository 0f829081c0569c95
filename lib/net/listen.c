/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/listen.h"

#include <arpa/inet.h>
#include <limits.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/admit.h"
#include "lib/net/conn.h"
#include "lib/net/loop_priv.h"
#include "lib/net/tls.h"

enum {
	BACKLOG = 4096,
	SPARE_DESCRIPTORS = 200,
	TICK_MS = 1000,
	TICK_WHOLE = 256, /* connections looked at in one go */
	TICK_SLICES = 10,
	TICK_MOST = 250, /* in one slice: 10,000 take four seconds */
	CLOSE_TICK_MS = 50,
	NOTICE_MS = 1000, /* for a PING to come back after the notice */
	LAST_MS = 1000,   /* for the last trailers to leave */
	TRIM_FROM = 1000, /* connections */
	HOST_CAP = 64,
	TRIM_MS = 60000,  /* of few connections, before memory is given back */
	ACCEPTS_TURN = 16 /* connections taken per loop turn */
};

enum close_step {
	OPEN,
	NOTICED,
	DRAINING,
	BROKEN_OFF
};

struct listener {
	uv_tcp_t tcp;
	struct conn_env env;
	bool (*exempt)(void *ctx, const char *peer);
	void *exempt_ctx;
	/* Descriptors are given lowest first, so the number of a new one says
	 * how many are open, whoever opened them. */
	int max_fd;
	unsigned peak;  /* open connections since memory was given back */
	int64_t few_ms; /* since when far fewer are open, 0: they are not */
	struct admit *admit;
	struct offences *offences;
	struct loop_timer *tick;
	struct loop_task resume;
	unsigned turn;  /* of the loop, that `taken` counts in */
	unsigned taken; /* connections */
	bool waiting;   /* libuv holds a connection we did not take yet */
	bool tcp_closed;
	enum close_step step;
	int64_t step_ms;
	unsigned grace_ms;
	listen_done_fn *done;
	void *done_ctx;
};

/* Limits */

static unsigned
descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > 1048576)
		r.rlim_cur = 1048576;
	if (r.rlim_cur > 2 * (rlim_t)SPARE_DESCRIPTORS)
		return (unsigned)r.rlim_cur - SPARE_DESCRIPTORS;
	return (unsigned)r.rlim_cur / 2;
}

#define DEFAULT(field, value) ((field) = (field) == 0 ? (value) : (field))

static void
set_defaults(struct listen_limits *l)
{
	DEFAULT(l->connections, descriptor_limit());
	DEFAULT(l->per_address, 256);
	DEFAULT(l->handshakes, 512);
	DEFAULT(l->handshakes_turn, 8);
	DEFAULT(l->handshake_ms, 5);
	DEFAULT(l->requests_turn, 16);
	DEFAULT(l->streams, 100);
	DEFAULT(l->address_bytes, MIB(16));
	DEFAULT(l->header_bytes, KIB(32));
	DEFAULT(l->header_fields, 100);
	DEFAULT(l->header_ms, 10000);
	DEFAULT(l->idle_ms, 75000);
	DEFAULT(l->slow_body_bps, 1024);
	DEFAULT(l->stall_ms, 60000);
	DEFAULT(l->ping_ms, 20000);
}

static bool
listen_on_offence(void *ctx, struct conn *c, enum offence kind)
{
	struct listener *l = ctx;

	admit_charge(l->admit, conn_admit(c), offence_cost(kind));
	return offences_note(l->offences, conn_peer(c), kind);
}

static bool
listen_on_turn(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	return admit_request(l->admit, conn_admit(c));
}

static bool
listen_on_load(void *ctx, struct conn *c, size_t bytes)
{
	struct listener *l = ctx;

	return admit_load(l->admit, conn_admit(c), bytes);
}

/* Admission */

static void
listen_on_begin(void *ctx, struct admit_conn *a)
{
	(void)ctx;
	conn_handshake(conn_of_admit(a));
}

static void
listen_on_give_way(void *ctx, struct admit_conn *a, const char *why)
{
	(void)ctx;
	conn_end(conn_of_admit(a), why);
}

static void
listen_on_admit_offence(void *ctx, struct admit_conn *a, enum offence kind)
{
	(void)listen_on_offence(ctx, conn_of_admit(a), kind);
}

static const struct admit_calls admit_calls = {
	.begin = listen_on_begin,
	.end = listen_on_give_way,
	.offence = listen_on_admit_offence,
};

static void
refuse_for_all(struct listener *l, struct conn *c)
{
	static struct log_limit often;

	l->env.stats.refused_limit++;
	if (log_allow(&often, 5, 60))
		log_warn(LOG_NET,
		    "connection refused limit=connections peer=%s",
		    conn_peer(c));
	conn_end(c, NULL);
}

static void
enter(struct listener *l, struct conn *c)
{
	struct listen_stats *st = &l->env.stats;
	const char *peer = conn_peer(c);
	bool exempt = l->exempt != NULL && l->exempt(l->exempt_ctx, peer);
	bool room = admit_enter(l->admit, conn_admit(c), peer, exempt);

	if (st->open > l->peak)
		l->peak = st->open;
	if (!room) {
		st->refused_address++;
		(void)listen_on_offence(l, c, OFFENCE_CONNECTIONS);
		conn_end(c, NULL);
	} else if ((st->open > l->env.limits.connections ||
	               conn_fd(c) > l->max_fd) &&
	           !admit_make_room(l->admit)) {
		refuse_for_all(l, c);
	} else {
		st->accepted++;
	}
}

/* Accepting.  A connection that libuv holds and we do not take stops it
 * from accepting more: so a storm does not keep the others waiting. */

static bool
may_take(struct listener *l)
{
	unsigned turn = loop_turn(l->env.loop);

	if (turn != l->turn) {
		l->turn = turn;
		l->taken = 0;
	}
	return l->taken < ACCEPTS_TURN;
}

static void
take_one(struct listener *l)
{
	struct conn *c;

	l->waiting = false;
	l->taken++;
	l->env.stats.open++;
	c = conn_accept(&l->env, (uv_stream_t *)&l->tcp);
	enter(l, c);
}

static void
listen_on_resume(struct loop_task *t)
{
	struct listener *l = CONTAINER_OF(t, struct listener, resume);

	if (l->waiting && may_take(l))
		take_one(l);
	else if (l->waiting)
		loop_task_next_turn(l->env.loop, &l->resume);
}

static void
listen_on_connection(uv_stream_t *s, int status)
{
	static struct log_limit often;
	struct listener *l = s->data;

	/* libuv has a spare descriptor for EMFILE: it takes and closes
	 * what waits, so this does not spin. */
	if (status < 0) {
		if (log_allow(&often, 5, 60))
			log_warn(LOG_NET, "accept failed why=%s",
			    uv_strerror(status));
		return;
	}
	l->waiting = true;
	if (may_take(l))
		take_one(l);
	else
		loop_task_next_turn(l->env.loop, &l->resume);
}

static void
listen_on_hello(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	admit_asks(l->admit, conn_admit(c));
}

static void
listen_on_settled(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	admit_settled(l->admit, conn_admit(c));
}

static void maybe_done(struct listener *l);

static void
listen_on_conn_end(void *ctx, struct conn *c)
{
	struct listener *l = ctx;

	l->env.stats.open--;
	admit_leave(l->admit, conn_admit(c));
	maybe_done(l);
}

/* Closing */

static void
listener_free(struct listener *l)
{
	loop_task_cancel(&l->resume);
	loop_timer_free(l->tick);
	admit_free(l->admit);
	tls_ctx_unref(l->env.tls);
	mem_free(l);
}

static void
listen_on_finished(void *ctx)
{
	struct listener *l = ctx;
	listen_done_fn *done = l->done;
	void *done_ctx = l->done_ctx;

	listener_free(l);
	if (done != NULL)
		done(done_ctx);
}

static void
maybe_done(struct listener *l)
{
	if (l->step == OPEN || !l->tcp_closed || !list_empty(&l->env.conns))
		return;
	l->tcp_closed = false; /* once */
	loop_defer(l->env.loop, listen_on_finished, l);
}

static void
for_each_conn(struct listener *l, void (*fn)(struct conn *c))
{
	struct list *it, *tmp;

	LIST_FOREACH(it, tmp, &l->env.conns)
	fn(conn_of(it));
}

static void
end_one(struct conn *c)
{
	conn_end(c, NULL);
}

static void
next_step(struct listener *l, int64_t now)
{
	static const enum close_step after[] = { NOTICED, DRAINING, BROKEN_OFF,
		BROKEN_OFF };
	void (*const act[])(
	    struct conn *) = { NULL, conn_goaway, conn_break_off, end_one };

	for_each_conn(l, act[l->step]);
	l->step = after[l->step];
	l->step_ms = now;
}

static void
tick_closing(struct listener *l, int64_t now)
{
	const int64_t wait_ms[] = { 0, NOTICE_MS, l->grace_ms, LAST_MS };

	if (now - l->step_ms >= wait_ms[l->step])
		next_step(l, now);
}

/* glibc keeps what thousands of connections used until it is asked, and takes
 * a tenth of a second then.  Not while they are about to come back. */
static void
give_back_memory(struct listener *l, int64_t now)
{
	unsigned open = l->env.stats.open;

	if (l->peak < TRIM_FROM || open > l->peak / 2) {
		l->few_ms = 0;
		return;
	}
	if (l->few_ms == 0)
		l->few_ms = now;
	if (now - l->few_ms < TRIM_MS)
		return;
	l->few_ms = 0;
	l->peak = open;
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* All of them about once a second, but never so many in one turn that others
 * feel it, and no more a second than timeouts of 10 s and more need (bench:
 * heartbeat-cpu).  The list turns below us. */
static void
tick_conns(struct listener *l, int64_t now)
{
	unsigned n = l->env.stats.open;
	struct list *el;

	if (n > TICK_WHOLE)
		n = n / TICK_SLICES + 1;
	if (n > TICK_MOST && l->step == OPEN)
		n = TICK_MOST;
	for (; n != 0 && (el = list_first(&l->env.conns)) != NULL; n--) {
		list_del(el);
		list_append(&l->env.conns, el);
		conn_tick(conn_of(el), now);
	}
}

static void
listen_on_tick(void *ctx)
{
	struct listener *l = ctx;
	int64_t now = clock_mono_ms();
	unsigned next = TICK_MS;

	if (l->env.stats.open > TICK_WHOLE)
		next = TICK_MS / TICK_SLICES;
	tick_conns(l, now);
	give_back_memory(l, now);
	admit_tick(l->admit);
	if (l->step != OPEN) {
		next = CLOSE_TICK_MS;
		tick_closing(l, now);
	}
	loop_timer_start(l->tick, next, 0);
}

static void
listen_on_tcp_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	l->tcp_closed = true;
	maybe_done(l);
}

void
listen_close(struct listener *l, unsigned grace_ms, listen_done_fn *done,
    void *ctx)
{
	ASSERT(l->step == OPEN);
	l->step = NOTICED;
	l->step_ms = clock_mono_ms();
	l->grace_ms = grace_ms;
	l->done = done;
	l->done_ctx = ctx;
	l->waiting = false;
	loop_task_cancel(&l->resume);
	loop_timer_start(l->tick, CLOSE_TICK_MS, 0);
	uv_close((uv_handle_t *)&l->tcp, listen_on_tcp_closed);
	for_each_conn(l, conn_drain);
}

/* Opening */

/* A kernel may know IPv6 and yet have it switched off. */
static bool
has_ipv6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;
	close(fd);
	return ok;
}

/* "host:port", "[v6]:port" or ":port" (all addresses). */
static enum rc
parse_address(const char *text, struct sockaddr_storage *out, struct err *e)
{
	struct str s = str_of(text), host;
	char host_z[HOST_CAP];
	uint64_t n;
	size_t i = s.n;

	while (i != 0 && s.p[i - 1] != ':')
		i--;
	if (i == 0 || !str_u64(str_sub(s, i, s.n), 65535, &n))
		goto bad;
	host = str_sub(s, 0, i - 1);
	if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
		host = str_sub(host, 1, host.n - 2);
	if (host.n == 0)
		host = has_ipv6() ? STR("::") : STR("0.0.0.0");
	if (!str_copy(host_z, sizeof(host_z), host))
		goto bad;
	if (uv_ip4_addr(host_z, (int)n, (struct sockaddr_in *)out) == 0 ||
	    uv_ip6_addr(host_z, (int)n, (struct sockaddr_in6 *)out) == 0)
		return RC_OK;
bad:
	return err_set(e, RC_INVALID,
	    "%s: not a listen address. Use 127.0.0.1:8443, [::1]:8443 or "
	    ":8443",
	    text);
}

static void
listen_on_failed_closed(uv_handle_t *h)
{
	listener_free(h->data);
}

static struct listener *
listener_new(const struct listen_opts *o)
{
	struct listener *l = MEM_NEW(struct listener);

	uv_tcp_init(loop_uv(o->loop), &l->tcp);
	l->tcp.data = l;
	l->env.loop = o->loop;
	l->env.tls = o->tls == NULL ? NULL : tls_ctx_ref(o->tls);
	l->env.limits = o->limits;
	l->max_fd =
	    o->limits.connections == 0 ? (int)descriptor_limit() : INT_MAX;
	set_defaults(&l->env.limits);
	l->env.http = o->http;
	l->env.http_ctx = o->http_ctx;
	l->env.grpc = o->grpc;
	l->env.on_hello = listen_on_hello;
	l->env.on_settled = listen_on_settled;
	l->env.on_turn = listen_on_turn;
	l->env.on_load = listen_on_load;
	l->env.on_offence = listen_on_offence;
	l->env.on_end = listen_on_conn_end;
	l->env.ctx = l;
	list_init(&l->env.conns);
	l->exempt = o->exempt;
	l->exempt_ctx = o->exempt_ctx;
	l->offences = o->offences;
	l->admit = admit_new(o->loop,
	    &(struct admit_limits){
	        .per_address = l->env.limits.per_address,
	        .in_progress = l->env.limits.handshakes,
	        .per_turn = l->env.limits.handshakes_turn,
	        .requests = l->env.limits.requests_turn,
	        .address_ms = l->env.limits.handshake_ms,
	        .address_bytes = l->env.limits.address_bytes,
	    },
	    &admit_calls, l);
	l->resume.fn = listen_on_resume;
	l->tick = loop_timer_new(o->loop, listen_on_tick, l);
	return l;
}

enum rc
listen_open(const struct listen_opts *o, struct listener **out, struct err *e)
{
	struct sockaddr_storage sa;
	struct listener *l;
	enum rc rc;
	int r;

	if ((rc = parse_address(o->address, &sa, e)) != RC_OK)
		return rc;
	l = listener_new(o);
	r = uv_tcp_bind(&l->tcp, (struct sockaddr *)&sa, 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&l->tcp, BACKLOG,
		    listen_on_connection);
	if (r != 0) {
		uv_close((uv_handle_t *)&l->tcp, listen_on_failed_closed);
		return err_set(e, r == UV_EADDRINUSE ? RC_CONFLICT : RC_IO,
		    "listening on %s: %s", o->address, uv_strerror(r));
	}
	loop_timer_start(l->tick, TICK_MS, 0);
	*out = l;
	return RC_OK;
}

uint16_t
listen_port(const struct listener *l)
{
	struct sockaddr_storage sa;
	int n = (int)sizeof(sa);

	if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&sa, &n) != 0)
		return 0;
	return ntohs(sa.ss_family == AF_INET
	                 ? ((struct sockaddr_in *)&sa)->sin_port
	                 : ((struct sockaddr_in6 *)&sa)->sin6_port);
}

void
listen_set_tls(struct listener *l, struct tls_ctx *tls)
{
	struct tls_ctx *old = l->env.tls;

	l->env.tls = tls_ctx_ref(tls);
	tls_ctx_unref(old);
}

void
listen_stats(const struct listener *l, struct listen_stats *out)
{
	*out = l->env.stats;
	out->handshaking = admit_in_progress(l->admit);
}
