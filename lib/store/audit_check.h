/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_AUDIT_CHECK_H
#define LIB_STORE_AUDIT_CHECK_H
/*
 * Verification of the audit log: walks the chain from its start, names the
 * first entry that does not fit and what became of it, and compares the end
 * with the seal.  In steps, each with a read transaction of its own, so that
 * a long log neither holds pages nor a thread for long; entries that are
 * added meanwhile are walked too.
 *
 *   audit_check_init(&c, NULL);
 *   do { tx = store_begin_read(...); more = audit_check_step(&c, tx, 10000);
 *        ... store_rc(tx) ...; store_abort(tx); } while (more);
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct buf;
struct json_out;
struct store_tx;

enum audit_fault {
	AUDIT_FITS,
	AUDIT_DAMAGED,  /* it cannot be read */
	AUDIT_EDITED,   /* it says something else than its hash */
	AUDIT_REMOVED,  /* what it followed is not there any more */
	AUDIT_INSERTED, /* nothing follows it, and it was not there before */
	AUDIT_MOVED,    /* it is not where it was written */
	AUDIT_CUT,      /* the newest entries are missing */
	AUDIT_REPLACED, /* fits in itself, but is not what was sealed */
	AUDIT_ADDED,    /* behind the last entry that was sealed */
	AUDIT_UNSEALED, /* the seal was removed */
	AUDIT_BROKEN    /* the seal was changed, or made with another key */
};
const char *audit_fault_name(enum audit_fault f); /* "edited" */

struct audit_check {
	/* the verdict */
	enum audit_fault fault;
	uint64_t row;          /* of the first bad entry, from 1; 0: none */
	struct ulid bad;       /* its id */
	int64_t bad_at_ms;     /* its time; 0: cannot be read */
	uint64_t count;        /* entries looked at */
	uint64_t sealed;       /* entries the seal tells of */
	uint64_t before;       /* of them older than the seal itself */
	uint8_t hash[32];      /* of the last entry that fits */
	uint64_t expected_row; /* that has the expected hash; 0: none */

	/* how far it is */
	bool expects;
	uint8_t expected[32];
	bool begun, seeking;
	struct ulid at; /* the last entry looked at */
	int64_t at_ms;
	uint8_t before_hash[32]; /* of the entry before the last */
	uint8_t wanted[32];      /* seeking: the hash that is missing */
	uint8_t stand_in[32];    /* seeking: what the bad one follows */
	bool next_seen;
	struct ulid beyond; /* the first entry behind the seal */
	int64_t beyond_ms;
	bool sealed_seen; /* the entry the seal tells of has its hash */
};

/* expected: a hash noted earlier, or NULL. */
void audit_check_init(struct audit_check *c, const uint8_t *expected);
/* At most max entries.  True: there are more.  After a failure of tx the
 * verdict means nothing. */
MUST_USE bool audit_check_step(struct audit_check *c, struct store_tx *tx,
    size_t max);
/* Nothing is wrong, and what was expected was found. */
bool audit_check_ok(const struct audit_check *c);
/* The verdict as an object, as docs/api.md says it. */
void audit_check_json(const struct audit_check *c, struct json_out *j);
/* The verdict as a sentence. */
void audit_check_text(const struct audit_check *c, struct buf *out);
#endif
