/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_PROMPT_H
#define CONTROLLER_CLI_PROMPT_H
/* Questions to the person at the terminal; answers never echo when secret. */
#include <stdbool.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"

/* RC_INVALID when there is no terminal to ask on. */
MUST_USE enum rc prompt_line(const char *question, bool echo,
    struct secret *out, struct err *e);
/* "yes" alone counts. */
MUST_USE enum rc prompt_yes(const char *question, bool *out, struct err *e);
/* The first line of standard input. */
MUST_USE enum rc prompt_stdin(const char *what, struct secret *out,
    struct err *e);
#endif
