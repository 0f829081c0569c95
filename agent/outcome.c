/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/outcome.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/restic.h"

enum {
	OUTCOME_CANCELLED_EXIT = 130
};

static void outcome_set(struct outcome *out, const char *status,
    const char *cause, const char *fmt, ...) PRINTF_LIKE(4, 5);

static void
outcome_set(struct outcome *out, const char *status, const char *cause,
    const char *fmt, ...)
{
	va_list ap;

	out->status = status;
	out->cause = cause;
	va_start(ap, fmt);
	if (vsnprintf(out->error, sizeof(out->error), fmt, ap) < 0)
		out->error[0] = '\0';
	va_end(ap);
}

static const char *
outcome_words(const struct restic_seen *seen)
{
	if (seen->fatal[0] != '\0')
		return seen->fatal;
	return seen->reason[0] != '\0' ? seen->reason : seen->first_error;
}

/* Why restic gave up: exit codes of 0.17 and later, else its words. */
static void
outcome_failed(const struct restic_seen *seen, int exit_code,
    struct outcome *out)
{
	const char *said = outcome_words(seen);

	if (exit_code == 12 || seen->wrong_password)
		outcome_set(out, "failed", "wrong_password",
		    "the password does not open the repository");
	else if (seen->kept_by_server)
		outcome_set(out, "failed", "append_only",
		    "the server removes nothing for this user: it is in "
		    "append-only mode");
	else if (exit_code == 11 || seen->locked)
		outcome_set(out, "failed", "locked",
		    "repository locked: %.200s", said);
	else if (seen->refused)
		outcome_set(out, "failed", "access_denied",
		    "the server refused access: %.200s", said);
	else if (seen->unreachable)
		outcome_set(out, "failed", "unreachable",
		    "the repository cannot be reached: %.195s", said);
	else if (exit_code == 10 || seen->no_repository)
		outcome_set(out, "failed", "no_repository",
		    "there is no repository at this place: %.180s", said);
	else if (seen->missing > 0)
		outcome_set(out, "failed", "missing_path",
		    "no source path exists: %.210s", said);
	else if (seen->damaged)
		outcome_set(out, "failed", "damaged",
		    "the repository is damaged: %.200s", said);
	else if (said[0] != '\0')
		outcome_set(out, "failed", "restic_failed", "%.230s", said);
	else
		outcome_set(out, "failed", "restic_failed",
		    "restic ended with exit code %d", exit_code);
}

void
outcome_cancelled(struct outcome *out)
{
	*out = (struct outcome){ .exit_code = OUTCOME_CANCELLED_EXIT };
	outcome_set(out, "cancelled", "cancelled", "%s", "");
}

/* What ends every kind of job alike; false: go on judging. */
static bool
outcome_common(const struct outcome_in *in, struct outcome *out)
{
	*out = (struct outcome){ .status = "failed",
		.cause = "",
		.exit_code = in->exit_code };
	if (in->cancelled) {
		outcome_cancelled(out);
	} else if (in->start->rc != RC_OK) {
		outcome_set(out, "failed", "spawn_failed", "%s",
		    in->start->msg);
		out->exit_code = -1;
	} else if (in->time_limit != NULL) {
		outcome_set(out, "failed", "time_limit",
		    "restic %s took too long and was ended", in->time_limit);
	} else if (in->signal != 0 && !in->seen->kept_by_server) {
		outcome_set(out, "failed", "restic_killed",
		    "restic was ended by signal %d", in->signal);
	} else {
		return false;
	}
	return true;
}

/* Source paths that are not there: looked for before, or missed by restic. */
static uint64_t
outcome_missing(const struct outcome_in *in)
{
	return in->missing > in->seen->missing ? in->missing
	                                       : in->seen->missing;
}

static uint64_t
outcome_unread(const struct outcome_in *in)
{
	return restic_unread(in->seen) - in->seen->missing +
	       outcome_missing(in);
}

static void
outcome_incomplete(const struct outcome_in *in, struct outcome *out)
{
	uint64_t missing = outcome_missing(in);

	out->unread = outcome_unread(in);
	out->incomplete = true;
	if (out->unread == 0 && in->output_lost) {
		outcome_set(out, "succeeded", "output_lost",
		    "not all of restic's messages could be read");
		return;
	}
	if (out->unread == 0)
		out->unread = 1; /* exit code 3 without a word */
	if (missing > 0)
		outcome_set(out, "succeeded", "missing_path",
		    "%" PRIu64 " source path%s not exist", missing,
		    missing == 1 ? " does" : "s do");
	else
		outcome_set(out, "succeeded", "unreadable",
		    "%" PRIu64 " item%s could not be read", out->unread,
		    out->unread == 1 ? "" : "s");
}

