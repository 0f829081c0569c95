/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_BEARER_H
#define AGENT_BEARER_H
/*
 * The bearers of this host, newest first: those of secrets.enc, then the one
 * of agent.yaml.  One is in use; one that the controller does not know gives
 * way to the next.  What a rotation replaced stays, sealed, as a last resort:
 * a controller that was restored from an older copy knows that one only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/secrets.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"

enum {
	BEARER_MAX = SECRETS_BEARERS + 1,
	BEARER_CAP = 129 /* agent.yaml has at most 128 bytes */
};

struct bearer {
	struct secrets *secrets;     /* lent */
	uint8_t of[CRYPT_HASH_SIZE]; /* of the one of agent.yaml */
	char text[BEARER_MAX][BEARER_CAP];
	size_t n;
	size_t at;      /* in use */
	size_t refused; /* of them, one after the other */
};

/* s NULL: that of agent.yaml alone, which then cannot be renewed. */
MUST_USE enum rc bearer_open(struct bearer *b, struct secrets *s,
    const char *enrolled, struct err *e);
void bearer_wipe(struct bearer *b);
const char *bearer_in_use(const struct bearer *b);
/* The SHA-256 of the newest one; false: that is in use. */
bool bearer_offer(const struct bearer *b, uint8_t out[CRYPT_HASH_SIZE]);
/* A rotation is wanted: afterwards there is one to be offered, on disk.  One
 * that was made before and is not in use is as good as another. */
MUST_USE enum rc bearer_renew(struct bearer *b, struct err *e);
/* What was offered was taken: it is in use from now on. */
void bearer_taken(struct bearer *b);
/* The one in use was good, or was refused; false: all were, one after the
 * other, and the newest is the next to be tried. */
void bearer_good(struct bearer *b);
bool bearer_refused(struct bearer *b);
#endif
