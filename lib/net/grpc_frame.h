/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_FRAME_H
#define LIB_NET_GRPC_FRAME_H
/*
 * gRPC messages out of a byte stream that cuts them anywhere: each has five
 * bytes before it, a flag (1: compressed) and its length.
 */
#include "lib/base/buf.h"

enum {
	GRPC_PREFIX = 5
};

struct grpc_frames {
	struct buf part; /* the beginning of a message */
	size_t max;
};

/* max: largest message. */
void grpc_frames_init(struct grpc_frames *f, size_t max);
void grpc_frames_fini(struct grpc_frames *f);
/* Takes from the front of *bytes.  RC_OK: *msg is a message, lent until the
 * next call.  RC_BUSY: *bytes is used up.  RC_LIMIT: longer than max.
 * RC_VERSION: compressed.  RC_PROTO: an unknown flag. */
MUST_USE enum rc grpc_frames_next(struct grpc_frames *f, struct str *bytes,
    struct str *msg);
/* Nothing of an unfinished message is held. */
bool grpc_frames_whole(const struct grpc_frames *f);
/* The five bytes for a message of n bytes. */
void grpc_frame_prefix(size_t n, char out[GRPC_PREFIX]);
#endif
