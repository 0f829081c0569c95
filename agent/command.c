/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/command.h"

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/job.h"
#include "agent/jobfile.h"
#include "agent/plan.h"
#include "agent/run.h"
#include "agent/schedule.h"
#include "agent/settle.h"
#include "agent/tell.h"
#include "agent/turn.h"
#include "agent/unlock.h"
#include "agent/uplink.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	COMMAND_KEEP_DAYS = 30,
	COMMAND_TOLD_MAX = 65536
};

enum command_phase {
	COMMAND_ACCEPTING, /* the file is being written */
	COMMAND_RUNNING,
	COMMAND_RECOVERED, /* left behind; its end is not durable yet */
	COMMAND_ENDED
};

/* One id that was seen. */
struct entry {
	struct command *owner;
	struct ulid id;
	enum command_phase phase;
	Wire__CommandRun *run; /* until it is started */
	Wire__OwnRun *own;     /* the same; NULL: the controller's */
	struct buf began, end; /* what was told of it, until it is stored */
	struct err write;      /* outcome of the pool job */
	int64_t accepted_ms;
	bool told_again;
};

struct command {
	struct agent *agent;
	struct map *seen;      /* id bytes -> struct entry */
	struct entry *current; /* accepting or running */
	struct job *job;
	bool recovering; /* unlock runs, or ends wait to be durable */
	unsigned recovered;
	unsigned marking; /* ends being written to jobs/<id> */
	struct turn turn; /* of the controller's next job */
	bool stopping;    /* nothing is accepted any more */
	struct unlock *unlock;
	command_idle_fn *idle;
	void *idle_ctx;
};

/* ----------------------------------------------------------- jobs/<id> */

static struct str
command_key(const struct ulid *id)
{
	return str_from(id->b, sizeof(id->b));
}

static enum rc
command_write(const struct entry *en, bool ended, struct err *e)
{
	struct jobfile f = { .id = en->id,
		.accepted_ms = en->accepted_ms,
		.ended = ended,
		.ended_ms = ended ? clock_now_ms() : 0,
		.began = buf_str(&en->began),
		.end = buf_str(&en->end) };
	const char *dir = en->owner->agent->settings.jobs_dir;
	enum rc rc = jobfile_write(dir, &f, e);

	if (ended)
		jobfile_make_spares(dir);
	return rc;
}

static struct entry *
command_add(struct command *c, const struct ulid *id, enum command_phase phase)
{
	struct entry *en = MEM_NEW(struct entry);

	en->owner = c;
	en->id = *id;
	en->phase = phase;
	buf_init(&en->began, COMMAND_TOLD_MAX);
	buf_init(&en->end, COMMAND_TOLD_MAX);
	map_put(c->seen, command_key(id), en);
	return en;
}

static void
command_told_free(struct entry *en)
{
	buf_fini(&en->began);
	buf_fini(&en->end);
}

static void
command_on_file(void *ctx, const struct jobfile *f)
{
	command_add(ctx, &f->id, f->ended ? COMMAND_ENDED : COMMAND_RECOVERED);
}

/* ----------------------------------------------------------- the answer */

static void
command_answer(struct command *c, const struct ulid *id, bool accepted,
    const char *error)
{
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;
	char text[ULID_TEXT_CAP];

	ulid_text(id, text);
	r.job_id = text;
	r.accepted = accepted;
	r.error = (char *)(uintptr_t)error;
	uplink_result(c->agent->uplink, &r);
}

/* ------------------------------------------------------------- running */

bool
command_is_free(const struct command *c)
{
	return c->current == NULL && !c->recovering && !c->stopping;
}

bool
command_is_first(struct command *c, int64_t ready_ms)
{
	return turn_is_first(&c->turn, ready_ms);
}

static void
command_check_idle(struct command *c)
{
	command_idle_fn *fn = c->idle;

	if (fn == NULL || c->current != NULL || c->recovering || c->marking > 0)
		return;
	c->idle = NULL;
	fn(c->idle_ctx);
}

/* The place is free: for the plan's next run, unless it came later. */
static void
command_freed(struct command *c)
{
	turn_free(&c->turn);
	schedule_idle(c->agent->schedule);
	command_check_idle(c);
}

static void
command_write_ended(void *ctx)
{
	struct entry *en = ctx;

	if (command_write(en, true, &en->write) == RC_OK)
		en->write = (struct err){ 0 };
}

