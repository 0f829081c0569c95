/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_CONFIG_H
#define CONTROLLER_CLI_CONFIG_H
/*
 * Where the controller is, how it is trusted, and the token: options, then
 * the environment, then ~/.config/restic-manager/cli.yaml (0600), which
 * login writes.  What the file says of one controller is never used for
 * another: a token does not travel to a server it was not made for.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"

struct args;

struct config {
	char *server; /* NULL: none given */
	char *pin;    /* 64 hex digits, NULL: by authority */
	char *ca_file;
	char *token;           /* NULL: not signed in */
	char *token_id;        /* to revoke it; NULL: from the environment */
	char *path;            /* of the file */
	bool from_environment; /* the token */
};

MUST_USE enum rc config_load(struct config *out, const struct args *a,
    struct err *e);
void config_free(struct config *c);
/* Writes server, pin, token to the file. */
MUST_USE enum rc config_save(const struct config *c, struct err *e);
/* Takes token and token_id out of the file. */
MUST_USE enum rc config_forget(struct config *c, struct err *e);
/* A server's address that a token may travel to: https, or this machine. */
MUST_USE enum rc config_server_ok(const char *url, struct err *e);
/* Another controller: what is known of the old one is forgotten. */
void config_use(struct config *c, const char *server);
/* Replaces one text; value NULL unsets it. */
void config_set(char **field, const char *value);
#endif
