/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/restic.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"

enum {
	/* Of a line's text, twice what a log shows: that is cut only when
	 * secrets are out of it. */
	RESTIC_WORDS_MAX = 32768
};

/* ------------------------------------------------------------- helpers */

static void
restic_keep(char *dst, size_t cap, struct str s)
{
	if (dst[0] == '\0' && !str_copy(dst, cap, str_sub(s, 0, cap - 1)))
		dst[0] = '\0';
}

/* A figure as restic prints it: absent or negative is 0. */
static uint64_t
restic_u64(const struct json *v, const char *name)
{
	int64_t n = json_int(v, name, 0);

	return n > 0 ? (uint64_t)n : 0;
}

static void
restic_put_size(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
		"PiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		i++;
	}
	buf_printf(out, i == 0 ? "%.0f %s" : "%.2f %s", v, units[i]);
}

/* ------------------------------------------------- what a sentence means */

/* Words that restic 0.14 to 0.18 use, text or JSON alike. */
static bool
restic_recognise(struct str s, struct restic_seen *seen)
{
	static const struct {
		const char *words;
		size_t flag;
	} table[] = {
		{ "already locked", offsetof(struct restic_seen, locked) },
		{ "unable to create lock",
		    offsetof(struct restic_seen, locked) },
		{ "wrong password or no key found",
		    offsetof(struct restic_seen, wrong_password) },
		{ "repository does not exist",
		    offsetof(struct restic_seen, no_repository) },
		{ "unable to open config file: stat",
		    offsetof(struct restic_seen, no_repository) },
		{ "config/> does not exist",
		    offsetof(struct restic_seen, no_repository) },
		{ "404 Not Found",
		    offsetof(struct restic_seen, no_repository) },
		{ "config file already exists",
		    offsetof(struct restic_seen, exists_already) },
		{ "config already exists",
		    offsetof(struct restic_seen, exists_already) },
		{ "repository master key and config already initialized",
		    offsetof(struct restic_seen, exists_already) },
		{ "401 Unauthorized", offsetof(struct restic_seen, refused) },
		{ "403 Forbidden", offsetof(struct restic_seen, refused) },
		{ ": dial tcp ", offsetof(struct restic_seen, unreachable) },
		{ "repository contains errors",
		    offsetof(struct restic_seen, damaged) },
		/* an index, a snapshot: all that check of 0.14 says of it */
		{ ": invalid data returned",
		    offsetof(struct restic_seen, damaged) },
	};
	size_t i;
	bool any = false;

	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (!str_contains(s, str_of(table[i].words)))
			continue;
		*(bool *)((char *)seen + table[i].flag) = true;
		any = true;
	}
	return any;
}

/* Removing is what a server in append-only mode refuses.  Its word for it is
 * the same as for a user without rights, so that flag goes out again. */
static void
restic_recognise_refusal(struct str s, struct restic_seen *seen)
{
	if (!str_starts(s, STR("Remove(<")) ||
	    !str_contains(s, STR("403 Forbidden")) ||
	    str_starts(s, STR("Remove(<lock/")))
		return;
	seen->kept_by_server = true;
	seen->refused = false;
}

/* check's findings: each begins a line of standard error; then comes a
 * paragraph of advice. */
static void
restic_count_damage(struct str line, struct str s, struct restic_seen *seen)
{
	if (str_starts(s, STR("The repository ")) ||
	    str_starts(s, STR("Fatal: ")))
		seen->explaining = true;
	if (!seen->explaining && line.p[0] != ' ' && line.p[0] != '\t' &&
	    !str_contains(s, STR("retrying after")))
		seen->damages++;
}

/* Terminals get their line cleared first; nobody else wants to see that. */
static struct str
restic_without_escape(struct str line)
{
	static const struct str clear = { "\033[2K", 4 };

	return str_starts(line, clear) ? str_sub(line, clear.n, line.n) : line;
}

/* "[0:05] 12.50%  1 / 8 packs", once a second; the last one of each kind is
 * worth a line of the log. */
static bool
restic_progress_text(struct str s, Wire__JobProgress *p)
{
	struct str clock, rest, percent, whole, part;
	uint64_t w, f;

	if (s.n == 0 || s.p[0] != '[' || !str_cut(s, ']', &clock, &rest) ||
	    !str_contains(clock, STR(":")) ||
	    !str_cut(str_trim(rest), '%', &percent, &rest) ||
	    !str_cut(percent, '.', &whole, &part) || part.n != 2 ||
	    !str_u64(whole, 100, &w) || !str_u64(part, 99, &f))
		return false;
	p->percent_done = ((double)w + (double)f / 100) / 100;
	return w < 100;
}

