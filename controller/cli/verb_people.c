/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api-tokens, users: who may sign in, and as what. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

enum {
	TOKEN_DAYS = 90,
	TOKEN_DAYS_MAX = 365
};

/* -------------------------------------------------------------- api-tokens */

enum exit_code
verb_api_tokens_list(struct cli *c)
{
	/* clang-format off */
	static const struct print_column cols[] = {
		{ "NAME",      "name",         PRINT_TEXT },
		{ "USER",      "username",     PRINT_TEXT },
		{ "ROLE",      "role",         PRINT_TEXT },
		{ "CREATED",   "created_at",   PRINT_TIME },
		{ "EXPIRES",   "expires_at",   PRINT_TIME },
		{ "LAST USED", "last_used_at", PRINT_TIME },
		{ "ID",        "id",           PRINT_TEXT },
	};
	/* clang-format on */
	const struct ask_shape shape = { cols, ARRAY_LEN(cols), "no tokens" };

	return ask_one_list(c, "/api/tokens", &shape);
}

/* What is shown only once, alone on standard output: for `read -r`, or a
 * secret's store. */
static bool
tell_secret(struct ask *a, const char *member)
{
	struct buf *out = &a->cli->out.b;

	if (!ask_ok(a) || ask_told(a))
		return false;
	print_safe(out, json_text(a->doc, member));
	buf_putc(out, '\n');
	return true;
}

static const char *
role(const struct cli *c)
{
	const char *given = args_value(&c->args, OPT_ROLE);

	return given != NULL ? given : "viewer";
}

enum exit_code
verb_api_tokens_create(struct cli *c)
{
	struct json_doc doc;
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/tokens");
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "name", c->word[0]);
	json_put(&doc.j, "role", role(c));
	json_put_int(&doc.j, "expires_in_days",
	    ask_number(&a, OPT_DAYS, 1, TOKEN_DAYS_MAX, TOKEN_DAYS));
	ask_call(&a, "POST", json_doc_end(&doc));
	json_doc_fini(&doc);
	if (tell_secret(&a, "token"))
		cli_note("good until %.*s; it is shown only here",
		    STR_ARG(str_sub(json_text(a.doc, "expires_at"), 0, 10)));
	return ask_end(&a);
}

enum exit_code
verb_api_tokens_revoke(struct cli *c)
{
	static const struct ask_name name = { "name", "API token", NULL };
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/tokens");
	ask_named(&a, &name, c->word[0]);
	ask_change(&a, "DELETE", NULL, "the token is revoked");
	return ask_end(&a);
}

/* ------------------------------------------------------------------- users */

enum exit_code
verb_users_list(struct cli *c)
{
	/* clang-format off */
	static const struct print_column cols[] = {
		{ "NAME",       "username",      PRINT_TEXT },
		{ "ROLE",       "role",          PRINT_TEXT },
		{ "STATUS",     "status",        PRINT_STATE },
		{ "EMAIL",      "email",         PRINT_TEXT },
		{ "LAST LOGIN", "last_login_at", PRINT_TIME },
		{ "ID",         "id",            PRINT_TEXT },
	};
	/* clang-format on */
	const struct ask_shape shape = { cols, ARRAY_LEN(cols), "no users" };

	return ask_one_list(c, "/api/users", &shape);
}

static enum exit_code
end_link(struct ask *a)
{
	if (tell_secret(a, "setup_url"))
		cli_note("with this link, good once and for an hour, its owner "
		         "chooses a password; it is shown only here");
	return ask_end(a);
}

enum exit_code
verb_users_invite(struct cli *c)
{
	struct json_doc doc;
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/users");
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "username", c->word[0]);
	json_put(&doc.j, "role", role(c));
	ask_call(&a, "POST", json_doc_end(&doc));
	json_doc_fini(&doc);
	return end_link(&a);
}

/* Something to be done to the user that the first word names. */
static void
begin_user(struct ask *a, struct cli *c, const char *what)
{
	static const struct ask_name name = { "username", "user", NULL };

	ask_begin(a, c);
	buf_puts(&a->path, "/api/users");
	ask_named(a, &name, c->word[0]);
	buf_printf(&a->path, "/%s", what);
}

static enum exit_code
change_user(struct cli *c, const char *what, const char *done)
{
	struct ask a;

	begin_user(&a, c, what);
	ask_change(&a, "POST", "{}", done);
	return ask_end(&a);
}

enum exit_code
verb_users_disable(struct cli *c)
{
	return change_user(c, "disable",
	    "disabled: sessions and tokens are dead");
}

enum exit_code
verb_users_enable(struct cli *c)
{
	return change_user(c, "enable", "enabled, with the password of before");
}

enum exit_code
verb_users_sign_out(struct cli *c)
{
	return change_user(c, "force-logout", "every session has ended");
}

enum exit_code
verb_users_link(struct cli *c)
{
	struct ask a;

	begin_user(&a, c, "regenerate-setup-link");
	ask_call(&a, "POST", "{}");
	return end_link(&a);
}
