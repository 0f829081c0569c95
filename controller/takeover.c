/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/takeover.h"

#include "controller/controller.h"
#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/store/audit_store.h"
#include "lib/store/copy_mark.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"

enum {
	PAYLOAD_CAP = 128,
	/* More changes than one host has seen since the copy was made. */
	VERSIONS_LOST = 1000
};

enum rc
takeover_check(const struct controller *c, struct err *e)
{
	struct copy_mark m;
	enum rc rc;

	rc = copy_mark_read(c->settings.data_dir, &m, e);
	if (rc == RC_NOTFOUND)
		return RC_OK;
	if (rc == RC_OK && m.copied_at_ms == 0)
		return err_set(e, RC_CORRUPT,
		    "%s: the first copy was never completed; let "
		    "\"restic-manager state copy\" finish, or remove it",
		    c->settings.data_dir);
	return rc;
}

static void
put_entry(struct store_tx *tx, const struct copy_mark *m, const char *when)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	char payload[PAYLOAD_CAP];

	if (!str_fmt(payload, sizeof(payload),
	        "{\"copied_at\":\"%s\",\"seconds_before\":%lld}", when,
	        (long long)((clock_now_ms() - m->copied_at_ms) / 1000)))
		payload[0] = '\0';
	a.actor_name = pb_text("system");
	a.action = pb_text("state.copy_started");
	a.payload = payload;
	audit_store_add(tx, &a);
}

static bool
takeover_on_host(void *ctx, const struct Rec__Host *h)
{
	struct store_tx *tx = ctx;
	struct Rec__Host next = *h;

	next.config_version += VERSIONS_LOST;
	host_store_put(tx, &next);
	return store_rc(tx) == RC_OK;
}

enum rc
takeover_note(struct controller *c, struct err *e)
{
	char when[CLOCK_TEXT_CAP];
	struct copy_mark m;
	struct store_tx *tx;
	struct arena a;
	enum rc rc;

	rc = copy_mark_read(c->settings.data_dir, &m, e);
	if (rc == RC_NOTFOUND)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	clock_text(m.copied_at_ms, when);
	log_warn(LOG_STORE,
	    "started on a copy: what was acknowledged after it is lost, agents "
	    "tell the ends of their jobs again copied_at=%s age_s=%lld",
	    when, (long long)((clock_now_ms() - m.copied_at_ms) / 1000));
	arena_init(&a, MIB(256));
	tx = store_begin_write(c->state, &a);
	put_entry(tx, &m, when);
	/* Agents may hold versions that we shall count to again: no number may
	 * stand for two configurations. */
	host_store_each(tx, takeover_on_host, tx);
	rc = store_commit(tx, e);
	arena_fini(&a);
	return rc == RC_OK ? copy_mark_remove(c->settings.data_dir, e) : rc;
}
