/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/pb.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"

union lend {
	const void *from;
	void *to;
};

char *
pb_text(const char *z)
{
	union lend u = { .from = z == NULL ? "" : z };

	return u.to;
}

ProtobufCBinaryData
pb_bytes(const void *p, size_t n)
{
	union lend u = { .from = p };

	return (ProtobufCBinaryData){ n, u.to };
}

ProtobufCBinaryData
pb_id(const struct ulid *id)
{
	if (ulid_is_zero(id))
		return (ProtobufCBinaryData){ 0, NULL };
	return pb_bytes(id->b, sizeof(id->b));
}

ProtobufCBinaryData
pb_id_keep(struct arena *a, const struct ulid *id)
{
	struct ulid *copy = arena_alloc(a, sizeof(*copy));

	if (copy == NULL)
		return (ProtobufCBinaryData){ 0, NULL };
	*copy = *id;
	return pb_id(copy);
}

bool
pb_id_get(const ProtobufCBinaryData *field, struct ulid *out)
{
	*out = (struct ulid){ { 0 } };
	if (field->len != sizeof(out->b))
		return false;
	memcpy(out->b, field->data, sizeof(out->b));
	return true;
}

void
pb_put_id(struct json_out *j, const char *name,
    const ProtobufCBinaryData *field)
{
	struct ulid id;

	(void)pb_id_get(field, &id);
	json_put_ulid(j, name, &id);
}

char *
pb_keep(struct arena *a, const char *z, size_t max)
{
	struct str s = str_of(z);

	if (s.n > max) {
		s.n = max;
		while (s.n > 0 && ((unsigned char)z[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return arena_str(a, s);
}

bool
pb_word_ok(const char *z, size_t max)
{
	struct str s = str_of(z);
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n <= max && str_utf8_ok(s);
}

void
pb_pack(const ProtobufCMessage *m, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *room = buf_reserve(out, n);

	if (room != NULL)
		buf_added(out,
		    protobuf_c_message_pack(m, (uint8_t *)(void *)room));
}
