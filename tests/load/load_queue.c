/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client.h"
#include "tests/load/load.h"

enum {
	WINDOW = 1048576 /* OUTBOUND_WINDOW of the real agent */
};

static struct load_event *
event_of(struct list *el)
{
	return LIST_ENTRY(el, struct load_event, link);
}

void
load_queue_init(struct load_agent *a)
{
	list_init(&a->queue);
	a->next_seq = 1;
}

void
load_queue_fini(struct load_agent *a)
{
	struct list *el;

	while ((el = list_take(&a->queue)) != NULL)
		mem_free(event_of(el));
}

bool
load_queue_full(const struct load_agent *a)
{
	return a->held >= WINDOW;
}

bool
load_queue_empty(const struct load_agent *a)
{
	return list_empty(&a->queue);
}

uint64_t
load_queue_first(const struct load_agent *a)
{
	struct list *el = list_first(&a->queue);

	return el == NULL ? a->next_seq : event_of(el)->seq;
}

void
load_queue_put(struct load_agent *a, Wire__Event *ev)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	struct load_event *e;
	size_t n;

	ev->seq = a->next_seq++;
	ev->at_ms = clock_now_ms();
	m.body_case = WIRE__AGENT_MESSAGE__BODY_EVENT;
	m.event = ev;
	n = wire__agent_message__get_packed_size(&m);
	e = mem_alloc(sizeof(*e) + n);
	e->seq = ev->seq;
	e->put_us = clock_mono_us();
	e->n = wire__agent_message__pack(&m, (uint8_t *)e->packed);
	list_append(&a->queue, &e->link);
	a->held += e->n;
	a->load->stats.events++;
	load_queue_pump(a);
}

/* From the newest backwards: what is not sent stands at the end. */
static struct list *
first_unsent(struct load_agent *a)
{
	struct list *el = &a->queue;

	while (el->prev != &a->queue && event_of(el->prev)->seq > a->sent)
		el = el->prev;
	return el;
}

void
load_queue_pump(struct load_agent *a)
{
	struct list *el;
	struct load_event *e;

	if (a->state != LOAD_LIVE)
		return;
	for (el = first_unsent(a); el != &a->queue; el = el->next) {
		e = event_of(el);
		if (a->flying >= WINDOW ||
		    grpc_call_send(a->call, str_from(e->packed, e->n)) != RC_OK)
			return;
		a->flying += e->n;
		a->sent = e->seq;
		a->load->stats.sent++;
	}
}

void
load_queue_ack(struct load_agent *a, uint64_t seq)
{
	int64_t now = clock_mono_us();
	struct load_event *e;
	struct list *el;

	while ((el = list_first(&a->queue)) != NULL) {
		e = event_of(el);
		if (e->seq > seq)
			break;
		if (e->seq <= a->sent)
			a->flying -= e->n;
		a->held -= e->n;
		load_times_add(&a->load->ack, now - e->put_us);
		a->load->stats.acked++;
		list_del(el);
		mem_free(e);
	}
	if (seq > a->acked)
		a->acked = seq;
	load_queue_pump(a);
}

void
load_queue_resume(struct load_agent *a, uint64_t resume)
{
	/* What it has had is gone from the queue; the rest goes again. */
	if (resume > 0)
		load_queue_ack(a, resume - 1);
	a->sent = resume > 0 ? resume - 1 : 0;
	a->flying = 0;
}
