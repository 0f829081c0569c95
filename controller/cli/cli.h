/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_CLI_H
#define CONTROLLER_CLI_CLI_H
/*
 * One run of the command: what was asked, where to, and how to print.
 * A verb does its work, prints, and says what the command ends with.
 */
#include <stdbool.h>
#include <stddef.h>

#include "controller/cli/args.h"
#include "controller/cli/config.h"
#include "controller/cli/exit.h"
#include "controller/cli/print.h"

struct verb;

struct cli {
	struct args args;
	const struct verb *verb;
	const char *const *word; /* what follows the verb's own words */
	size_t words;
	struct config cfg;
	struct print out; /* standard output */
};

/* Tells what went wrong: a sentence on standard error, and an object with
 * "error" on standard output where JSON was asked for. */
enum exit_code cli_fail(struct cli *c, const struct err *e);
/* A remark for the person in front of it, on standard error. */
void cli_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
#endif
