/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/events.h"
#include "agent/redact.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	LINES_TEXT_MAX = 16384,
	LINES_WORK_MAX = 2 << 20, /* redaction may lengthen a line a little */
	LINES_FLUSH_MS = 100,
	LINES_CHUNK_BYTES = 48 * 1024,
	/* Bound on one line's share of a packed chunk beside its text. */
	LINES_OVERHEAD = 32
};

struct line {
	struct list link;
	int64_t ts_ms;
	Wire__LogStream stream;
	size_t n;
	char text[];
};

struct lines {
	struct lines_opts o;
	char job[ULID_TEXT_CAP];
	struct loop_timer *timer;
	struct list chunk; /* numbered, about to go */
	size_t chunk_count;
	size_t chunk_bytes;
	struct list tail; /* beyond head_max, not numbered yet */
	uint64_t tail_bytes;
	uint64_t flowed; /* bytes of text that went into chunks */
	uint64_t left_out;
	uint64_t next; /* number of the next line to be sent */
	struct buf work;
};

static void
lines_drop(struct list *head)
{
	struct list *el;

	while ((el = list_take(head)) != NULL)
		mem_free(LIST_ENTRY(el, struct line, link));
}

/* Sends the chunk that has gathered, if any. */
static void
lines_flush(struct lines *l)
{
	Wire__LogChunk chunk = WIRE__LOG_CHUNK__INIT;
	Wire__LogLine *rows, **ptrs;
	struct list *el, *tmp;
	struct line *ln;
	size_t i = 0;

	loop_timer_stop(l->timer);
	if (l->chunk_count == 0)
		return;
	rows = mem_array(l->chunk_count, sizeof(*rows));
	ptrs = mem_array(l->chunk_count, sizeof(*ptrs));
	LIST_FOREACH(el, tmp, &l->chunk)
	{
		ln = LIST_ENTRY(el, struct line, link);
		wire__log_line__init(&rows[i]);
		rows[i].ts_ms = ln->ts_ms;
		rows[i].stream = ln->stream;
		rows[i].payload.data = (uint8_t *)ln->text;
		rows[i].payload.len = ln->n;
		ptrs[i] = &rows[i];
		i++;
	}
	chunk.job_id = l->job;
	chunk.first_line = l->next;
	chunk.lines = ptrs;
	chunk.n_lines = l->chunk_count;
	events_put_log(l->o.events, &chunk);
	l->next += l->chunk_count;
	l->chunk_count = 0;
	l->chunk_bytes = 0;
	lines_drop(&l->chunk);
	mem_free(rows);
	mem_free(ptrs);
}

static void
lines_on_timer(void *ctx)
{
	lines_flush(ctx);
}

static void
lines_into_chunk(struct lines *l, struct line *ln)
{
	if (l->chunk_bytes + ln->n + LINES_OVERHEAD > LINES_CHUNK_BYTES)
		lines_flush(l);
	if (l->chunk_count == 0)
		loop_timer_start(l->timer, LINES_FLUSH_MS, 0);
	list_append(&l->chunk, &ln->link);
	l->chunk_count++;
	l->chunk_bytes += ln->n + LINES_OVERHEAD;
}

/* Keeps the last tail_max bytes of what comes after the head. */
static void
lines_into_tail(struct lines *l, struct line *ln)
{
	struct line *old;

	list_append(&l->tail, &ln->link);
	l->tail_bytes += ln->n;
	while (l->tail_bytes > l->o.tail_max) {
		old = LIST_ENTRY(list_take(&l->tail), struct line, link);
		l->tail_bytes -= old->n;
		l->left_out++;
		mem_free(old);
	}
}

static struct line *
lines_make(Wire__LogStream stream, struct str text)
{
	struct line *ln = mem_alloc(sizeof(*ln) + text.n);

	ln->ts_ms = clock_now_ms();
	ln->stream = stream;
	ln->n = text.n;
	if (text.n > 0)
		memcpy(ln->text, text.p, text.n);
	return ln;
}

struct lines *
lines_new(const struct lines_opts *o)
{
	struct lines *l = MEM_NEW(struct lines);

	l->o = *o;
	if (l->o.head_max == 0)
		l->o.head_max = MIB(32);
	if (l->o.tail_max == 0)
		l->o.tail_max = MIB(1);
	ulid_text(&o->job, l->job);
	list_init(&l->chunk);
	list_init(&l->tail);
	l->next = 1;
	l->timer = loop_timer_new(o->loop, lines_on_timer, l);
	buf_init(&l->work, LINES_WORK_MAX);
	return l;
}

static void
lines_add_one(struct lines *l, Wire__LogStream stream, struct str text)
{
	static const char cut[] = " [cut]";
	struct line *ln;

	/* Redacted before it is cut: half a secret is not recognised. */
	buf_reset(&l->work);
	redact_text(l->o.redact, str_sub(text, 0, MIB(1)), &l->work);
	if (l->work.len > LINES_TEXT_MAX) {
		buf_cut(&l->work, LINES_TEXT_MAX - sizeof(cut) + 1);
		buf_puts(&l->work, cut);
	}
	ln = lines_make(stream, buf_str(&l->work));
	if (l->flowed + ln->n > l->o.head_max || !list_empty(&l->tail)) {
		lines_into_tail(l, ln);
		return;
	}
	l->flowed += ln->n;
	lines_into_chunk(l, ln);
}

/* restic's JSON holds texts of several lines. */
void
lines_add(struct lines *l, Wire__LogStream stream, struct str text)
{
	struct str line, rest = text;

	if (text.n == 0)
		lines_add_one(l, stream, text);
	while (str_next(&rest, '\n', &line))
		if (line.n > 0 || rest.n > 0)
			lines_add_one(l, stream, line);
}

void
lines_printf(struct lines *l, Wire__LogStream stream, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0)
		lines_add(l, stream, str_of(text));
}

uint64_t
lines_end(struct lines *l)
{
	char text[80];
	struct list *el;
	struct str note;

	if (l->left_out > 0 && str_fmt(text, sizeof(text),
	                           "%" PRIu64 " lines left out", l->left_out)) {
		note = str_of(text);
		lines_into_chunk(l,
		    lines_make(WIRE__LOG_STREAM__LOG_STREAM_SYS, note));
	}
	while ((el = list_take(&l->tail)) != NULL)
		lines_into_chunk(l, LIST_ENTRY(el, struct line, link));
	lines_flush(l);
	return l->next - 1;
}

void
lines_free(struct lines *l)
{
	if (l == NULL)
		return;
	loop_timer_free(l->timer);
	lines_drop(&l->chunk);
	lines_drop(&l->tail);
	buf_fini(&l->work);
	mem_free(l);
}