static enum restic_line
restic_plain(bool is_stderr, struct str line, struct restic_seen *seen,
    struct buf *words)
{
	struct str s = str_trim(restic_without_escape(line));
	bool known;

	if (s.n == 0)
		return RESTIC_SILENT;
	buf_put_str(words,
	    str_sub(restic_without_escape(line), 0, RESTIC_WORDS_MAX));
	if (!is_stderr)
		return RESTIC_TEXT;
	if (str_ends(s, STR("does not exist, skipping"))) {
		seen->missing++;
		restic_keep(seen->first_error, sizeof(seen->first_error), s);
		return RESTIC_MISSING;
	}
	known = restic_recognise(s, seen);
	restic_recognise_refusal(s, seen);
	if (str_starts(s, STR("Fatal: "))) {
		restic_keep(seen->fatal, sizeof(seen->fatal),
		    str_sub(s, 7, s.n));
		return RESTIC_EXIT;
	}
	if (known) /* 0.14 has sentences without "Fatal:" */
		restic_keep(seen->reason, sizeof(seen->reason), s);
	if (str_starts(s, STR("error: ")) || str_starts(s, STR("Error: "))) {
		seen->errors++;
		restic_keep(seen->first_error, sizeof(seen->first_error),
		    str_sub(s, 7, s.n));
		return RESTIC_ERROR;
	}
	return RESTIC_TEXT;
}

/* ---------------------------------------------------------- JSON lines */

static enum restic_line
restic_status(const struct json *v, Wire__JobProgress *p)
{
	uint64_t left = restic_u64(v, "seconds_remaining");
	uint64_t elapsed = restic_u64(v, "seconds_elapsed");

	p->percent_done = json_num(v, "percent_done", 0);
	if (!(p->percent_done >= 0) || p->percent_done > 1)
		p->percent_done = p->percent_done > 1 ? 1 : 0;
	p->files_done = restic_u64(v, "files_done");
	p->total_files = restic_u64(v, "total_files");
	p->bytes_done = restic_u64(v, "bytes_done");
	p->total_bytes = restic_u64(v, "total_bytes");
	/* 0.18 prints nonsense for a size it does not know. */
	p->eta_seconds = left < 366 * 86400ULL ? left : 0;
	p->throughput_bps = elapsed > 0 ? p->bytes_done / elapsed : 0;
	return RESTIC_PROGRESS;
}

static enum restic_line
restic_summary(const struct json *v, struct restic_seen *seen,
    struct buf *words)
{
	static const struct {
		const char *name;
		size_t offset;
	} figures[] = {
#define FIGURE(f) { #f, offsetof(Wire__BackupSummary, f) }
		FIGURE(files_new),
		FIGURE(files_changed),
		FIGURE(files_unmodified),
		FIGURE(dirs_new),
		FIGURE(dirs_changed),
		FIGURE(dirs_unmodified),
		FIGURE(data_added),
		FIGURE(data_added_packed),
		FIGURE(total_files_processed),
		FIGURE(total_bytes_processed),
#undef FIGURE
	};
	Wire__BackupSummary *s = &seen->summary;
	size_t i;

	for (i = 0; i < ARRAY_LEN(figures); i++)
		*(uint64_t *)(void *)((char *)s + figures[i].offset) =
		    restic_u64(v, figures[i].name);
	restic_keep(seen->snapshot_id, sizeof(seen->snapshot_id),
	    json_text(v, "snapshot_id"));
	seen->has_summary = true;
	buf_printf(words, "%" PRIu64 " files, ", s->total_files_processed);
	restic_put_size(words, s->total_bytes_processed);
	buf_printf(words,
	    " processed: %" PRIu64 " new, %" PRIu64 " changed, %" PRIu64
	    " unmodified; ",
	    s->files_new, s->files_changed, s->files_unmodified);
	restic_put_size(words, s->data_added);
	buf_puts(words, " added");
	if (seen->snapshot_id[0] != '\0')
		buf_printf(words, "; snapshot %.8s", seen->snapshot_id);
	return RESTIC_SUMMARY;
}

/* 0.14 prints the error as a Go struct: {"Op","Path","Err"}, or {} when the
 * text got lost; 0.17.1 and later {"message"}. */
static void
restic_error_words(const struct json *v, struct buf *out)
{
	const struct json *err = json_get(v, "error");
	struct str item = json_text(v, "item"), during = json_text(v, "during");
	struct str message = json_text(err, "message");
	struct str op = json_text(err, "Op");
	int64_t num = json_int(err, "Err", 0);

	if (message.n == 0 && json_text(v, "message").n > 0)
		message = json_text(v, "message");
	if (item.n > 0) {
		buf_put_str(out, str_sub(item, 0, RESTIC_WORDS_MAX / 2));
		buf_puts(out, ": ");
	}
	if (message.n > 0)
		buf_put_str(out, str_sub(message, 0, RESTIC_WORDS_MAX / 2));
	else if (op.n > 0 && num > 0 && num < 4096)
		buf_printf(out, "%.32s: %s", op.p, strerror((int)num));
	else
		buf_puts(out, "could not be read");
	if (during.n > 0)
		buf_printf(out, " (during %.32s)", during.p);
}