static void
command_on_marked(void *ctx)
{
	struct entry *en = ctx;
	struct command *c = en->owner;

	if (en->write.rc != RC_OK)
		log_warn(LOG_JOB,
		    "the end of a job is not marked, it will "
		    "be told twice error=%s",
		    en->write.msg);
	command_told_free(en);
	events_release(c->agent->events);
	c->marking--;
	command_check_idle(c);
}

/* The controller's copy of the end is durable in the queue, and stays there
 * until this is: a start must know that it ended, and how. */
static void
command_mark_ended(struct entry *en)
{
	events_hold(en->owner->agent->events);
	en->phase = COMMAND_ENDED;
	en->owner->marking++;
	loop_work(en->owner->agent->loop, command_write_ended,
	    command_on_marked, en);
}

static void
command_on_job_done(void *ctx)
{
	struct command *c = ctx;
	const struct job_told told = job_told(c->job);

	buf_put_str(&c->current->began, told.began);
	buf_put_str(&c->current->end, told.end);
	c->job = NULL;
	command_mark_ended(c->current);
	c->current = NULL;
	settle_soon(c->agent->settle);
	command_freed(c);
}

static void
command_write_accepted(void *ctx)
{
	struct entry *en = ctx;

	if (command_write(en, false, &en->write) == RC_OK)
		en->write = (struct err){ 0 };
}

static void
command_entry_free(struct entry *en)
{
	run_free(en->run);
	if (en->own != NULL)
		wire__own_run__free_unpacked(en->own, NULL);
	command_told_free(en);
	mem_free(en);
}

/* What cannot be remembered is not done, but for backups that are due. */
static bool
command_refused(struct command *c, struct entry *en)
{
	if (en->write.rc == RC_OK)
		return false;
	if (en->own != NULL) {
		log_error(LOG_JOB,
		    "a run of the plan is not on disk, it is made all the "
		    "same error=%s",
		    en->write.msg);
		return false;
	}
	command_answer(c, &en->id, false, en->write.msg);
	map_del(c->seen, command_key(&en->id));
	c->current = NULL;
	command_entry_free(en);
	command_freed(c);
	return true;
}

static void
command_on_accepted(void *ctx)
{
	struct entry *en = ctx;
	struct command *c = en->owner;

	if (command_refused(c, en))
		return;
	en->phase = COMMAND_RUNNING;
	if (en->own == NULL)
		command_answer(c, &en->id, true, "");
	c->job = job_start(c->agent, en->run, en->own, command_on_job_done, c);
	run_free(en->run);
	en->run = NULL;
	if (en->own != NULL)
		wire__own_run__free_unpacked(en->own, NULL);
	en->own = NULL;
	if (c->stopping)
		job_stop(c->job);
}

static struct entry *
command_accept(struct command *c, const Wire__CommandRun *run,
    const struct ulid *id)
{
	struct entry *en = command_add(c, id, COMMAND_ACCEPTING);

	en->run = run_copy(run);
	en->accepted_ms = clock_now_ms();
	c->current = en;
	loop_work(c->agent->loop, command_write_accepted, command_on_accepted,
	    en);
	return en;
}

/* The place is taken, or a run of the plan came first. */
static bool
command_is_early(struct command *c, const Wire__CommandRun *run)
{
	turn_ask(&c->turn, run->waited_ms);
	return !command_is_free(c) ||
	       schedule_is_first(c->agent->schedule, c->turn.asked_ms);
}

static void
command_run(struct command *c, const Wire__CommandRun *run)
{
	const char *objection = run_objection(run);
	struct entry *en;
	struct ulid id;

	if (!ulid_parse(str_of(run->job_id), &id)) {
		log_warn(LOG_JOB, "command without a valid job id, ignored");
		return;
	}
	en = map_get(c->seen, command_key(&id));
	if (en != NULL) {
		if (en->phase != COMMAND_ACCEPTING)
			command_answer(c, &id, true, "");
		/* Who asks for what has ended does not know the end. */
		if (en->phase == COMMAND_ENDED && !en->told_again)
			en->told_again = tell_one(c->agent, &id);
		return;
	}
	if (objection != NULL || command_is_early(c, run)) {
		command_answer(c, &id, false,
		    objection != NULL ? objection : "busy");
		return;
	}
	turn_done(&c->turn);
	(void)command_accept(c, run, &id);
}

bool
command_has_ended(const struct command *c, const struct ulid *id)
{
	const struct entry *en = map_get(c->seen, command_key(id));

	return en != NULL && en->phase == COMMAND_ENDED;
}

/* --------------------------------------------------- ends without a run */

