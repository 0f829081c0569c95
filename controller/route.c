/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/route.h"

#include <string.h>

#include "controller/account.h"
#include "controller/announce.h"
#include "controller/appearance.h"
#include "controller/asset.h"
#include "controller/audit.h"
#include "controller/creds.h"
#include "controller/enrol.h"
#include "controller/forget.h"
#include "controller/hooks.h"
#include "controller/host_edit.h"
#include "controller/hosts.h"
#include "controller/hosts_bulk.h"
#include "controller/jobs.h"
#include "controller/metrics.h"
#include "controller/page.h"
#include "controller/publish.h"
#include "controller/repo_state.h"
#include "controller/req.h"
#include "controller/rotate.h"
#include "controller/schedules.h"
#include "controller/search.h"
#include "controller/server.h"
#include "controller/sources.h"
#include "controller/sse.h"
#include "controller/tags.h"
#include "controller/tokens.h"
#include "controller/upkeep.h"
#include "controller/users.h"
#include "controller/users_admin.h"

/* Where two patterns fit, the first row wins: literals before {variables}.
 * {*} takes the rest of the path. */
/* clang-format off */
static const struct route routes[] = {
	/* method  pattern  role  body  max  json  run */
	{ "GET",  "/healthz",    ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, server_health },
	{ "GET",  "/api/version", ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, server_version },
	{ "GET",  "/metrics",    ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, metrics_get },
	{ "GET",  "/static/{*}", ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, asset_get },
	{ "GET",  "/install/{file}", ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, publish_install },
	{ "GET",  "/agent/binary", ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, publish_binary },
	{ "GET",  "/agent/binary.sha256", ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, publish_checksum },

	{ "GET",  "/bootstrap",  ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, users_bootstrap_page },
	{ "POST", "/bootstrap",  ROUTE_PUBLIC, ROUTE_FORM, KIB(8), NULL, users_bootstrap },
	{ "POST", "/api/bootstrap", ROUTE_PUBLIC, ROUTE_JSON, KIB(8), &users_bootstrap_body, users_bootstrap },
	{ "GET",  "/login",      ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, users_login_page },
	{ "POST", "/login",      ROUTE_PUBLIC, ROUTE_FORM, KIB(8), NULL, users_login },
	{ "POST", "/api/auth/login", ROUTE_PUBLIC, ROUTE_JSON, KIB(8), &users_login_body, users_login },
	{ "POST", "/logout",     ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, users_logout },
	{ "POST", "/api/auth/logout", ROUTE_VIEWER, ROUTE_JSON, KIB(8), NULL, users_logout },

	{ "GET",  "/setup",      ROUTE_PUBLIC, ROUTE_NO_BODY, 0, NULL, users_setup_page },
	{ "POST", "/setup",      ROUTE_PUBLIC, ROUTE_FORM, KIB(8), NULL, users_setup },
	{ "GET",  "/settings/users", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_page },
	{ "GET",  "/settings/users/new", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_new_page },
	{ "POST", "/settings/users/new", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_new_form },
	{ "GET",  "/settings/users/{id}", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_edit_page },
	{ "POST", "/settings/users/{id}", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_edit_form },
	{ "GET",  "/settings/users/{id}/link", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_link_page },
	{ "POST", "/settings/users/{id}/disable", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_disable },
	{ "POST", "/settings/users/{id}/enable", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_enable },
	{ "POST", "/settings/users/{id}/regenerate-setup-link", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_new_link },
	{ "POST", "/settings/users/{id}/force-logout", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_force_logout },
	{ "POST", "/settings/users/{id}/tokens/{token}/revoke", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, users_revoke_token },
	{ "GET",  "/api/users",  ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_list },
	{ "POST", "/api/users",  ROUTE_ADMIN, ROUTE_JSON, KIB(8), &users_create_body, users_create },
	{ "GET",  "/api/users/{id}", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, users_get },
	{ "PATCH", "/api/users/{id}", ROUTE_ADMIN, ROUTE_JSON, KIB(8), &users_patch_body, users_patch },
	{ "POST", "/api/users/{id}/disable", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, users_disable },
	{ "POST", "/api/users/{id}/enable", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, users_enable },
	{ "POST", "/api/users/{id}/regenerate-setup-link", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, users_new_link },
	{ "POST", "/api/users/{id}/force-logout", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, users_force_logout },
	{ "GET",  "/settings",   ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, account_settings },
	{ "GET",  "/settings/account", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, account_page },
	{ "POST", "/settings/account", ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, account_password },
	{ "POST", "/settings/account/sign-out-others", ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, account_end_others },
	{ "POST", "/settings/account/tokens", ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, account_token_make },
	{ "GET",  "/settings/account/tokens/{id}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, account_token_page },
	{ "POST", "/settings/account/tokens/{id}/revoke", ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, account_token_revoke },
	{ "GET",  "/api/account", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, account_get },
	{ "POST", "/api/account/password", ROUTE_VIEWER, ROUTE_JSON, KIB(8), &account_password_body, account_password },

	{ "GET",  "/api/tokens", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, tokens_list },
	{ "POST", "/api/tokens", ROUTE_VIEWER, ROUTE_JSON, KIB(8), &tokens_create_body, tokens_create },
	{ "DELETE", "/api/tokens/{id}", ROUTE_VIEWER, ROUTE_JSON, KIB(8), NULL, tokens_revoke },

	{ "GET",  "/",           ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_dashboard },
	{ "GET",  "/hosts.csv",  ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, hosts_csv },
	{ "GET",  "/hosts/new",  ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, enrol_new_page },
	{ "POST", "/hosts/new",  ROUTE_OPERATOR, ROUTE_FORM, KIB(256), NULL, enrol_mint_form },
	{ "GET",  "/hosts/pending/{hash}", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, enrol_pending },
	{ "GET",  "/hosts/pending/{hash}/awaiting", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, enrol_awaiting },
	{ "GET",  "/hosts/{id}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_host },
	{ "GET",  "/hosts/{id}/jobs", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_host_jobs },
	{ "GET",  "/hosts/{id}/sources", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_host_sources },
	{ "GET",  "/hosts/{id}/sources/new", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_host_source },
	{ "GET",  "/hosts/{id}/sources/preview", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_source_preview },
	{ "GET",  "/hosts/{id}/sources/{gid}/edit", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_host_source },
	{ "POST", "/hosts/{id}/sources/new", ROUTE_OPERATOR, ROUTE_FORM, KIB(256), NULL, sources_form },
	{ "POST", "/hosts/{id}/sources/{gid}/edit", ROUTE_OPERATOR, ROUTE_FORM, KIB(256), NULL, sources_form },
	{ "POST", "/hosts/{id}/sources/{gid}/delete", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, sources_delete_form },
	{ "POST", "/hosts/{id}/sources/{gid}/hooks", ROUTE_ADMIN, ROUTE_FORM, KIB(128), NULL, hooks_form },
	{ "POST", "/hosts/{id}/repo/hooks", ROUTE_ADMIN, ROUTE_FORM, KIB(128), NULL, hooks_form },
	{ "POST", "/hosts/{id}/schedules/new", ROUTE_OPERATOR, ROUTE_FORM, KIB(64), NULL, schedules_form },
	{ "POST", "/hosts/{id}/schedules/{sid}/edit", ROUTE_OPERATOR, ROUTE_FORM, KIB(64), NULL, schedules_form },
	{ "POST", "/hosts/{id}/schedules/{sid}/enabled", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, schedules_enabled_form },
	{ "POST", "/hosts/{id}/schedules/{sid}/delete", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, schedules_delete_form },
	{ "POST", "/hosts/{id}/schedules/{sid}/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &schedules_run_body, schedules_run },
	{ "GET",  "/hosts/{id}/schedules", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_host_schedules },
	{ "GET",  "/hosts/{id}/schedules/new", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_host_schedule },
	{ "GET",  "/hosts/{id}/schedules/preview", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_schedule_preview },
	{ "GET",  "/hosts/{id}/schedules/{sid}/edit", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, page_host_schedule },
	{ "GET",  "/hosts/{id}/repo", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, creds_page },
	{ "POST", "/hosts/{id}/tags", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, tags_form },
	{ "POST", "/hosts/{id}/repo/credentials", ROUTE_OPERATOR, ROUTE_FORM, KIB(16), NULL, creds_form },
	{ "POST", "/hosts/{id}/repo/variables", ROUTE_OPERATOR, ROUTE_FORM, KIB(256), NULL, creds_form_variables },
	{ "POST", "/hosts/{id}/admin-credentials", ROUTE_OPERATOR, ROUTE_FORM, KIB(256), NULL, creds_form_admin },
	{ "POST", "/hosts/{id}/admin-credentials/delete", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, creds_form_admin_delete },
	{ "POST", "/hosts/{id}/repo/bandwidth", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, host_edit_bandwidth_form },
	{ "POST", "/hosts/{id}/mode", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, host_edit_mode_form },
	{ "POST", "/hosts/{id}/repo/probe", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_probe },
	{ "POST", "/hosts/{id}/repo/forget", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/hosts/{id}/repo/prune", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/hosts/{id}/repo/check", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/hosts/{id}/repo/unlock", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/hosts/{id}/repo/maintenance", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, upkeep_form },
	{ "POST", "/hosts/{id}/repo/reinit", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, jobs_repo_reinit },
	{ "GET",  "/search",     ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_search },
	{ "GET",  "/search/hits", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, search_hits },
	{ "GET",  "/jobs",       ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_jobs },
	{ "POST", "/hosts/{id}/rotate-bearer", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, rotate_ask },
	{ "POST", "/hosts/{id}/delete", ROUTE_ADMIN, ROUTE_FORM, KIB(8), NULL, forget_host },
	{ "GET",  "/jobs/{id}",  ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_job },
	{ "GET",  "/events",     ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, sse_page_events },

	{ "POST", "/api/enrollment-tokens", ROUTE_OPERATOR, ROUTE_JSON, KIB(128), &enrol_mint_body, enrol_mint },
	{ "GET",  "/api/enrollment-tokens", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, enrol_list },
	{ "POST", "/api/enrollment-tokens/{hash}/regenerate", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, enrol_regenerate },
	{ "DELETE", "/api/enrollment-tokens/{hash}", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, enrol_revoke },
	{ "POST", "/hosts/enrollment-tokens/{hash}/regenerate", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, enrol_regenerate },
	{ "POST", "/hosts/enrollment-tokens/{hash}/revoke", ROUTE_OPERATOR, ROUTE_FORM, KIB(8), NULL, enrol_revoke },
	{ "POST", "/api/agents/enroll", ROUTE_PUBLIC, ROUTE_JSON, KIB(8), &enrol_agent_body, enrol_agent },
	{ "POST", "/api/agents/announce", ROUTE_PUBLIC, ROUTE_JSON, KIB(8), &announce_post_body, announce_post },
	{ "GET",  "/api/pending-hosts", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, announce_list },
	{ "POST", "/api/pending-hosts/{id}/accept", ROUTE_ADMIN, ROUTE_JSON_OR_FORM, KIB(16), &announce_accept_body, announce_accept },
	{ "POST", "/api/pending-hosts/{id}/reject", ROUTE_ADMIN, ROUTE_JSON_OR_FORM, KIB(8), NULL, announce_reject },
	{ "GET",  "/api/hosts",  ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, hosts_list },
	{ "GET",  "/api/hosts/{id}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, hosts_get },
	{ "DELETE", "/api/hosts/{id}", ROUTE_ADMIN, ROUTE_JSON, KIB(8), &forget_host_body, forget_host },
	{ "POST", "/api/hosts/{id}/rotate-bearer", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, rotate_ask },
	{ "GET",  "/api/hosts/{id}/repo-credentials", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, creds_get },
	{ "PUT",  "/api/hosts/{id}/repo-credentials", ROUTE_OPERATOR, ROUTE_JSON, KIB(128), &creds_put_body, creds_put },
	{ "GET",  "/api/hosts/{id}/admin-credentials", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, creds_get_admin },
	{ "PUT",  "/api/hosts/{id}/admin-credentials", ROUTE_OPERATOR, ROUTE_JSON, KIB(128), &creds_put_body, creds_put_admin },
	{ "DELETE", "/api/hosts/{id}/admin-credentials", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, creds_delete_admin },
	{ "PUT",  "/api/hosts/{id}/bandwidth", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &host_edit_bandwidth_body, host_edit_bandwidth },
	{ "POST", "/api/hosts/{id}/mode", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &host_edit_mode_body, host_edit_mode },
	{ "PUT",  "/api/hosts/{id}/tags", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &tags_put_body, tags_put },
	{ "POST", "/api/hosts/{id}/repo/probe", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, jobs_repo_probe },
	{ "POST", "/api/hosts/{id}/repo/forget", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/api/hosts/{id}/repo/prune", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/api/hosts/{id}/repo/check", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/api/hosts/{id}/repo/unlock", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, jobs_repo_maintain },
	{ "POST", "/api/hosts/{id}/repo/reinit", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &jobs_reinit_body, jobs_repo_reinit },
	{ "GET",  "/api/hosts/{id}/repo-maintenance", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, upkeep_get },
	{ "PUT",  "/api/hosts/{id}/repo-maintenance", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &upkeep_put_body, upkeep_put },
	{ "GET",  "/api/hosts/{id}/repo-stats", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, repo_state_get },
	{ "GET",  "/api/hosts/{id}/repo-history", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, repo_state_history },
	{ "GET",  "/api/hosts/{id}/snapshots", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, hosts_snapshots },
	{ "GET",  "/api/hosts/{id}/source-groups", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, sources_list },
	{ "POST", "/api/hosts/{id}/source-groups", ROUTE_OPERATOR, ROUTE_JSON, KIB(256), &sources_body, sources_post },
	{ "GET",  "/api/hosts/{id}/source-groups/{gid}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, sources_get },
	{ "PUT",  "/api/hosts/{id}/source-groups/{gid}", ROUTE_OPERATOR, ROUTE_JSON, KIB(256), &sources_body, sources_put },
	{ "DELETE", "/api/hosts/{id}/source-groups/{gid}", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, sources_delete },
	{ "GET",  "/api/hosts/{id}/schedules", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, schedules_list },
	{ "POST", "/api/hosts/{id}/schedules", ROUTE_OPERATOR, ROUTE_JSON, KIB(64), &schedules_body, schedules_post },
	{ "GET",  "/api/hosts/{id}/schedules/{sid}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, schedules_get },
	{ "PUT",  "/api/hosts/{id}/schedules/{sid}", ROUTE_OPERATOR, ROUTE_JSON, KIB(64), &schedules_body, schedules_put },
	{ "DELETE", "/api/hosts/{id}/schedules/{sid}", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), NULL, schedules_delete },
	{ "POST", "/api/hosts/{id}/schedules/{sid}/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &schedules_run_body, schedules_run },
	{ "GET",  "/api/hosts/{id}/hooks", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, hooks_get },
	{ "PUT",  "/api/hosts/{id}/hooks", ROUTE_ADMIN, ROUTE_JSON, KIB(64), &hooks_put_body, hooks_put },
	{ "DELETE", "/api/hosts/{id}/hooks", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, hooks_delete },
	{ "GET",  "/api/hosts/{id}/source-groups/{gid}/hooks", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, hooks_get },
	{ "PUT",  "/api/hosts/{id}/source-groups/{gid}/hooks", ROUTE_ADMIN, ROUTE_JSON, KIB(64), &hooks_put_body, hooks_put },
	{ "DELETE", "/api/hosts/{id}/source-groups/{gid}/hooks", ROUTE_ADMIN, ROUTE_JSON, KIB(8), NULL, hooks_delete },
	{ "GET",  "/api/fleet/summary", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, hosts_summary },
	{ "GET",  "/api/hosts/{id}/jobs", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, jobs_list },
	{ "POST", "/api/hosts/{id}/jobs", ROUTE_OPERATOR, ROUTE_JSON, KIB(64), &jobs_dispatch_body, jobs_dispatch },
	{ "POST", "/api/hosts/{id}/source-groups/{gid}/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &jobs_run_body, jobs_run_group },
	{ "POST", "/hosts/{id}/source-groups/{gid}/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &jobs_run_body, jobs_run_group },
	{ "POST", "/api/hosts/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &jobs_run_hosts_body, jobs_run_hosts },
	{ "POST", "/hosts/run", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), &jobs_run_hosts_body, jobs_run_hosts },
	{ "POST", "/api/hosts/tags", ROUTE_OPERATOR, ROUTE_JSON, KIB(16), &hosts_bulk_tags_body, hosts_bulk_tags },
	{ "POST", "/hosts/tags", ROUTE_OPERATOR, ROUTE_FORM, KIB(16), NULL, hosts_bulk_tags },
	{ "POST", "/api/hosts/mode", ROUTE_OPERATOR, ROUTE_JSON, KIB(8), &hosts_bulk_mode_body, hosts_bulk_mode },
	{ "POST", "/hosts/mode", ROUTE_OPERATOR, ROUTE_FORM, KIB(16), NULL, hosts_bulk_mode },
	{ "POST", "/appearance", ROUTE_VIEWER, ROUTE_FORM, KIB(8), NULL, appearance_set },
	{ "POST", "/hosts/{id}/run-backup", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), NULL, jobs_gone },
	{ "POST", "/hosts/{id}/init-repo", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), NULL, jobs_gone },
	{ "GET",  "/api/search", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, search_api },
	{ "GET",  "/api/jobs",   ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, jobs_fleet },
	{ "GET",  "/api/jobs/{id}", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, jobs_get },
	{ "POST", "/api/jobs/{id}/cancel", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), NULL, jobs_cancel },
	{ "POST", "/jobs/{id}/cancel", ROUTE_OPERATOR, ROUTE_JSON_OR_FORM, KIB(8), NULL, jobs_cancel },
	{ "GET",  "/api/jobs/{id}/log.txt", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, jobs_log_txt },
	{ "GET",  "/api/jobs/{id}/log.ndjson", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, jobs_log_ndjson },
	{ "GET",  "/audit", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, page_audit },
	{ "GET",  "/audit.csv", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, audit_csv },
	{ "GET",  "/audit.json", ROUTE_OPERATOR, ROUTE_NO_BODY, 0, NULL, audit_json },
	{ "GET",  "/api/audit", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, audit_list },
	{ "GET",  "/api/audit/verify", ROUTE_ADMIN, ROUTE_NO_BODY, 0, NULL, audit_verify },
	{ "GET",  "/api/jobs/{id}/stream", ROUTE_VIEWER, ROUTE_NO_BODY, 0, NULL, sse_job_stream },
};
/* clang-format on */

const struct route *
route_table(size_t *n)
{
	*n = ARRAY_LEN(routes);
	return routes;
}

static bool
is_variable(struct str segment)
{
	return segment.n > 2 && segment.p[0] == '{';
}

/* Both begin with a slash; one segment of each is compared a time. */
static bool
match(struct str pattern, struct str path, struct str *vars)
{
	struct str want, have;
	size_t n = 0;
	bool more;

	str_next(&pattern, '/', &want);
	str_next(&path, '/', &have);
	if (have.n != 0)
		return false;
	while (str_next(&pattern, '/', &want)) {
		if (str_eqz(want, "{*}")) {
			vars[n] = path;
			return path.n > 0;
		}
		more = str_next(&path, '/', &have);
		if (!more)
			return false;
		if (is_variable(want)) {
			if (have.n == 0)
				return false;
			vars[n++] = have;
		} else if (!str_eq(want, have)) {
			return false;
		}
	}
	return !str_next(&path, '/', &have);
}

/* "GET, POST": each method once; a list too long for allow is cut. */
static void
allow_add(char *allow, size_t cap, const char *method)
{
	char longer[128];

	if (strstr(allow, method) != NULL)
		return;
	if (!str_fmt(longer, sizeof(longer), "%s%s%s", allow,
	        *allow != '\0' ? ", " : "", method))
		return;
	if (strlen(longer) < cap)
		memcpy(allow, longer, strlen(longer) + 1);
}

enum rc
route_find(struct str method, struct str path, const struct route **out,
    struct str *vars, char *allow, size_t allow_cap)
{
	struct str found[REQ_VARS_MAX];
	bool seen = false;
	size_t i;

	if (str_eqz(method, "HEAD"))
		method = STR("GET");
	allow[0] = '\0';
	for (i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *r = &routes[i];

		memset(found, 0, sizeof(found));
		if (!match(str_of(r->pattern), path, found))
			continue;
		if (str_eqz(method, r->method)) {
			memcpy(vars, found, sizeof(found));
			*out = r;
			return RC_OK;
		}
		seen = true;
		allow_add(allow, allow_cap, r->method);
	}
	return seen ? RC_INVALID : RC_NOTFOUND;
}
