/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/ask.h"

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "lib/base/json.h"

enum {
	PATH_MAX_BYTES = 8 << 10
};

void
ask_begin(struct ask *a, struct cli *c)
{
	*a = (struct ask){ .cli = c, .code = END_OK };
	buf_init(&a->path, PATH_MAX_BYTES);
}

bool
ask_ok(const struct ask *a)
{
	return a->e.rc == RC_OK;
}

void
ask_fail(struct ask *a, const struct err *e)
{
	if (ask_ok(a))
		a->e = *e;
}

enum exit_code
ask_end(struct ask *a)
{
	enum exit_code code = ask_ok(a) ? a->code : cli_fail(a->cli, &a->e);

	buf_fini(&a->path);
	json_free(a->doc);
	client_free(a->cl);
	return code;
}

struct client *
ask_client(struct ask *a)
{
	struct err e;

	if (ask_ok(a) && a->cl == NULL &&
	    client_new(&a->cli->cfg, true, &a->cl, &e) != RC_OK)
		ask_fail(a, &e);
	return ask_ok(a) ? a->cl : NULL;
}

/* ------------------------------------------------------------------ names */

_Static_assert((int)ASK_ID_CAP == (int)CLIENT_ID_CAP, "an id is an id");

bool
ask_host_id(struct ask *a, const char *text, char out[ASK_ID_CAP])
{
	struct client *cl = ask_client(a);
	struct err e;

	if (cl != NULL && client_host(cl, text, out, &e) != RC_OK)
		ask_fail(a, &e);
	return ask_ok(a);
}

void
ask_host(struct ask *a)
{
	char id[ASK_ID_CAP];

	if (ask_host_id(a, a->cli->word[0], id))
		buf_printf(&a->path, "/api/hosts/%s", id);
}

static bool
meant(const struct ask_name *n, const struct json *item, struct str text)
{
	if (str_case_eq(json_text(item, "id"), text))
		return true;
	return str_case_eq(json_text(item, n->member), text) &&
	       (n->fits == NULL || n->fits(item));
}

bool
ask_id(struct ask *a, const struct ask_name *n, const char *text, char *out,
    size_t cap)
{
	const struct json *items = ask_items(a, 0), *one;
	size_t i, hits = 0;

	if (!ask_ok(a))
		return false;
	for (i = 0; i < json_len(items); i++) {
		one = json_at(items, i);
		if (meant(n, one, str_of(text)) &&
		    str_copy(out, cap, json_text(one, "id")))
			hits++;
	}
	if (hits == 0)
		(void)err_set(&a->e, RC_NOTFOUND, "there is no %s '%.80s'",
		    n->what, text);
	else if (hits > 1)
		(void)err_set(&a->e, RC_CONFLICT,
		    "%zu of them are called '%.80s': give the id", hits, text);
	return hits == 1;
}

void
ask_named(struct ask *a, const struct ask_name *n, const char *text)
{
	char id[80];

	if (ask_id(a, n, text, id, sizeof(id)))
		buf_printf(&a->path, "/%s", id);
}

/* ---------------------------------------------------------------- options */

int64_t
ask_number(struct ask *a, enum args_id id, int64_t min, int64_t max,
    int64_t dflt)
{
	int64_t n = dflt;
	struct err e;

	if (args_number(&a->cli->args, id, min, max, dflt, &n, &e) != RC_OK)
		ask_fail(a, &e);
	return n;
}

void
ask_put_text(const struct ask *a, struct json_out *j, const char *name,
    enum args_id id)
{
	if (args_has(&a->cli->args, id))
		json_put(j, name, args_value(&a->cli->args, id));
}

void
ask_put_list(const struct ask *a, struct json_out *j, const char *name,
    enum args_id id)
{
	const struct args_list *l = args_list(&a->cli->args, id);
	size_t i;

	if (l->n == 0)
		return;
	json_arr(j, name);
	for (i = 0; i < l->n; i++)
		json_put(j, NULL, l->v[i]);
	json_arr_end(j);
}

void
ask_put_number(struct ask *a, struct json_out *j, const char *name,
    enum args_id id, int64_t max)
{
	if (args_has(&a->cli->args, id))
		json_put_int(j, name, ask_number(a, id, 0, max, 0));
}

/* ---------------------------------------------------------------- answers */

/* Whether the question can be asked; forgets the last answer. */
static struct client *
ready(struct ask *a)
{
	json_free(a->doc);
	a->doc = NULL;
	if (ask_ok(a) && buf_rc(&a->path) != RC_OK)
		(void)err_set(&a->e, RC_INVALID, "the text is too long");
	return ask_client(a);
}

void
ask_call(struct ask *a, const char *method, const char *body)
{
	struct client *cl = ready(a);
	struct err e;

	if (cl != NULL &&
	    client_call(cl, method, buf_text(&a->path),
	        body != NULL ? str_of(body) : (struct str){ NULL, 0 }, &a->doc,
	        &e) != RC_OK)
		ask_fail(a, &e);
}

void
ask_get(struct ask *a)
{
	struct client *cl = ready(a);
	struct err e;

	if (cl != NULL &&
	    client_get(cl, buf_text(&a->path), &a->doc, &e) != RC_OK)
		ask_fail(a, &e);
}

const struct json *
ask_items(struct ask *a, size_t max)
{
	struct client *cl = ready(a);
	struct err e;

	if (cl != NULL &&
	    client_list(cl, buf_text(&a->path), max, &a->doc, &e) != RC_OK)
		ask_fail(a, &e);
	return json_get(a->doc, "items");
}

bool
ask_told(struct ask *a)
{
	struct print *out = &a->cli->out;

	if (out->json)
		print_doc(out, client_text(a->cl));
	return out->json;
}

void
ask_list(struct ask *a, size_t max, const struct ask_shape *shape)
{
	const struct json *items = ask_items(a, max);

	if (ask_ok(a) && !ask_told(a))
		print_table(&a->cli->out, shape->cols, shape->n, items,
		    shape->nothing);
}

void
ask_record(struct ask *a, const struct ask_shape *shape)
{
	ask_get(a);
	if (ask_ok(a) && !ask_told(a))
		print_record(&a->cli->out, shape->cols, shape->n, a->doc);
}

void
ask_change(struct ask *a, const char *method, const char *body,
    const char *done)
{
	struct print *out = &a->cli->out;

	ask_call(a, method, body);
	if (!ask_ok(a))
		return;
	if (out->json && a->doc == NULL)
		print_doc(out, STR("{\"ok\":true}"));
	else if (!ask_told(a))
		print_line(out, "%s", done);
}

enum exit_code
ask_one_list(struct cli *c, const char *path, const struct ask_shape *shape)
{
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, path);
	ask_list(&a, 0, shape);
	return ask_end(&a);
}
