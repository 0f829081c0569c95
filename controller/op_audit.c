/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/op.h"
#include "lib/store/audit_store.h"
#include "lib/store/store.h"

/* protobuf-c's fields are not const; the store only reads them. */
static char *
lend(const char *z)
{
	union {
		const char *from;
		char *to;
	} u = { .from = z == NULL ? "" : z };

	return u.to;
}

static ProtobufCBinaryData
lend_id(const struct ulid *id)
{
	union {
		const uint8_t *from;
		uint8_t *to;
	} u = { .from = NULL };

	if (id == NULL || ulid_is_zero(id))
		return (ProtobufCBinaryData){ 0, NULL };
	u.from = id->b;
	return (ProtobufCBinaryData){ sizeof(id->b), u.to };
}

/* The parameters are the columns of a row, in their order.
 * NOLINTBEGIN(readability-function-size) */
void
op_audit(struct store_tx *state, const struct op *op, const char *action,
    const char *target_kind, const struct ulid *target, const char *target_name,
    const char *payload)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;

	a.actor_id = lend_id(&op->actor.user);
	a.actor_name =
	    lend(op->actor.name[0] == '\0' ? "system" : op->actor.name);
	a.address = lend(op->actor.address);
	a.action = lend(action);
	a.target_kind = lend(target_kind);
	a.target_id = lend_id(target);
	a.target_name = lend(target_name);
	a.payload = lend(payload);
	audit_store_add(state, &a);
}
/* NOLINTEND(readability-function-size) */