static enum restic_line
restic_error(const struct json *v, struct restic_seen *seen, struct buf *words)
{
	size_t from = words->len;

	restic_error_words(v, words);
	/* What one item is called says nothing of the repository. */
	(void)restic_recognise(json_text(json_get(v, "error"), "message"),
	    seen);
	if (str_eqz(json_text(v, "during"), "scan"))
		seen->scan_errors++;
	else
		seen->errors++;
	restic_keep(seen->first_error, sizeof(seen->first_error),
	    str_sub(buf_str(words), from, words->len));
	return RESTIC_ERROR;
}

static enum restic_line
restic_exit(const struct json *v, struct restic_seen *seen, struct buf *words)
{
	struct str message = json_text(v, "message"), first, rest;

	if (str_starts(message, STR("Fatal: ")))
		message = str_sub(message, 7, message.n);
	(void)restic_recognise(message, seen);
	buf_put_str(words, str_sub(message, 0, RESTIC_WORDS_MAX));
	str_cut(str_trim(message), '\n', &first, &rest);
	restic_keep(seen->fatal, sizeof(seen->fatal), first);
	return RESTIC_EXIT;
}

static enum restic_line
restic_typed(const struct json *v, struct str line, struct restic_seen *seen,
    Wire__JobProgress *progress, struct buf *words)
{
	struct str type = json_text(v, "message_type");

	if (str_eqz(type, "status"))
		return restic_status(v, progress);
	if (str_eqz(type, "summary"))
		return restic_summary(v, seen, words);
	if (str_eqz(type, "error"))
		return restic_error(v, seen, words);
	if (str_eqz(type, "exit_error"))
		return restic_exit(v, seen, words);
	if (str_eqz(type, "verbose_status"))
		return RESTIC_SILENT;
	/* A type of a newer restic: keep it, it may matter to a reader. */
	buf_put_str(words, str_sub(line, 0, RESTIC_WORDS_MAX));
	return RESTIC_TEXT;
}

void
restic_seen_init(struct restic_seen *seen)
{
	*seen = (struct restic_seen){ 0 };
	wire__backup_summary__init(&seen->summary);
}

uint64_t
restic_unread(const struct restic_seen *seen)
{
	uint64_t items =
	    seen->errors > seen->scan_errors ? seen->errors : seen->scan_errors;

	return items + seen->missing;
}

enum restic_line
restic_read_line(enum restic_step step, bool is_stderr, struct str line,
    struct restic_seen *seen, Wire__JobProgress *progress, struct buf *words)
{
	struct str text = str_trim(restic_without_escape(line));
	struct json *doc;
	enum restic_line kind;

	if (step != RESTIC_BACKUP && !is_stderr &&
	    restic_progress_text(text, progress))
		return RESTIC_PROGRESS;
	if (step == RESTIC_CHECK && is_stderr && text.n > 0)
		restic_count_damage(line, text, seen);
	if (line.n == 0 || line.p[0] != '{' ||
	    (step != RESTIC_BACKUP && !is_stderr) ||
	    json_parse(line, &doc, NULL) != RC_OK)
		return restic_plain(is_stderr, line, seen, words);
	kind = restic_typed(doc, line, seen, progress, words);
	json_free(doc);
	return kind;
}

/* ----------------------------------------------------------- documents */

static char **
restic_texts(const struct json *v, const char *name, size_t *out_n,
    struct arena *a)
{
	const struct json *list = json_get(v, name);
	size_t i, n = json_len(list);
	char **texts = arena_array(a, n + 1, sizeof(*texts));

	*out_n = 0;
	for (i = 0; texts != NULL && i < n; i++)
		texts[(*out_n)++] =
		    arena_str(a, json_self_text(json_at(list, i)));
	return texts;
}

/* "...+02:00" at the end of a time that clock_parse() takes: 7200. */
static int32_t
restic_offset(struct str time)
{
	struct str tail = str_sub(time, time.n > 6 ? time.n - 6 : 0, 6);
	uint64_t h, m;
	int32_t s;

	if (tail.n != 6 || (tail.p[0] != '+' && tail.p[0] != '-') ||
	    tail.p[3] != ':' || !str_u64(str_sub(tail, 1, 2), 23, &h) ||
	    !str_u64(str_sub(tail, 4, 2), 59, &m))
		return 0;
	s = (int32_t)(h * 3600 + m * 60);
	return tail.p[0] == '-' ? -s : s;
}

