/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_USERS_OP_H
#define CONTROLLER_USERS_OP_H
/* What is done to users: checks of what was asked for, and the ops. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/op.h"
#include "controller/users_admin.h"
#include "controller/users_own.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct req;
struct store_tx;

/* A new user, from JSON or the form. */
struct users_new_in {
	char *username;
	char *role;
	char *email; /* NULL or "": none */
};

/* An edit; what is not there stays. */
struct users_patch_in {
	char *role;
	char *email;
	bool must_change;
	bool has_role, has_email, has_must_change;
};

/* The input of every op here, and what it did. */
struct users_act {
	struct ulid id;
	char name[USERS_NAME_CAP];
	char email[USERS_EMAIL_MAX + 1];
	Rec__Role role;
	struct users_patch_in patch; /* which of role and email count */
	/* a setup link; its text is wiped by whoever shows it */
	char link[CRYPT_TOKEN_CAP];
	uint8_t link_hash[CRYPT_HASH_SIZE];
	int64_t link_expires_ms;
	const char *done; /* a constant, for the page that follows */
	/* done */
	size_t sessions, tokens;
	struct ulid other; /* who has the name already */
};

/* field: the name of the one that is wrong. */
MUST_USE enum rc users_check_new(const struct users_new_in *in,
    struct users_act *out, const char **field, struct err *e);
MUST_USE enum rc users_check_patch(const struct users_patch_in *in,
    struct users_act *out, const char **field, struct err *e);

op_fn users_create_op;
op_fn users_patch_op;
op_fn users_disable_op;
op_fn users_enable_op;
op_fn users_link_op;
op_fn users_logout_op;

/* An op on a copy of act, which gets a link for those that make one. */
struct op *users_op(op_fn *run, const struct users_act *act);
/* Tells the browser or the script what went wrong with that user. */
void users_failed(struct req *r, const struct ulid *id, const struct err *e);
/* Leads to the page that shows the new link once; wipes it. */
void users_show_link(struct req *r, struct users_act *act);
/* The user's event streams end; they come back with what is true now. */
void users_changed(struct req *r, const struct ulid *id);
/* https://host/setup?token=..., in r's arena, to be wiped. */
char *users_link_url(struct req *r, const char *link);
#endif
