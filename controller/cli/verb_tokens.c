/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tokens: what enrols a new host. */
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/prompt.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

static void
put_list(struct json_out *j, const char *name, const struct args *a,
    enum args_id id)
{
	size_t i;

	if (a->listed[id] == 0)
		return;
	json_arr(j, name);
	for (i = 0; i < a->listed[id]; i++)
		json_put(j, NULL, a->list[id][i]);
	json_arr_end(j);
}

static void
put_option(struct json_out *j, const char *name, const struct args *a,
    enum args_id id)
{
	if (args_has(a, id))
		json_put(j, name, args_value(a, id));
}

/* The body of POST /api/enrollment-tokens. */
static enum rc
wish(struct cli *c, struct buf *b, struct err *e)
{
	const struct args *a = &c->args;
	struct secret password = { 0 };
	struct json_out j;

	if (!args_has(a, OPT_REPO_URL))
		return err_set(e, RC_INVALID,
		    "where does it back up to? Say --repo-url");
	if (args_has(a, OPT_PASSWORD_STDIN) &&
	    prompt_stdin("the repository's password", &password, e) != RC_OK)
		return e->rc;
	json_out_init(&j, b);
	json_obj(&j, NULL);
	json_put(&j, "hostname", c->word[0]);
	put_option(&j, "repo_url", a, OPT_REPO_URL);
	put_option(&j, "repo_username", a, OPT_REPO_USER);
	if (password.n > 0)
		json_put_str(&j, "repo_password", secret_str(&password));
	put_list(&j, "initial_paths", a, OPT_PATH);
	put_list(&j, "tags", a, OPT_TAG);
	if (args_has(a, OPT_ALLOW_DUPLICATE))
		json_put_bool(&j, "allow_duplicate", true);
	json_obj_end(&j);
	secret_fini(&password);
	return RC_OK;
}

static void
tell(struct cli *c, const struct json *doc)
{
	static const struct print_column cols[] = {
		{ "Token", "token", PRINT_TEXT },
		{ "Good until", "expires_at", PRINT_TIME },
		{ "Repository's user", "repo_username", PRINT_TEXT },
		{ "Repository's password", "repo_password", PRINT_TEXT },
	};
	struct print *p = &c->out;

	print_record(p, cols, ARRAY_LEN(cols), doc);
	buf_printf(&p->b,
	    "\nOn the new host, as root:\n  "
	    "restic-manager-agent -enroll-server %s "
	    "-enroll-token ",
	    c->cfg.server);
	print_safe(&p->b, json_text(doc, "token"));
	buf_puts(&p->b, "\nThe token and the password are shown only here.\n");
}

enum exit_code
verb_tokens_create(struct cli *c)
{
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(256));
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK &&
	    (rc = wish(c, &b, &e)) == RC_OK)
		rc = client_call(cl, "POST", "/api/enrollment-tokens",
		    buf_str(&b), &doc, &e);
	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, client_text(cl));
	else if (rc == RC_OK)
		tell(c, doc);
	buf_wipe_fini(&b);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
