/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_TLS_CONN_H
#define LIB_NET_TLS_CONN_H
/*
 * One TLS connection over memory: bytes from the peer are lent with
 * tls_conn_input(), bytes to the peer are appended to the buffer given to
 * tls_conn_output(), which takes everything (no "want write").
 * Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;
struct tls_ctx;
struct tls_conn;

enum tls_alpn {
	TLS_ALPN_NONE,
	TLS_ALPN_H2,
	TLS_ALPN_HTTP11
};

/* What a looking client (tls_client_opts) was shown. */
struct tls_seen {
	bool any;
	uint8_t pin[32];                     /* SHA-256 of the public key */
	int64_t not_before_ms, not_after_ms; /* 0: not understood */
	bool named;                          /* it is for the host's name */
	bool trusted;                        /* an authority vouches for it */
	char distrust[160];                  /* why not */
};

/* host: the name a client asks for and verifies; NULL on a server.  NULL
 * when there is no descriptor or memory for it. */
struct tls_conn *tls_conn_new(struct tls_ctx *ctx, const char *host);
void tls_conn_free(struct tls_conn *c);

/* Both are lent until replaced; set them before the calls below. */
void tls_conn_input(struct tls_conn *c, struct str in);
void tls_conn_output(struct tls_conn *c, struct buf *out);

/* RC_OK: done (there may be application data behind it in the input).
 * RC_BUSY: more input needed.  Otherwise failed, the alert is in the
 * output. */
MUST_USE enum rc tls_conn_handshake(struct tls_conn *c, struct err *e);
/* RC_OK: *n > 0 bytes.  RC_BUSY: more input needed.  RC_GONE: the peer said
 * close_notify. */
MUST_USE enum rc tls_conn_read(struct tls_conn *c, char *dst, size_t cap,
    size_t *n, struct err *e);
/* After RC_OK: whether another read can give anything.  Asking wolfSSL for it
 * costs a third of what a heartbeat's record does (bench: heartbeat-cpu). */
bool tls_conn_more(const struct tls_conn *c);
MUST_USE enum rc tls_conn_write(struct tls_conn *c, struct str s,
    struct err *e);
void tls_conn_close_notify(struct tls_conn *c);
enum tls_alpn tls_conn_alpn(const struct tls_conn *c);
/* NULL: not a looking client.  Lent. */
const struct tls_seen *tls_conn_seen(const struct tls_conn *c);
bool tls_conn_resumed(const struct tls_conn *c);
#endif
