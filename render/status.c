/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/status.h"

#include <stddef.h>

#include "lib/base/attr.h"
#include "render/value.h"

/* clang-format off */
static const struct status_look hosts[] = {
	[STATUS_STALE]      = { "stale", "bad", "stale", "Stale", "Stale", true, false },
	[STATUS_NEVER]      = { "never", "bad", "never", "Never backed up", "Never", true, false },
	[STATUS_FAILED]     = { "failed", "bad", "failed", "Failed", "Failed", true, false },
	[STATUS_INCOMPLETE] = { "incomplete", "warn", "incomplete", "Incomplete", "Incomplete", true, false },
	[STATUS_RUNNING]    = { "running", "run", "run", "Running", "Running", false, true },
	[STATUS_OK]         = { "ok", "ok", "ok", "OK", "OK", false, false },
	[STATUS_NEW]        = { "new", "idle", "never", "No backup yet", "New", false, false },
};
static const struct status_look host_untried =
	{ "new", "idle", "queued", "Not tried yet", "New", false, false };

static const struct status_look job_queued =
	{ "queued", "idle", "queued", "Queued", "Queued", false, false };
static const struct status_look job_running =
	{ "running", "run", "run", "Running", "Running", true, true };
static const struct status_look job_ok =
	{ "succeeded", "ok", "ok", "OK", "OK", false, false };
static const struct status_look job_incomplete =
	{ "incomplete", "warn", "incomplete", "Incomplete", "Incomplete", true, false };
static const struct status_look job_failed =
	{ "failed", "bad", "failed", "Failed", "Failed", true, false };
static const struct status_look job_cancelled =
	{ "cancelled", "idle", "cancelled", "Cancelled", "Cancelled", false, false };
/* clang-format on */

_Static_assert(ARRAY_LEN(hosts) == STATUS_HOST_COUNT, "one look per state");

const struct status_look *
status_host_look(enum status_host s)
{
	return &hosts[s];
}

const struct status_look *
status_look_of(const struct Rec__Host *h, enum status_host s)
{
	return s == STATUS_NEW && h->last_backup_at_ms != 0
	           ? &host_untried
	           : status_host_look(s);
}

const struct status_look *
status_job_look(const struct Rec__Job *j)
{
	switch (j->state) {
	case REC__JOB_STATE__JOB_RUNNING:
		return &job_running;
	case REC__JOB_STATE__JOB_SUCCEEDED:
		return j->incomplete ? &job_incomplete : &job_ok;
	case REC__JOB_STATE__JOB_FAILED:
		return &job_failed;
	case REC__JOB_STATE__JOB_CANCELLED:
		return &job_cancelled;
	default: /* queued, and what a newer version may write */
		return &job_queued;
	}
}

const char *
status_kind_words(Rec__JobKind kind)
{
	/* clang-format off */
	static const char *const words[] = {
		[REC__JOB_KIND__KIND_BACKUP] = "Backup",
		[REC__JOB_KIND__KIND_INIT] = "Repository set-up",
		[REC__JOB_KIND__KIND_FORGET] = "Forget",
		[REC__JOB_KIND__KIND_PRUNE] = "Prune",
		[REC__JOB_KIND__KIND_CHECK] = "Check",
		[REC__JOB_KIND__KIND_UNLOCK] = "Unlock",
		[REC__JOB_KIND__KIND_RESTORE] = "Restore",
		[REC__JOB_KIND__KIND_DIFF] = "Comparison",
		[REC__JOB_KIND__KIND_UPDATE] = "Agent update",
	};
	/* clang-format on */
	size_t i = (size_t)kind;

	return i < ARRAY_LEN(words) && words[i] != NULL ? words[i] : "Job";
}

void
status_put(struct value *map, const char *key, const struct status_look *look)
{
	struct value *m = value_map(map, key);

	value_text(m, "name", look->name);
	value_text(m, "class", look->class);
	value_text(m, "glyph", look->glyph);
	value_text(m, "word", look->word);
	value_bool(m, "pill", look->pill);
	value_bool(m, "spin", look->spin);
}
