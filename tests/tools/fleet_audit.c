/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entries of the audit log, as many as are wanted, over the last 90 days. */
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/store/audit_store.h"
#include "lib/store/store.h"
#include "tests/tools/fleet.h"

enum {
	BATCH = 5000,
	PATH_CAP = 1024,
	TEXT_CAP = 128
};
static const int64_t span_ms = INT64_C(90) * 86400000;

/* clang-format off */
static const struct {
	const char *actor, *action, *kind;
} acts[] = {
	{ "admin",  "auth.login",       "user" },
	{ "ops",    "job.run_now",      "host" },
	{ "oncall", "job.run_now",      "host" },
	{ "ops",    "host.tags_updated", "host" },
	{ "system", "auth.login_failed", "user" },
	{ "admin",  "user.created",     "user" },
	{ "oncall", "job.cancel",       "job" },
};
/* clang-format on */

/* protobuf-c's fields are not const; the store only reads them. */
static char *
lend(const char *z)
{
	union {
		const char *from;
		char *to;
	} u = { .from = z };

	return u.to;
}

static void
add(struct store_tx *tx, uint64_t i)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	char target[TEXT_CAP], payload[TEXT_CAP], address[TEXT_CAP];
	size_t k = (size_t)(i * 2654435761U >> 7) % ARRAY_LEN(acts);

	ASSERT(str_fmt(target, sizeof(target), "host-%04u",
	    (unsigned)(i * 40503U % 5000)));
	ASSERT(str_fmt(payload, sizeof(payload),
	    "{\"n\":%llu,\"kind\":\"backup\",\"source_group\":\"default\"}",
	    (unsigned long long)i));
	ASSERT(str_fmt(address, sizeof(address), "10.0.%u.%u",
	    (unsigned)(i % 16), (unsigned)(i * 7 % 250)));
	a.actor_name = lend(acts[k].actor);
	a.action = lend(acts[k].action);
	a.target_kind = lend(acts[k].kind);
	a.target_name = target;
	a.payload = payload;
	a.address = address;
	audit_store_add(tx, &a);
}

enum rc
fleet_put_audit(const struct fleet_opts *o, struct err *e)
{
	struct store *state = NULL;
	struct store_tx *tx;
	char path[PATH_CAP];
	struct arena a;
	uint64_t i = 0;
	enum rc rc;

	if (!str_fmt(path, sizeof(path), "%s/db/state", o->dir))
		return err_set(e, RC_LIMIT, "%s: the path is too long", o->dir);
	rc = store_open(STORE_STATE, STORE_WRITER, path, &state, e);
	arena_init(&a, MIB(64));
	while (rc == RC_OK && i < o->audit) {
		arena_reset(&a);
		tx = store_begin_write(state, &a);
		do {
			clock_fake(o->now_ms - span_ms +
			               (int64_t)i *
			                   (span_ms / (int64_t)o->audit),
			    0);
			add(tx, i);
		} while (++i < o->audit && i % BATCH != 0);
		rc = store_commit(tx, e);
	}
	clock_fake(-1, 0);
	arena_fini(&a);
	store_close(state);
	return rc;
}
