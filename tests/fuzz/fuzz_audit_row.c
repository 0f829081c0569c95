/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stored entry of the audit log, read as it lies there: within its bytes,
 * and as protobuf-c reads it. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/store/audit_query.h"
#include "proto/store.pb-c.h"

static void
check_within(struct str part, const uint8_t *data, size_t size)
{
	const char *from = (const char *)data;

	ASSERT(
	    part.n == 0 || (part.p >= from && part.p + part.n <= from + size));
}

/* A text of protobuf-c ends at its first NUL. */
static void
check_same(struct str ours, const char *theirs)
{
	ASSERT(str_starts(ours, str_of(theirs)));
	ASSERT(ours.n == strlen(theirs) || ours.p[strlen(theirs)] == '\0');
}

static void
check_message(const struct audit_row *r, const struct Rec__AuditEntry *m)
{
	ASSERT(r->at_ms == m->at_ms);
	ASSERT(r->target_id.n == m->target_id.len);
	check_same(r->actor, m->actor_name);
	check_same(r->action, m->action);
	check_same(r->target_kind, m->target_kind);
	check_same(r->target, m->target_name);
	check_same(r->address, m->address);
	check_same(r->payload, m->payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_row r;
	struct Rec__AuditEntry *m;
	bool ok = audit_row_read(str_from(data, size), &r);

	if (ok) {
		check_within(r.actor_id, data, size);
		check_within(r.actor, data, size);
		check_within(r.action, data, size);
		check_within(r.target_kind, data, size);
		check_within(r.target_id, data, size);
		check_within(r.target, data, size);
		check_within(r.address, data, size);
		check_within(r.payload, data, size);
	}
	m = rec__audit_entry__unpack(NULL, size, data);
	if (m == NULL)
		return 0;
	ASSERT(ok);
	check_message(&r, m);
	rec__audit_entry__free_unpacked(m, NULL);
	return 0;
}
