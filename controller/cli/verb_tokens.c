/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tokens: what enrols new hosts. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/prompt.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

static void
put_list(struct json_out *j, const char *name, const struct args *a,
    enum args_id id)
{
	const struct args_list *list = args_list(a, id);
	size_t i;

	if (list->n == 0)
		return;
	json_arr(j, name);
	for (i = 0; i < list->n; i++)
		json_put(j, NULL, list->v[i]);
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

/* ------------------------------------------------------------ what is told */

/* What installs the agent on the host, as the page Add host shows it.  The
 * second half of a token is the controller's pin. */
static void
put_install(struct cli *c, struct buf *b, struct str token)
{
	struct str server = str_of(c->cfg.server), secret, half;
	char pin[STR_B64_CAP(32)];
	uint8_t raw[32];
	size_t n = 0;

	if (str_ends(server, STR("/")))
		server.n--;
	buf_puts(b, "curl -fsSL ");
	str_cut(token, '.', &secret, &half);
	if (c->cfg.pin != NULL && str_unb64(half, true, raw, sizeof(raw), &n) &&
	    n == sizeof(raw)) {
		str_b64(raw, sizeof(raw), false, pin, sizeof(pin));
		buf_printf(b, "-k --pinnedpubkey 'sha256//%s' ", pin);
	}
	buf_printf(b, "%.*s/install/install.sh | RM_SERVER=%.*s RM_TOKEN=",
	    STR_ARG(server), STR_ARG(server));
	print_safe(b, token);
	buf_puts(b, " sudo --preserve-env=RM_SERVER,RM_TOKEN bash");
}

static void
tell_text(struct cli *c, const struct json *doc, struct str install)
{
	static const struct print_column cols[] = {
		{ "Token", "token", PRINT_TEXT },
		{ "Good until", "expires_at", PRINT_TIME },
		{ "Repository's user", "repo_username", PRINT_TEXT },
		{ "Repository's password", "repo_password", PRINT_TEXT },
	};
	struct print *p = &c->out;

	print_record(p, cols, ARRAY_LEN(cols), doc);
	buf_puts(&p->b, "\nOn the new host:\n  ");
	buf_put_str(&p->b, install);
	buf_puts(&p->b, "\nThis is shown only here.\n");
}

/* The answer, with the command. */
static void
tell_json(struct cli *c, const struct json *doc, struct str install)
{
	static const char *const members[] = { "id", "token", "expires_at",
		"repo_username", "repo_password" };
	struct json_out j;
	size_t i;

	json_out_init(&j, &c->out.b);
	json_obj(&j, NULL);
	for (i = 0; i < ARRAY_LEN(members); i++)
		if (json_get(doc, members[i]) != NULL)
			json_put_json(&j, members[i],
			    json_get(doc, members[i]));
	json_put_str(&j, "install_command", install);
	json_obj_end(&j);
	buf_putc(&c->out.b, '\n');
}

/* Mints by a call whose answer has a token. */
static enum rc
mint(struct cli *c, struct client *cl, const char *path, struct str body,
    struct err *e)
{
	struct json *doc = NULL;
	struct buf install;
	enum rc rc;

	if ((rc = client_call(cl, "POST", path, body, &doc, e)) != RC_OK)
		return rc;
	buf_init(&install, KIB(4));
	put_install(c, &install, json_text(doc, "token"));
	if (c->out.json)
		tell_json(c, doc, buf_str(&install));
	else
		tell_text(c, doc, buf_str(&install));
	buf_wipe_fini(&install);
	json_free(doc);
	return RC_OK;
}

/* ------------------------------------------------------------------- verbs */

enum exit_code
verb_tokens_create(struct cli *c)
{
	struct client *cl = NULL;
	struct err e = { 0 };
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(256));
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK &&
	    (rc = wish(c, &b, &e)) == RC_OK)
		rc = mint(c, cl, "/api/enrollment-tokens", buf_str(&b), &e);
	buf_wipe_fini(&b);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

enum exit_code
verb_tokens_list(struct cli *c)
{
	/* clang-format off */
	static const struct print_column cols[] = {
		{ "HOST",       "hostname",   PRINT_TEXT },
		{ "STATE",      "state",      PRINT_STATE },
		{ "CREATED BY", "created_by", PRINT_TEXT },
		{ "CREATED",    "created_at", PRINT_TIME },
		{ "EXPIRES",    "expires_at", PRINT_TIME },
		{ "REPOSITORY", "repo_url",   PRINT_TEXT },
		{ "ID",         "id",         PRINT_TEXT },
	};
	/* clang-format on */
	const struct ask_shape shape = { cols, ARRAY_LEN(cols),
		"no tokens are out" };

	return ask_list(c, "/api/enrollment-tokens", 0, &shape);
}

/* Those that are over share names with newer ones. */
static bool
may_be_used(const struct json *token)
{
	struct str state = json_text(token, "state");

	return str_eqz(state, "awaiting") || str_eqz(state, "expired");
}

/* By its host or its id, and with a client for what is to be done. */
static enum rc
find_token(struct cli *c, struct client **cl, const char *below, char path[160],
    struct err *e)
{
	static const struct ask_name names = { "/api/enrollment-tokens",
		"hostname", "usable enrolment token for", may_be_used };
	char id[80];
	enum rc rc;

	if ((rc = client_new(&c->cfg, true, cl, e)) != RC_OK ||
	    (rc = ask_id(*cl, &names, c->word[0], id, sizeof(id), e)) != RC_OK)
		return rc;
	ASSERT(str_fmt(path, 160, "/api/enrollment-tokens/%s%s", id, below));
	return RC_OK;
}

enum exit_code
verb_tokens_regenerate(struct cli *c)
{
	struct client *cl = NULL;
	struct err e = { 0 };
	char path[160];
	enum rc rc;

	if ((rc = find_token(c, &cl, "/regenerate", path, &e)) == RC_OK)
		rc = mint(c, cl, path, STR("{}"), &e);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

enum exit_code
verb_tokens_revoke(struct cli *c)
{
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	char path[160];

	if (find_token(c, &cl, "", path, &e) == RC_OK)
		code = ask_change(c, cl, "DELETE", path,
		    (struct str){ NULL, 0 }, "the token is revoked");
	else
		code = cli_fail(c, &e);
	client_free(cl);
	return code;
}
