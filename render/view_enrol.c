/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Enrolment tokens: the list of them, and the page of one with how far its
 * host has come. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/ulid.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "render/cause.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	ROWS_A_PAGE = 100,
	ERROR_SHOWN = 500,
	HEX_CAP = 2 * CRYPT_HASH_SIZE + 1
};

/* How a state looks in the list and at the head of the panel. */
struct look {
	const char *word;  /* in the list */
	const char *title; /* of the panel */
	const char *class, *glyph;
};

/* What the host that used the token has come to. */
enum progress {
	AT_TOKEN, /* it was not used: the token's own state says it */
	AT_CONTACT,
	AT_REPOSITORY,
	AT_FAILURE,
	AT_END,
	AT_REMOVED
};

/* One enrolment with what is looked up for it once. */
struct enrolment {
	const struct Rec__Enrolment *rec;
	enum enrol_state state;
	const struct Rec__Host *host; /* NULL: none */
	const struct Rec__Presence *presence;
	const struct Rec__Job *init;
	enum progress at;
};

/* clang-format off */
static const struct look token_looks[] = {
	[ENROL_AWAITING] = { "waiting",  "Waiting for the host", "idle", "queued" },
	[ENROL_USED]     = { "used",     "Enrolled",             "ok",   "ok" },
	[ENROL_EXPIRED]  = { "expired",  "Expired",              "warn", "stale" },
	[ENROL_REVOKED]  = { "revoked",  "Revoked",              "idle", "cancelled" },
	[ENROL_REPLACED] = { "replaced", "Replaced by a newer command", "idle", "cancelled" },
};
static const struct look host_looks[] = {
	[AT_TOKEN]      = { "", "", "", "" },
	[AT_CONTACT]    = { "used, not connected", "Enrolled, waiting for the connection", "run", "run" },
	[AT_REPOSITORY] = { "used, preparing", "Preparing the repository", "run", "run" },
	[AT_FAILURE]    = { "used, repository failed", "The repository is not ready", "bad", "failed" },
	[AT_END]        = { "used", "Ready", "ok", "ok" },
	[AT_REMOVED]    = { "used, host removed", "The host was removed", "idle", "cancelled" },
};
/* clang-format on */

static enum progress
progress_of(const struct enrolment *en)
{
	if (en->state != ENROL_USED)
		return AT_TOKEN;
	if (en->host == NULL)
		return AT_REMOVED;
	if (en->host->repo_status == REC__REPO_STATUS__REPO_READY)
		return AT_END;
	if (en->init != NULL && !job_state_final(en->init->state))
		return AT_REPOSITORY;
	if (en->host->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED)
		return AT_FAILURE;
	return en->host->online ? AT_REPOSITORY : AT_CONTACT;
}

static void
load(struct view *v, const struct Rec__Enrolment *rec, struct enrolment *out)
{
	struct ulid host, job;

	memset(out, 0, sizeof(*out));
	out->rec = rec;
	out->state = enrol_store_state(rec, v->req->now_ms);
	if (view_ulid(rec->used_host, &host)) {
		out->host = host_store_find(v->state, &host);
		out->presence = live_find_presence(v->live, &host);
	}
	if (out->host != NULL && view_ulid(out->host->init_job, &job))
		out->init = job_store_find(v->state, &job);
	out->at = progress_of(out);
}

static const struct look *
look_of(const struct enrolment *en)
{
	return en->at == AT_TOKEN ? &token_looks[en->state]
	                          : &host_looks[en->at];
}

static void
put_look(struct value *map, const struct look *l)
{
	value_text(map, "word", l->word);
	value_text(map, "state_title", l->title);
	value_text(map, "class", l->class);
	value_text(map, "glyph", l->glyph);
	value_bool(map, "spin", strcmp(l->glyph, "run") == 0);
}

static const char *
joined(struct view *v, char *const *words, size_t n)
{
	const char *all = "";
	size_t i;

	for (i = 0; i < n; i++)
		all = arena_printf(v->arena, "%s%s%s", all, i > 0 ? ", " : "",
		    words[i]);
	return all;
}

