/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_TEXT_H
#define LIB_NET_GRPC_TEXT_H
/* The texts of gRPC's header fields. */
#include "lib/base/buf.h"
#include "lib/net/grpc.h"

enum {
	GRPC_TIMEOUT_CAP = 12
};

/* grpc-message: printable ASCII but '%' as it is, the rest as %HH. */
void grpc_percent_put(struct buf *out, struct str s);
/* Lenient, as the protocol wants: what is no %HH stays. */
void grpc_percent_get(struct buf *out, struct str s);
/* grpc-timeout: at most 8 digits and one of H M S m u n; rounded up to
 * milliseconds. */
MUST_USE bool grpc_timeout_parse(struct str s, uint64_t *out_ms);
void grpc_timeout_text(unsigned ms, char out[GRPC_TIMEOUT_CAP]);
/* What a reply that is not gRPC means. */
enum grpc_status grpc_status_of_http(int http);
#endif
