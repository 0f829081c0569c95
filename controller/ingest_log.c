/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <unistd.h>

#include "controller/ingest_own.h"
#include "controller/ingest_wire.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"
#include "spool/joblog.h"

/* An event of empty lines grows thirtyfold on its way into a log: what is
 * beyond this waits for the next batch. */
enum {
	TEXT_BUDGET = 16 << 20,
	TEXT_MAX = 48 << 20,
	SPARE_MAX = 2 << 20,
	/* No line begins behind it, so that none passes JOBLOG_FILE_MAX. */
	LOG_FULL = JOBLOG_FILE_MAX - JOBLOG_STORED_MAX
};

struct stage {
	struct ingest_batch *b;
	struct ingest_part *p;
	struct store_tx *tx; /* while the part at hand is staged */
	size_t text;         /* bytes so far, in all */
	struct joblog_stamp stamp;
	struct map
	    *claims; /* job that nobody has yet -> part that came first */
	int fd;      /* the spool, once there is something to write */
};

static const enum joblog_tag tag_of[] = {
	[WIRE__LOG_STREAM__LOG_STREAM_UNSPECIFIED] = JOBLOG_OUT,
	[WIRE__LOG_STREAM__LOG_STREAM_STDOUT] = JOBLOG_OUT,
	[WIRE__LOG_STREAM__LOG_STREAM_STDERR] = JOBLOG_ERR,
	[WIRE__LOG_STREAM__LOG_STREAM_EVENT] = JOBLOG_EVT,
	[WIRE__LOG_STREAM__LOG_STREAM_HOOK] = JOBLOG_HOOK,
	[WIRE__LOG_STREAM__LOG_STREAM_SYS] = JOBLOG_SYS,
};

/* ------------------------------------------------------- one job's log */

static bool
is_full(const struct ingest_log *l)
{
	return l->at + l->text.len >= LOG_FULL;
}

static void
add_line(struct stage *s, struct ingest_log *l, int64_t ms, enum joblog_tag tag,
    struct str text)
{
	joblog_line_at(&l->text, &s->stamp, ms, tag, text);
	l->text_lines++;
	if (tag != JOBLOG_ERR)
		return;
	if (l->error_line == 0)
		l->error_line = l->text_lines;
	if (l->fatal_line == 0 && str_starts(text, STR("Fatal:")))
		l->fatal_line = l->text_lines;
}

/* Past the limit lines are counted, not kept; the end has its own room. */
static void
put_line(struct stage *s, struct ingest_log *l, int64_t ms, enum joblog_tag tag,
    struct str text)
{
	size_t before = l->text.len;

	if (is_full(l)) {
		l->truncated = true;
		return;
	}
	add_line(s, l, ms, tag, text);
	if (is_full(l))
		add_line(s, l, ms, JOBLOG_SYS,
		    STR("the log is full, what follows is left out"));
	s->text += l->text.len - before;
}

/* A job that is new to the store is of the host that names it first: the op
 * sees the parts in the same order.  Who cannot be stored has no claim. */
static bool
claim(struct stage *s, const struct ulid *job)
{
	const struct str key = str_from(job->b, sizeof(job->b));
	const struct ingest_part *first = map_get(s->claims, key);

	if (first != NULL && first != s->p && first->err.rc == RC_OK)
		return false;
	(void)map_put(s->claims, key, s->p);
	return true;
}

static void
load_log(struct stage *s, struct ingest_log *l)
{
	const struct Rec__Job *j = job_store_find(s->tx, &l->job);
	struct ulid host;

	if (j == NULL) {
		l->foreign = !claim(s, &l->job);
		return;
	}
	l->foreign =
	    !pb_id_get(&j->host_id, &host) || !ulid_eq(&host, &s->p->host);
	l->at = j->log_bytes;
	l->lines = j->log_lines;
	l->closed = j->log_closed || job_state_final(j->state);
	l->damaged = j->log_damaged;
	l->truncated = j->log_truncated;
}

