/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login, logout, whoami: the token this command works with. */
#include <string.h>
#include <unistd.h>

#include "controller/cli/account.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/prompt.h"
#include "controller/cli/trust.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"

enum {
	LOGIN_DAYS = 90,
	LOGIN_DAYS_MAX = 365,
	LOGIN_NAME_CAP = 65 /* the controller takes 64 bytes */
};

struct login {
	struct cli *c;
	struct client *cl;
	struct secret user, password;
	char *old_id; /* token of the same controller, to be revoked */
	char role[32];
	int64_t days;
	struct json *token; /* id, token, expires_at */
};

/* ------------------------------------------------------------------ login */

/* "host:8443" is taken for https. */
static enum rc
use_server(struct cli *c, struct err *e)
{
	char url[600];
	const char *given = c->words > 0 ? c->word[0] : NULL;
	enum rc rc;

	if (given != NULL && strstr(given, "://") == NULL) {
		if (!str_fmt(url, sizeof(url), "https://%s", given))
			return err_set(e, RC_INVALID,
			    "the address is too long");
		given = url;
	}
	if (given == NULL)
		return RC_OK;
	if ((rc = config_server_ok(given, e)) != RC_OK)
		return rc;
	config_use(&c->cfg, given);
	if (args_value(&c->args, OPT_PIN) != NULL)
		config_set(&c->cfg.pin, args_value(&c->args, OPT_PIN));
	if (args_value(&c->args, OPT_CA_FILE) != NULL)
		config_set(&c->cfg.ca_file, args_value(&c->args, OPT_CA_FILE));
	return RC_OK;
}

/* A first harmless question tells whether the controller is trusted. */
static enum rc
meet(struct login *l, struct err *e)
{
	struct config *cfg = &l->c->cfg;
	struct json *doc = NULL;
	enum rc rc;

	if ((rc = client_new(cfg, false, &l->cl, e)) != RC_OK)
		return rc;
	rc = client_get(l->cl, "/api/version", &doc, e);
	if (rc != RC_OK && cfg->pin == NULL && cfg->ca_file == NULL &&
	    http_untrusted(client_http(l->cl))) {
		if ((rc = trust_ask(cfg, e)) != RC_OK)
			return rc;
		client_free(l->cl);
		l->cl = NULL;
		if ((rc = client_new(cfg, false, &l->cl, e)) == RC_OK)
			rc = client_get(l->cl, "/api/version", &doc, e);
	}
	json_free(doc);
	return rc;
}

static enum rc
ask_who(struct login *l, struct err *e)
{
	const struct args *a = &l->c->args;
	enum rc rc = RC_OK;

	if (args_has(a, OPT_USER))
		secret_set(&l->user, str_of(args_value(a, OPT_USER)));
	else
		rc = prompt_line("User name: ", true, &l->user, e);
	if (rc != RC_OK)
		return rc;
	if (args_has(a, OPT_PASSWORD_STDIN))
		return prompt_stdin("the password", &l->password, e);
	return prompt_line("Password: ", false, &l->password, e);
}

static enum rc
sign_in(struct login *l, struct err *e)
{
	struct json *doc = NULL;
	struct json_doc body;
	enum rc rc;

	json_doc_init(&body, KIB(8));
	json_put_str(&body.j, "username", secret_str(&l->user));
	json_put_str(&body.j, "password", secret_str(&l->password));
	http_set_token(client_http(l->cl), NULL);
	rc = client_call(l->cl, "POST", "/api/auth/login",
	    str_of(json_doc_end(&body)), &doc, e);
	json_doc_wipe_fini(&body);
	if (rc == RC_AUTH)
		err_set(e, RC_AUTH, "user name or password is wrong");
	if (rc == RC_OK && client_cookie(l->cl)[0] == '\0')
		rc = err_set(e, RC_CORRUPT, "the controller gave no session");
	if (rc == RC_OK) {
		http_set_cookie(client_http(l->cl), client_cookie(l->cl));
		if (!str_copy(l->role, sizeof(l->role), json_text(doc, "role")))
			l->role[0] = '\0';
	}
	json_free(doc);
	return rc;
}

/* cli@host, unless it was named. */
static void
token_name(const struct login *l, char name[LOGIN_NAME_CAP])
{
	const char *given = args_value(&l->c->args, OPT_NAME);
	char host[LOGIN_NAME_CAP - 8] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	if (given == NULL || !str_copy(name, LOGIN_NAME_CAP, str_of(given)))
		ASSERT(str_fmt(name, LOGIN_NAME_CAP, "cli@%s", host));
}

static enum rc
mint(struct login *l, struct err *e)
{
	const char *role = args_value(&l->c->args, OPT_ROLE);
	char name[LOGIN_NAME_CAP];
	struct json_doc body;
	enum rc rc;

	token_name(l, name);
	json_doc_init(&body, KIB(4));
	json_put(&body.j, "name", name);
	json_put(&body.j, "role", role != NULL ? role : l->role);
	json_put_int(&body.j, "expires_in_days", l->days);
	rc = client_call(l->cl, "POST", "/api/tokens",
	    str_of(json_doc_end(&body)), &l->token, e);
	json_doc_fini(&body);
	if (rc == RC_OK && json_text(l->token, "token").n == 0)
		rc = err_set(e, RC_CORRUPT, "the controller gave no token");
	return rc;
}

