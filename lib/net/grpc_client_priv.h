/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_CLIENT_PRIV_H
#define LIB_NET_GRPC_CLIENT_PRIV_H
/* What calls (grpc_call.c) ask of their connection (grpc_client.c). */
#include <stdbool.h>

#include "lib/net/grpc_client.h"

struct h2;
struct url;

struct loop *grpc_conn_loop(struct grpc_conn *c);
struct h2 *grpc_conn_h2(struct grpc_conn *c); /* NULL unless ready */
const struct url *grpc_conn_url(const struct grpc_conn *c);
const struct err *grpc_conn_why(const struct grpc_conn *c);
/* The owner freed it: no callbacks. */
bool grpc_conn_silent(const struct grpc_conn *c);
bool grpc_conn_lost(const struct grpc_conn *c);
/* A message goes out: after a long silence a PING goes with it. */
void grpc_conn_speaks(struct grpc_conn *c);
/* Keeps the memory, for what runs later. */
void grpc_conn_hold(struct grpc_conn *c);
void grpc_conn_let_go(struct grpc_conn *c);
#endif
