/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One job: what it is, how far, how it ended, and its log. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "render/cause.h"
#include "render/host_view.h"
#include "render/job_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"
#include "spool/joblog_read.h"

enum {
	LINES = 500,
	LINE_SHOWN = 2048, /* bytes of a line; all of it is in the download */
	ERROR_SHOWN = 4096,
	PIECE_MAX = 131072, /* of the log, a read; above any line's length */
	REFRESH_S = 10,
	ANNOUNCE_STEP = 10 /* per cent between announcements */
};

/* The part of the log that is shown, read piece by piece. */
struct excerpt {
	struct value *list;
	uint64_t first, n;   /* line numbers: of the first, behind the last */
	uint64_t offset;     /* behind the last */
	uint64_t first_mark; /* line that is marked, 0: none */
	uint64_t
	    total; /* lines in the file: the agent's, and ours around them */
	bool at_end;
};

static const char *
line_class(const struct joblog_entry *en)
{
	switch (en->tag) {
	case JOBLOG_ERR:
		return str_starts(en->text, STR("Fatal:")) ? "bad" : "warn";
	case JOBLOG_SYS:
		return "sys";
	case JOBLOG_OUT:
	case JOBLOG_EVT:
	case JOBLOG_HOOK:
		return "";
	}
	return "";
}

static void
put_line(struct view *v, struct value *list, uint64_t n,
    const struct joblog_entry *en)
{
	const char *class = line_class(en);
	struct value *item = value_item(list);

	value_printf(item, "n", "%" PRIu64, n);
	value_text(item, "class", class);
	value_bool(item, "mark",
	    strcmp(class, "warn") == 0 || strcmp(class, "bad") == 0);
	value_text(item, "time",
	    en->ts_ms == 0 ? "" : text_time(v->arena, &v->clock, en->ts_ms));
	value_copy(item, "text", view_cut(en->text, LINE_SHOWN));
	value_bool(item, "cut", en->text.n > LINE_SHOWN);
}

/* Which lines: 500 from ?from=, else, or past the end, the last 500. */
static enum rc
seek(struct view *v, struct joblog_reader *r, struct excerpt *x, struct err *e)
{
	uint64_t from = view_param_number(v, "from", 0);

	if (from == 0 || from > x->total)
		return joblog_seek_tail(r, LINES, &x->offset, &x->first, e);
	x->first = from;
	return joblog_seek_line(r, from, &x->offset, e);
}

static void
put_piece(struct view *v, struct excerpt *x, struct str piece)
{
	struct str rest = piece;
	struct joblog_entry en;

	while (x->n < x->first + LINES && joblog_next(&rest, &en)) {
		put_line(v, x->list, x->n, &en);
		if (x->first_mark == 0 && en.tag == JOBLOG_ERR)
			x->first_mark = x->n;
		x->n++;
	}
	x->offset += piece.n - rest.n;
}

static enum rc
put_pieces(struct view *v, struct joblog_reader *r, struct excerpt *x,
    struct err *e)
{
	struct buf piece;
	uint64_t next;
	enum rc rc;

	rc = seek(v, r, x, e);
	x->n = x->first;
	buf_init(&piece, PIECE_MAX);
	while (rc == RC_OK && x->n < x->first + LINES) {
		buf_reset(&piece);
		next = x->offset;
		rc = joblog_read(r, x->offset, PIECE_MAX, &piece, &next, e);
		if (next == x->offset)
			break;
		put_piece(v, x, buf_str(&piece));
	}
	buf_fini(&piece);
	return rc;
}

static enum rc
put_excerpt(struct view *v, const struct Rec__Job *j, struct excerpt *x,
    struct err *e)
{
	struct joblog_reader *r = NULL;
	struct ulid id;
	enum rc rc;

	if (!view_ulid(j->id, &id))
		return RC_NOTFOUND;
	rc = joblog_open(v->spool, &id, j->log_bytes, &r, e);
	if (rc != RC_OK)
		return rc;
	rc = joblog_seek_tail(r, 1, &x->offset, &x->total, e);
	if (rc == RC_OK)
		rc = put_pieces(v, r, x, e);
	x->at_end = x->offset >= j->log_bytes;
	joblog_close(r);
	return rc;
}

