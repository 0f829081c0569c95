/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/verbs.h"

#include <string.h>

#include "controller/cli/args.h"
#include "lib/base/str.h"

#define LOGIN_OPTIONS                                        \
	(ARGS_BIT(OPT_USER) | ARGS_BIT(OPT_PASSWORD_STDIN) | \
	    ARGS_BIT(OPT_NAME) | ARGS_BIT(OPT_ROLE) | ARGS_BIT(OPT_DAYS))
#define ENROL_OPTIONS                                           \
	(ARGS_BIT(OPT_REPO_URL) | ARGS_BIT(OPT_REPO_USER) |     \
	    ARGS_BIT(OPT_PASSWORD_STDIN) | ARGS_BIT(OPT_PATH) | \
	    ARGS_BIT(OPT_TAG) | ARGS_BIT(OPT_ALLOW_DUPLICATE))

#define ACCEPT_OPTIONS                                                     \
	(ARGS_BIT(OPT_REPO_URL) | ARGS_BIT(OPT_REPO_USER) |                \
	    ARGS_BIT(OPT_PASSWORD_STDIN) | ARGS_BIT(OPT_ALLOW_DUPLICATE) | \
	    ARGS_BIT(OPT_FINGERPRINT))

#define RESET_OPTIONS                                      \
	(ARGS_BIT(OPT_DATA_DIR) | ARGS_BIT(OPT_KEY_FILE) | \
	    ARGS_BIT(OPT_PASSWORD_STDIN))

#define GROUP_OPTIONS                                                      \
	(ARGS_BIT(OPT_PATH) | ARGS_BIT(OPT_EXCLUDE) | ARGS_BIT(OPT_KEEP) | \
	    ARGS_BIT(OPT_RETRIES) | ARGS_BIT(OPT_BACKOFF))

#define SCHEDULE_OPTIONS                                                   \
	(ARGS_BIT(OPT_GROUP) | ARGS_BIT(OPT_ZONE) | ARGS_BIT(OPT_JITTER) | \
	    ARGS_BIT(OPT_PAUSED))

