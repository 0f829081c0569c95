/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_PAGES_H
#define RENDER_PAGES_H
/*
 * The pages, and what the controller says in RenderRequest (proto/
 * render.proto).  A request names a page; params carry ids out of the path,
 * the query, and what was typed into a form that was refused.
 *
 * page       path                        params
 * bootstrap  /bootstrap                  username, need_token ("1": ask for
 *                                        it), fingerprint (64 hex digits),
 *                                        error, error.<field>
 * login      /login                      username, error
 * dashboard  /                           q, status, repo_status, tag, updates,
 *                                        sort, dir, page, notice; started,
 *                                        waiting (numbers), offline, refused
 *                                        (ids with dots between), ticked: what
 *                                        "Back up now" came to; edited
 *                                        (number of hosts)
 * host_new   /hosts/new                  hostname, tags, repo_url,
 *                                        repo_username, initial_paths,
 *                                        allow_duplicate ("1"), duplicate
 *                                        ("1": offer it), error,
 *                                        error.<field>; never repo_password;
 *                                        pin (base64), pin_hex,
 *                                        page of the list of enrolments, was
 *                                        (hash of one that is over)
 * pending    /hosts/pending/{hash}       hash, pin (base64), secrets (of
 *            and .../awaiting, which is  "token password" those that there
 *            fragment enrol.state        are)
 * host       /hosts/{id}                 id, page, tags_typed, error,
 *                                        error.tags, notice
 * host_jobs  /hosts/{id}/jobs            id, q, state, kind, day (YYYY-MM-DD),
 *                                        schedule (id), page, error, notice
 * host_repo  /hosts/{id}/repo            id, has_password ("1": one is stored
 *                                        that opens), has_admin_password
 *                                        (the same), range (30, 90, 365: days
 *                                        of the trend), error, error.<field>,
 *                                        error.reinit, error.delete, notice;
 *                                        of a form that was refused: typed
 *                                        (its section: connection, admin,
 *                                        variables, bandwidth, maintenance,
 *                                        hooks, danger) and every field of it
 *                                        that is no secret
 * host_      /hosts/{id}/sources         id, error, notice
 * sources
 * host_      /hosts/{id}/sources/new     id, group ("": a new one), error,
 * source     and .../{gid}/edit          error.<field>, notice; of a form that
 *                                        was refused: typed ("1") and every
 *                                        field of it but pre_hook and
 *                                        post_hook
 * host_      /hosts/{id}/schedules       id, error, notice; started, waiting
 * schedules                              (numbers) and ran (schedule): what
 *                                        "Run now" came to; confirm (schedule
 *                                        that is paused: ask before it runs)
 * host_      /hosts/{id}/schedules/new   id, schedule ("": a new one), like
 *                                        (the preset to begin with), error,
 * schedule   and .../{sid}/edit          error.<field> (groups: of the boxes);
 *                                        of a form that was refused or is to
 *                                        be previewed (preview "1"): typed
 *                                        ("1"), preset, cron, zone, enabled ("1"),
 *                                        jitter_seconds, groups (ids, blanks
 *                                        between)
 * job        /jobs/{id}                  id, from (line), retention_days, error,
 *                                        notice
 * account    /settings/account           sessions (number), must_change ("1"),
 *                                        name, role, expires_in_days, notice,
 *                                        error, error.<field>; shows the
 *                                        viewer's own record
 * account_   /settings/account/tokens/   id, shown ("1": it was before)
 * token      {id}
 * search     /search                     q
 * jobs       /jobs                       q, state, kind, host (id), since,
 *                                        until (YYYY-MM-DD), page
 * audit      /audit                      user, action, target, q, from, to,
 *                                        sort, page
 * users      /settings/users             state (active, invited, disabled), sort
 *                                        (name, role, status, seen, created),
 *                                        dir (desc), page
 * user_new   /settings/users/new         username, email, role, other (id of who
 *                                        has the name), error.<field>
 * user       /settings/users/{id}        id, sessions (number), notice, error;
 *                                        of a refused form: typed ("1"), role,
 *                                        email, must_change ("1"),
 *                                        error.<field>
 * user_link  /settings/users/{id}/link   id, shown ("1": it was before)
 * setup      /setup                      username, gone ("1": the link is over),
 *                                        error, error.password
 * error      any                         status (403, 404, 409, 410, 413,
 *                                        422, 429, 500, 503), message, needs
 *                                        (role), back (path)
 *
 * Unknown params are left alone.  error is a sentence shown as a banner,
 * notice one that only confirms; error.<field> stands at that field.  <field>
 * is the name of the form's field.
 *
 * Forms post to: /bootstrap (csrf, token, username, password), /login (csrf,
 * username, password), /logout (csrf), /hosts/new (csrf, hostname, tags,
 * repo_url, repo_username, repo_password, initial_paths, allow_duplicate),
 * /hosts/{id}/tags (csrf, tags), .../mode (csrf, always_on ("1"),
 * allowed_age_hours: blank by its schedules), /hosts/{id}/repo/credentials
 * (csrf, repo_url, repo_username, repo_password), .../repo/variables (csrf,
 * var-<NAME>: blank keeps, drop-<NAME> ("1")), .../admin-credentials (csrf,
 * repo_url, repo_username, repo_password, var-<NAME>, drop-<NAME>),
 * .../admin-credentials/delete (csrf), .../repo/bandwidth (csrf,
 * bandwidth_up_kbps, bandwidth_down_kbps: blank for none),
 * .../repo/maintenance (csrf, forget_cadence, forget_enabled ("1"),
 * prune_cadence, prune_enabled, check_cadence, check_enabled,
 * check_subset_pct), .../repo/check, .../repo/prune, .../repo/forget,
 * .../repo/unlock and .../repo/probe (csrf), .../repo/reinit (csrf, confirm),
 * of the dashboard /hosts/run, /hosts/tags (bulk_tags, do (add, remove)) and
 * /hosts/mode (always_on ("1", "0")) with csrf and host-<id> for each,
 * /hosts/{id}/source-groups/{gid}/run (csrf, bandwidth_up_kbps,
 * bandwidth_down_kbps: blank for the host's caps, 0 for none),
 * /hosts/{id}/sources/new and .../sources/{gid}/edit (csrf, name, includes and
 * excludes one a line, keep_last, keep_hourly, keep_daily, keep_weekly,
 * keep_monthly, keep_yearly, retry_max, retry_backoff_seconds),
 * .../sources/{gid}/delete (csrf), of administrators .../sources/{gid}/hooks
 * and /hosts/{id}/repo/hooks (csrf, pre_hook, post_hook: blank keeps what is
 * stored, remove_pre_hook, remove_post_hook ("1"), hook_limit_seconds),
 * /hosts/{id}/schedules/new and .../schedules/{sid}/edit (csrf, preset: an
 * expression that wins over cron unless it is blank, cron, zone,
 * enabled ("1"), group-<id> ("1") for each, jitter_seconds, do ("preview": show
 * it again, nothing is stored), .../schedules/{sid}/enabled (csrf, enabled),
 * .../delete (csrf), .../run (csrf, confirm ("1") when it is paused),
 * /jobs/{id}/cancel (csrf),
 * /settings/account (csrf, current_password, new_password), .../tokens (csrf,
 * name, role, expires_in_days), .../tokens/{id}/revoke and
 * .../sign-out-others (csrf), /settings/users/new (csrf, username, email,
 * role), /settings/users/{id} (csrf, email, role, must_change) and .../disable,
 * enable, regenerate-setup-link, force-logout (csrf), /setup (csrf, token,
 * password).
 *
 * Secrets: pages pending, account_token, user_link and setup write marker + PAGES_MARK_TOKEN
 * (and marker + PAGES_MARK_PASSWORD); the controller replaces each of them, HTML-escaped,
 * as often as it stands there.  An empty marker is refused.
 *
 * fragment: "" is the whole page; a region's name gives the elements with
 * that data-live alone; PAGES_ALL gives every region of the page, one after
 * the other.  Regions (host.row is the element of the host that the param
 * host names, id "host-<id>"; hosts says how many rows are others than those of
 * the param rows, ids with commas between):
 *   dashboard          fleet.headline fleet.stats hosts host.row pending.list
 *   host...            host.facts host.strip host.banner host.head
 *   host_jobs          also host.jobs
 *   host_repo          also repo.health
 *   host_sources       also host.sources
 *   host_schedules     also host.schedules
 *   host_source        retention.preview
 *   host_schedule      schedule.preview
 *   job                job.state job.progress job.announce
 *   search             search.hits
 *   jobs               jobs.headline jobs.running jobs.next (those that
 *                      wait) jobs.due
 *   pending            enrol.state
 * job.log is fed from /api/jobs/{id}/stream?from=<byte offset> (a
 * Last-Event-ID field wins over from).  /events?page=<name>&<params>
 * sends each fragment as one SSE message of event "fragment"; the client
 * finds the element by data-live and id.  An event "reload" asks the client
 * to load the page again (another state, other buttons).
 *
 * Reply: status 200; page error: its own; 404 for an id that is not there
 * (the body is the page error); 400 for an unknown page or fragment; 500 with error for the log.
 * Controllers answer a refused form with their own status and this body.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"

#define PAGES_MARK_TOKEN "-token"
#define PAGES_MARK_PASSWORD "-password"
#define PAGES_ALL "*"

enum {
	PAGES_REQUEST_MAX = 524288, /* bytes of a RenderRequest */
	PAGES_REPLY_MAX = 8388608   /* bytes of a RenderReply */
};

struct view;
struct value;

/* Fills the page's own variables into root.  RC_NOTFOUND: page error, 404. */
typedef enum rc pages_view_fn(struct view *v, struct value *root);

struct page {
	const char *name;
	const char *template; /* www/templates/<template>.mustache */
	pages_view_fn *view;
	const char *const *regions; /* NULL-terminated */
	bool secrets;               /* has markers */
};

/* NULL when there is no such page. */
const struct page *pages_find(const char *name);
/* The whole table, for start-up checks and tests. */
const struct page *pages_table(size_t *out_count);
#endif
