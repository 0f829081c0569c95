/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/events.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

enum {
	FOLLOW_WAIT_MAX_MS = 15000,
	FOLLOW_END_TRIES = 8,
	FOLLOW_GIVE_UP_MS = 15 * 60 * 1000
};

struct follow {
	struct cli *c;
	struct client *cl;
	const char *job;
	enum follow_form form;
	struct events events;
	int signals;
	bool finished;
	bool shows_progress; /* a line of it stands on the terminal */
	int64_t heard_ms;    /* monotonic, of the last bytes */
	unsigned cuts;       /* in a row */
};

/* -------------------------------------------------------------- printing */

static const char *
short_tag(struct str stream)
{
	static const char *const tags[][2] = {
		{ "stdout", "OUT" },
		{ "stderr", "ERR" },
		{ "event", "EVT" },
		{ "hook", "HOOK" },
		{ "sys", "SYS" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(tags); i++)
		if (str_eqz(stream, tags[i][0]))
			return tags[i][1];
	return "?";
}

/* As log.txt has them. */
static void
put_text(struct follow *f, const struct json *v)
{
	struct buf *b = &f->c->out.b;

	print_safe(b, str_sub(json_text(v, "ts"), 11, 12));
	buf_printf(b, "  %-4s  ", short_tag(json_text(v, "stream")));
	print_safe(b, json_text(v, "payload"));
	buf_putc(b, '\n');
}

/* As log.ndjson has them. */
static void
put_ndjson(struct follow *f, const struct json *v)
{
	static const char *const names[] = { "seq", "ts", "stream", "payload" };
	struct json_out j;
	size_t i;

	json_out_init(&j, &f->c->out.b);
	json_obj(&j, NULL);
	for (i = 0; i < ARRAY_LEN(names); i++)
		json_put_json(&j, names[i], json_get(v, names[i]));
	json_obj_end(&j);
	buf_putc(&f->c->out.b, '\n');
}

static void
clear_progress(struct follow *f)
{
	if (f->shows_progress)
		(void)fputs("\r\033[K", stderr);
	f->shows_progress = false;
}

static void
show_progress(struct follow *f, const struct json *v)
{
	double done = json_num(v, "percent_done", 0.0) * 100.0;
	int64_t left = json_int(v, "eta_seconds", 0);
	struct buf b;

	if (f->form != FOLLOW_TEXT || isatty(STDERR_FILENO) != 1)
		return;
	buf_init(&b, KIB(1));
	buf_printf(&b, "%.0f %%, ", done);
	print_size(&b, (uint64_t)json_int(v, "bytes_done", 0));
	if (left > 0)
		buf_printf(&b, ", %lld:%02lld left", (long long)left / 60,
		    (long long)left % 60);
	(void)fprintf(stderr, "\r\033[K%s", buf_text(&b));
	(void)fflush(stderr);
	buf_fini(&b);
	f->shows_progress = true;
}

static bool
follow_on_event(void *ctx, struct str name, struct str data)
{
	struct follow *f = ctx;
	struct json *v = NULL;

	if (json_parse(data, &v, NULL) != RC_OK)
		return true;
	if (str_eqz(name, "log.stream")) {
		clear_progress(f);
		if (f->form == FOLLOW_TEXT)
			put_text(f, v);
		else if (f->form == FOLLOW_NDJSON)
			put_ndjson(f, v);
	} else if (str_eqz(name, "job.progress")) {
		show_progress(f, v);
	} else if (str_eqz(name, "job.finished")) {
		clear_progress(f);
		f->finished = true;
	}
	json_free(v);
	return !f->finished;
}

static bool
follow_on_data(void *ctx, struct str bytes)
{
	struct follow *f = ctx;
	bool more;

	f->heard_ms = clock_mono_ms();
	f->cuts = 0;
	more = events_feed(&f->events, bytes);
	print_flush(&f->c->out);
	return more && !f->c->out.broken;
}

/* ------------------------------------------------------------ connections */

static bool
interrupted(const struct follow *f, int wait_ms)
{
	struct pollfd p = { .fd = f->signals, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, wait_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* RC_OK: the stream ended; another error than of the way is final. */
static enum rc
listen_once(struct follow *f, struct err *e)
{
	struct http_request q = { .method = "GET", .wake_fd = f->signals };
	struct http_answer a;
	char path[64];
	enum rc rc;

	ASSERT(str_fmt(path, sizeof(path), "/api/jobs/%s/stream", f->job));
	q.path = path;
	q.accept = "text/event-stream";
	q.resume = f->events.id;
	q.on_data = follow_on_data;
	q.ctx = f;
	events_restart(&f->events);
	rc = http_do(client_http(f->cl), &q, &a, e);
	if (rc == RC_OK && (a.status < 200 || a.status >= 300))
		rc = client_refused(f->cl, &a, e);
	http_answer_fini(&a);
	return rc;
}

/* What a restart of the controller, or of something between, may cause. */
static bool
may_pass(const struct err *e)
{
	return exit_of(e) == END_UNREACHABLE || e->rc == RC_BUSY ||
	       e->rc == RC_RATE || e->rc == RC_IO || e->rc == RC_OK;
}

/* Why: the last failure, if it was one; what only ends is none. */
static enum rc
gave_up(struct err *e)
{
	if (e->rc != RC_OK)
		return e->rc;
	return err_set(e, RC_TIMEOUT,
	    "nothing was heard of the job for 15 minutes; its stream ends at "
	    "once, again and again");
}

/* Until the end of the job, an interruption, or an error that stays. */
static enum rc
listen_on(struct follow *f, struct err *e)
{
	int wait_ms = 0;

	f->heard_ms = clock_mono_ms();
	for (;;) {
		*e = (struct err){ 0 };
		(void)listen_once(f, e);
		clear_progress(f);
		if (f->finished || f->c->out.broken)
			return RC_OK;
		if (interrupted(f, 0))
			return err_set(e, RC_CANCELLED, "interrupted");
		if (!may_pass(e) || e->rc == RC_AUTH)
			return e->rc;
		if (clock_mono_ms() - f->heard_ms > FOLLOW_GIVE_UP_MS)
			return gave_up(e);
		if (f->cuts++ == 1)
			cli_note("connection lost, trying again: %s",
			    e->rc == RC_OK ? "the stream ended" : e->msg);
		wait_ms = f->cuts < 5 ? 500 << f->cuts : FOLLOW_WAIT_MAX_MS;
		if (interrupted(f, wait_ms))
			return err_set(e, RC_CANCELLED, "interrupted");
	}
}

/* ---------------------------------------------------------------- outcome */

enum exit_code
follow_outcome(const struct json *job)
{
	struct str status = json_text(job, "status");

	if (str_eqz(status, "succeeded"))
		return json_flag(job, "incomplete", false) ? END_INCOMPLETE
		                                           : END_OK;
	return str_eqz(status, "cancelled") ? END_CANCELLED : END_FAILED;
}

static void
tell_text(struct follow *f, const struct json *job)
{
	struct str status = json_text(job, "status");
	struct str error = json_text(job, "error");
	struct print *p = &f->c->out;

	if (json_flag(job, "incomplete", false))
		status = str_of("incomplete");
	buf_printf(&p->b, "job %s ", f->job);
	buf_puts(&p->b, print_paint(p, status));
	print_safe(&p->b, status);
	buf_puts(&p->b, print_plain(p));
	if (error.n > 0)
		buf_puts(&p->b, ": ");
	print_safe(&p->b, error);
	buf_putc(&p->b, '\n');
}

/* The end is known; a connection that is cut just now must not hide it. */
static enum rc
get_job(struct follow *f, struct json **job, struct err *e)
{
	char path[64];
	enum rc rc;
	int tries = 0;

	ASSERT(str_fmt(path, sizeof(path), "/api/jobs/%s", f->job));
	do {
		rc = client_get(f->cl, path, job, e);
	} while (rc != RC_OK && may_pass(e) && tries++ < FOLLOW_END_TRIES &&
	         !interrupted(f, 500 * tries));
	return rc;
}

static enum exit_code
tell_end(struct follow *f)
{
	struct json *job = NULL;
	enum exit_code code;
	struct err e = { 0 };

	if (get_job(f, &job, &e) != RC_OK)
		return cli_fail(f->c, &e);
	if (f->form == FOLLOW_TEXT)
		tell_text(f, job);
	else if (f->form == FOLLOW_SILENT)
		print_doc(&f->c->out, client_text(f->cl));
	code = follow_outcome(job);
	json_free(job);
	return code;
}

/* Signals become readable: nothing is torn out of its work. */
static int
catch_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, before) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The signal was obeyed: it must not count again when it is let through. */
static void
release_signals(int fd, const sigset_t *before)
{
	struct signalfd_siginfo seen;
	ssize_t n;

	do {
		n = fd < 0 ? 0 : read(fd, &seen, sizeof(seen));
	} while (n > 0);
	if (fd >= 0)
		(void)close(fd);
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

enum exit_code
follow_job(struct cli *c, struct client *cl, const char *job,
    enum follow_form form)
{
	struct follow f = { .c = c, .cl = cl, .job = job, .form = form };
	struct err e = { 0 };
	enum exit_code code;
	sigset_t before;

	sigemptyset(&before);
	events_init(&f.events, follow_on_event, &f);
	f.signals = catch_signals(&before);
	if (listen_on(&f, &e) == RC_OK) {
		code = tell_end(&f);
	} else if (e.rc == RC_CANCELLED) {
		cli_note("the job goes on. Watch it: restic-manager logs %s "
		         "--follow; cancel it: restic-manager jobs cancel %s",
		    job, job);
		code = END_DETACHED;
	} else {
		code = cli_fail(c, &e);
	}
	release_signals(f.signals, &before);
	events_fini(&f.events);
	return code;
}