static void
take_spare(struct ingest_batch *b, struct ingest_log *l)
{
	l->text = b->spare;
	b->spare = (struct buf){ 0 };
	if (l->text.data == NULL)
		buf_init(&l->text, TEXT_MAX);
}

/* One buffer for log after log stays in the processor's cache and costs no
 * page faults: half of what a line costs here (bench key log-cpu). */
static void
give_spare(struct ingest_batch *b, struct ingest_log *l)
{
	if (b->spare.data != NULL || l->text.cap > SPARE_MAX ||
	    buf_rc(&l->text) != RC_OK)
		return;
	b->spare = l->text;
	buf_reset(&b->spare);
	buf_init(&l->text, TEXT_MAX);
}

static struct ingest_log *
log_for(struct stage *s, struct str job_id)
{
	struct ingest_log *l;
	struct ulid id;

	if (!ulid_parse(job_id, &id))
		return NULL;
	l = map_get(s->p->log_of, str_from(id.b, sizeof(id.b)));
	if (l == NULL) {
		l = MEM_NEW(struct ingest_log);
		l->job = id;
		take_spare(s->b, l);
		list_append(&s->p->logs, &l->link);
		map_put(s->p->log_of, str_from(id.b, sizeof(id.b)), l);
		load_log(s, l);
	}
	return l->foreign || l->closed ? NULL : l;
}

struct header {
	int64_t at_ms;
	const char *kind;
	const char *restic;
};

/* The first line of a log: what ran, where, by which restic. */
static void
begin_log(struct stage *s, struct ingest_log *l, const struct header *h)
{
	const struct Rec__Job *j;
	const struct Rec__Host *host;
	char id[ULID_TEXT_CAP];
	const char *kind = h->kind;
	struct buf b;

	if (l->at > 0 || l->text.len > 0)
		return;
	j = job_store_find(s->tx, &l->job);
	host = host_store_find(s->tx, &s->p->host);
	if (kind == NULL)
		kind = job_kind_name(
		    j == NULL ? REC__JOB_KIND__KIND_UNKNOWN : j->kind);
	ulid_text(&l->job, id);
	buf_init(&b, KIB(8));
	buf_printf(&b, "job=%s kind=%s host=%s group=%s restic=%s", id,
	    log_safe(str_of(kind)),
	    log_safe(str_of(host == NULL ? "" : host->name)),
	    log_safe(str_of(j == NULL ? "" : j->group_name)),
	    log_safe(str_of(h->restic)));
	put_line(s, l, h->at_ms, JOBLOG_SYS, buf_str(&b));
	buf_fini(&b);
}

/* Lines that never came, up to and not with `next`. */
static void
skip_to(struct stage *s, struct ingest_log *l, int64_t ms, uint64_t next)
{
	const struct header h = { .at_ms = ms, .restic = "" };
	struct rules_lines r;
	char text[64];

	if (!rules_lines(l->lines, next, 0, &r) || r.missing == 0)
		return;
	begin_log(s, l, &h);
	if (str_fmt(text, sizeof(text), "%" PRIu64 " lines dropped", r.missing))
		put_line(s, l, ms, JOBLOG_SYS, str_of(text));
	l->lines += r.missing;
	l->truncated = true;
}

/* -------------------------------------------------------------- events */

static void
stage_chunk(struct stage *s, const struct ingest_chunk *c)
{
	const struct header h = { .at_ms = c->at_ms, .restic = "" };
	struct ingest_log *l = log_for(s, c->job);
	struct str rest = c->body;
	struct ingest_line ln;
	struct rules_lines r;
	uint64_t k;

	if (l == NULL || !rules_lines(l->lines, c->first_line, c->count, &r))
		return;
	begin_log(s, l, &h);
	skip_to(s, l, c->at_ms, c->first_line);
	for (k = 0; ingest_wire_line(&rest, &ln); k++) {
		if (k < r.known)
			continue;
		put_line(s, l, ln.ts_ms,
		    ln.stream < ARRAY_LEN(tag_of) ? tag_of[ln.stream]
		                                  : JOBLOG_OUT,
		    ln.text);
		l->lines++;
		l->taken++;
	}
}

