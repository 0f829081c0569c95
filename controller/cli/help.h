/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_HELP_H
#define CONTROLLER_CLI_HELP_H
/* What --help says, made from the tables. */
#include <stddef.h>

struct buf;

/* Of the verb or group the words name; all of it when they name none. */
void help_words(struct buf *b, const char *const *word, size_t n);
#endif
