/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/message.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

void *
table_unpack(struct store_tx *tx, enum table t, struct str value,
    const ProtobufCMessageDescriptor *d)
{
	void *m;

	ASSERT(tx->arena != NULL);
	m = message_unpack(tx->arena, value, d);
	if (m != NULL)
		return m;
	if (arena_rc(tx->arena) != RC_OK)
		store_fail(tx, RC_LIMIT,
		    "too many records at once: table %s does not fit into "
		    "%zu bytes",
		    table_info(t)->name, tx->arena->max);
	else
		store_fail(tx, RC_CORRUPT,
		    "%s: a record of table %s is damaged; restore a backup",
		    tx->store->dir, table_info(t)->name);
	return NULL;
}

void *
table_find(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessageDescriptor *d)
{
	struct str v;

	return table_peek(tx, t, k, &v) ? table_unpack(tx, t, v, d) : NULL;
}

void *
table_get(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessageDescriptor *d, const char *what)
{
	void *m = table_find(tx, t, k, d);

	if (m == NULL && tx->err.rc == RC_OK)
		store_fail(tx, RC_NOTFOUND, "there is no %s with this id",
		    what);
	return m;
}

void *
table_scan_record(struct table_scan *sc, const ProtobufCMessageDescriptor *d)
{
	struct str key, value;

	return table_scan_next(sc, &key, &value)
	           ? table_unpack(sc->tx, sc->table, value, d)
	           : NULL;
}

bool
table_put_record(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessage *m)
{
	uint8_t small[1024], *p = small;
	size_t n;
	bool changed;

	if (!store_usable(tx))
		return false;
	n = protobuf_c_message_get_packed_size(m);
	if (n > TABLE_VALUE_MAX) {
		store_fail(tx, RC_LIMIT,
		    "a record for table %s is too large: %zu bytes, at most %d",
		    table_info(t)->name, n, (int)TABLE_VALUE_MAX);
		return false;
	}
	if (n > sizeof(small))
		p = mem_alloc(n);
	protobuf_c_message_pack(m, p);
	changed = table_put(tx, t, k, str_from(p, n));
	if (p != small)
		mem_free(p);
	return changed;
}