static void
stage_gap(struct stage *s, const Wire__Event *ev)
{
	const Wire__GapLines *g;
	struct ingest_log *l;
	size_t k;

	for (k = 0; k < ev->gap->n_lines; k++) {
		g = ev->gap->lines[k];
		l = log_for(s, str_of(g->job_id));
		if (l != NULL && g->count < UINT64_MAX - g->first_line)
			skip_to(s, l, ev->at_ms, g->first_line + g->count);
	}
}

static void
stage_started(struct stage *s, const Wire__Event *ev)
{
	const Wire__JobStarted *st = ev->job_started;
	const struct header h = { st->started_at_ms, st->kind,
		st->restic_version };
	struct ingest_log *l = log_for(s, str_of(st->job_id));

	if (l != NULL)
		begin_log(s, l, &h);
}

/* The last line has room of its own behind the limit. */
static void
stage_finished(struct stage *s, const Wire__Event *ev)
{
	const Wire__JobFinished *f = ev->job_finished;
	const struct header h = { .at_ms = ev->at_ms, .restic = "" };
	struct ingest_log *l = log_for(s, str_of(f->job_id));
	struct buf b;

	if (l == NULL)
		return;
	begin_log(s, l, &h);
	if (f->log_lines < UINT64_MAX)
		skip_to(s, l, ev->at_ms, f->log_lines + 1);
	buf_init(&b, KIB(8));
	buf_printf(&b, "end state=%s exit=%" PRId32 " lines=%" PRIu64,
	    log_safe(str_of(f->status)), f->exit_code, l->lines);
	if (f->incomplete)
		buf_printf(&b, " incomplete unread=%" PRIu64, f->unread_count);
	if (f->cause[0] != '\0')
		buf_printf(&b, " cause=%s", log_safe(str_of(f->cause)));
	if (f->error[0] != '\0')
		buf_printf(&b, " error=%s", log_safe(str_of(f->error)));
	add_line(s, l, f->finished_at_ms, JOBLOG_SYS, buf_str(&b));
	buf_fini(&b);
	l->closed = l->ended = true;
}

static void
stage_event(struct stage *s, const Wire__Event *ev)
{
	switch (ev->body_case) {
	case WIRE__EVENT__BODY_GAP:
		stage_gap(s, ev);
		return;
	case WIRE__EVENT__BODY_JOB_STARTED:
		stage_started(s, ev);
		return;
	case WIRE__EVENT__BODY_JOB_FINISHED:
		stage_finished(s, ev);
		return;
	case WIRE__EVENT__BODY_LOG: /* stage_chunk() */
	case WIRE__EVENT__BODY_SNAPSHOTS:
	case WIRE__EVENT__BODY_REPO_STATS:
	case WIRE__EVENT__BODY_CONFIG_ACK:
	case WIRE__EVENT__BODY__NOT_SET:
	case _WIRE__EVENT__BODY__CASE_IS_INT_SIZE:
		return;
	}
}

static void
stage_item(struct stage *s, const struct ingest_item *it)
{
	const Wire__Event *ev;

	if (it->body == WIRE__EVENT__BODY_LOG) {
		stage_chunk(s, &it->chunk);
		return;
	}
	arena_reset(&s->b->scratch);
	ev = message_unpack(&s->b->scratch, str_from(it->bytes, it->n),
	    &wire__event__descriptor);
	if (ev != NULL)
		stage_event(s, ev);
}

static void
use_item(struct ingest_part *p, const struct ingest_item *it)
{
	p->used++;
	if (it->seq > 0)
		p->last_seq = it->seq;
}

void
ingest_log_skip(struct ingest_batch *b)
{
	struct list *el, *tmp, *item, *next;
	struct ingest_part *p;

	LIST_FOREACH(el, tmp, &b->parts)
	{
		p = LIST_ENTRY(el, struct ingest_part, link);
		LIST_FOREACH(item, next, &p->items)
		use_item(p, LIST_ENTRY(item, struct ingest_item, link));
	}
}

