/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_LINK_PRIV_H
#define LIB_NET_LINK_PRIV_H
/*
 * What the files of link share: link.c is the life of a connection, link_in.c
 * what comes in, link_out.c what goes out and the end in order.
 */
#include <uv.h>

#include "lib/net/link.h"
#include "lib/net/loop_priv.h"

enum {
	LINK_HELLO_MAX = 5 + 16384 /* a record of TLS with its head */
};

struct link {
	uv_tcp_t tcp;
	union {
		uv_connect_t connect;
		uv_shutdown_t shutdown;
	} req;
	struct loop *loop;
	struct loop_task task; /* the flush */
	struct loop_task more; /* the next read */
	struct loop_timer *linger;
	struct tls_ctx *tls_ctx; /* NULL: plain */
	struct tls_conn *tls;
	struct buf *hello; /* server: what came before the handshake */
	const struct link_handler *handler;
	void *ctx;
	unsigned writes; /* in progress; try_write is for 0 only */
	bool connected;
	bool ready;
	bool greeted; /* on_hello was called */
	bool paused;
	bool young;     /* see link_known() */
	bool placed;    /* has a place for its next read */
	int end_code;   /* of a read that ended it, until it has a place */
	bool eof;       /* the peer's end was seen */
	bool shut;      /* close when all is written */
	bool shut_sent; /* close_notify and FIN are on their way */
	bool ending;    /* uv_close was called: no callback but on_end */
	int64_t heard_ms;
	int64_t blocked_ms;
	struct err *why; /* NULL: a normal end */
	char peer[LINK_PEER_CAP];
};

/* Ends it with libuv's reason, and what was being done. */
void link_end_uv(struct link *l, int code, const char *what);

/* link_in.c */
void link_read(struct link *l); /* starts, or goes on */
/* The read that waited for its turn: link.more. */
void link_on_more(struct loop_task *t);
/* Bytes for TLS, or none to begin: everything is taken. */
void link_feed_tls(struct link *l, struct str in);

/* link_out.c */
/* The flush that link_flush() asked for: link.task. */
void link_on_flush(struct loop_task *t);
/* What the socket does not take now waits in libuv. */
void link_write(struct link *l, struct str s);
#endif
