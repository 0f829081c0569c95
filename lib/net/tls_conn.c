/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/tls_conn.h"

#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/net/der.h"
#include "lib/net/tls_priv.h"

struct tls_conn {
	WOLFSSL *w;
	struct tls_ctx *ctx;
	struct str in;
	struct buf *out;
	char *host;      /* client */
	struct err *why; /* a client's handshake in progress: the reason */
	bool verified;   /* client: the verify callback has seen the leaf */
	struct tls_seen *seen; /* a looking client's */
};

static int
tls_on_recv(WOLFSSL *w, char *dst, int cap, void *ctx)
{
	struct tls_conn *c = ctx;
	size_t n = c->in.n < (size_t)cap ? c->in.n : (size_t)cap;

	(void)w;
	if (n == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(dst, c->in.p, n);
	c->in = str_sub(c->in, n, c->in.n);
	return (int)n;
}

static int
tls_on_send(WOLFSSL *w, char *src, int n, void *ctx)
{
	struct tls_conn *c = ctx;

	(void)w;
	buf_put(c->out, src, (size_t)n);
	return buf_rc(c->out) == RC_OK ? n : WOLFSSL_CBIO_ERR_GENERAL;
}

static int
refuse(struct tls_conn *c, const char *reason)
{
	err_set(c->why, RC_AUTH, "%s: %s", c->host, reason);
	return 0;
}

static const char *
distrust(int code)
{
	switch (code) {
	case ASN_NO_SIGNER_E:
	case ASN_SELF_SIGNED_E:
		return "no known CA has signed the server's certificate. Give "
		       "its CA, or pin its key";
	case ASN_AFTER_DATE_E:
		return "the server's certificate has expired";
	case ASN_BEFORE_DATE_E:
		return "the server's certificate is not valid yet. Is the "
		       "clock right?";
	default:
		return tls_text(code);
	}
}

/* A looking client: remembers, and goes on. */
static int
look_at(struct tls_conn *c, int trusted, const WOLFSSL_X509_STORE_CTX *st)
{
	const WOLFSSL_BUFFER_INFO *raw = st->certs;
	struct tls_seen *s = c->seen;
	struct der_cert cert;

	if (!trusted && s->distrust[0] == '\0' &&
	    !str_copy(s->distrust, sizeof(s->distrust),
	        str_of(distrust(st->error))))
		s->distrust[0] = '\0';
	if (st->error_depth != 0)
		return 1;
	if (st->totalCerts < 1 || raw == NULL ||
	    der_cert_read(str_from(raw->buffer, raw->length), &cert) != RC_OK)
		return refuse(c, "the server's certificate is malformed");
	crypt_sha256(cert.spki, s->pin);
	s->not_before_ms = cert.not_before_ms;
	s->not_after_ms = cert.not_after_ms;
	s->named = der_cert_names(&cert, c->host);
	s->trusted = trusted != 0 && s->distrust[0] == '\0';
	s->any = true;
	c->verified = true;
	return 1;
}

static int
verify_leaf(struct tls_conn *c, int trusted, const WOLFSSL_X509_STORE_CTX *st)
{
	const WOLFSSL_BUFFER_INFO *raw = st->certs;
	struct der_cert cert;
	uint8_t hash[CRYPT_HASH_SIZE];

	if (st->totalCerts < 1 || raw == NULL ||
	    der_cert_read(str_from(raw->buffer, raw->length), &cert) != RC_OK)
		return refuse(c, "the server's certificate is malformed");
	if (c->ctx->has_pin) {
		crypt_sha256(cert.spki, hash);
		if (!crypt_eq(hash, c->ctx->pin, TLS_PIN_SIZE))
			return refuse(c, "the server's key is not the pinned "
			                 "one. Is this the right server?");
	}
	if (c->ctx->has_ca) {
		if (!trusted)
			return refuse(c, distrust(st->error));
		if (!der_cert_names(&cert, c->host))
			return refuse(c, "the server's certificate is for "
			                 "other names");
	}
	c->verified = true;
	return 1;
}

/* wolfSSL calls this for the leaf always, for the others when they fail.
 * With a pin alone, the key decides and not who signed it or when. */
static int
tls_on_verify(int trusted, WOLFSSL_X509_STORE_CTX *st)
{
	struct tls_conn *c = st->userCtx;

	if (c->seen != NULL)
		return look_at(c, trusted, st);
	if (st->error_depth == 0)
		return verify_leaf(c, trusted, st);
	if (c->ctx->has_ca && !trusted)
		return refuse(c, distrust(st->error));
	return 1;
}

static bool
is_address(const char *host)
{
	uint8_t bin[16];

	return inet_pton(AF_INET, host, bin) == 1 ||
	       inet_pton(AF_INET6, host, bin) == 1;
}

static bool
set_up(struct tls_conn *c)
{
	char server[] = "h2,http/1.1,http/1.0";
	char client[] = "h2", prober[] = "h2,http/1.1";
	char *names = c->host == NULL   ? server
	              : c->seen != NULL ? prober
	                                : client;

	wolfSSL_SSLSetIORecv(c->w, tls_on_recv);
	wolfSSL_SSLSetIOSend(c->w, tls_on_send);
	wolfSSL_SetIOReadCtx(c->w, c);
	wolfSSL_SetIOWriteCtx(c->w, c);
	if (wolfSSL_UseALPN(c->w, names, (unsigned)strlen(names),
	        c->seen != NULL
	            ? WOLFSSL_ALPN_CONTINUE_ON_MISMATCH
	            : WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS)
		return false;
	if (c->host == NULL)
		return true;
	wolfSSL_set_verify(c->w, WOLFSSL_VERIFY_PEER, tls_on_verify);
	wolfSSL_SetCertCbCtx(c->w, c);
	/* RFC 6066: no addresses in SNI. */
	return is_address(c->host) ||
	       wolfSSL_UseSNI(c->w, WOLFSSL_SNI_HOST_NAME, c->host,
	           (unsigned short)strlen(c->host)) == WOLFSSL_SUCCESS;
}

struct tls_conn *
tls_conn_new(struct tls_ctx *ctx, const char *host)
{
	struct tls_conn *c = MEM_NEW(struct tls_conn);

	ASSERT(ctx->server == (host == NULL));
	c->ctx = tls_ctx_ref(ctx);
	c->host = host == NULL ? NULL : mem_strdup(host);
	c->seen = ctx->look ? MEM_NEW(struct tls_seen) : NULL;
	c->w = wolfSSL_new(ctx->w);
	if (c->w == NULL || !set_up(c)) {
		tls_conn_free(c);
		return NULL;
	}
	return c;
}

void
tls_conn_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	wolfSSL_free(c->w);
	tls_ctx_unref(c->ctx);
	mem_free(c->seen);
	mem_free(c->host);
	mem_free(c);
}

void
tls_conn_input(struct tls_conn *c, struct str in)
{
	c->in = in;
}

void
tls_conn_output(struct tls_conn *c, struct buf *out)
{
	c->out = out;
}

enum rc
tls_conn_handshake(struct tls_conn *c, struct err *e)
{
	struct err why = { .rc = RC_OK };
	int r, code;

	c->why = &why;
	r = c->host == NULL ? wolfSSL_accept(c->w) : wolfSSL_connect(c->w);
	c->why = NULL;
	if (r == WOLFSSL_SUCCESS) {
		if (c->host != NULL && !c->verified)
			return err_set(e, RC_AUTH,
			    "%s: the certificate was not verified", c->host);
		wolfSSL_FreeArrays(c->w);
		return RC_OK;
	}
	code = wolfSSL_get_error(c->w, r);
	if (code == WOLFSSL_ERROR_WANT_READ)
		return RC_BUSY;
	if (why.rc != RC_OK)
		return err_set(e, why.rc, "%s", why.msg);
	return err_set(e, RC_PROTO, "TLS handshake: %s", tls_text(code));
}

enum rc
tls_conn_read(struct tls_conn *c, char *dst, size_t cap, size_t *n,
    struct err *e)
{
	int code, r = wolfSSL_read(c->w, dst, (int)cap);

	if (r > 0) {
		*n = (size_t)r;
		return RC_OK;
	}
	code = wolfSSL_get_error(c->w, r);
	if (code == WOLFSSL_ERROR_WANT_READ)
		return RC_BUSY;
	if (code == WOLFSSL_ERROR_ZERO_RETURN)
		return RC_GONE;
	return err_set(e, RC_PROTO, "TLS: %s", tls_text(code));
}

/* wolfSSL takes from the input what a record needs and no more. */
bool
tls_conn_more(const struct tls_conn *c)
{
	return c->in.n != 0 || wolfSSL_pending(c->w) > 0;
}

enum rc
tls_conn_write(struct tls_conn *c, struct str s, struct err *e)
{
	int r;

	r = wolfSSL_write(c->w, s.p, (int)s.n);
	if (r == (int)s.n)
		return RC_OK;
	return err_set(e, RC_IO, "TLS: %s",
	    tls_text(wolfSSL_get_error(c->w, r)));
}

void
tls_conn_close_notify(struct tls_conn *c)
{
	wolfSSL_shutdown(c->w);
}

enum tls_alpn
tls_conn_alpn(const struct tls_conn *c)
{
	char *name = NULL;
	unsigned short n = 0;

	if (wolfSSL_ALPN_GetProtocol(c->w, &name, &n) != WOLFSSL_SUCCESS)
		return TLS_ALPN_NONE;
	return str_eqz(str_from(name, n), "h2") ? TLS_ALPN_H2 : TLS_ALPN_HTTP11;
}

const struct tls_seen *
tls_conn_seen(const struct tls_conn *c)
{
	return c->seen;
}

bool
tls_conn_resumed(const struct tls_conn *c)
{
	return wolfSSL_session_reused(c->w) != 0;
}
