/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SECRETS_H
#define AGENT_SECRETS_H
/*
 * Repository credentials, sealed in secrets.enc (M-111, M-112): additional
 * data "rm-agent-repo-creds-v1", slots repo and admin.  Read afresh for each
 * job; a blob that does not open is an error and is never overwritten.
 * Blocking (a small file); one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/repo_env.h"

struct Wire__RepoSlot;
struct buf;
struct secrets;

/* One of lib/base/repo_env.h. */
struct secrets_extra {
	const struct repo_env *what;
	struct secret value;
};

struct secrets_repo {
	struct secret url;
	struct secret username;
	struct secret password;
	struct secrets_extra extra[REPO_ENV_MAX];
	size_t n_extra;
};

/* What came over the wire; the slot stays the caller's.  Variables this
 * agent does not know are left out with a warning in its log: a controller
 * may be newer than its agents. */
void secrets_repo_from(const struct Wire__RepoSlot *slot,
    struct secrets_repo *out);
/* Moves the variables over, but for a login where `to` has its own. */
void secrets_take_extra(struct secrets_repo *to, struct secrets_repo *from);

/* The host's bandwidth caps in KiB/s, 0: none; and the version of the
 * controller's Config that brought all this, 0: none yet. */
struct secrets_config {
	uint64_t version;
	uint32_t up_kbps;
	uint32_t down_kbps;
};

enum secrets_slot {
	SECRETS_REPO,
	SECRETS_ADMIN
};

/* RC_CORRUPT when there is a blob and the key does not open it. */
MUST_USE enum rc secrets_open(const char *path,
    const uint8_t key[CRYPT_KEY_SIZE], struct secrets **out, struct err *e);
void secrets_close(struct secrets *s);
/* RC_NOTFOUND: the slot is empty.  secrets_repo_fini() afterwards. */
MUST_USE enum rc secrets_get(struct secrets *s, enum secrets_slot slot,
    struct secrets_repo *out, struct err *e);
/* repo NULL empties the slot.  The version is on disk after secrets_told()
 * alone: a start before it holds none, and is sent all of it again. */
MUST_USE enum rc secrets_put(struct secrets *s, enum secrets_slot slot,
    const struct secrets_repo *repo, const struct secrets_config *config,
    struct err *e);
/* The word that the version is held is on its way for good. */
MUST_USE enum rc secrets_told(struct secrets *s, struct err *e);
/* The packed Plan; RC_NOTFOUND: there is none. */
MUST_USE enum rc secrets_plan(struct secrets *s, struct buf *out,
    struct err *e);
/* packed NULL: the one that is held stays; empty: none.  Comes before the
 * Config's version is put: a plan that was lost is not taken for had.
 * refused_format: of a plan too new for this agent; once it understands it,
 * secrets_config() says that no version is held.  0: none. */
MUST_USE enum rc secrets_put_plan(struct secrets *s, const struct str *packed,
    uint32_t refused_format, struct err *e);
void secrets_repo_fini(struct secrets_repo *r);

/*
 * Bearers that rotations made, newest first; `of` is the SHA-256 of the
 * agent_token they follow.  After another enrolment, or with another
 * agent.yaml, those that are stored are none.  The oldest give way.
 */
enum {
	SECRETS_BEARERS = 3
};
struct secrets_bearers {
	struct secret v[SECRETS_BEARERS];
	size_t n;
};
MUST_USE enum rc secrets_bearers(struct secrets *s,
    const uint8_t of[CRYPT_HASH_SIZE], struct secrets_bearers *out,
    struct err *e);
MUST_USE enum rc secrets_add_bearer(struct secrets *s,
    const uint8_t of[CRYPT_HASH_SIZE], struct str bearer, struct err *e);
void secrets_bearers_fini(struct secrets_bearers *b);
/* As of the last successful open, get or put. */
struct secrets_config secrets_config(const struct secrets *s);
#endif