/* Where the excerpt stands in the log, and the ways to the rest. */
static void
put_place(struct view *v, struct value *root, const struct excerpt *x)
{
	value_printf(root, "next_offset", "%" PRIu64, x->offset);
	value_printf(root, "last_line", "%" PRIu64, x->n - 1);
	value_bool(root, "at_end", x->at_end);
	if (x->first_mark != 0 && x->first == 1)
		value_printf(root, "mark_line", "%" PRIu64, x->first_mark);
	else
		value_text(root, "mark_line", "");
	value_text(root, "older",
	    x->first <= 1 ? ""
	                  : arena_printf(v->arena, "?from=%" PRIu64,
	                        x->first > LINES ? x->first - LINES : 1));
	value_text(root, "newer",
	    x->at_end ? "" : arena_printf(v->arena, "?from=%" PRIu64, x->n));
	value_printf(root, "shown", "%s to %s of %s",
	    text_count(v->arena, x->n > x->first ? x->first : 0),
	    text_count(v->arena, x->n - 1), text_count(v->arena, x->total));
}

/* Why there is no log to show, in a sentence; "" when there is one. */
static const char *
no_log(const struct Rec__Job *j, enum rc rc)
{
	if (j->log_expired)
		return "The log was removed by retention. The job's record "
		       "stays.";
	if (j->log_bytes == 0)
		return job_state_final(j->state) ? "This job wrote no log."
		                                 : "No lines yet.";
	if (rc == RC_NOTFOUND)
		return "The log file is missing in the spool.";
	if (rc != RC_OK)
		return "The log cannot be read. The server's log says why.";
	return "";
}

static void
put_log(struct view *v, struct value *root, const struct Rec__Job *j)
{
	struct excerpt x = { .first = 1, .n = 1, .at_end = true };
	struct err e = { .rc = RC_OK };
	enum rc rc = RC_NOTFOUND;

	x.list = value_list(root, "lines");
	if (j->log_bytes > 0 && !j->log_expired)
		rc = put_excerpt(v, j, &x, &e);
	if (rc != RC_OK && rc != RC_NOTFOUND)
		log_warn(LOG_PAGE, "job log not read job=%s rc=%s %s",
		    view_id(v, j->id), rc_info(rc)->name,
		    log_safe(str_of(e.msg)));
	put_place(v, root, &x);
	value_text(root, "no_log", no_log(j, rc));
	value_bool(root, "log_truncated", j->log_truncated);
	value_bool(root, "log_damaged", j->log_damaged);
	value_bool(root, "downloads", j->log_bytes > 0 && !j->log_expired);
}

static const char *
incomplete_title(struct view *v, const struct Rec__Job *j)
{
	if (j->unread_count == 0)
		return "The backup is incomplete";
	return arena_printf(v->arena, "%s %s could not be read",
	    text_count(v->arena, j->unread_count),
	    j->unread_count == 1 ? "file" : "files");
}

/* What restic or the agent said, and what to do about it. */
static const char *
told(struct view *v, const struct Rec__Job *j)
{
	const char *error =
	    arena_str(v->arena, view_cut(str_of(j->error), ERROR_SHOWN));
	const char *advice = cause_advice(j);

	if (error[0] == '\0' || advice[0] == '\0')
		return error[0] != '\0' ? error : advice;
	return arena_printf(v->arena, "%s\n%s", error, advice);
}

static void
put_banner(struct view *v, struct value *root, const struct Rec__Job *j)
{
	const char *title = "", *class = "bad";

	if (j->state == REC__JOB_STATE__JOB_FAILED) {
		title = cause_words(j, v->arena);
	} else if (j->state == REC__JOB_STATE__JOB_SUCCEEDED && j->incomplete) {
		class = "warn";
		title = incomplete_title(v, j);
	}
	if (title[0] == '\0') {
		value_bool(root, "banner", false);
		return;
	}
	root = value_map(root, "banner");
	value_text(root, "class", class);
	value_text(root, "glyph",
	    strcmp(class, "bad") == 0 ? "failed" : "incomplete");
	value_text(root, "title", title);
	value_text(root, "text", told(v, j));
	value_text(root, "log", "");
}