static void
drop_token(struct client *cl, const char *id, struct err *e)
{
	char path[96];

	if (!str_fmt(path, sizeof(path), "/api/tokens/%s", id))
		(void)err_set(e, RC_CORRUPT, "the token's id is too long");
	else if (client_call(cl, "DELETE", path, (struct str){ NULL, 0 }, NULL,
	             e) == RC_OK)
		*e = (struct err){ 0 };
}

/* The session was for minting only; an older token is not left behind. */
static void
tidy(struct login *l)
{
	struct err e = { 0 };

	if (l->old_id != NULL)
		drop_token(l->cl, l->old_id, &e);
	if (e.rc != RC_OK && e.rc != RC_NOTFOUND)
		cli_note("the token used before was not revoked: %s", e.msg);
	if (client_call(l->cl, "POST", "/api/auth/logout", STR("{}"), NULL,
	        &e) != RC_OK)
		cli_note("the session was not ended: %s", e.msg);
}

static enum rc
keep(struct login *l, struct err *e)
{
	struct config *cfg = &l->c->cfg;
	char *text = mem_strndup(json_text(l->token, "token").p,
	    json_text(l->token, "token").n);
	char *id = mem_strndup(json_text(l->token, "id").p,
	    json_text(l->token, "id").n);

	config_set(&cfg->token, text);
	config_set(&cfg->token_id, id);
	mem_wipe(text, strlen(text));
	mem_free(text);
	mem_free(id);
	return config_save(cfg, e);
}

static void
tell(struct login *l)
{
	struct print *p = &l->c->out;
	const char *role = args_value(&l->c->args, OPT_ROLE);
	struct json_out j;

	if (p->json) {
		json_out_init(&j, &p->b);
		json_obj(&j, NULL);
		json_put(&j, "server", l->c->cfg.server);
		json_put_str(&j, "username", secret_str(&l->user));
		json_put(&j, "role", role != NULL ? role : l->role);
		json_put(&j, "token_id", l->c->cfg.token_id);
		json_put_str(&j, "expires_at",
		    json_text(l->token, "expires_at"));
		json_obj_end(&j);
		buf_putc(&p->b, '\n');
		return;
	}
	buf_printf(&p->b, "signed in to %s as ", l->c->cfg.server);
	print_safe(&p->b, secret_str(&l->user));
	buf_printf(&p->b, " (%s); the token is good until ",
	    role != NULL ? role : l->role);
	print_safe(&p->b, str_sub(json_text(l->token, "expires_at"), 0, 10));
	buf_putc(&p->b, '\n');
}

static enum rc
login(struct login *l, struct err *e)
{
	enum rc rc;

	if ((rc = args_number(&l->c->args, OPT_DAYS, 1, LOGIN_DAYS_MAX,
	         LOGIN_DAYS, &l->days, e)) != RC_OK ||
	    (rc = use_server(l->c, e)) != RC_OK)
		return rc;
	if (l->c->cfg.token_id != NULL)
		l->old_id = mem_strdup(l->c->cfg.token_id);
	if ((rc = meet(l, e)) != RC_OK || (rc = ask_who(l, e)) != RC_OK ||
	    (rc = sign_in(l, e)) != RC_OK || (rc = mint(l, e)) != RC_OK ||
	    (rc = keep(l, e)) != RC_OK)
		return rc;
	tidy(l);
	tell(l);
	return RC_OK;
}

enum exit_code
verb_login(struct cli *c)
{
	struct login l = { .c = c };
	struct err e = { 0 };
	enum rc rc = login(&l, &e);

	secret_fini(&l.user);
	secret_fini(&l.password);
	json_free(l.token);
	mem_free(l.old_id);
	client_free(l.cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

/* ----------------------------------------------------------------- logout */

enum exit_code
verb_logout(struct cli *c)
{
	struct client *cl = NULL;
	struct err e = { 0 };

	if (c->cfg.from_environment)
		(void)err_set(&e, RC_INVALID,
		    "the token is in RM_API_TOKEN: take it out of there, and "
		    "revoke it by restic-manager api-tokens revoke");
	else if (c->cfg.token_id == NULL)
		(void)err_set(&e, RC_AUTH, "not signed in");
	else if (client_new(&c->cfg, true, &cl, &e) == RC_OK)
		drop_token(cl, c->cfg.token_id, &e);
	client_free(cl);
	/* A token that is dead already is forgotten as well. */
	if (e.rc == RC_OK || e.rc == RC_NOTFOUND ||
	    (e.rc == RC_AUTH && c->cfg.token_id != NULL &&
	        exit_of(&e) == END_REFUSED)) {
		e = (struct err){ 0 };
		if (config_forget(&c->cfg, &e) == RC_OK) {
			if (c->out.json)
				print_doc(&c->out,
				    STR("{\"signed_in\":false}"));
			else
				print_line(&c->out, "signed out of %s",
				    c->cfg.server);
			return END_OK;
		}
	}
	return cli_fail(c, &e);
}

/* ----------------------------------------------------------------- whoami */

enum exit_code
verb_whoami(struct cli *c)
{
	static const struct print_column cols[] = {
		{ "User", "username", PRINT_TEXT },
		{ "Role", "role", PRINT_TEXT },
		{ "Token", "token.name", PRINT_TEXT },
		{ "Expires", "token.expires_at", PRINT_TIME },
	};
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	struct buf text;
	enum rc rc;

	buf_init(&text, KIB(64));
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = account_read(cl, &c->cfg, &text, &doc, &e);
	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, buf_str(&text));
	else if (rc == RC_OK)
		print_record(&c->out, cols, ARRAY_LEN(cols), doc);
	buf_fini(&text);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
