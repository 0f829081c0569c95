/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/outbound.h"

#include <inttypes.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/events.h"
#include "agent/plan.h"
#include "agent/secrets.h"
#include "lib/base/mem.h"
#include "version.h"

enum {
	OUTBOUND_PROTOCOL = 1,
	OUTBOUND_MESSAGE_MAX = 4194304,
	OUTBOUND_EVENT_TAG = (3 << 3) | 2, /* AgentMessage.event */
	OUTBOUND_POLL_TAG = (2 << 3) | 2   /* PollRequest.events */
};

void
outbound_init(struct outbound *o, struct events *ev)
{
	*o = (struct outbound){ .events = ev, .next = 1 };
	buf_init(&o->packed, OUTBOUND_MESSAGE_MAX);
}

static void
outbound_drop_results(struct outbound *o)
{
	while (o->result_count > 0)
		wire__command_result__free_unpacked(o->results
		                                        [--o->result_count],
		    NULL);
}

void
outbound_fini(struct outbound *o)
{
	outbound_drop_results(o);
	outbound_forget_progress(o);
	mem_free(o->marks);
	buf_fini(&o->packed);
}

/* ---------------------------------------------------------- the window */

static void
outbound_start_from(struct outbound *o, uint64_t seq)
{
	o->next = seq;
	o->loaded = 0;
	o->flying = 0;
	o->mark_first = 0;
	o->mark_count = 0;
}

enum rc
outbound_renew(struct outbound *o, struct err *e)
{
	enum rc rc = events_renew(o->events, e);

	if (rc == RC_BUSY)
		return err_set(e, RC_BUSY, "the event queue is in use");
	o->corrupt = rc != RC_OK;
	o->acked = 0;
	outbound_start_from(o, 1);
	return rc;
}

bool
outbound_resume(struct outbound *o, uint64_t resume, struct err *e)
{
	if (resume > o->offered) {
		if (outbound_renew(o, e) == RC_OK)
			err_set(e, RC_CONFLICT,
			    "it wants event %" PRIu64 ", the next one is "
			    "%" PRIu64 "; a new epoch begins",
			    resume, o->offered);
		return false;
	}
	if (resume == 0)
		resume = 1;
	o->acked = resume - 1;
	if (o->acked > 0)
		events_ack(o->events, o->acked);
	outbound_start_from(o, resume);
	return true;
}

/* Length-delimited field with bytes that are packed already. */
static void
outbound_put_bytes(struct buf *out, uint8_t tag, struct str bytes)
{
	size_t n = bytes.n;

	buf_put_u8(out, tag);
	while (n >= 0x80) {
		buf_put_u8(out, (uint8_t)(n | 0x80));
		n >>= 7;
	}
	buf_put_u8(out, (uint8_t)n);
	buf_put_str(out, bytes);
}

static bool
outbound_peek(struct outbound *o, uint64_t from, struct events_item *item)
{
	enum rc rc = events_peek(o->events, from, item, NULL);

	o->corrupt = o->corrupt || rc == RC_CORRUPT;
	return rc == RC_OK;
}

bool
outbound_next(struct outbound *o, struct str *packed)
{
	struct events_item item;

	if (o->loaded == 0) {
		if (o->flying >= OUTBOUND_WINDOW ||
		    !outbound_peek(o, o->next, &item))
			return false;
		buf_reset(&o->packed);
		outbound_put_bytes(&o->packed, OUTBOUND_EVENT_TAG, item.packed);
		o->loaded = item.seq;
	}
	*packed = buf_str(&o->packed);
	return true;
}

void
outbound_sent(struct outbound *o)
{
	struct outbound_mark *m;

	if (o->mark_first > 0 && o->mark_first + o->mark_count == o->mark_cap) {
		memmove(o->marks, o->marks + o->mark_first,
		    o->mark_count * sizeof(*o->marks));
		o->mark_first = 0;
	}
	if (o->mark_count == o->mark_cap) {
		o->mark_cap = o->mark_cap == 0 ? 64 : 2 * o->mark_cap;
		o->marks =
		    mem_realloc(o->marks, o->mark_cap * sizeof(*o->marks));
	}
	m = &o->marks[o->mark_first + o->mark_count++];
	m->seq = o->loaded;
	m->bytes = o->packed.len;
	o->flying += m->bytes;
	o->next = o->loaded + 1;
	o->loaded = 0;
}

void
outbound_ack(struct outbound *o, uint64_t seq)
{
	const struct outbound_mark *m;

	if (seq <= o->acked)
		return;
	o->acked = seq;
	events_ack(o->events, seq);
	while (o->mark_count > 0) {
		m = &o->marks[o->mark_first];
		if (m->seq > seq)
			break;
		o->flying -= m->bytes;
		o->mark_first++;
		o->mark_count--;
	}
	if (o->mark_count == 0)
		o->mark_first = 0;
}

bool
outbound_empty(struct outbound *o)
{
	struct events_range range;

	return events_range(o->events, &range) == RC_OK &&
	       o->acked + 1 >= range.next;
}

/* ------------------------------------------------------- passing things */

