/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/client.h"

#include <string.h>

#include "controller/cli/config.h"
#include "controller/cli/exit.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"

#define NAME_PLAIN \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

enum {
	CLIENT_PAGE = 500,
	CLIENT_PAGES_MAX = 1000,
	CLIENT_LIST_MAX = 256 << 20,
	CLIENT_NAMED_MAX = 4
};

struct client {
	struct http *http;
	struct http_answer answer; /* the last one */
	struct buf list;           /* its text when it was made of pages */
	bool listed;
	char code[64]; /* of the last refusal */
};

/* ---------------------------------------------------------------- opening */

enum rc
client_new(const struct config *cfg, bool signed_in, struct client **out,
    struct err *e)
{
	struct http_opts o = { .server = cfg->server, .pin = cfg->pin };
	struct client *c;
	enum rc rc;

	if (cfg->server == NULL)
		return err_set(e, RC_INVALID,
		    "which controller? Say restic-manager login URL, or set "
		    "RM_SERVER");
	if (signed_in && cfg->token == NULL)
		return err_set(e, RC_AUTH,
		    "not signed in to %s: say restic-manager login, or set "
		    "RM_API_TOKEN",
		    cfg->server);
	o.ca_file = cfg->ca_file;
	o.token = cfg->token;
	c = MEM_NEW(struct client);
	buf_init(&c->answer.body, 1);
	buf_init(&c->list, CLIENT_LIST_MAX);
	if ((rc = http_new(&o, &c->http, e)) != RC_OK) {
		client_free(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	http_free(c->http);
	http_answer_fini(&c->answer);
	buf_fini(&c->list);
	mem_free(c);
}

struct http *
client_http(struct client *c)
{
	return c->http;
}

struct str
client_text(const struct client *c)
{
	return buf_str(c->listed ? &c->list : &c->answer.body);
}

const char *
client_cookie(const struct client *c)
{
	return c->answer.cookie;
}

/* ------------------------------------------------------------------ calls */

/* The code of our own table wins over the status, which several share. */
static enum rc
rc_of(int status, struct str code)
{
	size_t i;

	for (i = 1; i < RC_COUNT; i++)
		if (str_eqz(code, rc_info((enum rc)i)->json_code) &&
		    rc_info((enum rc)i)->http_status == status)
			return (enum rc)i;
	if (status == 200) /* OK's own status is no refusal */
		return RC_IO;
	for (i = 1; i < RC_COUNT; i++)
		if (rc_info((enum rc)i)->http_status == status)
			return (enum rc)i;
	return status >= 500 ? RC_BUSY : RC_PROTO;
}

static enum rc
odd_answer(const struct http_answer *a, struct err *e)
{
	if (a->status >= 300 && a->status < 400)
		return err_set(e, RC_CORRUPT,
		    "the answer is a redirect (%d): is this the controller's "
		    "own address?",
		    a->status);
	if (a->status == 502 || a->status == 503 || a->status == 504)
		return err_code(e, RC_BUSY, EXIT_UNREACHABLE_CODE,
		    "something between answers %d for the controller: does "
		    "it run?",
		    a->status);
	return err_set(e, RC_CORRUPT,
	    "the answer (status %d, %.60s) is not the controller's: is the "
	    "address right?",
	    a->status, a->type[0] != '\0' ? a->type : "no type");
}

enum rc
client_refused(struct client *c, const struct http_answer *a, struct err *e)
{
	struct json *doc = NULL;
	struct str code;
	enum rc rc;

	if (json_parse(buf_str(&a->body), &doc, NULL) != RC_OK ||
	    json_text(doc, "code").n == 0) {
		json_free(doc);
		return odd_answer(a, e);
	}
	code = json_text(doc, "code");
	rc = rc_of(a->status, code);
	if (!str_copy(c->code, sizeof(c->code), code))
		c->code[0] = '\0';
	err_code(e, rc, c->code, "%.*s", STR_ARG(json_text(doc, "message")));
	if (e != NULL && rc == RC_AUTH)
		err_set(e, rc,
		    "%.*s. The token may have expired or been revoked: say "
		    "restic-manager login",
		    STR_ARG(json_text(doc, "message")));
	json_free(doc);
	return rc;
}

enum rc
client_call(struct client *c, const char *method, const char *path,
    struct str body, struct json **doc, struct err *e)
{
	struct http_request q = { .method = method,
		.path = path,
		.body = body,
		.wake_fd = -1 };
	enum rc rc;

	http_answer_fini(&c->answer);
	c->listed = false;
	if (doc != NULL)
		*doc = NULL;
	if ((rc = http_do(c->http, &q, &c->answer, e)) != RC_OK)
		return rc;
	if (c->answer.status < 200 || c->answer.status >= 300)
		return client_refused(c, &c->answer, e);
	if (doc == NULL || c->answer.body.len == 0)
		return RC_OK;
	if (json_parse(buf_str(&c->answer.body), doc, NULL) != RC_OK)
		return odd_answer(&c->answer, e);
	return RC_OK;
}

enum rc
client_get(struct client *c, const char *path, struct json **doc, struct err *e)
{
	enum rc rc =
	    client_call(c, "GET", path, (struct str){ NULL, 0 }, doc, e);

	if (rc == RC_OK && *doc == NULL)
		return err_set(e, RC_CORRUPT, "%s: the answer is empty", path);
	return rc;
}

/* ------------------------------------------------------------------ lists */

/* A list on its way. */
struct paging {
	struct client *c;
	const char *path;
	struct json_out j;
	size_t have, max; /* max 0: all */
	int page;
	bool more;
};

static enum rc
add_page(struct paging *p, struct err *e)
{
	struct json *doc = NULL;
	const struct json *items;
	struct buf url;
	size_t i, n;
	enum rc rc;

	buf_init(&url, KIB(8));
	buf_printf(&url, "%s%cpage=%d&per_page=%d", p->path,
	    strchr(p->path, '?') == NULL ? '?' : '&', p->page,
	    (int)CLIENT_PAGE);
	rc = client_get(p->c, buf_text(&url), &doc, e);
	buf_fini(&url);
	if (rc != RC_OK)
		return rc;
	items = json_get(doc, "items");
	n = json_len(items);
	for (i = 0; i < n && (p->max == 0 || p->have < p->max); i++) {
		json_put_json(&p->j, NULL, json_at(items, i));
		p->have++;
	}
	/* What is not paged tells no page. */
	p->more = n > 0 && i == n && (p->max == 0 || p->have < p->max) &&
	          json_int(doc, "page", 0) == p->page &&
	          (int64_t)p->have < json_int(doc, "total", 0);
	json_free(doc);
	return RC_OK;
}

enum rc
client_list(struct client *c, const char *path, size_t max, struct json **doc,
    struct err *e)
{
	struct paging p = { .c = c, .path = path, .max = max, .more = true };
	enum rc rc = RC_OK;

	buf_reset(&c->list);
	json_out_init(&p.j, &c->list);
	json_obj(&p.j, NULL);
	json_arr(&p.j, "items");
	while (rc == RC_OK && p.more && p.page++ < CLIENT_PAGES_MAX)
		rc = add_page(&p, e);
	json_arr_end(&p.j);
	json_put_uint(&p.j, "count", p.have);
	json_obj_end(&p.j);
	if (rc != RC_OK)
		return rc;
	c->listed = true;
	if (buf_rc(&c->list) != RC_OK)
		return err_set(e, RC_LIMIT,
		    "the list is too long: ask for less");
	return json_parse(buf_str(&c->list), doc, e);
}

/* ------------------------------------------------------------------ names */

enum rc
client_id(const char *text, const char *what, char out[CLIENT_ID_CAP],
    struct err *e)
{
	struct ulid id;

	if (!ulid_parse(str_of(text), &id))
		return err_set(e, RC_INVALID,
		    "'%.40s' is not the id of a %s (26 letters and digits)",
		    text, what);
	ulid_text(&id, out);
	return RC_OK;
}

/* Several hosts may bear one name. */
static enum rc
pick(const struct json *items, const char *text, char out[CLIENT_ID_CAP],
    struct err *e)
{
	struct buf ids;
	size_t i, hits = 0;

	buf_init(&ids, KIB(1));
	for (i = 0; i < json_len(items); i++) {
		const struct json *host = json_at(items, i);

		if (!str_case_eq(json_text(host, "name"), str_of(text)))
			continue;
		if (!str_copy(out, CLIENT_ID_CAP, json_text(host, "id")))
			continue;
		if (++hits <= CLIENT_NAMED_MAX)
			buf_printf(&ids, "%s%s", hits > 1 ? ", " : "", out);
	}
	if (hits == 0)
		err_set(e, RC_NOTFOUND, "there is no host '%.80s'", text);
	else if (hits > 1)
		err_set(e, RC_CONFLICT,
		    "%zu hosts are called '%.40s': say which by its id: %s%s",
		    hits, text, buf_text(&ids),
		    hits > CLIENT_NAMED_MAX ? ", ..." : "");
	buf_fini(&ids);
	if (hits == 0)
		return RC_NOTFOUND;
	return hits > 1 ? RC_CONFLICT : RC_OK;
}

/* The controller finds a part of a name; the whole of it is compared here. */
static enum rc
by_name(struct client *c, const char *text, char out[CLIENT_ID_CAP],
    struct err *e)
{
	char path[256] = "/api/hosts";
	struct json *doc = NULL;
	enum rc rc;

	/* Names of plain letters need not have the whole fleet sent. */
	if (text[strspn(text, NAME_PLAIN)] == '\0' &&
	    !str_fmt(path, sizeof(path), "/api/hosts?q=%%22%s%%22", text))
		return err_set(e, RC_NOTFOUND, "there is no host '%.80s'",
		    text);
	if ((rc = client_list(c, path, 0, &doc, e)) != RC_OK)
		return rc;
	rc = pick(json_get(doc, "items"), text, out, e);
	json_free(doc);
	return rc;
}

enum rc
client_host(struct client *c, const char *text, char out[CLIENT_ID_CAP],
    struct err *e)
{
	struct json *doc = NULL;
	char path[64];
	struct ulid id;
	enum rc rc;

	if (!ulid_parse(str_of(text), &id))
		return by_name(c, text, out, e);
	ulid_text(&id, out);
	ASSERT(str_fmt(path, sizeof(path), "/api/hosts/%s", out));
	rc = client_get(c, path, &doc, e);
	json_free(doc);
	return rc == RC_NOTFOUND ? by_name(c, text, out, e) : rc;
}
