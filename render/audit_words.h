/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_AUDIT_WORDS_H
#define RENDER_AUDIT_WORDS_H
/* The actions of the audit log in words. */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"

struct audit_word {
	const char *action; /* "auth.login" */
	const char *words;  /* "signed in" */
	bool refused;       /* it was an attempt */
};

/* NULL: of another version; its action has to do. */
const struct audit_word *audit_word_find(struct str action);
/* The whole table, by action. */
const struct audit_word *audit_word_table(size_t *n);
/* What the part before the dot is called: "Sign-in"; the noun itself when it
 * is new. */
const char *audit_word_noun(struct str action);
#endif