void
outbound_pack(const Wire__AgentMessage *m, struct buf *b)
{
	size_t n = wire__agent_message__get_packed_size(m);
	char *room;

	buf_init(b, OUTBOUND_MESSAGE_MAX);
	room = buf_reserve(b, n);
	if (room != NULL)
		buf_added(b, wire__agent_message__pack(m, (uint8_t *)room));
}

void
outbound_keep_result(struct outbound *o, const Wire__CommandResult *r)
{
	Wire__CommandResult *copy;

	if (o->result_count == OUTBOUND_RESULTS)
		return; /* asked for again */
	copy = MEM_NEW(Wire__CommandResult);
	wire__command_result__init(copy);
	copy->job_id = mem_strdup(r->job_id);
	copy->error = mem_strdup(r->error);
	copy->accepted = r->accepted;
	o->results[o->result_count++] = copy;
}

Wire__CommandResult *
outbound_take_result(struct outbound *o)
{
	Wire__CommandResult *r;

	if (o->result_count == 0)
		return NULL;
	r = o->results[0];
	o->result_count--;
	memmove(o->results, o->results + 1,
	    o->result_count * sizeof(o->results[0]));
	return r;
}

void
outbound_keep_progress(struct outbound *o, const Wire__JobProgress *p)
{
	outbound_forget_progress(o);
	o->progress = MEM_NEW(Wire__JobProgress);
	*o->progress = *p;
	o->progress->job_id = mem_strdup(p->job_id);
}

Wire__JobProgress *
outbound_progress(struct outbound *o)
{
	return o->progress;
}

void
outbound_forget_progress(struct outbound *o)
{
	if (o->progress != NULL)
		wire__job_progress__free_unpacked(o->progress, NULL);
	o->progress = NULL;
}

/* --------------------------------------------------------- hello, poll */

enum rc
hello_make(struct agent *a, struct hello *h)
{
	struct ulid ids[2 * HELLO_JOBS];
	struct events_range range;
	size_t i, running, accepted;

	if (events_range(a->events, &range) != RC_OK)
		return RC_BUSY;
	wire__hello__init(&h->wire);
	memcpy(h->epoch, range.epoch, sizeof(h->epoch));
	running = command_running(a->command, ids, HELLO_JOBS);
	accepted = command_accepted(a->command, ids + running, HELLO_JOBS);
	for (i = 0; i < running + accepted; i++) {
		ulid_text(&ids[i], h->job_text[i]);
		h->jobs[i] = h->job_text[i];
	}
	h->wire.protocol_version = OUTBOUND_PROTOCOL;
	h->wire.agent_version = (char *)(uintptr_t)RM_VERSION;
	h->wire.restic_version = a->restic.version;
	h->wire.hostname = a->facts.hostname;
	h->wire.os = a->facts.os;
	h->wire.arch = a->facts.arch;
	h->wire.boot_time_ms = a->facts.boot_time_ms;
	h->wire.instance_id.data = a->facts.instance_id;
	h->wire.instance_id.len = sizeof(a->facts.instance_id);
	h->wire.epoch.data = h->epoch;
	h->wire.epoch.len = sizeof(h->epoch);
	h->wire.first_seq = range.first;
	h->wire.next_seq = range.next;
	h->wire.config_version = secrets_config(a->secrets).version;
	h->wire.running_job_ids = h->jobs;
	h->wire.n_running_job_ids = running;
	h->wire.accepted_job_ids = h->jobs + running;
	h->wire.n_accepted_job_ids = accepted;
	facts_zone(h->zone);
	h->wire.zone = h->zone;
	h->wire.plan_format = PLAN_FORMAT;
	return RC_OK;
}

/* As many events as the window allows, appended as PollRequest.events. */
static size_t
outbound_poll_events(struct outbound *o, struct buf *out)
{
	struct events_item item;
	size_t n = 0, bytes = 0;
	uint64_t next = o->acked + 1;

	while (bytes < OUTBOUND_WINDOW && outbound_peek(o, next, &item)) {
		outbound_put_bytes(out, OUTBOUND_POLL_TAG, item.packed);
		bytes += item.packed.n;
		next = item.seq + 1;
		n++;
	}
	return n;
}

void
outbound_poll_request(struct outbound *o, const struct hello *h,
    uint32_t wait_ms, struct poll_request *out)
{
	Wire__PollRequest q = WIRE__POLL_REQUEST__INIT;
	struct buf events;
	char *room;

	o->offered = h->wire.next_seq;
	buf_init(&events, 2 * (size_t)OUTBOUND_WINDOW);
	buf_init(&out->packed, OUTBOUND_MESSAGE_MAX);
	out->waits = outbound_poll_events(o, &events) == 0 &&
	             o->result_count == 0 && o->progress == NULL;
	q.hello = (Wire__Hello *)(uintptr_t)&h->wire;
	q.results = o->results;
	q.n_results = o->result_count;
	q.progress = &o->progress;
	q.n_progress = o->progress != NULL ? 1 : 0;
	q.wait_ms = out->waits ? wait_ms : 0;
	room =
	    buf_reserve(&out->packed, wire__poll_request__get_packed_size(&q));
	if (room != NULL)
		buf_added(&out->packed,
		    wire__poll_request__pack(&q, (uint8_t *)room));
	buf_put_str(&out->packed, buf_str(&events));
	buf_fini(&events);
	outbound_drop_results(o);
	outbound_forget_progress(o);
}
