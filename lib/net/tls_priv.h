/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_TLS_PRIV_H
#define LIB_NET_TLS_PRIV_H
/* Shared by the tls*.c files only: wolfSSL does not travel further. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "lib/base/crypt.h"
#include "lib/net/tls.h"

struct tls_ctx {
	WOLFSSL_CTX *w;
	unsigned refs;
	bool server;
	bool has_pin;
	bool has_ca;
	bool look;
	uint8_t pin[TLS_PIN_SIZE];
	uint8_t ticket_key[CRYPT_KEY_SIZE];
};

/* wolfSSL's text for one of its codes, valid until the next call. */
const char *tls_text(int code);
/* Session tickets of a server context, sealed with c->ticket_key. */
void tls_ticket_use(struct tls_ctx *c);
#endif
