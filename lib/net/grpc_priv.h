/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_PRIV_H
#define LIB_NET_GRPC_PRIV_H
/* Between a server's connections and gRPC. */
#include "lib/net/grpc.h"

struct h2_stream;

enum {
	GRPC_QUEUE_MAX = 1048576,
	GRPC_QUEUE_LOW = 262144
};

/* Takes over a request whose content-type begins with application/grpc. */
void grpc_accept(struct grpc_server *srv, struct h2_stream *s);
/* If s is a call: ends it with UNAVAILABLE in its trailers; false when it
 * is none. */
bool grpc_end_for_shutdown(struct h2_stream *s);
#endif
