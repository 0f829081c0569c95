/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/status.h"

#include "version.h"
#include <stddef.h>

static const char *const names[] = {
	[STATUS_STALE] = "stale",
	[STATUS_NEVER] = "never",
	[STATUS_FAILED] = "failed",
	[STATUS_INCOMPLETE] = "incomplete",
	[STATUS_RUNNING] = "running",
	[STATUS_NEW] = "new",
	[STATUS_OK] = "ok",
};

_Static_assert(ARRAY_LEN(names) == STATUS_HOST_COUNT, "one name per state");

#define HOUR_MS INT64_C(3600000)

int64_t
status_allowed_ms(const struct Rec__Host *h)
{
	const int64_t unplanned = 26 * HOUR_MS, week = 168 * HOUR_MS;
	int64_t ms = unplanned;

	if (h->allowed_age_s > 0)
		return (int64_t)h->allowed_age_s * 1000;
	if (h->backup_interval_s > 0)
		ms = 2 * (int64_t)h->backup_interval_s * 1000 + 2 * HOUR_MS;
	return !h->always_on && ms < week ? week : ms;
}

bool
status_asleep(const struct Rec__Host *h)
{
	return !h->online && !h->always_on;
}

static bool
within(int64_t since_ms, int64_t span_ms, int64_t now_ms)
{
	return now_ms - since_ms <= span_ms;
}

bool
status_protected(const struct Rec__Host *h, int64_t now_ms)
{
	return h->last_backup_at_ms != 0 &&
	       within(h->last_backup_at_ms, status_allowed_ms(h), now_ms);
}

enum status_host
status_of_host(const struct Rec__Host *h, bool running, int64_t now_ms)
{
	if (running)
		return STATUS_RUNNING;
	if (h->last_backup_at_ms != 0 && !status_protected(h, now_ms))
		return STATUS_STALE;
	if (h->last_backup_at_ms == 0 &&
	    !within(h->enrolled_at_ms, STATUS_GRACE_MS, now_ms))
		return STATUS_NEVER;
	if (h->last_backup_state == REC__JOB_STATE__JOB_FAILED)
		return STATUS_FAILED;
	if (h->last_backup_at_ms == 0)
		return STATUS_NEW;
	/* What is told now was never used, or does not open: an old success
	 * proves nothing of the next run. */
	if (h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED)
		return STATUS_FAILED;
	if (h->last_backup_incomplete)
		return STATUS_INCOMPLETE;
	return h->repo_status == REC__REPO_STATUS__REPO_READY ? STATUS_OK
	                                                      : STATUS_NEW;
}

bool
status_needs_attention(enum status_host s)
{
	return s <= STATUS_INCOMPLETE;
}

const char *
status_host_name(enum status_host s)
{
	return names[s];
}

/* Dotted numbers; what is not a number counts as 0. */
static bool
version_older(struct str have, struct str want)
{
	struct str a, b;
	uint64_t x, y;

	while (str_next(&want, '.', &b)) {
		if (!str_next(&have, '.', &a) || !str_u64(a, UINT32_MAX, &x))
			x = 0;
		if (!str_u64(b, UINT32_MAX, &y))
			y = 0;
		if (x != y)
			return x < y;
	}
	return false;
}

bool
status_outdated(const struct Rec__Host *h)
{
	return version_older(str_of(h->agent_version), STR(RM_VERSION));
}

bool
status_behind(const struct Rec__Host *h)
{
	return h->online && status_outdated(h);
}

const char *
status_drift(const struct Rec__Host *h)
{
	if (h->applied_config_version != h->config_version)
		return "its agent has not taken the latest changes yet";
	if (h->plan_format == 0)
		return "its agent is too old for schedules: update it";
	return h->plan_refused;
}

const char *
status_rotation(const struct Rec__Host *h)
{
	if (h->rotation_asked_ms == 0)
		return "";
	if (!h->online)
		return "waiting_for_host";
	return h->rotates_bearer ? "under_way" : "agent_too_old";
}

const char *
status_repo_name(Rec__RepoStatus s)
{
	switch (s) {
	case REC__REPO_STATUS__REPO_READY:
		return "ready";
	case REC__REPO_STATUS__REPO_INIT_FAILED:
		return "init_failed";
	case REC__REPO_STATUS__REPO_UNKNOWN:
	case _REC__REPO_STATUS_IS_INT_SIZE:
		break;
	}
	return "unknown";
}
