/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor: each hop of the way to the controller, one line each. */
#include <stdlib.h>
#include <string.h>
#include <version.h>

#include "controller/cli/account.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/checkup.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/net/checkup_net.h"
#include "lib/net/url.h"

enum {
	EVENTS_WAIT_S = 6
};

struct doctor {
	struct cli *c;
	struct checkup *sheet;
	struct url url;
	const char *env_proxy; /* NULL: none is used */
	struct client *cl;
	bool signed_in;
};

/* ------------------------------------------------------------------ config */

static bool
look_at_config(struct doctor *d)
{
	const struct config *cfg = &d->c->cfg;
	struct err e = { 0 };

	if (cfg->server == NULL) {
		checkup_fail(d->sheet, "config",
		    "say restic-manager login URL, --server URL, or set "
		    "RM_SERVER",
		    "%s names no controller", cfg->path);
		return false;
	}
	if (url_parse(cfg->server, &d->url, &e) != RC_OK) {
		checkup_fail(d->sheet, "config", "correct the address", "%s",
		    e.msg);
		return false;
	}
	checkup_ok(d->sheet, "config", "%s, %s, token %s", cfg->server,
	    cfg->pin != NULL ? "pinned" : "by authority",
	    cfg->from_environment ? "of RM_API_TOKEN"
	    : cfg->token != NULL  ? "of the file"
	                          : "missing");
	return true;
}

/* ------------------------------------------------------------ environment */

static const char *
first_of(const char *const *names)
{
	const char *v;

	for (; *names != NULL; names++) {
		v = getenv(*names);
		if (v != NULL && v[0] != '\0')
			return v;
	}
	return NULL;
}

/* As curl reads no_proxy, names and their ends. */
static bool
excluded(const char *host)
{
	static const char *const names[] = { "no_proxy", "NO_PROXY", NULL };
	struct str rest = str_of(first_of(names)), word;

	while (rest.n > 0 && str_next(&rest, ',', &word)) {
		word = str_trim(word);
		if (str_starts(word, STR(".")))
			word = str_sub(word, 1, word.n);
		if (str_eqz(word, "*") || str_case_eq(word, str_of(host)) ||
		    (word.n > 0 && str_ends(str_of(host), word)))
			return true;
	}
	return false;
}

static void
find_proxy(struct doctor *d)
{
	static const char *const tls[] = { "https_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", NULL };
	static const char *const plain[] = { "http_proxy", "all_proxy",
		"ALL_PROXY", NULL };

	if (!excluded(d->url.host))
		d->env_proxy = first_of(d->url.tls ? tls : plain);
}

static bool
look_at_way(struct doctor *d)
{
	static const char *const hops[] = { "dns", "tcp", "tls", "certificate",
		"trust", "alpn" };
	const struct config *cfg = &d->c->cfg;
	const struct checkup_net o = { .to = &d->url,
		.pin = cfg->pin,
		.ca_file = cfg->ca_file,
		.plain_ok = true,
		.pin_hint = "if its key was changed on purpose, sign in again "
		            "by login --pin; if not, somebody is between" };
	size_t i;

	find_proxy(d);
	if (d->env_proxy == NULL)
		return checkup_net(d->sheet, &o);
	for (i = 0; i < ARRAY_LEN(hops); i++)
		checkup_skip(d->sheet, hops[i],
		    "the proxy of the environment makes the connection");
	return true;
}

/* --------------------------------------------------------------------- api */

static void
tell_proxy(struct doctor *d, const struct http_answer *a)
{
	if (a->via[0] != '\0' || a->server[0] != '\0')
		checkup_ok(d->sheet, "proxy", "%s answers for it, HTTP/%s%s%s",
		    a->server[0] != '\0' ? a->server : "something",
		    a->version == 20 ? "2" : "1.1",
		    a->via[0] != '\0' ? ", via " : "", a->via);
	else if (d->env_proxy != NULL)
		checkup_ok(d->sheet, "proxy", "the environment's is used");
	else
		checkup_ok(d->sheet, "proxy", "none seen, HTTP/%s",
		    a->version == 20 ? "2" : "1.1");
}

static void
tell_version(struct doctor *d, const struct json *doc)
{
	struct str v = json_text(doc, "version"), ours = STR(RM_VERSION);
	struct str head, mine, rest;

	str_cut(v, '.', &head, &rest);
	str_cut(ours, '.', &mine, &rest);
	if (v.n == 0)
		checkup_fail(d->sheet, "api",
		    "is this address the controller's?",
		    "the answer names no version");
	else if (!str_eq(head, mine))
		checkup_fail(d->sheet, "api",
		    "use the command of the controller's version",
		    "the controller is %.*s, this command %s", STR_ARG(v),
		    RM_VERSION);
	else
		checkup_ok(d->sheet, "api", "controller %.*s, this command %s",
		    STR_ARG(v), RM_VERSION);
}

