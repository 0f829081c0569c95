/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * completion: a script for the shell, made from the tables.  Every shell asks
 * the same function: which verbs follow these words, which options does the
 * verb take.  Names of hosts are not asked for: completing must not wait for
 * the network.
 */
#include <string.h>

#include "controller/cli/args.h"
#include "controller/cli/cli.h"
#include "controller/cli/verbs.h"

/* Options as words: "--follow -f ...". */
static void
put_options(struct buf *b, uint64_t set)
{
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		if ((set & ARGS_BIT(i)) != 0)
			buf_printf(b, " --%s",
			    args_option((enum args_id)i)->name);
}

static bool
first_of_group(const struct verb *verbs, size_t i, struct str *group)
{
	struct str rest;

	str_cut(str_of(verbs[i].name), ' ', group, &rest);
	return i == 0 || !str_starts(str_of(verbs[i - 1].name), *group) ||
	       strlen(verbs[i - 1].name) < group->n ||
	       (verbs[i - 1].name[group->n] != ' ' &&
	           verbs[i - 1].name[group->n] != '\0');
}

static void
put_groups(struct buf *b)
{
	const struct verb *verbs;
	struct str group;
	size_t i, n;

	verbs = verbs_table(&n);
	for (i = 0; i < n; i++)
		if (first_of_group(verbs, i, &group))
			buf_printf(b, "%s%.*s", i > 0 ? " " : "",
			    STR_ARG(group));
}

/* One line a first word: "jobs) verbs="list show" options="--limit" ;;". */
static void
put_cases(struct buf *b)
{
	const struct verb *verbs;
	struct str group, head, tail;
	struct buf names, options;
	uint64_t set;
	size_t i, k, n;

	verbs = verbs_table(&n);
	buf_init(&names, KIB(4));
	buf_init(&options, KIB(4));
	for (i = 0; i < n; i++) {
		if (!first_of_group(verbs, i, &group))
			continue;
		buf_reset(&names);
		buf_reset(&options);
		for (k = i, set = ARGS_GLOBAL; k < n; k++) {
			str_cut(str_of(verbs[k].name), ' ', &head, &tail);
			if (!str_eq(head, group))
				continue;
			set |= verbs[k].options;
			if (tail.n > 0)
				buf_printf(&names, "%s%.*s",
				    names.len > 0 ? " " : "", STR_ARG(tail));
		}
		if (str_eqz(group, "completion"))
			buf_puts(&names, "bash zsh fish");
		put_options(&options, set);
		buf_printf(b, "\t%.*s) words='%s' options='%s' ;;\n",
		    STR_ARG(group), buf_text(&names), buf_text(&options) + 1);
	}
	buf_fini(&names);
	buf_fini(&options);
}

/* Options whose value is the next word, as "--server|--pin". */
static void
put_valued(struct buf *b)
{
	bool first = true;
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++) {
		const struct args_option *o = args_option((enum args_id)i);

		if (o->value == NULL)
			continue;
		buf_printf(b, "%s--%s", first ? "" : "|", o->name);
		if (o->brief != 0)
			buf_printf(b, "|-%c", o->brief);
		first = false;
	}
}

static void
put_bash(struct buf *b)
{
	buf_puts(b, "# bash completion of restic-manager\n"
	            "_restic_manager()\n"
	            "{\n"
	            "\tlocal i word verb= words= options=\n"
	            "\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
	            "\tlocal before=${COMP_WORDS[COMP_CWORD-1]}\n"
	            "\tlocal -i at=0\n"
	            "\n"
	            "\tCOMPREPLY=()\n"
	            "\tcase $before in\n"
	            "\t--output | -o)\n"
	            "\t\tCOMPREPLY=($(compgen -W 'text json' -- \"$cur\"))\n"
	            "\t\treturn\n"
	            "\t\t;;\n"
	            "\t--config | --ca-file)\n"
	            "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	            "\t\treturn\n"
	            "\t\t;;\n"
	            "\t");
	put_valued(b);
	buf_puts(b, ") return ;;\n"
	            "\tesac\n"
	            "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	            "\t\tword=${COMP_WORDS[i]}\n"
	            "\t\tcase $word in\n"
	            "\t\t");
	put_valued(b);
	buf_puts(b, ") i=$((i + 1)) ;;\n"
	            "\t\t-*) ;;\n"
	            "\t\t*)\n"
	            "\t\t\tat=$((at + 1))\n"
	            "\t\t\t[ $at -gt 1 ] || verb=$word\n"
	            "\t\t\t;;\n"
	            "\t\tesac\n"
	            "\tdone\n"
	            "\tcase $verb in\n"
	            "\t'') words='");
	put_groups(b);
	buf_puts(b, "' options='");
	buf_puts(b, "--help --version' ;;\n");
	put_cases(b);
	buf_puts(b, "\tesac\n"
	            "\t[ $at -le 1 ] || words=\n"
	            "\tcase $cur in\n"
	            "\t-*) words=$options ;;\n"
	            "\tesac\n"
	            "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	            "}\n"
	            "complete -F _restic_manager restic-manager\n");
}

/* zsh runs functions written for bash. */
static void
put_zsh(struct buf *b)
{
	buf_puts(b, "#compdef restic-manager\n"
	            "autoload -U +X bashcompinit && bashcompinit\n");
	put_bash(b);
}

static void
put_fish(struct buf *b)
{
	const struct verb *verbs;
	struct str head, tail, group;
	size_t i, n, k;

	buf_puts(b, "# fish completion of restic-manager\n"
	            "complete -c restic-manager -f\n");
	verbs = verbs_table(&n);
	for (i = 0; i < n; i++) {
		if (first_of_group(verbs, i, &group))
			buf_printf(b,
			    "complete -c restic-manager -n "
			    "__fish_use_subcommand -a %.*s\n",
			    STR_ARG(group));
		str_cut(str_of(verbs[i].name), ' ', &head, &tail);
		if (tail.n > 0)
			buf_printf(b,
			    "complete -c restic-manager -n "
			    "'__fish_seen_subcommand_from %.*s' -a %.*s -d "
			    "'%s'\n",
			    STR_ARG(head), STR_ARG(tail), verbs[i].help);
	}
	for (k = 0; k < ARGS_OPTION_COUNT; k++) {
		const struct args_option *o = args_option((enum args_id)k);

		buf_printf(b, "complete -c restic-manager -l %s%s -d '%s'\n",
		    o->name, o->value != NULL ? " -x" : "", o->help);
	}
}

struct shell {
	const char *name;
	void (*put)(struct buf *b);
};

static const struct shell shells[] = {
	{ "bash", put_bash },
	{ "zsh", put_zsh },
	{ "fish", put_fish },
};

enum exit_code
verb_completion(struct cli *c)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(c->word[0], shells[i].name) != 0)
			continue;
		shells[i].put(&c->out.b);
		return END_OK;
	}
	(void)err_set(&e, RC_INVALID, "completion is for bash, zsh or fish");
	return cli_fail(c, &e);
}