static const char *
time_left(struct view *v, int64_t until_ms)
{
	int64_t left = (until_ms - v->req->now_ms) / 1000;

	return text_left(v->arena, left < 0 ? 0 : (uint64_t)left);
}

/* --------------------------------------------------------------- the list */

static void
put_row(struct view *v, struct value *map, const struct enrol_row *row)
{
	struct enrolment en;
	char hex[HEX_CAP];

	load(v, row->rec, &en);
	str_hex(row->hash, sizeof(row->hash), hex, sizeof(hex));
	value_text(map, "hash", arena_dup(v->arena, hex));
	value_text(map, "name", en.rec->hostname);
	value_text(map, "row_tags", joined(v, en.rec->tags, en.rec->n_tags));
	value_text(map, "url", en.rec->repo_url);
	value_text(map, "by", en.rec->created_by_name);
	put_look(map, look_of(&en));
	view_time(v, map, "made", en.rec->created_at_ms);
	value_text(map, "left",
	    en.state == ENROL_AWAITING ? time_left(v, en.rec->expires_at_ms)
	                               : "");
	value_text(map, "enrolled_host",
	    en.host != NULL ? view_id(v, en.rec->used_host) : "");
	value_bool(map, "shown",
	    en.state == ENROL_AWAITING ||
	        (en.state == ENROL_USED && en.host != NULL));
	value_bool(map, "renewable",
	    en.state == ENROL_AWAITING || en.state == ENROL_EXPIRED);
}

/* The one whose page led here because it is over. */
static void
put_was(struct view *v, struct value *root)
{
	const struct Rec__Enrolment *rec = NULL;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct enrolment en;
	const char *z = "";

	if (str_unhex(view_param(v, "was"), hash, sizeof(hash)))
		rec = enrol_store_find(v->state, hash);
	if (rec != NULL) {
		load(v, rec, &en);
		if (en.state == ENROL_EXPIRED)
			z = arena_printf(v->arena,
			    "The command for %s has expired. Regenerate it "
			    "below.",
			    rec->hostname);
		else if (en.state == ENROL_REVOKED)
			z = arena_printf(v->arena,
			    "The command for %s was revoked.", rec->hostname);
	}
	value_text(root, "was", z);
}

void
view_enrolments(struct view *v, struct value *root)
{
	struct view_pager pager = { .base = "/hosts/new?page=",
		.page = view_param_number(v, "page", 1),
		.size = ROWS_A_PAGE };
	const struct enrol_row *rows;
	struct value *list;
	size_t n, i;

	rows = enrol_store_list(v->state, v->req->now_ms, &n);
	pager.total = n;
	view_pager(root, "pager", &pager);
	list = value_list(root, "enrolments");
	for (i = (size_t)((pager.page - 1) * pager.size);
	     i < n && i < pager.page * pager.size; i++)
		put_row(v, value_item(list), &rows[i]);
	value_bool(root, "any_enrolment", n > 0);
	put_was(v, root);
}

/* --------------------------------------------------------------- the steps */

/* One line of the panel.  done, under way, waiting, or wrong. */
struct step {
	const char *class, *glyph, *title;
	int64_t at_ms; /* 0: none */
	const char *by;
	const char *text;
	const char *log; /* id of a job */
};

static void
put_step(struct view *v, struct value *list, const struct step *s)
{
	struct value *m = value_item(list);

	value_text(m, "class", s->class);
	value_text(m, "glyph", s->glyph);
	value_bool(m, "spin", strcmp(s->glyph, "run") == 0);
	value_text(m, "title", s->title);
	view_time(v, m, "at", s->at_ms);
	value_text(m, "step_by", s->by != NULL ? s->by : "");
	value_text(m, "text", s->text != NULL ? s->text : "");
	value_text(m, "log", s->log != NULL ? s->log : "");
}

static const char *
or_none(const char *z)
{
	return z[0] != '\0' ? z : "none";
}

