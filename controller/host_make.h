/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOST_MAKE_H
#define CONTROLLER_HOST_MAKE_H
/*
 * The one place where a host comes into being, whichever way it came:
 * enrolment by token, or an announced host that was accepted.  Part of an op
 * with the vault.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/crypt.h"
#include "lib/base/str.h"

struct store_tx;
struct ulid;

/* Everything is lent for the call. */
struct host_make {
	const struct ulid *id; /* fresh */
	const char *name, *reported_name;
	const char *os, *arch;
	const char *agent_version, *restic_version;
	char *const *tags;
	size_t n_tags;
	char *const *paths; /* of the default source group; none: usual ones */
	size_t n_paths;
	const char *repo_url, *repo_username;
	char *const *extra_names; /* of its variables */
	size_t n_extra_names;
	struct str sealed_repo; /* RepoSecret, ad "host:<id>:repo", or empty */
};

/* Host, default source group and secrets.  It has no bearer yet. */
void host_make(struct store_tx *state, struct store_tx *vault,
    const struct host_make *m);
/* A fresh bearer takes the place of those it had.  False: there is no such
 * host.  *has_repo: it has repository credentials. */
bool host_make_bearer(struct store_tx *vault, const struct ulid *host,
    char out[CRYPT_TOKEN_CAP], bool *has_repo);
#endif
