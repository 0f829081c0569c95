/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_SOCK_H
#define RENDER_SOCK_H
/*
 * The renderer's end of render.sock: one controller, one request at a time,
 * a frame in and a frame out (kinds in proto/render.proto).
 */
#include "lib/base/rc.h"

struct answer;

enum {
	SOCK_KIND_REQUEST = 1,
	SOCK_KIND_REPLY = 2
};

/* Makes the listening socket, mode 0660; a stale one goes away first. */
MUST_USE enum rc sock_listen(const char *path, int *out_fd, struct err *e);
/* Waits for the controller and serves it until its connection ends: RC_OK.
 * A malformed frame drops the connection: RC_PROTO.  Closes fd. */
MUST_USE enum rc sock_serve(int fd, const struct answer *a, struct err *e);
#endif
