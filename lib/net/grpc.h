/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_H
#define LIB_NET_GRPC_H
/*
 * gRPC over HTTP/2 (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md):
 * messages, status, deadlines.  Server side; the client is grpc_client.h.
 *
 * A call: on_open -> on_message for each -> on_half_close when the peer has
 * sent its last -> ours ends it with grpc_finish() -> on_close exactly once,
 * after which it is gone.  When the peer resets, the connection drops or the
 * deadline (grpc-timeout) passes, on_close comes without grpc_finish();
 * cancelled tells which.  Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

enum {
	GRPC_MESSAGE_MAX = 4194304
}; /* 4 MiB */

enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED
};

struct loop;
struct grpc_server;
struct grpc_call;

struct grpc_method {
	const char *path;   /* "/resticmanager.v1.Agent/Poll" */
	bool client_stream; /* false: a second message is INVALID_ARGUMENT */
	void (*on_open)(void *ctx, struct grpc_call *c);
	void (*on_message)(void *ctx, struct grpc_call *c, struct str msg);
	void (*on_half_close)(void *ctx, struct grpc_call *c);
	void (*on_writable)(void *ctx, struct grpc_call *c); /* may be NULL */
	void (*on_close)(void *ctx, struct grpc_call *c);
};

/* methods is lent for the server's life; unknown paths get UNIMPLEMENTED. */
struct grpc_server *grpc_server_new(struct loop *l,
    const struct grpc_method *methods, size_t n, void *ctx);
void grpc_server_free(struct grpc_server *s);

/* Metadata by lower-case name; .p NULL when absent. */
struct str grpc_metadata(const struct grpc_call *c, const char *name);
/* For calls that stay open for days: there is none any more. */
void grpc_forget_metadata(struct grpc_call *c);
const char *grpc_peer(const struct grpc_call *c); /* address */
bool grpc_is_tls(const struct grpc_call *c);
void grpc_set_user(struct grpc_call *c, void *user);
void *grpc_user(const struct grpc_call *c);

/* Nothing more is read from the connection of the call, which others may
 * share, until on is false.  What has been read still comes. */
void grpc_pause(struct grpc_call *c, bool on);
/* Copies.  RC_LIMIT: larger than GRPC_MESSAGE_MAX.  RC_BUSY: more than
 * 1 MiB unsent, nothing taken; on_writable comes below 256 KiB. */
MUST_USE enum rc grpc_send(struct grpc_call *c, struct str msg);
/* Ends the call after what was sent: status, message (percent-encoded
 * here), code for the trailer rm-error-code or NULL. */
void grpc_finish(struct grpc_call *c, enum grpc_status st, const char *msg,
    const char *code);
/* From an error: rc decides the status. */
void grpc_finish_err(struct grpc_call *c, const struct err *e);
#endif