static struct step
token_step(struct view *v, const struct enrolment *en)
{
	const struct Rec__Enrolment *rec = en->rec;

	switch (en->state) {
	case ENROL_AWAITING:
		return (struct step){ "run", "run", "Waiting for the command",
			.text = "The token was not used yet." };
	case ENROL_EXPIRED:
		return (struct step){ "warn", "stale",
			"The token expired before it was used",
			.at_ms = rec->expires_at_ms };
	case ENROL_REVOKED:
	case ENROL_REPLACED:
		return (struct step){ "idle", "cancelled",
			en->state == ENROL_REVOKED
			    ? "The token was revoked"
			    : "Another token was made in its place",
			.at_ms = rec->revoked_at_ms };
	case ENROL_USED:
		break;
	}
	if (en->host == NULL)
		return (struct step){ "ok", "ok", "Token used",
			.at_ms = rec->used_at_ms,
			.text = "The host was removed since." };
	return (struct step){ "ok", "ok", "Token used",
		.at_ms = rec->used_at_ms,
		.by = rec->used_from[0] != '\0'
		          ? arena_printf(v->arena, "from %s", rec->used_from)
		          : "",
		.text = arena_printf(v->arena, "%s, %s %s, agent %s, restic %s",
		    en->host->reported_name, en->host->os, en->host->arch,
		    or_none(en->host->agent_version),
		    or_none(en->host->restic_version)) };
}

static struct step
contact_step(const struct enrolment *en)
{
	const struct Rec__Host *h = en->host;

	if (h == NULL)
		return (struct step){ "idle", "never", "The agent connects",
			.at_ms = 0 };
	if (h->online)
		return (struct step){ "ok", "ok", "Agent connected",
			.at_ms = en->presence != NULL
			             ? en->presence->connected_at_ms
			             : h->last_seen_at_ms };
	if (h->last_seen_at_ms != 0)
		return (struct step){ "warn", "offline",
			"The agent is not connected any more",
			.at_ms = h->last_seen_at_ms,
			.text = "Look on the host: systemctl status "
			        "restic-manager-agent" };
	return (struct step){ "run", "run", "Waiting for the agent to connect",
		.text = "If it takes more than a few seconds, look on the "
		        "host: systemctl status restic-manager-agent" };
}

static struct step
failure_step(struct view *v, const struct enrolment *en)
{
	const struct Rec__Job *job = en->init;
	const char *why = en->host->repo_status_error;

	/* restic's own words where the cause has no better ones. */
	if (job != NULL)
		why =
		    arena_printf(v->arena, "%s. %s", cause_words(job, v->arena),
		        cause_advice(job)[0] != '\0' ? cause_advice(job) : why);
	return (struct step){ "bad", "failed",
		"The repository could not be prepared",
		.at_ms = job != NULL ? job->finished_at_ms : 0,
		.text = arena_str(v->arena,
		    view_cut(str_trim(str_of(why)), ERROR_SHOWN)),
		.log = job != NULL ? view_id(v, job->id) : "" };
}

static struct step
repo_step(struct view *v, const struct enrolment *en)
{
	switch (en->at) {
	case AT_FAILURE:
		return failure_step(v, en);
	case AT_END:
		return (struct step){ "ok", "ok", "Repository is ready",
			.at_ms =
			    en->init != NULL ? en->init->finished_at_ms : 0,
			.log =
			    en->init != NULL ? view_id(v, en->init->id) : "" };
	case AT_REPOSITORY:
		return (struct step){ "run", "run",
			"Repository is being initialised",
			.at_ms = en->init != NULL ? en->init->started_at_ms : 0,
			.log =
			    en->init != NULL ? view_id(v, en->init->id) : "" };
	case AT_TOKEN:
	case AT_CONTACT:
	case AT_REMOVED:
		break;
	}
	return (struct step){ "idle", "never", "The repository is prepared",
		.at_ms = 0 };
}

static void
put_steps(struct view *v, struct value *root, const struct enrolment *en)
{
	struct value *list = value_list(root, "steps");
	const struct Rec__Enrolment *rec = en->rec;
	struct step s = { "ok", "ok", "Command created",
		.at_ms = rec->created_at_ms };

	s.by = rec->created_by_name[0] != '\0'
	           ? arena_printf(v->arena, "by %s", rec->created_by_name)
	           : "";
	put_step(v, list, &s);
	s = token_step(v, en);
	put_step(v, list, &s);
	if (en->state != ENROL_AWAITING &&
	    (en->state != ENROL_USED || en->host == NULL))
		return;
	s = contact_step(en);
	put_step(v, list, &s);
	s = repo_step(v, en);
	put_step(v, list, &s);
	s = (struct step){ "idle", "never", "First backup",
		.text = "Start it on the host's page." };
	put_step(v, list, &s);
}