static void
command_on_recovered(void *ctx)
{
	struct entry *en = ctx;
	struct command *c = en->owner;

	command_mark_ended(en);
	if (--c->recovered == 0 && c->unlock == NULL) {
		c->recovering = false;
		command_freed(c);
	}
}

static void
command_keep(struct buf *out, const ProtobufCMessage *m)
{
	char *room;

	buf_reset(out);
	room = buf_reserve(out, protobuf_c_message_get_packed_size(m));
	if (room != NULL)
		buf_added(out, protobuf_c_message_pack(m, (uint8_t *)room));
}

/* Tells the end of a job that no process of ours runs. */
static void
command_tell_end(struct command *c, struct entry *en, const char *status,
    const char *cause, const char *error)
{
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	char text[ULID_TEXT_CAP];

	ulid_text(&en->id, text);
	en->phase = COMMAND_RECOVERED;
	f.job_id = text;
	f.status = (char *)(uintptr_t)status;
	f.cause = (char *)(uintptr_t)cause;
	f.error = (char *)(uintptr_t)error;
	f.exit_code = -1;
	f.finished_at_ms = clock_now_ms();
	f.retry_at_ms =
	    schedule_ended(c->agent->schedule, &en->id, status, cause);
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	command_keep(&en->end, &f.base);
	c->recovering = true;
	c->recovered++;
	events_put(c->agent->events, &ev, true);
	events_when_synced(c->agent->events, command_on_recovered, en);
}

/* A run of the plan, of which the controller may not even know that it was
 * begun; if it does, it drops this. */
static void
command_tell_own(struct command *c, const struct ulid *id)
{
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	struct plan_run run;

	if (!schedule_tell(c->agent->schedule, id, &run))
		return;
	s.job_id = run.job;
	s.kind = run.cmd.kind;
	s.started_at_ms = clock_now_ms();
	s.restic_version = c->agent->restic.version;
	s.own = &run.own;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	events_put(c->agent->events, &ev, false);
	schedule_told(c->agent->schedule);
}

bool
command_own(struct command *c, const Wire__CommandRun *run,
    const Wire__OwnRun *own, const struct err *why)
{
	const char *objection = why != NULL ? why->msg : run_objection(run);
	struct entry *en;
	struct ulid id;

	if (!command_is_free(c) || !ulid_parse(str_of(run->job_id), &id) ||
	    map_get(c->seen, command_key(&id)) != NULL)
		return false;
	if (objection == NULL) {
		command_accept(c, run, &id)->own = run_own_copy(own);
		return true;
	}
	/* Nobody asked for it who could be told. */
	en = command_add(c, &id, COMMAND_RECOVERED);
	en->accepted_ms = clock_now_ms();
	command_tell_own(c, &id);
	command_tell_end(c, en, "failed",
	    why != NULL ? "no_credentials" : "refused", objection);
	return true;
}

/* A run may have been lost on its way while its cancel arrives: answering
 * with an end, and remembering the id, settles it for good. */
static void
command_cancel(struct command *c, const Wire__CommandCancel *cancel)
{
	struct entry *en;
	struct ulid id;

	if (!ulid_parse(str_of(cancel->job_id), &id))
		return;
	en = map_get(c->seen, command_key(&id));
	if (en == NULL) {
		turn_done(&c->turn);
		log_info(LOG_JOB, "cancel of a job never seen job=%s",
		    log_safe(str_of(cancel->job_id)));
		en = command_add(c, &id, COMMAND_RECOVERED);
		en->accepted_ms = clock_now_ms();
		command_tell_end(c, en, "cancelled", "cancelled", "");
	} else if (en == c->current && c->job != NULL) {
		job_cancel(c->job);
	}
}

/* ------------------------------------------------------------- recovery */

static void
command_on_unlocked(void *ctx)
{
	struct command *c = ctx;

	c->unlock = NULL;
	if (c->recovered == 0) {
		c->recovering = false;
		command_freed(c);
	}
}

static void
command_on_queued(void *ctx, const Wire__Event *ev)
{
	bool ended = ev->body_case == WIRE__EVENT__BODY_JOB_FINISHED;
	struct command *c = ctx;
	struct entry *en = NULL;
	struct ulid id;

	if (ulid_parse(str_of(ended ? ev->job_finished->job_id
	                            : ev->job_started->job_id),
	        &id))
		en = map_get(c->seen, command_key(&id));
	if (en == NULL || en->phase != COMMAND_RECOVERED)
		return;
	if (!ended) {
		command_keep(&en->began, &ev->job_started->base);
		return;
	}
	command_keep(&en->end, &ev->job_finished->base);
	en->phase = COMMAND_ENDED;
	command_write_ended(en);
	if (en->write.rc != RC_OK)
		log_warn(LOG_JOB, "the end of a job is not marked error=%s",
		    en->write.msg);
	command_told_free(en);
}

