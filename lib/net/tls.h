/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_TLS_H
#define LIB_NET_TLS_H
/*
 * TLS 1.2 and 1.3 on memory buffers; the only user of wolfSSL.  Certificates
 * are ECDSA P-256 or RSA, keys never leave this module.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

enum {
	TLS_PIN_SIZE = 32
}; /* SHA-256 of the SubjectPublicKeyInfo */

struct tls_ctx; /* shared by the connections made from it; reference count */

MUST_USE enum rc tls_init(struct err *e); /* once a process */

/* Server.  PEM files; session tickets with keys of this context, or from
 * ticket_key_file (made when absent, 0600), so that clients resume over
 * reloads and restarts. */
struct tls_server_opts {
	const char *cert_file;
	const char *key_file;
	const char *ticket_key_file; /* may be NULL */
};
MUST_USE enum rc tls_server_new(const struct tls_server_opts *o,
    struct tls_ctx **out, struct err *e);

/* Client: pin alone, CA alone, or both (all that are given must hold). */
struct tls_client_opts {
	const uint8_t *pin;  /* TLS_PIN_SIZE bytes, or NULL */
	const char *ca_file; /* PEM; NULL with no pin: the system's CAs */
	const char *ca_dir;
	/* Takes any certificate and remembers what is wrong with it
	 * (tls_conn_seen): for showing, never for talking. */
	bool look;
};
MUST_USE enum rc tls_client_new(const struct tls_client_opts *o,
    struct tls_ctx **out, struct err *e);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c);
void tls_ctx_unref(struct tls_ctx *c);

/* SHA-256 of the first certificate's SubjectPublicKeyInfo in a PEM file. */
MUST_USE enum rc tls_file_pin(const char *cert_file, uint8_t pin[TLS_PIN_SIZE],
    struct err *e);

/* Writes a self-signed P-256 certificate (10 years; SANs: names, which are
 * DNS names or IP addresses) and its key, unless both exist. */
MUST_USE enum rc tls_self_signed(const char *cert_file, const char *key_file,
    const char *common_name, const char *const *names, struct err *e);
#endif
