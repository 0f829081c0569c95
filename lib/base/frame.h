/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_FRAME_H
#define LIB_BASE_FRAME_H
/*
 * Frames on local sockets: u32 big-endian length of what follows, u8 kind,
 * payload.  Used between controller and renderer.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;

enum {
	FRAME_HEAD = 5
};

void frame_put(struct buf *out, uint8_t kind, struct str payload);
/* Looks at the front of in.  RC_OK: a whole frame of *size bytes, payload
 * borrowed.  RC_BUSY: more bytes needed.  RC_LIMIT: head and payload are
 * longer than max.  RC_PROTO: no frame has that length. */
MUST_USE enum rc frame_peek(struct str in, size_t max, uint8_t *kind,
    struct str *payload, size_t *size);
#endif