static void
restic_snapshot(const struct json *v, struct arena *a, Wire__Snapshot *s)
{
	const struct json *summary = json_get(v, "summary");

	wire__snapshot__init(s);
	s->id = arena_str(a, json_text(v, "id"));
	s->short_id = arena_str(a, json_text(v, "short_id"));
	s->hostname = arena_str(a, json_text(v, "hostname"));
	s->paths = restic_texts(v, "paths", &s->n_paths, a);
	s->tags = restic_texts(v, "tags", &s->n_tags, a);
	if (!clock_parse(json_text(v, "time"), &s->time_ms))
		s->time_ms = 0;
	s->utc_offset_s = restic_offset(json_text(v, "time"));
	s->size_bytes = restic_u64(summary, "total_bytes_processed");
	s->file_count = restic_u64(summary, "total_files_processed");
}

enum rc
restic_read_snapshots(struct str doc, struct arena *a, restic_snapshot_fn *fn,
    void *ctx, struct err *e)
{
	struct json *list = NULL;
	Wire__Snapshot s;
	enum rc rc;
	size_t i;

	if ((rc = json_parse(doc, &list, e)) != RC_OK)
		return err_wrap(e, "restic's snapshot list");
	if (!json_is_array(list))
		rc = err_set(e, RC_PROTO,
		    "restic's snapshot list is not an array");
	for (i = 0; rc == RC_OK && i < json_len(list); i++) {
		restic_snapshot(json_at(list, i), a, &s);
		if (arena_rc(a) != RC_OK)
			rc = err_set(e, RC_LIMIT,
			    "restic's snapshot list is too long");
		else if (strlen(s.id) != 64)
			rc = err_set(e, RC_PROTO,
			    "restic's snapshot list "
			    "holds an entry without an id");
		else
			fn(ctx, &s);
	}
	json_free(list);
	return rc;
}

enum rc
restic_read_lock(struct str doc, struct restic_lock *out, struct err *e)
{
	struct json *v = NULL;
	struct str host;
	enum rc rc;

	if ((rc = json_parse(doc, &v, e)) != RC_OK)
		return err_wrap(e, "a lock of the repository");
	*out = (struct restic_lock){ .exclusive =
		                         json_flag(v, "exclusive", false) };
	host = json_text(v, "hostname");
	if (!clock_parse(json_text(v, "time"), &out->time_ms))
		rc = err_set(e, RC_PROTO,
		    "a lock of the repository lacks a "
		    "time");
	if (host.n > 0 &&
	    !str_fmt(out->holder, sizeof(out->holder), "%.*s, PID %lld",
	        (int)(host.n < 64 ? host.n : 64), host.p,
	        (long long)json_int(v, "pid", 0)))
		out->holder[0] = '\0';
	json_free(v);
	return rc;
}

enum rc
restic_read_config(struct str doc, char out_id[65], struct err *e)
{
	uint8_t id[32];
	struct json *v = NULL;
	enum rc rc;

	if ((rc = json_parse(doc, &v, e)) != RC_OK)
		return err_wrap(e, "the repository's configuration");
	if (str_unhex(json_text(v, "id"), id, sizeof(id)))
		str_hex(id, sizeof(id), out_id, 65);
	else
		rc = err_set(e, RC_PROTO,
		    "the repository's configuration lacks an id");
	json_free(v);
	return rc;
}

enum rc
restic_read_stats(struct str doc, Wire__RepoStats *out, struct err *e)
{
	struct json *v = NULL;
	enum rc rc;

	if ((rc = json_parse(doc, &v, e)) != RC_OK)
		return err_wrap(e, "restic's statistics");
	if (!json_is_object(v) || json_int(v, "total_size", -1) < 0) {
		rc = err_set(e, RC_PROTO, "restic's statistics lack a size");
	} else {
		out->total_size__case =
		    WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES;
		out->total_size_bytes = restic_u64(v, "total_size");
		if (json_int(v, "total_uncompressed_size", -1) >= 0) {
			out->raw_size__case =
			    WIRE__REPO_STATS__RAW_SIZE__RAW_SIZE_BYTES;
			out->raw_size_bytes =
			    restic_u64(v, "total_uncompressed_size");
		}
		if (json_int(v, "snapshots_count", -1) >= 0) {
			out->snapshot_count__case =
			    WIRE__REPO_STATS__SNAPSHOT_COUNT__SNAPSHOT_COUNT;
			out->snapshot_count = restic_u64(v, "snapshots_count");
		}
	}
	json_free(v);
	return rc;
}
