/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/pages.h"

#include <string.h>

#include "lib/base/attr.h"
#include "render/view_pages.h"

static const char *const none[] = { NULL };
static const char *const fleet[] = { "fleet.headline", "fleet.stats",
	"pending.list", "hosts", "host.row", NULL };
static const char *const host[] = { "host.head", "host.facts", "host.strip",
	"host.banner", NULL };
static const char *const host_jobs[] = { "host.head", "host.facts",
	"host.strip", "host.banner", "host.jobs", NULL };
static const char *const host_repo[] = { "host.head", "host.facts",
	"host.strip", "host.banner", "repo.health", NULL };
static const char *const host_sources[] = { "host.head", "host.facts",
	"host.strip", "host.banner", "host.sources", NULL };
static const char *const host_schedules[] = { "host.head", "host.facts",
	"host.strip", "host.banner", "host.schedules", NULL };
static const char *const host_source[] = { "retention.preview", NULL };
static const char *const host_schedule[] = { "schedule.preview", NULL };
static const char *const job[] = { "job.state", "job.progress", "job.announce",
	NULL };
static const char *const hits[] = { "search.hits", NULL };
static const char *const jobs[] = { "jobs.headline", "jobs.running",
	"jobs.next", "jobs.due", NULL };
static const char *const pending[] = { "enrol.state", NULL };

/* clang-format off */
static const struct page pages[] = {
	/* name        template     view                  regions    secrets */
	{ "bootstrap", "bootstrap", view_bootstrap,       none,      false },
	{ "login",     "login",     view_login,           none,      false },
	{ "dashboard", "dashboard", view_dashboard,       fleet,     false },
	{ "host_new",  "host_new",  view_host_new,        none,      false },
	{ "pending",   "pending",   view_pending,         pending,   true },
	{ "host",      "host",      view_host,            host,      false },
	{ "host_jobs", "host_jobs", view_host_jobs,       host_jobs, false },
	{ "host_repo", "host_repo", view_host_repo,       host_repo, false },
	{ "host_sources", "host_sources", view_host_sources, host_sources, false },
	{ "host_source", "host_source", view_host_source, host_source, false },
	{ "host_schedules", "host_schedules", view_host_schedules, host_schedules, false },
	{ "host_schedule", "host_schedule", view_host_schedule, host_schedule, false },
	{ "job",       "job",       view_job,             job,       false },
	{ "account",   "account",   view_account,         none,      false },
	{ "account_token", "account_token", view_account_token, none, true },
	{ "search",    "search",    view_search,          hits,      false },
	{ "jobs",      "jobs",      view_jobs,            jobs,      false },
	{ "audit",     "audit",     view_audit,           none,      false },
	{ "users",     "users",     view_users,           none,      false },
	{ "user_new",  "user_new",  view_user_new,        none,      false },
	{ "user",      "user",      view_user,            none,      false },
	{ "user_link", "user_link", view_user_link,       none,      true },
	{ "setup",     "setup",     view_setup,           none,      true },
	{ "error",     "error",     view_error,           none,      false },
};
/* clang-format on */

const struct page *
pages_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(pages[i].name, name) == 0)
			return &pages[i];
	}
	return NULL;
}

const struct page *
pages_table(size_t *out_count)
{
	*out_count = ARRAY_LEN(pages);
	return pages;
}
