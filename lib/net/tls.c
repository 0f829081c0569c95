/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/tls.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/tls_priv.h"

enum {
	PEM_MAX = 262144,
	SESSION_S = 86400
};

/* Explicit, because the default list may hold a cipher without encryption.
 * The system's library has no fast AES. */
#ifdef RM_WOLFSSL_SYSTEM
#define TLS13_FIRST "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256:"
#else
#define TLS13_FIRST "TLS13-AES128-GCM-SHA256:TLS13-CHACHA20-POLY1305-SHA256:"
#endif
static const char ciphers[] =
    TLS13_FIRST "TLS13-AES256-GCM-SHA384:"
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

const char *
tls_text(int code)
{
	const char *text =
	    wolfSSL_ERR_reason_error_string((unsigned long)(long)code);

	return text == NULL ? "unknown TLS error" : text;
}

enum rc
tls_init(struct err *e)
{
	if (wolfSSL_Init() != WOLFSSL_SUCCESS)
		return err_set(e, RC_IO, "the TLS library failed to start");
	return RC_OK;
}

static enum rc
ctx_new(WOLFSSL_METHOD *method, struct tls_ctx **out, struct err *e)
{
	int groups[] = { WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_X25519 };
	struct tls_ctx *c = MEM_NEW(struct tls_ctx);

	c->refs = 1;
	c->w = wolfSSL_CTX_new(method);
	if (c->w == NULL ||
	    wolfSSL_CTX_SetMinVersion(c->w, WOLFSSL_TLSV1_2) !=
	        WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_cipher_list(c->w, ciphers) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_groups(c->w, groups, ARRAY_LEN(groups)) !=
	        WOLFSSL_SUCCESS) {
		tls_ctx_unref(c);
		return err_set(e, RC_IO,
		    "the TLS library lacks a version, cipher or group");
	}
	wolfSSL_CTX_set_session_cache_mode(c->w, WOLFSSL_SESS_CACHE_OFF);
	*out = c;
	return RC_OK;
}

struct tls_ctx *
tls_ctx_ref(struct tls_ctx *c)
{
	c->refs++;
	return c;
}

void
tls_ctx_unref(struct tls_ctx *c)
{
	if (c == NULL || --c->refs != 0)
		return;
	wolfSSL_CTX_free(c->w);
	mem_wipe(c->ticket_key, sizeof(c->ticket_key));
	mem_free(c);
}

static enum rc
load_cert(struct tls_ctx *c, const char *path, struct err *e)
{
	struct buf pem;
	enum rc rc;
	int r;

	buf_init(&pem, PEM_MAX);
	if ((rc = fsio_read(path, &pem, e)) != RC_OK)
		goto out;
	r = wolfSSL_CTX_use_certificate_chain_buffer(c->w,
	    (const unsigned char *)buf_text(&pem), (long)pem.len);
	if (r != WOLFSSL_SUCCESS)
		rc = err_set(e, RC_INVALID, "%s: not a PEM certificate (%s)",
		    path, tls_text(r));
out:
	buf_fini(&pem);
	return rc;
}

static enum rc
load_key(struct tls_ctx *c, const char *path, struct err *e)
{
	struct buf pem;
	enum rc rc;
	int r;

	buf_init(&pem, PEM_MAX);
	if ((rc = fsio_read(path, &pem, e)) != RC_OK)
		goto out;
	r = wolfSSL_CTX_use_PrivateKey_buffer(c->w,
	    (const unsigned char *)buf_text(&pem), (long)pem.len,
	    WOLFSSL_FILETYPE_PEM);
	if (r != WOLFSSL_SUCCESS)
		rc = err_set(e, RC_INVALID,
		    "%s: not an unencrypted PEM private key (%s)", path,
		    tls_text(r));
	else if (wolfSSL_CTX_check_private_key(c->w) != WOLFSSL_SUCCESS)
		rc = err_set(e, RC_INVALID,
		    "%s: the key does not belong to the certificate", path);
out:
	buf_wipe_fini(&pem);
	return rc;
}

enum rc
tls_server_new(const struct tls_server_opts *o, struct tls_ctx **out,
    struct err *e)
{
	struct tls_ctx *c = NULL;
	enum rc rc;

	if ((rc = ctx_new(wolfSSLv23_server_method(), &c, e)) != RC_OK)
		return rc;
	ASSERT(c != NULL);
	c->server = true;
	if ((rc = load_cert(c, o->cert_file, e)) != RC_OK)
		goto fail;
	if ((rc = load_key(c, o->key_file, e)) != RC_OK)
		goto fail;
	if (o->ticket_key_file == NULL)
		crypt_random(c->ticket_key, sizeof(c->ticket_key));
	else if ((rc = crypt_key_file(o->ticket_key_file, c->ticket_key, e)) !=
	         RC_OK)
		goto fail;
	wolfSSL_CTX_set_verify(c->w, WOLFSSL_VERIFY_NONE, NULL);
	wolfSSL_CTX_set_timeout(c->w, SESSION_S);
	tls_ticket_use(c);
	*out = c;
	return RC_OK;
fail:
	tls_ctx_unref(c);
	return rc;
}

static enum rc
load_cas(struct tls_ctx *c, const struct tls_client_opts *o, struct err *e)
{
	int r;

	if (o->ca_file == NULL && o->ca_dir == NULL) {
		if (c->has_pin)
			return RC_OK;
		r = wolfSSL_CTX_load_system_CA_certs(c->w);
	} else {
		r = wolfSSL_CTX_load_verify_locations(c->w, o->ca_file,
		    o->ca_dir);
	}
	if (r != WOLFSSL_SUCCESS && c->look && o->ca_file == NULL)
		return RC_OK; /* nobody is trusted, which is worth showing */
	if (r != WOLFSSL_SUCCESS)
		return err_set(e, RC_INVALID,
		    "%s: no usable CA certificates (%s)",
		    o->ca_file != NULL  ? o->ca_file
		    : o->ca_dir != NULL ? o->ca_dir
		                        : "the system's store",
		    tls_text(r));
	c->has_ca = true;
	return RC_OK;
}

enum rc
tls_client_new(const struct tls_client_opts *o, struct tls_ctx **out,
    struct err *e)
{
	struct tls_ctx *c = NULL;
	enum rc rc;

	if ((rc = ctx_new(wolfSSLv23_client_method(), &c, e)) != RC_OK)
		return rc;
	ASSERT(c != NULL);
	c->look = o->look;
	if (o->pin != NULL) {
		c->has_pin = true;
		memcpy(c->pin, o->pin, TLS_PIN_SIZE);
	}
	if ((rc = load_cas(c, o, e)) != RC_OK) {
		tls_ctx_unref(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}
