/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pending: hosts that announced themselves and wait for approval. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/prompt.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

#define PENDING "/api/pending-hosts"

enum exit_code
verb_pending_list(struct cli *c)
{
	/* clang-format off */
	static const struct print_column cols[] = {
		{ "HOST",        "hostname",           PRINT_TEXT },
		{ "FINGERPRINT", "fingerprint",        PRINT_TEXT },
		{ "FROM",        "announced_from_ip",  PRINT_TEXT },
		{ "SYSTEM",      "os",                 PRINT_TEXT },
		{ "AGENT",       "agent_version",      PRINT_TEXT },
		{ "NAME TAKEN",  "hostname_collision", PRINT_YES },
		{ "FIRST SEEN",  "first_seen_at",      PRINT_TIME },
		{ "ID",          "id",                 PRINT_TEXT },
	};
	/* clang-format on */
	const struct ask_shape shape = { cols, ARRAY_LEN(cols),
		"nobody waits for approval" };

	return ask_one_list(c, PENDING, &shape);
}

struct wanted {
	char fingerprint[256];
};

/* The one host that the first word names. */
static void
find(struct ask *a, struct wanted *out)
{
	static const struct ask_name names = { "hostname", "waiting host",
		NULL };
	const struct json *items, *one;
	char id[ASK_ID_CAP];
	size_t i;

	buf_puts(&a->path, PENDING);
	if (!ask_id(a, &names, a->cli->word[0], id, sizeof(id)))
		return;
	items = json_get(a->doc, "items");
	for (i = 0; i < json_len(items); i++) {
		one = json_at(items, i);
		if (str_eqz(json_text(one, "id"), id) &&
		    !str_copy(out->fingerprint, sizeof(out->fingerprint),
		        json_text(one, "fingerprint")))
			out->fingerprint[0] = '\0';
	}
	buf_printf(&a->path, "/%s", id);
}

/* Behind "SHA256:", which may be left out. */
static const char *
digits(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon != NULL && colon - text == 6 ? colon + 1 : text;
}

/* The same digits; blanks are for the eye. */
static bool
same_print(const char *a, const char *b)
{
	a = digits(a);
	b = digits(b);
	for (;;) {
		a += strspn(a, " \t\n");
		b += strspn(b, " \t\n");
		if (*a == '\0' || *b == '\0')
			return *a == *b;
		if (!str_case_eq(str_from(a, 1), str_from(b, 1)))
			return false;
		a++;
		b++;
	}
}

/* In blocks of four, as the agent prints it. */
static void
put_blocks(struct buf *b, const char *fingerprint)
{
	struct str s = str_of(digits(fingerprint));

	buf_puts(b, "SHA256:");
	for (; s.n > 0; s = str_sub(s, 4, s.n)) {
		buf_putc(b, ' ');
		print_safe(b, str_sub(s, 0, 4));
	}
}

/* Accepting is safe only when somebody has compared. */
static enum rc
compare(struct cli *c, const struct wanted *w, struct err *e)
{
	const char *given = args_value(&c->args, OPT_FINGERPRINT);
	struct buf question;
	bool yes = false;
	enum rc rc;

	if (given != NULL)
		return same_print(given, w->fingerprint)
		           ? RC_OK
		           : err_set(e, RC_CONFLICT,
		                 "its fingerprint is %s, another than given: "
		                 "it was not accepted",
		                 w->fingerprint);
	buf_init(&question, KIB(4));
	put_blocks(&question, w->fingerprint);
	buf_puts(&question, "\nDoes the agent on the host print the same? "
	                    "(yes or no) ");
	rc = prompt_yes(buf_text(&question), &yes, e);
	buf_fini(&question);
	if (rc != RC_OK)
		return err_set(e, rc,
		    "compare the fingerprint with what the agent prints and "
		    "give it by --fingerprint: %s",
		    w->fingerprint);
	return yes ? RC_OK : err_set(e, RC_CANCELLED, "it was not accepted");
}

static enum rc
wish(const struct ask *a, struct json_out *j, struct err *e)
{
	const struct args *args = &a->cli->args;
	struct secret password = { 0 };

	if (!args_has(args, OPT_REPO_URL) ||
	    !args_has(args, OPT_PASSWORD_STDIN))
		return err_set(e, RC_INVALID,
		    "say --repo-url, and give the repository's password by "
		    "--password-stdin");
	if (prompt_stdin("the repository's password", &password, e) != RC_OK)
		return e->rc;
	ask_put_text(a, j, "repo_url", OPT_REPO_URL);
	json_put_str(j, "repo_password", secret_str(&password));
	ask_put_text(a, j, "repo_username", OPT_REPO_USER);
	if (args_has(args, OPT_ALLOW_DUPLICATE))
		json_put_bool(j, "allow_duplicate", true);
	secret_fini(&password);
	return RC_OK;
}

enum exit_code
verb_pending_accept(struct cli *c)
{
	struct wanted w = { "" };
	struct json_doc doc;
	struct err e;
	struct ask a;

	ask_begin(&a, c);
	json_doc_init(&doc, KIB(16));
	find(&a, &w);
	buf_puts(&a.path, "/accept");
	if (ask_ok(&a) &&
	    (wish(&a, &doc.j, &e) != RC_OK || compare(c, &w, &e) != RC_OK))
		ask_fail(&a, &e);
	ask_change(&a, "POST", json_doc_end(&doc),
	    "accepted: its agent enrols now");
	json_doc_wipe_fini(&doc);
	return ask_end(&a);
}

enum exit_code
verb_pending_reject(struct cli *c)
{
	static const struct ask_name names = { "hostname", "waiting host",
		NULL };
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, PENDING);
	ask_named(&a, &names, c->word[0]);
	buf_puts(&a.path, "/reject");
	ask_change(&a, "POST", "{}", "rejected");
	return ask_end(&a);
}
