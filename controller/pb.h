/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PB_H
#define CONTROLLER_PB_H
/*
 * Records and messages by protobuf-c, whose fields are not const: what is
 * lent here is only read.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct arena;
struct buf;
struct json_out;

/* Lends; NULL gives "". */
char *pb_text(const char *z);
ProtobufCBinaryData pb_bytes(const void *p, size_t n);
/* Lends; zero gives the empty field. */
ProtobufCBinaryData pb_id(const struct ulid *id);
/* The same, copied into the arena. */
ProtobufCBinaryData pb_id_keep(struct arena *a, const struct ulid *id);
/* False, and out zero, unless the field has 16 bytes. */
bool pb_id_get(const ProtobufCBinaryData *field, struct ulid *out);
/* The id as text, or null. */
void pb_put_id(struct json_out *j, const char *name,
    const ProtobufCBinaryData *field);
/* At most max bytes of outside text, cut between characters. */
char *pb_keep(struct arena *a, const char *z, size_t max);
/* What hosts call themselves and the like: well-formed, without control
 * characters, at most max bytes. */
bool pb_word_ok(const char *z, size_t max);

/* Appends; failure sticks to out. */
void pb_pack(const ProtobufCMessage *m, struct buf *out);
#endif
