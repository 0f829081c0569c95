/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/probe.h"

#include <arpa/inet.h>
#include <string.h>
#include <uv.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

struct probing {
	const struct url *to;
	struct probe *out;
	struct loop *loop;
	struct tls_ctx *tls;
	struct loop_timer *limit;
	uv_getaddrinfo_t resolve;
	struct addrinfo *found, *next;
	struct link *link;
	bool resolving;
	bool over;
	int64_t since_ms; /* monotonic, the hop in progress */
	unsigned timeout_ms;
};

static void connect_next(struct probing *p);

static unsigned
lap(struct probing *p)
{
	int64_t now = clock_mono_ms(), took = now - p->since_ms;

	p->since_ms = now;
	return (unsigned)took;
}

static void
stop(struct probing *p)
{
	p->over = true;
	if (p->resolving)
		uv_cancel((uv_req_t *)&p->resolve);
	loop_stop(p->loop);
}

static void
fail(struct probing *p, enum probe_hop hop, const struct err *e)
{
	p->out->failed = hop;
	p->out->err = *e;
	if (p->next != NULL && hop == PROBE_TCP)
		connect_next(p);
	else
		stop(p);
}

static void
probe_on_limit(void *ctx)
{
	struct probing *p = ctx;
	struct err e;

	(void)err_set(&e, RC_TIMEOUT, "no answer within %u s",
	    p->timeout_ms / 1000);
	if (p->link != NULL)
		link_end(p->link, &e);
	else
		fail(p, PROBE_DNS, &e);
}

/* ------------------------------------------------------------ connections */

static void
probe_on_ready(void *ctx)
{
	struct probing *p = ctx;
	const struct tls_seen *seen = link_seen(p->link);

	p->out->connect_ms = lap(p);
	if (seen != NULL)
		p->out->tls = *seen;
	p->out->alpn = link_alpn(p->link);
	p->out->failed = PROBE_DONE;
	link_end(p->link, NULL);
}

static void
probe_on_data(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

static void
probe_on_flush(void *ctx, struct buf *out)
{
	(void)ctx;
	(void)out;
}

static void
probe_on_end(void *ctx, const struct err *why)
{
	struct probing *p = ctx;
	bool reached = link_connected(p->link);
	struct err e = *why;

	p->link = NULL;
	if (p->over)
		return;
	if (p->out->failed == PROBE_DONE) {
		stop(p);
		return;
	}
	if (e.rc == RC_OK)
		(void)err_set(&e, RC_OFFLINE, "it closed the connection");
	fail(p, reached ? PROBE_TLS : PROBE_TCP, &e);
}

static const struct link_handler handler = {
	.on_ready = probe_on_ready,
	.on_data = probe_on_data,
	.on_flush = probe_on_flush,
	.on_end = probe_on_end,
};

static void
write_address(struct probing *p, const struct addrinfo *ai)
{
	const void *raw;

	if (ai->ai_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)
		           ->sin6_addr;
	else
		raw = &((const struct sockaddr_in *)(const void *)ai->ai_addr)
		           ->sin_addr;
	if (inet_ntop(ai->ai_family, raw, p->out->address,
	        sizeof(p->out->address)) == NULL)
		p->out->address[0] = '\0';
}

static void
connect_next(struct probing *p)
{
	const struct addrinfo *ai = p->next;

	p->next = ai->ai_next;
	write_address(p, ai);
	p->out->failed = PROBE_TCP;
	loop_timer_start(p->limit, p->timeout_ms, 0);
	p->link = link_connect(
	    &(struct link_opts){
	        .loop = p->loop,
	        .tls = p->to->tls ? p->tls : NULL,
	        .host = p->to->tls ? p->to->host : NULL,
	        .handler = &handler,
	        .ctx = p,
	    },
	    ai->ai_addr);
}

static void
probe_on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct probing *p = req->data;
	const struct addrinfo *ai;
	struct err e;

	p->resolving = false;
	p->found = p->next = found;
	if (p->over)
		return;
	if (status != 0 || found == NULL) {
		(void)err_set(&e, RC_NOTFOUND, "%s",
		    status != 0 ? uv_strerror(status) : "no address");
		fail(p, PROBE_DNS, &e);
		return;
	}
	p->out->dns_ms = lap(p);
	for (ai = found; ai != NULL; ai = ai->ai_next)
		p->out->addresses++;
	connect_next(p);
}

/* ---------------------------------------------------------------- the run */

static void
resolve(struct probing *p)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct err e;
	char port[8];
	int r;

	ASSERT(str_fmt(port, sizeof(port), "%u", p->to->port));
	p->resolve.data = p;
	r = uv_getaddrinfo(loop_uv(p->loop), &p->resolve, probe_on_resolved,
	    p->to->host, port, &hints);
	if (r == 0) {
		p->resolving = true;
		return;
	}
	(void)err_set(&e, RC_IO, "%s", uv_strerror(r));
	p->out->failed = PROBE_DNS;
	p->out->err = e;
	p->over = true;
}

enum rc
probe_run(const struct url *to, const char *ca_file, unsigned timeout_ms,
    struct probe *out, struct err *e)
{
	struct tls_client_opts o = { .ca_file = ca_file, .look = true };
	struct probing p = { .to = to, .out = out, .timeout_ms = timeout_ms };
	enum rc rc;

	memset(out, 0, sizeof(*out));
	if ((rc = tls_init(e)) != RC_OK ||
	    (rc = tls_client_new(&o, &p.tls, e)) != RC_OK)
		return rc;
	if ((rc = loop_new(&p.loop, e)) != RC_OK) {
		tls_ctx_unref(p.tls);
		return rc;
	}
	p.limit = loop_timer_new(p.loop, probe_on_limit, &p);
	loop_timer_start(p.limit, timeout_ms, 0);
	p.since_ms = clock_mono_ms();
	resolve(&p);
	if (!p.over)
		loop_run(p.loop);
	loop_timer_free(p.limit);
	if (p.link != NULL)
		link_end(p.link, NULL);
	loop_free(p.loop);
	if (p.found != NULL)
		uv_freeaddrinfo(p.found);
	tls_ctx_unref(p.tls);
	return RC_OK;
}
