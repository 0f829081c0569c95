/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SECRETS_H
#define AGENT_SECRETS_H
/*
 * Repository credentials, sealed in secrets.enc (M-111, M-112): additional
 * data "rm-agent-repo-creds-v1", slots repo and admin.  Read afresh for each
 * job; a blob that does not open is an error and is never overwritten.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"

struct secrets;

struct secrets_repo {
	struct secret url;
	struct secret username;
	struct secret password;
	uint64_t config_version; /* of the controller's Config it came with */
};

enum secrets_slot {
	SECRETS_REPO,
	SECRETS_ADMIN
};

MUST_USE enum rc secrets_open(const char *path,
    const uint8_t key[CRYPT_KEY_SIZE], struct secrets **out, struct err *e);
void secrets_close(struct secrets *s);
/* RC_NOTFOUND: the slot is empty.  secrets_repo_fini() afterwards. */
MUST_USE enum rc secrets_get(struct secrets *s, enum secrets_slot slot,
    struct secrets_repo *out, struct err *e);
MUST_USE enum rc secrets_put(struct secrets *s, enum secrets_slot slot,
    const struct secrets_repo *in, struct err *e);
void secrets_repo_fini(struct secrets_repo *r);
/* Version of the configuration held; 0: none. */
uint64_t secrets_config_version(struct secrets *s);
#endif
