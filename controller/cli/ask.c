/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/ask.h"

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "lib/base/json.h"

enum exit_code
ask_list_by(struct cli *c, struct client *cl, const char *path, size_t max,
    const struct ask_shape *shape)
{
	struct json *doc = NULL;
	struct err e = { 0 };

	if (client_list(cl, path, max, &doc, &e) != RC_OK)
		return cli_fail(c, &e);
	if (c->out.json)
		print_doc(&c->out, client_text(cl));
	else
		print_table(&c->out, shape->cols, shape->n,
		    json_get(doc, "items"), shape->nothing);
	json_free(doc);
	return END_OK;
}

enum exit_code
ask_list(struct cli *c, const char *path, size_t max,
    const struct ask_shape *shape)
{
	struct client *cl = NULL;
	struct err e = { 0 };
	enum exit_code code;

	if (client_new(&c->cfg, true, &cl, &e) != RC_OK)
		return cli_fail(c, &e);
	code = ask_list_by(c, cl, path, max, shape);
	client_free(cl);
	return code;
}

enum exit_code
ask_record(struct cli *c, struct client *cl, const char *path,
    const struct ask_shape *shape)
{
	struct json *doc = NULL;
	struct err e = { 0 };

	if (client_get(cl, path, &doc, &e) != RC_OK)
		return cli_fail(c, &e);
	if (c->out.json)
		print_doc(&c->out, client_text(cl));
	else
		print_record(&c->out, shape->cols, shape->n, doc);
	json_free(doc);
	return END_OK;
}

enum exit_code
ask_change(struct cli *c, struct client *cl, const char *method,
    const char *path, struct str body, const char *done)
{
	struct json *doc = NULL;
	struct err e = { 0 };

	if (client_call(cl, method, path, body, &doc, &e) != RC_OK)
		return cli_fail(c, &e);
	if (c->out.json)
		print_doc(&c->out,
		    doc != NULL ? client_text(cl) : STR("{\"ok\":true}"));
	else
		print_line(&c->out, "%s", done);
	json_free(doc);
	return END_OK;
}

static bool
meant(const struct ask_name *n, const struct json *item, struct str text)
{
	if (str_case_eq(json_text(item, "id"), text))
		return true;
	return str_case_eq(json_text(item, n->member), text) &&
	       (n->fits == NULL || n->fits(item));
}

enum rc
ask_id(struct client *cl, const struct ask_name *n, const char *text, char *out,
    size_t cap, struct err *e)
{
	struct json *doc = NULL;
	const struct json *items, *one;
	size_t i, hits = 0;
	enum rc rc;

	if ((rc = client_list(cl, n->path, 0, &doc, e)) != RC_OK)
		return rc;
	items = json_get(doc, "items");
	for (i = 0; i < json_len(items); i++) {
		one = json_at(items, i);
		if (meant(n, one, str_of(text)) &&
		    str_copy(out, cap, json_text(one, "id")))
			hits++;
	}
	json_free(doc);
	if (hits == 1)
		return RC_OK;
	if (hits == 0)
		return err_set(e, RC_NOTFOUND, "there is no %s '%.80s'",
		    n->what, text);
	return err_set(e, RC_CONFLICT,
	    "%zu of them are called '%.80s': give the id", hits, text);
}