/* clang-format off */
static const struct verb verbs[] = {
	/* name  parameters  least  most  usual  options  run  help */
	{ "login", "[URL]", 0, 1, false, LOGIN_OPTIONS, verb_login,
	  "sign in, and keep an API token for the next commands" },
	{ "logout", "", 0, 0, false, 0, verb_logout,
	  "revoke that token and forget it" },
	{ "whoami", "", 0, 0, false, 0, verb_whoami,
	  "who the token stands for, and until when" },
	{ "hosts list", "", 0, 0, true, ARGS_BIT(OPT_QUERY), verb_hosts_list,
	  "the hosts and how they are" },
	{ "hosts show", "HOST", 1, 1, false, 0, verb_hosts_show,
	  "one host" },
	{ "hosts limit", "HOST", 1, 1, false, ARGS_BIT(OPT_UP) | ARGS_BIT(OPT_DOWN), verb_hosts_limit,
	  "how much bandwidth restic may take there" },
	{ "hosts mode", "HOST MODE", 2, 2, false, ARGS_BIT(OPT_ALLOWED_AGE), verb_hosts_mode,
	  "whether it is always-on, or comes-and-goes" },
	{ "hosts rotate-bearer", "HOST", 1, 1, false, 0, verb_hosts_rotate_bearer,
	  "its agent makes a new bearer; the old one is then worthless" },
	{ "snapshots", "HOST", 1, 1, false, ARGS_BIT(OPT_LIMIT), verb_snapshots,
	  "the snapshots of a host, newest first" },
	{ "search", "TEXT", 1, 1, false, 0, verb_search,
	  "hosts, jobs and snapshots by a few letters" },
	{ "run", "HOST [GROUP]", 1, 2, false, ARGS_BIT(OPT_FOLLOW), verb_run,
	  "back up a host now" },
	{ "repo check", "HOST [PERCENT]", 1, 2, false, ARGS_BIT(OPT_FOLLOW), verb_repo_check,
	  "check its repository, and read that much of its data back" },
	{ "repo forget", "HOST", 1, 1, false, ARGS_BIT(OPT_FOLLOW), verb_repo_forget,
	  "forget what the source groups do not keep" },
	{ "repo prune", "HOST", 1, 1, false, ARGS_BIT(OPT_FOLLOW), verb_repo_prune,
	  "free what no snapshot needs" },
	{ "repo unlock", "HOST", 1, 1, false, ARGS_BIT(OPT_FOLLOW), verb_repo_unlock,
	  "remove locks that are stale" },
	{ "groups list", "HOST", 1, 1, false, 0, verb_groups_list,
	  "what is backed up of a host" },
	{ "groups show", "HOST GROUP", 2, 2, false, 0, verb_groups_show,
	  "one source group" },
	{ "groups create", "HOST NAME", 2, 2, false, GROUP_OPTIONS, verb_groups_create,
	  "a new one" },
	{ "groups set", "HOST GROUP", 2, 2, false, GROUP_OPTIONS, verb_groups_set,
	  "change what is given, keep the rest" },
	{ "groups delete", "HOST GROUP", 2, 2, false, 0, verb_groups_delete,
	  "delete one that no schedule uses" },
	{ "schedules list", "HOST", 1, 1, false, 0, verb_schedules_list,
	  "when a host is backed up" },
	{ "schedules create", "HOST CRON", 2, 2, false, SCHEDULE_OPTIONS, verb_schedules_create,
	  "a new one, of all source groups or those named" },
	{ "schedules pause", "HOST SCHEDULE", 2, 2, false, 0, verb_schedules_pause,
	  "keep it, but run nothing" },
	{ "schedules resume", "HOST SCHEDULE", 2, 2, false, 0, verb_schedules_resume,
	  "let it run again" },
	{ "schedules delete", "HOST SCHEDULE", 2, 2, false, 0, verb_schedules_delete,
	  "delete it" },
	{ "jobs list", "[HOST]", 0, 1, true, ARGS_BIT(OPT_LIMIT) | ARGS_BIT(OPT_STATUS), verb_jobs_list,
	  "the jobs of all hosts or of one, newest first" },
	{ "jobs show", "JOB", 1, 1, false, 0, verb_jobs_show,
	  "one job and how it went" },
	{ "jobs cancel", "JOB", 1, 1, false, 0, verb_jobs_cancel,
	  "cancel a job" },
	{ "logs", "JOB", 1, 1, false, ARGS_BIT(OPT_FOLLOW) | ARGS_BIT(OPT_NDJSON), verb_logs,
	  "the log of a job" },
	{ "tokens list", "", 0, 0, true, 0, verb_tokens_list,
	  "the tokens that enrol new hosts" },
	{ "tokens create", "HOST", 1, 1, false, ENROL_OPTIONS, verb_tokens_create,
	  "a one-time token for a new host, and the command to install it" },
	{ "tokens regenerate", "TOKEN", 1, 1, false, 0, verb_tokens_regenerate,
	  "another token in its place" },
	{ "tokens revoke", "TOKEN", 1, 1, false, 0, verb_tokens_revoke,
	  "make it useless" },
	{ "pending list", "", 0, 0, true, 0, verb_pending_list,
	  "hosts that wait for approval" },
	{ "pending accept", "HOST", 1, 1, false, ACCEPT_OPTIONS, verb_pending_accept,
	  "let one in, after its fingerprint was compared" },
	{ "pending reject", "HOST", 1, 1, false, 0, verb_pending_reject,
	  "turn one away" },
	{ "api-tokens list", "", 0, 0, true, 0, verb_api_tokens_list,
	  "the API tokens" },
	{ "api-tokens create", "NAME", 1, 1, false, ARGS_BIT(OPT_ROLE) | ARGS_BIT(OPT_DAYS), verb_api_tokens_create,
	  "an API token for a script" },
	{ "api-tokens revoke", "TOKEN", 1, 1, false, 0, verb_api_tokens_revoke,
	  "end one" },
	{ "users list", "", 0, 0, true, 0, verb_users_list,
	  "who may sign in" },
	{ "users invite", "NAME", 1, 1, false, ARGS_BIT(OPT_ROLE), verb_users_invite,
	  "a new user, and the link for the first password" },
	{ "users link", "NAME", 1, 1, false, 0, verb_users_link,
	  "another link for a new password" },
	{ "users disable", "NAME", 1, 1, false, 0, verb_users_disable,
	  "lock a user out" },
	{ "users enable", "NAME", 1, 1, false, 0, verb_users_enable,
	  "let a user in again" },
	{ "users sign-out", "NAME", 1, 1, false, 0, verb_users_sign_out,
	  "end every session of a user" },
	{ "state info", "", 0, 0, false, ARGS_BIT(OPT_DATA_DIR), verb_state_info,
	  "what a stopped controller has stored" },
	{ "state copy", "TARGET", 1, 1, false, ARGS_BIT(OPT_DATA_DIR) | ARGS_BIT(OPT_EVERY), verb_state_copy,
	  "a copy of all of it, that a standby can be started on; the controller may run" },
	{ "state reset-password", "NAME", 1, 1, false, RESET_OPTIONS, verb_state_reset_password,
	  "a way in for a user who is locked out; the controller is stopped" },
	{ "doctor", "", 0, 0, false, 0, verb_doctor,
	  "find out where the way to the controller breaks" },
	{ "audit verify", "", 0, 0, true, ARGS_BIT(OPT_DATA_DIR) | ARGS_BIT(OPT_KEY_FILE) | ARGS_BIT(OPT_EXPECT), verb_audit_verify,
	  "whether the audit log is as it was written" },
	{ "completion", "SHELL", 1, 1, false, 0, verb_completion,
	  "print the completion for bash, zsh or fish" },
	{ "help", "[VERB...]", 0, 2, false, 0, verb_help,
	  "how to use it, or one verb" },
};
/* clang-format on */