static void
put_result(struct view *v, struct value *root, const struct Rec__Job *j)
{
	const struct Rec__JobStats *s = j->stats;
	struct value *m;

	if (s == NULL || s->total_files_processed == 0) {
		value_bool(root, "result", false);
		return;
	}
	m = value_map(root, "result");
	value_text(m, "read", text_bytes(v->arena, s->total_bytes_processed));
	value_text(m, "files", text_count(v->arena, s->total_files_processed));
	value_text(m, "added", text_bytes(v->arena, s->data_added));
	value_text(m, "new_files", text_count(v->arena, s->files_new));
	value_text(m, "changed", text_count(v->arena, s->files_changed));
	value_printf(m, "snapshot", "%.8s", s->snapshot_id);
}

static void
put_state(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	bool final = job_state_final(j->state);
	bool running = j->state == REC__JOB_STATE__JOB_RUNNING;
	struct ulid group;

	value_bool(root, "final", final);
	value_bool(root, "queued", j->state == REC__JOB_STATE__JOB_QUEUED);
	value_bool(root, "running", running);
	value_bool(root, "cancelling", !final && j->cancel_requested);
	value_bool(root, "can_cancel",
	    v->can_operate && !final && !j->cancel_requested);
	value_bool(root, "can_rerun",
	    v->can_operate && final && h != NULL &&
	        j->kind == REC__JOB_KIND__KIND_BACKUP &&
	        view_ulid(j->group_id, &group));
	value_text(root, "gid", view_id(v, j->group_id));
	if (final && j->started_at_ms != 0)
		value_printf(root, "exit_code", "%" PRId32, j->exit_code);
	else
		value_text(root, "exit_code", "");
	value_text(root, "unreachable",
	    running && h != NULL && !h->online
	        ? arena_printf(v->arena, "agent unreachable since %s",
	              text_when(v->arena, &v->clock, h->last_seen_at_ms))
	        : "");
	value_bool(root, "live", !final);
	value_printf(root, "refresh", "%d", REFRESH_S);
}

/* "Backup of db-01, 60 percent, about 4 min left": changes at every tenth
 * per cent, so that it is spoken then. */
static void
put_announcement(struct view *v, struct value *root, const struct Rec__Job *j,
    const char *host)
{
	const struct Rec__LiveProgress *p = NULL;
	const char *kind = status_kind_words(j->kind);
	struct ulid id;
	int percent;

	if (j->state == REC__JOB_STATE__JOB_RUNNING && view_ulid(j->id, &id))
		p = live_find_progress(v->live, &id);
	if (p == NULL) {
		value_printf(root, "announcement", "%s of %s: %s", kind, host,
		    status_job_look(j)->word);
		return;
	}
	percent = p->percent_done >= 0 && p->percent_done <= 1
	              ? (int)(p->percent_done * 100)
	              : 0;
	value_printf(root, "announcement", "%s of %s, %d percent", kind, host,
	    percent - percent % ANNOUNCE_STEP);
}

enum rc
view_job(struct view *v, struct value *root)
{
	const struct Rec__Job *j;
	const struct Rec__Host *h = NULL;
	struct ulid id, host;

	if (!view_param_id(v, "id", &id))
		return RC_NOTFOUND;
	j = job_store_find(v->state, &id);
	if (j == NULL)
		return store_rc(v->state) == RC_OK ? RC_NOTFOUND
		                                   : store_rc(v->state);
	if (view_ulid(j->host_id, &host))
		h = host_store_find(v->state, &host);
	value_text(root, "host_name", h == NULL ? "a removed host" : h->name);
	value_text(root, "host_link",
	    h == NULL ? ""
	              : arena_printf(v->arena, "/hosts/%s", view_id(v, h->id)));
	value_text(root, "host_id", h == NULL ? "" : view_id(v, h->id));
	job_view_put(v, root, j);
	put_state(v, root, j, h);
	host_view_progress(v, root, "progress",
	    j->state == REC__JOB_STATE__JOB_RUNNING ? j : NULL);
	put_result(v, root, j);
	put_banner(v, root, j);
	put_announcement(v, root, j, h == NULL ? "a removed host" : h->name);
	if (v->req->fragment[0] == '\0')
		put_log(v, root, j);
	value_bool(root, "nav_hosts", true);
	return RC_OK;
}