/* ---------------------------------------------------------------- the page */

/* As one word of a shell command, quoted where it must be. */
static const char *
shell_word(struct view *v, struct str s)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "@%+=:,./_-";
	const char *z;
	struct buf b;
	size_t i;

	for (i = 0; i < s.n && strchr(plain, s.p[i]) != NULL; i++)
		continue;
	if (i == s.n && s.n > 0)
		return arena_str(v->arena, s);
	buf_init(&b, KIB(64));
	buf_putc(&b, '\'');
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_puts(&b, "'\\''");
		else
			buf_putc(&b, s.p[i]);
	}
	buf_putc(&b, '\'');
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* The secrets: the controller puts the real ones where these stand. */
static void
put_markers(struct view *v, struct value *root, const struct enrolment *en)
{
	const char *marker = v->req->marker;
	struct str told = view_param(v, "secrets");
	bool awaiting = en->state == ENROL_AWAITING;
	bool kept = str_contains(told, STR("token"));

	value_text(root, "token",
	    arena_printf(v->arena, "%s" PAGES_MARK_TOKEN, marker));
	value_text(root, "password",
	    arena_printf(v->arena, "%s" PAGES_MARK_PASSWORD, marker));
	value_bool(root, "command", awaiting && kept);
	value_bool(root, "lost", awaiting && !kept);
	value_bool(root, "has_password",
	    awaiting || (en->state == ENROL_USED && en->at != AT_REMOVED));
	value_bool(root, "password_generated", en->rec->password_generated);
	value_bool(root, "password_shown", str_contains(told, STR("password")));
}

/* The words of a command that fetches install.sh. */
static void
put_command(struct view *v, struct value *root)
{
	struct str base = str_of(v->req->base_url);

	value_text(root, "url_word", shell_word(v, base));
	value_text(root, "script_word",
	    shell_word(v, str_of(arena_printf(v->arena, "%s/install/install.sh",
	                      v->req->base_url))));
	value_bool(root, "pinned", str_starts(base, STR("https://")));
}

void
view_tokenless(struct view *v, struct value *root)
{
	static const char *const kept[] = { "pin", "pin_hex", NULL };

	view_keep_params(v, root, kept);
	put_command(v, root);
}

enum rc
view_pending(struct view *v, struct value *root)
{
	static const char *const kept[] = { "hash", "pin", NULL };
	const struct Rec__Enrolment *rec = NULL;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct enrolment en;

	if (str_unhex(view_param(v, "hash"), hash, sizeof(hash)))
		rec = enrol_store_find(v->state, hash);
	if (rec == NULL)
		return store_rc(v->state) == RC_OK ? RC_NOTFOUND
		                                   : store_rc(v->state);
	load(v, rec, &en);
	view_keep_params(v, root, kept);
	value_text(root, "hostname", rec->hostname);
	value_text(root, "repo_username", rec->repo_username);
	value_text(root, "base_url", v->req->base_url);
	put_command(v, root);
	value_text(root, "username_word",
	    shell_word(v, str_of(rec->repo_username)));
	put_markers(v, root, &en);
	put_look(root, look_of(&en));
	put_steps(v, root, &en);
	value_text(root, "expires_minute",
	    text_minute(v->arena, &v->clock, rec->expires_at_ms));
	value_text(root, "left", time_left(v, rec->expires_at_ms));
	value_bool(root, "awaiting", en.state == ENROL_AWAITING);
	value_bool(root, "renewable", en.state == ENROL_EXPIRED);
	value_text(root, "host",
	    en.host != NULL ? view_id(v, rec->used_host) : "");
	value_bool(root, "ready", en.at == AT_END);
	value_bool(root, "over",
	    en.at == AT_END || en.at == AT_REMOVED ||
	        (en.at == AT_TOKEN && en.state != ENROL_AWAITING));
	value_bool(root, "nav_hosts", true);
	return RC_OK;
}
