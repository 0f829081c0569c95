/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/job_log.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/ulid.h"
#include "lib/store/job_store.h"
#include "render/value.h"
#include "render/view.h"
#include "spool/joblog_read.h"

enum {
	LINE_SHOWN = 2048,  /* bytes of a line; all of it is in the download */
	PIECE_MAX = 131072, /* of the log, a read; above any line's length */
	ABOVE_MARK = 20     /* lines shown before the one that is led to */
};

/* The part of the log that is shown, read piece by piece. */
struct excerpt {
	struct value *list;
	uint64_t first, n;   /* line numbers: of the first, behind the last */
	uint64_t offset;     /* behind the last */
	uint64_t first_mark; /* line that is marked, 0: none */
	uint64_t total;      /* lines in the file */
	bool at_end;
	bool damaged; /* here, or what is missing lay behind */
	const char *path;
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

/* The number of lines: as counted while it was written, else by the index,
 * else by reading it. */
static enum rc
count(struct joblog_reader *r, const struct Rec__Job *j, struct excerpt *x,
    struct err *e)
{
	uint64_t offset, behind = 1;
	enum rc rc;

	x->total = j->log_file_lines;
	if (x->total > 0 && !j->log_damaged && joblog_whole(r))
		return RC_OK;
	rc = joblog_seek_tail(r, 0, &offset, &behind, e);
	x->total = behind - 1;
	return rc;
}

/* Which lines: from ?from=, else, or past the end, the last ones. */
static enum rc
seek(struct view *v, struct joblog_reader *r, struct excerpt *x, struct err *e)
{
	uint64_t from = view_param_number(v, "from", 0), found;
	enum rc rc;

	if (from > 0 && from <= x->total) {
		x->first = from;
		return joblog_seek_line(r, from, &x->offset, e);
	}
	rc = joblog_seek_back(r, JOB_LOG_LINES, &x->offset, &found, e);
	if (rc == RC_OK)
		x->first = x->total >= found ? x->total - found + 1 : 1;
	return rc;
}

static void
put_piece(struct view *v, struct excerpt *x, struct str piece)
{
	struct str rest = piece;
	struct joblog_entry en;

	while (x->n < x->first + JOB_LOG_LINES && joblog_next(&rest, &en)) {
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
	while (rc == RC_OK && x->n < x->first + JOB_LOG_LINES) {
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
	x->path = arena_dup(v->arena, joblog_reader_path(r));
	if ((rc = count(r, j, x, e)) == RC_OK)
		rc = put_pieces(v, r, x, e);
	x->at_end = x->offset >= j->log_bytes;
	/* What is there is shown, and nobody is led behind it. */
	x->damaged = !joblog_whole(r) || rc == RC_CORRUPT;
	if (x->damaged)
		x->at_end = rc == RC_CORRUPT || x->n > x->total;
	if (rc == RC_CORRUPT && x->n > x->first)
		rc = RC_OK;
	joblog_close(r);
	return rc;
}

/* -------------------------------------------------------------- the links */

static const char *
from(struct view *v, uint64_t line)
{
	return arena_printf(v->arena, "?from=%" PRIu64, line);
}

/* To a line that may lie elsewhere. */
static const char *
line_link(struct view *v, const struct excerpt *x, uint64_t line)
{
	if (line >= x->first && line < x->n)
		return arena_printf(v->arena, "#L%" PRIu64, line);
	return arena_printf(v->arena, "?from=%" PRIu64 "#L%" PRIu64,
	    line > ABOVE_MARK ? line - ABOVE_MARK : 1, line);
}

/* The first line that says why: a fatal one, else any of standard error.
 * Jobs of before that was noted: when the beginning is shown. */
static void
put_mark(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct excerpt *x)
{
	uint64_t line = j->first_fatal_line;

	if (line == 0)
		line = j->first_error_line;
	if (line == 0 && x->first == 1)
		line = x->first_mark;
	if (line == 0 || x->n == x->first) {
		value_text(root, "mark_line", "");
		return;
	}
	value_printf(root, "mark_line", "%" PRIu64, line);
	value_text(root, "mark_link", line_link(v, x, line));
}

/* Where the excerpt stands in the log, and the ways to the rest. */
static void
put_place(struct view *v, struct value *root, const struct excerpt *x)
{
	bool before = x->first > 1, after = !x->at_end;

	value_printf(root, "next_offset", "%" PRIu64, x->offset);
	value_printf(root, "last_line", "%" PRIu64, x->n - 1);
	value_bool(root, "at_end", x->at_end);
	value_text(root, "oldest",
	    x->first > JOB_LOG_LINES + 1 ? from(v, 1) : "");
	value_text(root, "older",
	    before ? from(v, x->first > JOB_LOG_LINES ? x->first - JOB_LOG_LINES
	                                              : 1)
	           : "");
	value_text(root, "newer",
	    after ? arena_printf(v->arena, "?from=%" PRIu64 "#L%" PRIu64, x->n,
	                x->n)
	          : "");
	value_bool(root, "newest", after && x->n + JOB_LOG_LINES <= x->total);
	value_bool(root, "paged", before || after);
	value_printf(root, "line_count", "%" PRIu64, x->total);
	value_printf(root, "shown", "%s to %s of %s",
	    text_count(v->arena, x->n > x->first ? x->first : 0),
	    text_count(v->arena, x->n - 1), text_count(v->arena, x->total));
}

/* Why there is no log to show, in a sentence; "" when there is one. */
static const char *
no_log(struct view *v, const struct Rec__Job *j, enum rc rc)
{
	uint64_t days = view_param_number(v, "retention_days", 0);

	if (j->log_expired && days > 0)
		return arena_printf(v->arena,
		    "The log was removed by retention: logs are kept for "
		    "%" PRIu64 " %s, and fewer when they grow too large. The "
		    "job's record stays.",
		    days, days == 1 ? "day" : "days");
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

/* For whoever may sign in to the server, too: the spool is made to be read. */
static void
put_path(struct view *v, struct value *root, const struct excerpt *x)
{
	const struct Ipc__Viewer *who = v->req->viewer;
	bool admin = who != NULL && who->role == (int)REC__ROLE__ROLE_ADMIN;
	const char *cat = "";

	if (admin && x->path != NULL)
		cat =
		    str_ends(str_of(x->path), STR(".zst")) ? "zstdcat" : "cat";
	value_text(root, "spool_path", cat[0] == '\0' ? "" : x->path);
	value_text(root, "spool_cat", cat);
}

void
job_log_put(struct view *v, struct value *root, const struct Rec__Job *j)
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
	put_mark(v, root, j, &x);
	put_path(v, root, &x);
	value_text(root, "no_log", no_log(v, j, rc));
	value_bool(root, "log_truncated", j->log_truncated);
	value_bool(root, "log_damaged", j->log_damaged || x.damaged);
	value_bool(root, "downloads", j->log_bytes > 0 && !j->log_expired);
}