static bool
look_at_api(struct doctor *d)
{
	struct http_request q = { .method = "GET",
		.path = "/api/version",
		.wake_fd = -1 };
	struct http_answer a = { 0 };
	struct json *doc = NULL;
	struct err e = { 0 };
	bool ok;

	/* Without the token: a dead one would be refused here already. */
	ok = client_new(&d->c->cfg, false, &d->cl, &e) == RC_OK;
	if (ok) {
		http_set_token(client_http(d->cl), NULL);
		ok = http_do(client_http(d->cl), &q, &a, &e) == RC_OK;
		http_set_token(client_http(d->cl), d->c->cfg.token);
	}
	if (!ok) {
		checkup_fail(d->sheet, "api", "see the hops above", "%s",
		    e.msg);
	} else {
		tell_proxy(d, &a);
		if (a.status != 200 ||
		    json_parse(buf_str(&a.body), &doc, NULL) != RC_OK) {
			checkup_fail(d->sheet, "api",
			    "does the controller run behind the proxy, and is "
			    "the address right?",
			    "GET /api/version was answered %d", a.status);
			ok = false;
		} else {
			tell_version(d, doc);
		}
		if (a.date_ms > 0)
			checkup_clock(d->sheet, clock_now_ms() - a.date_ms);
	}
	json_free(doc);
	http_answer_fini(&a);
	return ok;
}

/* ------------------------------------------------------------------- token */

static void
look_at_token(struct doctor *d)
{
	struct json *doc = NULL;
	const struct json *token;
	struct err e = { 0 };
	struct buf text;

	if (d->c->cfg.token == NULL) {
		checkup_fail(d->sheet, "token",
		    "say restic-manager login, or set RM_API_TOKEN",
		    "there is none");
		return;
	}
	buf_init(&text, KIB(64));
	if (account_read(d->cl, &d->c->cfg, &text, &doc, &e) != RC_OK) {
		checkup_fail(d->sheet, "token",
		    e.rc == RC_AUTH ? "sign in again: restic-manager login"
		                    : "see the hops above",
		    "%s", e.msg);
	} else {
		d->signed_in = true;
		token = json_get(doc, "token");
		checkup_ok(d->sheet, "token", "%.*s, %.*s%s%.*s",
		    STR_ARG(json_text(doc, "username")),
		    STR_ARG(json_text(doc, "role")),
		    json_is_object(token) ? ", good until " : "",
		    STR_ARG(str_sub(json_text(token, "expires_at"), 0, 10)));
	}
	json_free(doc);
	buf_fini(&text);
}

/* ------------------------------------------------------------------ events */

static bool
doctor_on_data(void *ctx, struct str bytes)
{
	bool *came = ctx;

	(void)bytes;
	*came = true;
	return false; /* enough */
}

/* A page's stream says something at once; a proxy that collects answers
 * keeps it. */
static void
look_at_events(struct doctor *d)
{
	struct http_request q = { .method = "GET", .wake_fd = -1 };
	struct http_answer a = { 0 };
	struct err e = { 0 };
	bool came = false;

	if (!d->signed_in) {
		checkup_skip(d->sheet, "events", "needs a token");
		return;
	}
	q.path = "/events?page=dashboard";
	q.accept = "text/event-stream";
	q.on_data = doctor_on_data;
	q.ctx = &came;
	q.patience_s = EVENTS_WAIT_S;
	/* Ended by us, by time or by a refusal: what came decides. */
	if (http_do(client_http(d->cl), &q, &a, &e) == RC_OK && a.status != 200)
		(void)err_set(&e, RC_IO, "status %d", a.status);
	if (came)
		checkup_ok(d->sheet, "events", "live streams come through");
	else
		checkup_fail(d->sheet, "events",
		    "switch off the proxy's buffering of answers (nginx: "
		    "proxy_buffering off)",
		    "nothing of a live stream came within %d s%s%s",
		    (int)EVENTS_WAIT_S, e.msg[0] != '\0' ? ": " : "", e.msg);
	http_answer_fini(&a);
}

enum exit_code
verb_doctor(struct cli *c)
{
	struct doctor d = { .c = c, .sheet = MEM_NEW(struct checkup) };
	enum exit_code code;

	if (look_at_config(&d) && look_at_way(&d) && look_at_api(&d)) {
		look_at_token(&d);
		look_at_events(&d);
	}
	if (c->out.json)
		checkup_json(d.sheet, &c->out.b);
	else
		checkup_text(d.sheet, &c->out.b, c->out.colour);
	code = d.sheet->failed == 0 ? END_OK : END_FAILED;
	client_free(d.cl);
	mem_free(d.sheet);
	return code;
}
