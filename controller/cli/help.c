/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/help.h"

#include "controller/cli/args.h"
#include "controller/cli/cli.h"
#include "controller/cli/verbs.h"
#include "lib/base/buf.h"

enum {
	HELP_COLUMN = 30
};

static void
put_row(struct buf *b, const char *left, const char *right)
{
	buf_printf(b, "  %-*s  %s\n", (int)HELP_COLUMN, left, right);
}

static void
put_verb(struct buf *b, const struct verb *v)
{
	struct buf left;

	buf_init(&left, KIB(1));
	buf_printf(&left, "%s%s%s", v->name, v->params[0] != '\0' ? " " : "",
	    v->params);
	put_row(b, buf_text(&left), v->help);
	buf_fini(&left);
}

static void
put_options(struct buf *b, uint64_t set)
{
	struct buf left;
	size_t i;

	buf_init(&left, KIB(1));
	for (i = 0; i < ARGS_OPTION_COUNT; i++) {
		const struct args_option *o = args_option((enum args_id)i);

		if ((set & ARGS_BIT(i)) == 0)
			continue;
		buf_reset(&left);
		if (o->brief != 0)
			buf_printf(&left, "-%c, ", o->brief);
		buf_printf(&left, "--%s%s%s", o->name,
		    o->value != NULL ? " " : "",
		    o->value != NULL ? o->value : "");
		put_row(b, buf_text(&left), o->help);
	}
	buf_fini(&left);
}

static void
put_all(struct buf *b)
{
	const struct exit_row *rows;
	const struct verb *verbs;
	size_t i, n;
	char code[16];

	buf_puts(b, "usage: restic-manager [options] VERB ...\n\nVerbs:\n");
	verbs = verbs_table(&n);
	for (i = 0; i < n; i++)
		put_verb(b, &verbs[i]);
	buf_puts(b, "\nOptions of every verb:\n");
	put_options(b, ARGS_GLOBAL);
	buf_puts(b, "\nEnvironment: RM_SERVER, RM_API_TOKEN, "
	            "RM_SERVER_CERT_PIN_SHA256, RM_CLI_CONFIG, NO_COLOR\n"
	            "\nExit status:\n");
	rows = exit_table(&n);
	for (i = 0; i < n; i++) {
		ASSERT(str_fmt(code, sizeof(code), "%d", (int)rows[i].code));
		buf_printf(b, "  %-4s%s\n", code, rows[i].text);
	}
	buf_puts(b, "\nMore: restic-manager help VERB, man restic-manager\n");
}

/* How many of the words name the verb, as far as they go. */
static bool
named(const struct verb *v, const char *const *word, size_t n)
{
	struct str first, second;

	if (!str_cut(str_of(v->name), ' ', &first, &second))
		second = str_of("");
	if (n == 0 || !str_eqz(first, word[0]))
		return false;
	return n == 1 || second.n == 0 || str_eqz(second, word[1]);
}

void
help_words(struct buf *b, const char *const *word, size_t n)
{
	const struct verb *verbs, *last = NULL;
	size_t i, count, hits = 0;
	uint64_t options = 0;

	verbs = verbs_table(&count);
	for (i = 0; i < count; i++) {
		if (!named(&verbs[i], word, n))
			continue;
		hits++;
		last = &verbs[i];
		options |= verbs[i].options;
	}
	if (hits == 0) {
		put_all(b);
		return;
	}
	if (hits == 1)
		buf_printf(b, "usage: restic-manager %s%s%s [options]\n\n",
		    last->name, last->params[0] != '\0' ? " " : "",
		    last->params);
	for (i = 0; i < count; i++)
		if (named(&verbs[i], word, n))
			put_verb(b, &verbs[i]);
	if (options != 0) {
		buf_puts(b, "\nOptions:\n");
		put_options(b, options);
	}
	buf_puts(b, "\nOptions of every verb:\n");
	put_options(b, ARGS_GLOBAL);
}

enum exit_code
verb_help(struct cli *c)
{
	help_words(&c->out.b, c->word, c->words);
	return END_OK;
}
