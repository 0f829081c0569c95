/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/audit.h"

#include <inttypes.h>

#include "controller/controller.h"
#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/audit_store.h"
#include "lib/store/store.h"
#include "lib/store/user_store.h"

enum {
	HASH_TEXT_CAP = 2 * CRYPT_HASH_SIZE + 1
};

static void
log_head(const struct audit_head *h)
{
	char hash[HASH_TEXT_CAP];

	str_hex(h->hash, sizeof(h->hash), hash, sizeof(hash));
	log_info(LOG_STORE, "audit log head entries=%" PRIu64 " hash=%s",
	    h->count, hash);
}

static void
log_trouble(const struct audit_head *h)
{
	log_error(LOG_STORE,
	    "the audit log is not as it was left, see \"audit verify\" "
	    "entries=%" PRIu64 " sealed=%" PRIu64 " seal=%s",
	    h->count, h->sealed,
	    h->seal == AUDIT_SEAL_BROKEN ? "broken" : "astray");
}

/* The first seal of a log is an event of its own: who takes the seal away to
 * hide something leaves this entry. */
static void
begin_seal(struct store_tx *tx, const struct audit_head *h)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	char payload[64];

	audit_store_seal(tx);
	a.actor_name = pb_text("system");
	a.action = pb_text("audit.sealed");
	if (!str_fmt(payload, sizeof(payload), "{\"entries\":%" PRIu64 "}",
	        h->count))
		payload[0] = '\0';
	a.payload = payload;
	audit_store_add(tx, &a);
	log_warn(LOG_STORE,
	    "the audit log had no seal and has one now entries=%" PRIu64,
	    h->count);
}

/* A database that is in use has had entries from its first minute on. */
static bool
lacks_seal(struct store_tx *tx, const struct audit_head *h)
{
	if (h->seal == AUDIT_SEAL_MISSING)
		return true;
	return h->seal == AUDIT_SEAL_FITS && h->count == 0 &&
	       user_store_count(tx) > 0;
}

enum rc
audit_start(struct controller *c, struct err *e)
{
	struct store_tx *tx;
	struct audit_head h;
	struct arena a;
	enum rc rc;

	audit_store_key(c->state, c->key);
	arena_init(&a, MIB(16));
	tx = store_begin_write(c->state, &a);
	audit_store_head(tx, &h);
	if (store_rc(tx) == RC_OK && lacks_seal(tx, &h)) {
		begin_seal(tx, &h);
		audit_store_head(tx, &h);
	} else if (store_rc(tx) == RC_OK && h.seal != AUDIT_SEAL_FITS) {
		log_trouble(&h);
	}
	rc = store_commit(tx, e);
	arena_fini(&a);
	if (rc == RC_OK)
		log_head(&h);
	return rc;
}

void
audit_checkpoint(struct controller *c)
{
	struct store_tx *tx;
	struct audit_head h;
	struct arena a;

	arena_init(&a, MIB(16));
	tx = store_begin_read(c->state, &a);
	audit_store_head(tx, &h);
	if (store_rc(tx) == RC_OK)
		log_head(&h);
	if (store_rc(tx) == RC_OK && h.seal != AUDIT_SEAL_FITS)
		log_trouble(&h);
	store_abort(tx);
	arena_fini(&a);
}