const struct verb *
verbs_table(size_t *n)
{
	*n = ARRAY_LEN(verbs);
	return verbs;
}

/* The first word of a name of two; the rest is empty when there is one. */
static void
halves(const struct verb *v, struct str *group, struct str *name)
{
	if (!str_cut(str_of(v->name), ' ', group, name))
		*name = str_of("");
}

/* How well the words name the verb: 2 by both, 1 by the first alone. */
static size_t
fits(const struct verb *v, const struct args *a)
{
	struct str group, name;

	halves(v, &group, &name);
	if (a->words == 0 || !str_eqz(group, a->word[0]))
		return 0;
	if (name.n == 0)
		return 1;
	if (a->words > 1 && str_eqz(name, a->word[1]))
		return 2;
	return v->usual ? 1 : 0;
}

static bool
is_group(const char *word)
{
	struct str group, name;
	size_t i;

	for (i = 0; i < ARRAY_LEN(verbs); i++) {
		halves(&verbs[i], &group, &name);
		if (name.n > 0 && str_eqz(group, word))
			return true;
	}
	return false;
}

const struct verb *
verbs_find(const struct args *a, size_t *used, struct err *e)
{
	const struct verb *best = NULL;
	size_t i, n;

	*used = 0;
	for (i = 0; i < ARRAY_LEN(verbs); i++) {
		n = fits(&verbs[i], a);
		if (n <= *used)
			continue;
		best = &verbs[i];
		*used = n;
	}
	if (best != NULL)
		return best;
	if (a->words == 0)
		(void)err_set(e, RC_INVALID,
		    "what shall it do? See restic-manager --help");
	else if (is_group(a->word[0]))
		(void)err_set(e, RC_INVALID,
		    "%s needs one of its verbs: see restic-manager help %s",
		    a->word[0], a->word[0]);
	else
		(void)err_set(e, RC_INVALID,
		    "there is no verb '%.40s': see restic-manager --help",
		    a->word[0]);
	return NULL;
}

enum rc
verbs_check(const struct verb *v, const struct args *a, size_t used,
    struct err *e)
{
	uint64_t foreign = a->seen & ~(ARGS_GLOBAL | v->options);
	size_t i, words = a->words - used;

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		if ((foreign & ARGS_BIT(i)) != 0)
			return err_set(e, RC_INVALID, "%s takes no --%s",
			    v->name, args_option((enum args_id)i)->name);
	if (words < v->min)
		return err_set(e, RC_INVALID, "%s needs %s", v->name,
		    v->params);
	if (words > v->max)
		return err_set(e, RC_INVALID,
		    "too many arguments: restic-manager %s%s%s", v->name,
		    v->params[0] != '\0' ? " " : "", v->params);
	return RC_OK;
}