static void
stage_part(struct stage *s)
{
	const struct ingest_item *it;
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &s->p->items)
	{
		if (s->text > TEXT_BUDGET)
			return;
		it = LIST_ENTRY(el, struct ingest_item, link);
		stage_item(s, it);
		use_item(s->p, it);
	}
}

/* ---------------------------------------------------------------- disk */

/* A damaged log keeps what it has; the job goes on without it. */
static enum rc
write_log(const char *spool, struct ingest_log *l, struct err *e)
{
	enum rc rc = buf_rc(&l->text);

	if (rc == RC_OK)
		rc = joblog_append(spool, &l->job, l->at, buf_str(&l->text), e);
	if (rc != RC_CORRUPT && rc != RC_LIMIT)
		return rc;
	log_error(LOG_SPOOL, "log not written rc=%s error=%s",
	    rc_info(rc)->name, log_safe(str_of(e->msg)));
	l->damaged = rc == RC_CORRUPT;
	l->truncated = true;
	buf_reset(&l->text);
	*e = (struct err){ 0 };
	return RC_OK;
}

/* The logs of one host: a file of its own that fails is its own matter, what
 * the filesystem as a whole refuses is the batch's. */
static enum rc
write_part(struct stage *s)
{
	struct ingest_batch *b = s->b;
	struct ingest_log *l;
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &s->p->logs)
	{
		l = LIST_ENTRY(el, struct ingest_log, link);
		if (l->damaged)
			buf_reset(&l->text);
		if (l->text.len > 0 && s->fd < 0 &&
		    joblog_hold(b->spool, &s->fd, &b->err) != RC_OK)
			return b->err.rc;
		if (l->text.len > 0 &&
		    write_log(b->spool, l, &s->p->err) != RC_OK) {
			if (s->p->err.rc == RC_FULL)
				b->err = s->p->err;
			return b->err.rc;
		}
		l->bytes = l->text.len;
		give_spare(b, l);
	}
	return RC_OK;
}

/* No snapshot is held while the disk is waited for. */
static enum rc
do_part(struct stage *s)
{
	s->p->log_of = map_new();
	s->tx = store_begin_read(s->b->state, &s->b->arena);
	stage_part(s);
	if (store_rc(s->tx) != RC_OK)
		s->b->err = *store_err(s->tx);
	store_abort(s->tx);
	s->tx = NULL;
	return s->b->err.rc == RC_OK ? write_part(s) : s->b->err.rc;
}

static enum rc
do_all(struct stage *s)
{
	struct ingest_batch *b = s->b;
	struct list *el, *tmp;
	int64_t began_us;
	enum rc rc;

	LIST_FOREACH(el, tmp, &b->parts)
	{
		s->p = LIST_ENTRY(el, struct ingest_part, link);
		if ((rc = do_part(s)) != RC_OK)
			return rc;
	}
	if (s->fd < 0)
		return RC_OK;
	began_us = clock_mono_us();
	rc = joblog_sync(s->fd, b->spool, &b->err);
	b->sync_us = clock_mono_us() - began_us + 1;
	return rc;
}

void
ingest_log_write(struct ingest_batch *b)
{
	struct stage s = { .b = b, .claims = map_new(), .fd = -1 };

	if (do_all(&s) != RC_OK && b->err.rc == RC_OK)
		(void)err_set(&b->err, RC_IO, "the logs cannot be written");
	if (s.fd >= 0)
		(void)close(s.fd);
	map_free(s.claims);
}

void
ingest_logs_free(struct ingest_part *p)
{
	struct ingest_log *l;
	struct list *el;

	while ((el = list_take(&p->logs)) != NULL) {
		l = LIST_ENTRY(el, struct ingest_log, link);
		buf_fini(&l->text);
		mem_free(l);
	}
	map_free(p->log_of);
	p->log_of = NULL;
}
