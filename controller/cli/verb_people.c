/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api-tokens, users: who may sign in, and as what. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

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

	return ask_list(c, "/api/tokens", 0, &shape);
}

/* The token alone on standard output: for `read -r`, or a secret's store. */
static void
tell_token(struct cli *c, struct client *cl, const struct json *doc)
{
	if (c->out.json) {
		print_doc(&c->out, client_text(cl));
		return;
	}
	print_safe(&c->out.b, json_text(doc, "token"));
	buf_putc(&c->out.b, '\n');
	cli_note("good until %.*s; it is shown only here",
	    STR_ARG(str_sub(json_text(doc, "expires_at"), 0, 10)));
}

enum exit_code
verb_api_tokens_create(struct cli *c)
{
	const char *role = args_value(&c->args, OPT_ROLE);
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct json_out j;
	struct err e = { 0 };
	int64_t days = 0;
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	rc = args_number(&c->args, OPT_DAYS, 1, TOKEN_DAYS_MAX, TOKEN_DAYS,
	    &days, &e);
	json_obj(&j, NULL);
	json_put(&j, "name", c->word[0]);
	json_put(&j, "role", role != NULL ? role : "viewer");
	json_put_int(&j, "expires_in_days", days);
	json_obj_end(&j);
	if (rc == RC_OK && (rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = client_call(cl, "POST", "/api/tokens", buf_str(&b), &doc,
		    &e);
	if (rc == RC_OK)
		tell_token(c, cl, doc);
	buf_fini(&b);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

enum exit_code
verb_api_tokens_revoke(struct cli *c)
{
	static const struct ask_name names = { "/api/tokens", "name",
		"API token", NULL };
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	char id[CLIENT_ID_CAP], path[96];

	if (client_new(&c->cfg, true, &cl, &e) != RC_OK ||
	    ask_id(cl, &names, c->word[0], id, sizeof(id), &e) != RC_OK) {
		code = cli_fail(c, &e);
	} else {
		ASSERT(str_fmt(path, sizeof(path), "/api/tokens/%s", id));
		code = ask_change(c, cl, "DELETE", path,
		    (struct str){ NULL, 0 }, "the token is revoked");
	}
	client_free(cl);
	return code;
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

	return ask_list(c, "/api/users", 0, &shape);
}

/* A setup link, alone on standard output. */
static void
tell_link(struct cli *c, struct client *cl, const struct json *doc)
{
	if (c->out.json) {
		print_doc(&c->out, client_text(cl));
		return;
	}
	print_safe(&c->out.b, json_text(doc, "setup_url"));
	buf_putc(&c->out.b, '\n');
	cli_note("with this link, good once and for an hour, its owner "
	         "chooses a password; it is shown only here");
}

enum exit_code
verb_users_invite(struct cli *c)
{
	const char *role = args_value(&c->args, OPT_ROLE);
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct json_out j;
	struct err e = { 0 };
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "username", c->word[0]);
	json_put(&j, "role", role != NULL ? role : "viewer");
	json_obj_end(&j);
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = client_call(cl, "POST", "/api/users", buf_str(&b), &doc,
		    &e);
	if (rc == RC_OK)
		tell_link(c, cl, doc);
	buf_fini(&b);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

/* Address of something to be done to the user the first word names. */
static enum rc
user_path(struct cli *c, struct client **cl, const char *what, char path[96],
    struct err *e)
{
	static const struct ask_name names = { "/api/users", "username", "user",
		NULL };
	char id[CLIENT_ID_CAP];
	enum rc rc;

	if ((rc = client_new(&c->cfg, true, cl, e)) != RC_OK ||
	    (rc = ask_id(*cl, &names, c->word[0], id, sizeof(id), e)) != RC_OK)
		return rc;
	ASSERT(str_fmt(path, 96, "/api/users/%s/%s", id, what));
	return RC_OK;
}

static enum exit_code
change_user(struct cli *c, const char *what, const char *done)
{
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	char path[96];

	if (user_path(c, &cl, what, path, &e) == RC_OK)
		code = ask_change(c, cl, "POST", path, STR("{}"), done);
	else
		code = cli_fail(c, &e);
	client_free(cl);
	return code;
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
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	char path[96];
	enum rc rc;

	rc = user_path(c, &cl, "regenerate-setup-link", path, &e);
	if (rc == RC_OK)
		rc = client_call(cl, "POST", path, STR("{}"), &doc, &e);
	if (rc == RC_OK)
		tell_link(c, cl, doc);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
