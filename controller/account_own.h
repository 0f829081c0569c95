/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ACCOUNT_OWN_H
#define CONTROLLER_ACCOUNT_OWN_H
/* What the files of account share. */

struct req;

/* The account page with what was typed into the token's form; field: the
 * page's parameter ("error", "error.<field>") that carries the sentence. */
void account_show(struct req *r, int status, const char *field,
    const char *sentence);
#endif