void
outcome_backup(const struct outcome_in *in, struct outcome *out)
{
	const struct restic_seen *seen = in->seen;

	if (outcome_common(in, out))
		return;
	if (in->exit_code != 0 && in->exit_code != 3) {
		outcome_failed(seen, in->exit_code, out);
	} else if (!seen->has_summary || seen->snapshot_id[0] == '\0') {
		outcome_set(out, "failed", "no_snapshot",
		    "restic ended with exit code %d but made no snapshot",
		    in->exit_code);
	} else if (in->list->rc != RC_OK) {
		outcome_set(out, "succeeded", "not_verified",
		    "the new snapshot could not be verified: %.180s",
		    in->list->msg);
		out->incomplete = true;
		out->unread = outcome_unread(in);
	} else if (!in->listed) {
		outcome_set(out, "failed", "no_snapshot",
		    "snapshot %.8s is not in the repository's list",
		    seen->snapshot_id);
	} else if (in->exit_code == 3 || outcome_unread(in) > 0 ||
	           in->output_lost) {
		outcome_incomplete(in, out);
	} else {
		outcome_set(out, "succeeded", "", "%s", "");
	}
}

void
outcome_init(const struct outcome_in *in, struct outcome *out)
{
	if (outcome_common(in, out))
		return;
	if (in->exit_code != 0 && !in->seen->exists_already)
		outcome_failed(in->seen, in->exit_code, out);
	else if (in->list->rc == RC_OK)
		outcome_set(out, "succeeded", "", "%s", "");
	else if (in->list_seen->wrong_password)
		outcome_set(out, "failed", "wrong_password",
		    "a repository is there, but this password does not open "
		    "it");
	else
		outcome_set(out, "failed", "not_verified",
		    "the repository could not be opened: %.190s",
		    in->list->msg);
}

void
outcome_plain(const struct outcome_in *in, struct outcome *out)
{
	if (outcome_common(in, out))
		return;
	if (in->exit_code != 0)
		outcome_failed(in->seen, in->exit_code, out);
	else
		outcome_set(out, "succeeded", "", "%s", "");
}

uint64_t
outcome_damages(const struct restic_seen *seen)
{
	if (!seen->damaged)
		return 0;
	return seen->damages > 0 ? seen->damages : 1;
}

void
outcome_check(const struct outcome_in *in, struct outcome *out)
{
	uint64_t n = outcome_damages(in->seen);

	if (outcome_common(in, out))
		return;
	if (n > 0)
		outcome_set(out, "failed", "check_errors",
		    "the repository is damaged: %" PRIu64
		    " error%s found, see the log",
		    n, n == 1 ? " was" : "s were");
	else
		outcome_plain(in, out);
}

void
outcome_forget(const struct outcome_in *in, struct outcome *out)
{
	if (outcome_common(in, out))
		return;
	if (!in->listed && in->exit_code != 0)
		outcome_failed(in->seen, in->exit_code, out);
	else if (!in->listed)
		outcome_set(out, "failed", "not_verified",
		    "whether the snapshots are gone could not be seen: %.170s",
		    in->list->msg);
	else if (in->vanished > 0)
		outcome_set(out, "failed", "snapshots_missing",
		    "%" PRIu64 " snapshot%s that should stay %s not listed any "
		    "more",
		    in->vanished, in->vanished == 1 ? "" : "s",
		    in->vanished == 1 ? "is" : "are");
	else if (in->left == 0)
		outcome_set(out, "succeeded", "", "%s", "");
	else if (in->exit_code != 0 || in->seen->kept_by_server)
		outcome_failed(in->seen, in->exit_code, out);
	else
		outcome_set(out, "failed", "not_forgotten",
		    "%" PRIu64 " snapshot%s still listed after restic forget",
		    in->left, in->left == 1 ? " is" : "s are");
}

void
outcome_not_run(const struct err *err, struct outcome *out)
{
	*out = (struct outcome){ .exit_code = -1 };
	outcome_set(out, "failed", err->code != NULL ? err->code : "not_run",
	    "%s", err->msg);
}
