/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS handshakes and nothing else, against any server of HTTP/2. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/link.h"
#include "lib/net/tls.h"
#include "lib/net/url.h"
#include "tests/load/load.h"

enum {
	AT_ONCE = 16
};

struct shake {
	struct list list;
	struct load *load;
	struct link *link;
	bool done;
};

static void
load_shake_on_ready(void *ctx)
{
	struct shake *s = ctx;

	s->done = true;
	link_shut(s->link);
}

static void
load_shake_on_data(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

static void
load_shake_on_flush(void *ctx, struct buf *out)
{
	(void)ctx;
	(void)out;
}

static void step_shake(struct load *l);

static void
load_shake_on_end(void *ctx, const struct err *why)
{
	struct shake *s = ctx;
	struct load *l = s->load;

	(void)why;
	l->shaking--;
	list_del(&s->list);
	if (s->done)
		l->pace.done++;
	else
		l->stats.failed++;
	mem_free(s);
	step_shake(l);
}

static const struct link_handler handler = {
	.on_ready = load_shake_on_ready,
	.on_data = load_shake_on_data,
	.on_flush = load_shake_on_flush,
	.on_end = load_shake_on_end,
};

static void
shake(struct load *l, const struct url *u)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct shake *s = MEM_NEW(struct shake);

	to.sin_port = htons(u->port);
	(void)inet_pton(AF_INET, u->host, &to.sin_addr);
	s->load = l;
	l->shaking++;
	list_append(&l->shakes, &s->list);
	l->start++;
	s->link = link_connect(
	    &(struct link_opts){
	        .loop = l->loop,
	        .tls = l->tls,
	        .host = u->host,
	        .handler = &handler,
	        .ctx = s,
	    },
	    (const struct sockaddr *)&to);
}

static void
put_shaken(struct load *l)
{
	int64_t took = clock_mono_us() - l->pace.began_us;

	load_answer(l);
	json_put_uint(&l->json, "done", l->pace.done);
	json_put_num(&l->json, "rate",
	    (double)l->pace.done * 1e6 / (double)took);
	load_reply(l);
}

static void
step_shake(struct load *l)
{
	struct err e;
	struct url u;

	if (l->step == NULL || url_parse(l->url, &u, &e) != RC_OK)
		return;
	while (l->shaking < AT_ONCE && l->start < (uint64_t)l->args[0])
		shake(l, &u);
	if (l->shaking == 0)
		put_shaken(l);
}

void
load_shake_fini(struct load *l)
{
	struct list *el, *tmp;

	l->step = NULL;
	LIST_FOREACH(el, tmp, &l->shakes)
	link_end(LIST_ENTRY(el, struct shake, list)->link, NULL);
}

/* handshakes N: connect, TLS, close; 16 at a time. */
void
load_shake(struct load *l)
{
	l->start = 0;
	load_pace_start(&l->pace, 0, 0);
	load_every_ms(l, step_shake);
}
