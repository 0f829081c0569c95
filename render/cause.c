/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/cause.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

/* clang-format off */
static const struct {
	const char *name;
	const char *words;
	const char *advice;
} causes[] = {
	{ "no_restic", "restic was not found on the host",
	  "Install it there, or set restic_path in agent.yaml." },
	{ "restic_too_old", "restic on the host is too old",
	  "Version 0.14 or newer is needed." },
	{ "no_credentials", "The agent has no repository credentials",
	  "Save the repository's credentials again." },
	{ "wrong_password", "The password does not open the repository",
	  "Save the right password, or use another repository." },
	{ "no_repository", "There is no repository at this place",
	  "Check the URL; if the repository is gone, restore it or choose "
	  "another one." },
	{ "access_denied", "The repository's server refused access",
	  "Check user and password there, and its append-only and private "
	  "settings." },
	{ "unreachable", "The repository's server does not answer",
	  "Check its address, the network and the server." },
	{ "locked", "The repository is locked by another process",
	  "Wait for it to end; remove the lock only when it is dead." },
	{ "missing_path", "A source path does not exist",
	  "Correct the source group's paths." },
	{ "unreadable", "Some files could not be read",
	  "Their names are in the log." },
	{ "output_lost", "Some of restic's output was lost",
	  "Run it again." },
	{ "not_verified", "The snapshot could not be verified",
	  "Look whether it is in the repository, or run it again." },
	{ "no_snapshot", "No snapshot was made",
	  "restic ended well, but nothing new is listed; look at the log and "
	  "run it again." },
	{ "path_blocked", "A source path does not answer",
	  "A dead network mount does this; mount it again." },
	{ "restic_failed", "restic reported an error",
	  "The log has its own words." },
	{ "restic_killed", "restic was ended by a signal",
	  "Look at the host's memory and its system log." },
	{ "spawn_failed", "restic could not be started",
	  "Look at the host's free memory, and whether restic may be run "
	  "there." },
	{ "time_limit", "restic took too long",
	  "Look at the network and the repository's server, and run it again." },
	{ "cancelled", "Cancelled", "" },
	{ "expired", "The host did not come back in time for it",
	  "Start it again when the host is there." },
	{ "no_admin", "There are no admin credentials that open",
	  "Save the host's admin credentials again." },
	{ "shared_name", "Another host's snapshots look like its own",
	  "Rename the source group here or there: nothing was forgotten." },
	{ "no_retention", "No source group says what to keep any more",
	  "Set a retention; nothing is forgotten without one." },
	{ "append_only", "The repository's server removes nothing",
	  "It is in append-only mode for this user: save admin credentials of "
	  "one that may remove." },
	{ "empty_policy", "The retention would keep nothing",
	  "Nothing was forgotten; set a retention." },
	{ "bad_command", "The controller asked for something impossible",
	  "Update the older of controller and agent." },
	{ "not_listed", "The snapshots could not be listed",
	  "Nothing was forgotten; look at the log." },
	{ "not_forgotten", "Snapshots are still there",
	  "restic ended well, but they are listed; look at the log." },
	{ "snapshots_missing", "Snapshots that should stay are gone",
	  "Find out who else removes snapshots from this repository." },
	{ "damaged", "The repository is damaged",
	  "Run a check; its log has restic's own advice on repair." },
	{ "check_errors", "The repository is damaged",
	  "The log names what is; see restic's advice on repair before the "
	  "next prune." },
	{ "pre_hook_failed", "The pre-hook failed",
	  "restic did not run; the log has what the hook printed." },
	{ "hooks_unreadable", "The hooks cannot be read",
	  "They do not open with this secret key: save them anew." },
	{ "agent_restarted", "The agent stopped during the run",
	  "Run it again." },
	{ "lost", "The agent lost the job", "Run it again." },
	{ "refused", "The agent refused the job",
	  "Update the agent; its log on the host says more." },
	{ "unknown_kind", "The agent does not know this kind of job",
	  "Update the agent." },
	{ "host_deleted", "The host was deleted", "" },
	{ "not_run", "The job could not be started",
	  "The agent's log on the host says more." },
};
/* clang-format on */

static size_t
find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(causes[i].name, name) == 0)
			break;
	return i;
}

const char *
cause_words(const struct Rec__Job *j, struct arena *a)
{
	size_t i = find(j->cause);
	struct str line, rest;

	if (i < ARRAY_LEN(causes))
		return causes[i].words;
	str_cut(str_of(j->error), '\n', &line, &rest);
	if (line.n > 0)
		return arena_str(a, line);
	return j->state == REC__JOB_STATE__JOB_FAILED ? "The job failed" : "";
}

const char *
cause_advice(const struct Rec__Job *j)
{
	size_t i = find(j->cause);

	return i < ARRAY_LEN(causes) ? causes[i].advice : "";
}
