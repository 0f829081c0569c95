/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tokens: what enrols new hosts. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/prompt.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

#define TOKENS "/api/enrollment-tokens"

/* The body of POST /api/enrollment-tokens. */
static enum rc
wish(const struct ask *a, struct json_out *j, struct err *e)
{
	const struct args *args = &a->cli->args;
	struct secret password = { 0 };

	if (!args_has(args, OPT_REPO_URL))
		return err_set(e, RC_INVALID,
		    "where does it back up to? Say --repo-url");
	if (args_has(args, OPT_PASSWORD_STDIN) &&
	    prompt_stdin("the repository's password", &password, e) != RC_OK)
		return e->rc;
	json_put(j, "hostname", a->cli->word[0]);
	ask_put_text(a, j, "repo_url", OPT_REPO_URL);
	ask_put_text(a, j, "repo_username", OPT_REPO_USER);
	if (password.n > 0)
		json_put_str(j, "repo_password", secret_str(&password));
	ask_put_list(a, j, "initial_paths", OPT_PATH);
	ask_put_list(a, j, "tags", OPT_TAG);
	if (args_has(args, OPT_ALLOW_DUPLICATE))
		json_put_bool(j, "allow_duplicate", true);
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
static void
mint(struct ask *a, const char *body)
{
	struct cli *c = a->cli;
	struct buf install;

	ask_call(a, "POST", body);
	if (!ask_ok(a))
		return;
	buf_init(&install, KIB(4));
	put_install(c, &install, json_text(a->doc, "token"));
	if (c->out.json)
		tell_json(c, a->doc, buf_str(&install));
	else
		tell_text(c, a->doc, buf_str(&install));
	buf_wipe_fini(&install);
}

/* ------------------------------------------------------------------- verbs */

enum exit_code
verb_tokens_create(struct cli *c)
{
	struct json_doc doc;
	struct err e;
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, TOKENS);
	json_doc_init(&doc, KIB(256));
	if (ask_client(&a) != NULL && wish(&a, &doc.j, &e) != RC_OK)
		ask_fail(&a, &e);
	mint(&a, json_doc_end(&doc));
	json_doc_wipe_fini(&doc);
	return ask_end(&a);
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

	return ask_one_list(c, TOKENS, &shape);
}

/* Those that are over share names with newer ones. */
static bool
may_be_used(const struct json *token)
{
	struct str state = json_text(token, "state");

	return str_eqz(state, "awaiting") || str_eqz(state, "expired");
}

/* About the one that the first word names by its host or its id. */
static void
begin_token(struct ask *a, struct cli *c)
{
	static const struct ask_name name = { "hostname",
		"usable enrolment token for", may_be_used };

	ask_begin(a, c);
	buf_puts(&a->path, TOKENS);
	ask_named(a, &name, c->word[0]);
}

enum exit_code
verb_tokens_regenerate(struct cli *c)
{
	struct ask a;

	begin_token(&a, c);
	buf_puts(&a.path, "/regenerate");
	mint(&a, "{}");
	return ask_end(&a);
}

enum exit_code
verb_tokens_revoke(struct cli *c)
{
	struct ask a;

	begin_token(&a, c);
	ask_change(&a, "DELETE", NULL, "the token is revoked");
	return ask_end(&a);
}
