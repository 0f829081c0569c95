/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/audit_words.h"

#include "lib/base/attr.h"

/* clang-format off */
static const struct audit_word words[] = {
	{ "audit.sealed",                 "sealed the audit log", false },
	{ "auth.bootstrap",               "made the first administrator", false },
	{ "auth.login",                   "signed in", false },
	{ "auth.login_failed",            "failed to sign in", true },
	{ "auth.logout",                  "signed out", false },
	{ "enrollment_token.created",     "created an enrolment token", false },
	{ "enrollment_token.regenerated", "replaced an enrolment token", false },
	{ "enrollment_token.revoked",     "revoked an enrolment token", false },
	{ "enrollment_token.viewed",      "looked at an enrolment token", false },
	{ "host.accept_pending",          "approved a host", false },
	{ "host.admin_credentials",       "changed a repository's admin credentials", false },
	{ "host.admin_credentials_deleted", "removed a repository's admin credentials", false },
	{ "host.bandwidth_updated",       "changed bandwidth limits", false },
	{ "host.bearer_rotated",          "replaced an agent's bearer", false },
	{ "host.bearer_rotation",         "asked an agent for another bearer", false },
	{ "host.deleted",                 "deleted a host", false },
	{ "host.enrolled",                "enrolled a host", false },
	{ "host.hooks_updated",           "changed a host's hooks", false },
	{ "host.mode_updated",            "changed how a host is present", false },
	{ "host.reject_pending",          "rejected a host", false },
	{ "host.repo_credentials",        "changed a repository connection", false },
	{ "host.repo_maintenance",        "changed when a repository is maintained", false },
	{ "host.repo_probe",              "tried a repository again", false },
	{ "host.repo_reinit",             "initialised a repository again", false },
	{ "host.tags_updated",            "changed tags", false },
	{ "job.cancel",                   "asked a job to stop", false },
	{ "job.run_now",                  "started a job", false },
	{ "schedule.created",             "made a schedule", false },
	{ "schedule.deleted",             "deleted a schedule", false },
	{ "schedule.updated",             "edited a schedule", false },
	{ "source_group.created",         "made a source group", false },
	{ "source_group.deleted",         "deleted a source group", false },
	{ "source_group.hooks_updated",   "changed a source group's hooks", false },
	{ "source_group.updated",         "edited a source group", false },
	{ "state.copy_started",           "started on a copy of the state", true },
	{ "token.created",                "created an API token", false },
	{ "token.revoked",                "revoked an API token", false },
	{ "user.created",                 "invited a user", false },
	{ "user.disabled",                "disabled a user", false },
	{ "user.enabled",                 "enabled a user again", false },
	{ "user.logged_out",              "ended sessions", false },
	{ "user.password_changed",        "changed a password", false },
	{ "user.password_reset",          "set a password from the shell", false },
	{ "user.role_changed",            "changed a user's role", false },
	{ "user.setup_completed",         "chose a password by a setup link", false },
	{ "user.setup_link_made",         "made a setup link", false },
	{ "user.updated",                 "edited a user", false },
};
static const struct {
	const char *noun, *words;
} nouns[] = {
	{ "audit",            "Audit log" },
	{ "auth",             "Sign-in" },
	{ "enrollment_token", "Enrolment" },
	{ "host",             "Host" },
	{ "job",              "Job" },
	{ "schedule",         "Schedule" },
	{ "source_group",     "Source group" },
	{ "state",            "Controller" },
	{ "token",            "API token" },
	{ "user",             "User" },
};
/* clang-format on */

const struct audit_word *
audit_word_find(struct str action)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eqz(action, words[i].action))
			return &words[i];
	}
	return NULL;
}

const struct audit_word *
audit_word_table(size_t *n)
{
	*n = ARRAY_LEN(words);
	return words;
}

const char *
audit_word_noun(struct str action)
{
	struct str noun, rest;
	size_t i;

	str_cut(action, '.', &noun, &rest);
	for (i = 0; i < ARRAY_LEN(nouns); i++) {
		if (str_eqz(noun, nouns[i].noun))
			return nouns[i].words;
	}
	return "Other";
}