/* Killed behind the end and before the mark: the queue has the end. */
static void
command_find_ends(struct command *c)
{
	struct str key;
	void *value;
	size_t pos = 0;
	bool any = false;

	while (map_next(c->seen, &pos, &key, &value)) {
		const struct entry *en = value;

		any |= en->phase == COMMAND_RECOVERED;
	}
	if (any)
		tell_queued(c->agent->events, command_on_queued, c);
}

static void
command_recover(struct command *c)
{
	struct str key;
	void *value;
	size_t pos = 0;
	bool any = false;

	while (map_next(c->seen, &pos, &key, &value)) {
		struct entry *en = value;

		if (en->phase != COMMAND_RECOVERED)
			continue;
		any = true;
		command_tell_own(c, &en->id);
		command_tell_end(c, en, "failed", "agent_restarted",
		    "agent stopped during the run");
	}
	if (any)
		c->unlock = unlock_start(c->agent, command_on_unlocked, c);
}

enum rc
command_new(struct agent *a, struct command **out, struct err *e)
{
	struct command *c = MEM_NEW(struct command);
	enum rc rc;

	c->agent = a;
	c->seen = map_new();
	rc = jobfile_load(a->settings.jobs_dir,
	    clock_now_ms() - COMMAND_KEEP_DAYS * 86400000LL, command_on_file, c,
	    e);
	if (rc != RC_OK) {
		command_free(c);
		return err_wrap(e, "accepted commands");
	}
	jobfile_make_spares(a->settings.jobs_dir);
	command_find_ends(c);
	command_recover(c);
	*out = c;
	return RC_OK;
}

void
command_free(struct command *c)
{
	struct str key;
	void *value;
	size_t pos = 0;

	if (c == NULL)
		return;
	while (map_next(c->seen, &pos, &key, &value)) {
		struct entry *en = value;

		command_entry_free(en);
	}
	map_free(c->seen);
	mem_free(c);
}

void
command_handle(struct command *c, struct Wire__Command *cmd)
{
	switch (cmd->body_case) {
	case WIRE__COMMAND__BODY_RUN:
		command_run(c, cmd->run);
		run_wipe(cmd->run);
		return;
	case WIRE__COMMAND__BODY_CANCEL:
		command_cancel(c, cmd->cancel);
		return;
	case WIRE__COMMAND__BODY_WAITS:
		turn_ask(&c->turn, cmd->waits->waited_ms);
		return;
	case WIRE__COMMAND__BODY__NOT_SET:
	case _WIRE__COMMAND__BODY__CASE_IS_INT_SIZE:
		break;
	}
	log_debug(LOG_JOB, "command of an unknown kind, ignored");
}

static size_t
command_list(const struct command *c, enum command_phase a,
    enum command_phase b, struct ulid *out, size_t max)
{
	struct str key;
	void *value;
	size_t pos = 0, n = 0;

	while (n < max && map_next(c->seen, &pos, &key, &value)) {
		const struct entry *en = value;

		if (en->phase == a || en->phase == b)
			out[n++] = en->id;
	}
	return n;
}

void
command_tell_again(struct command *c)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	struct str began;

	tell_again(c->agent);
	if (c->job == NULL)
		return;
	began = job_told(c->job).began;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started =
	    wire__job_started__unpack(NULL, began.n, (const uint8_t *)began.p);
	if (ev.job_started == NULL)
		return;
	events_put(c->agent->events, &ev, true);
	wire__job_started__free_unpacked(ev.job_started, NULL);
}

size_t
command_running(const struct command *c, struct ulid *out, size_t max)
{
	return command_list(c, COMMAND_RUNNING, COMMAND_RECOVERED, out, max);
}

size_t
command_accepted(const struct command *c, struct ulid *out, size_t max)
{
	return command_list(c, COMMAND_ACCEPTING, COMMAND_ACCEPTING, out, max);
}

void
command_stop(struct command *c, command_idle_fn *done, void *ctx)
{
	c->stopping = true;
	c->idle = done;
	c->idle_ctx = ctx;
	if (c->job != NULL)
		job_stop(c->job);
	unlock_stop(c->unlock);
	command_check_idle(c);
}
