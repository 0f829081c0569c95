/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_GLOB_H
#define LIB_BASE_GLOB_H
/*
 * Patterns as restic's --exclude takes them, by their form alone: one that is
 * broken fails every run that has it.  Any thread.
 */
#include <stdbool.h>

#include "lib/base/str.h"

/* escapes: a backslash takes the next character as it is, as everywhere but
 * on Windows, where it parts names. */
bool glob_ok(struct str pattern, bool escapes);
#endif
