/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SERVER_H
#define CONTROLLER_SERVER_H
/*
 * The listeners: TLS with the configured or a self-made certificate, and
 * the plain one for a local reverse proxy.
 */
#include "lib/base/rc.h"

struct controller;
struct listen_stats;
struct req;
struct server;

/* Fills c->pin.  Connections are accepted as soon as the loop runs. */
MUST_USE enum rc server_open(struct controller *c, struct server **out,
    struct err *e);
/* Reads the certificate again; new connections use it.  On failure the old
 * one stays. */
MUST_USE enum rc server_reload(struct server *s, struct err *e);
/* Ends connections with grace, then calls done and is gone. */
typedef void server_done_fn(void *ctx);
void server_close(struct server *s, server_done_fn *done, void *ctx);

/* Of all listeners together; s may be NULL. */
void server_stats(const struct server *s, struct listen_stats *out);

void server_health(struct req *r);  /* GET /healthz */
void server_version(struct req *r); /* GET /api/version */
#endif
