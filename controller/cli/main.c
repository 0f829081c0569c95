/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <version.h>

#include "controller/cli/cli.h"
#include "controller/cli/help.h"
#include "controller/cli/verbs.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"

/* Before the verb is known. */
static enum rc
read_output(struct cli *c, bool *json, struct err *e)
{
	const char *form = args_value(&c->args, OPT_OUTPUT);

	*json = form != NULL && strcmp(form, "json") == 0;
	if (form != NULL && !*json && strcmp(form, "text") != 0)
		return err_set(e, RC_INVALID, "--output is text or json");
	return RC_OK;
}

/* true: answered without a verb. */
static bool
answered(struct cli *c)
{
	if (args_has(&c->args, OPT_VERSION)) {
		print_line(&c->out, "restic-manager %s (commit %s, built %s)",
		    RM_VERSION, RM_COMMIT, RM_BUILD_DATE);
		return true;
	}
	if (args_has(&c->args, OPT_HELP)) {
		help_words(&c->out.b, c->args.word, c->args.words);
		return true;
	}
	return false;
}

static enum exit_code
run(struct cli *c, struct err *e)
{
	size_t used = 0;

	if (answered(c))
		return END_OK;
	c->verb = verbs_find(&c->args, &used, e);
	if (c->verb == NULL || verbs_check(c->verb, &c->args, used, e) != RC_OK)
		return cli_fail(c, e);
	c->word = &c->args.word[used];
	c->words = c->args.words - used;
	if (crypt_init(e) != RC_OK ||
	    config_load(&c->cfg, &c->args, e) != RC_OK)
		return cli_fail(c, e);
	return c->verb->run(c);
}

int
main(int argc, char **argv)
{
	struct cli c = { 0 };
	struct err e = { 0 };
	enum exit_code code;
	bool json = false;
	enum rc rc;

	umask(077);
	log_open(STDERR_FILENO, LOG_ERROR);
	rc = args_parse(argc, argv, &c.args, &e);
	if (rc == RC_OK)
		rc = read_output(&c, &json, &e);
	print_open(&c.out, STDOUT_FILENO, json);
	code = rc == RC_OK ? run(&c, &e) : cli_fail(&c, &e);
	print_close(&c.out);
	config_free(&c.cfg);
	return (int)code;
}
