/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_ACCOUNT_H
#define CONTROLLER_CLI_ACCOUNT_H
/* Who the token stands for, and until when. */
#include "lib/base/rc.h"

struct buf;
struct client;
struct config;
struct json;

/* GET /api/account with "token": the token in use as GET /api/tokens tells
 * it, null for one of the environment, which has no id here.  text gets the
 * document. */
MUST_USE enum rc account_read(struct client *cl, const struct config *cfg,
    struct buf *text, struct json **doc, struct err *e);
#endif
