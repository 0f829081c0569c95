/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates on disk: the pin of one, and making a self-signed one. */
#include "lib/net/tls_priv.h"

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/der.h"

enum {
	PEM_MAX = 262144,
	DER_MAX = 16384,
	NAMES_MAX = 4096,
	DAYS = 3650
};

static enum rc
read_file(const char *path, struct buf *out, struct err *e)
{
	buf_init(out, PEM_MAX);
	return fsio_read(path, out, e);
}

enum rc
tls_file_pin(const char *cert_file, uint8_t pin[TLS_PIN_SIZE], struct err *e)
{
	unsigned char *der = mem_alloc(PEM_MAX);
	struct der_cert cert;
	struct buf pem;
	enum rc rc;
	int n;

	if ((rc = read_file(cert_file, &pem, e)) != RC_OK)
		goto out;
	n = wc_CertPemToDer((const unsigned char *)buf_text(&pem), (int)pem.len,
	    der, PEM_MAX, CERT_TYPE);
	if (n < 0 || der_cert_read(str_from(der, (size_t)n), &cert) != RC_OK) {
		rc = err_set(e, RC_INVALID, "%s: not a PEM certificate",
		    cert_file);
		goto out;
	}
	crypt_sha256(cert.spki, pin);
out:
	buf_fini(&pem);
	mem_free(der);
	return rc;
}

static void
put_name(struct buf *b, const char *name)
{
	uint8_t bin[16];
	size_t n = strlen(name);

	if (inet_pton(AF_INET, name, bin) == 1) {
		buf_put(b, "\x87\x04", 2);
		buf_put(b, bin, 4);
	} else if (inet_pton(AF_INET6, name, bin) == 1) {
		buf_put(b, "\x87\x10", 2);
		buf_put(b, bin, 16);
	} else if (n > 0 && n < 128) {
		buf_put_u8(b, 0x82);
		buf_put_u8(b, (uint8_t)n);
		buf_put(b, name, n);
	} else {
		b->rc = RC_LIMIT;
	}
}

/* DER wants the shortest form of a length. */
static void
put_sequence(struct buf *b, size_t n)
{
	buf_put_u8(b, 0x30);
	if (n < 128) {
		buf_put_u8(b, (uint8_t)n);
	} else if (n < 256) {
		buf_put_u8(b, 0x81);
		buf_put_u8(b, (uint8_t)n);
	} else {
		buf_put_u8(b, 0x82);
		buf_put_u16(b, (uint16_t)n);
	}
}

/* GeneralNames, DER. */
static enum rc
put_names(Cert *cert, const char *const *names, struct err *e)
{
	struct buf inner, whole;
	enum rc rc = RC_OK;

	buf_init(&inner, NAMES_MAX);
	buf_init(&whole, NAMES_MAX + 4);
	for (; *names != NULL; names++)
		put_name(&inner, *names);
	put_sequence(&whole, inner.len);
	buf_put_str(&whole, buf_str(&inner));
	if (buf_rc(&inner) != RC_OK || buf_rc(&whole) != RC_OK ||
	    whole.len > sizeof(cert->altNames)) {
		rc = err_set(e, RC_INVALID,
		    "a certificate name is empty or too long, or there are "
		    "too many");
	} else {
		memcpy(cert->altNames, whole.data, whole.len);
		cert->altNamesSz = (int)whole.len;
	}
	buf_fini(&inner);
	buf_fini(&whole);
	return rc;
}

/* The key file when there is one, a new key otherwise (then *made). */
static int
get_key(const struct buf *pem, ecc_key *key, WC_RNG *rng, bool *made)
{
	unsigned char der[512];
	word32 at = 0;
	int n;

	*made = pem->len == 0;
	if (*made)
		return wc_ecc_make_key_ex(rng, 32, key, ECC_SECP256R1);
	n = wc_KeyPemToDer((const unsigned char *)pem->data, (int)pem->len, der,
	    (int)sizeof(der), NULL);
	if (n < 0)
		return n;
	n = wc_EccPrivateKeyDecode(der, &at, key, (word32)n);
	mem_wipe(der, sizeof(der));
	return n;
}

static int
fill_cert(Cert *cert, const char *common_name, ecc_key *key)
{
	int r;

	if (!str_copy(cert->subject.commonName, CTC_NAME_SIZE,
	        str_of(common_name)))
		return BAD_FUNC_ARG;
	cert->sigType = CTC_SHA256wECDSA;
	cert->daysValid = DAYS;
	cert->selfSigned = 1;
	if ((r = wc_SetKeyUsage(cert, "digitalSignature")) != 0)
		return r;
	if ((r = wc_SetExtKeyUsage(cert, "serverAuth")) != 0)
		return r;
	return wc_SetSubjectKeyIdFromPublicKey_ex(cert, ECC_TYPE, key);
}

/* Signs and turns into PEM; returns its length or an error below 0. */
static int
sign_cert(Cert *cert, ecc_key *key, WC_RNG *rng, unsigned char *pem)
{
	unsigned char *der = mem_alloc(DER_MAX);
	int n;

	n = wc_MakeCert_ex(cert, der, DER_MAX, ECC_TYPE, key, rng);
	if (n > 0)
		n = wc_SignCert_ex(cert->bodySz, cert->sigType, der, DER_MAX,
		    ECC_TYPE, key, rng);
	if (n > 0)
		n = wc_DerToPem(der, (word32)n, pem, PEM_MAX, CERT_TYPE);
	mem_free(der);
	return n;
}

static int
key_to_pem(ecc_key *key, unsigned char *pem)
{
	unsigned char der[512];
	int n = wc_EccKeyToDer(key, der, sizeof(der));

	if (n > 0)
		n = wc_DerToPem(der, (word32)n, pem, PEM_MAX,
		    ECC_PRIVATEKEY_TYPE);
	mem_wipe(der, sizeof(der));
	return n;
}

struct maker {
	const char *cert_file;
	const char *key_file;
	Cert *cert; /* 25 KB: not on the stack */
	unsigned char *pem;
	ecc_key key;
	WC_RNG rng;
};

/* The key first: a key without certificate is finished by the next start,
 * a certificate without key could only be thrown away. */
static enum rc
write_both(struct maker *m, bool made_key, struct err *e)
{
	enum rc rc;
	int n;

	if (made_key) {
		if ((n = key_to_pem(&m->key, m->pem)) < 0)
			return err_set(e, RC_IO, "%s: making the key: %s",
			    m->key_file, tls_text(n));
		rc = fsio_create(m->key_file, str_from(m->pem, (size_t)n), 0600,
		    e);
		if (rc != RC_OK)
			return rc;
	}
	if ((n = sign_cert(m->cert, &m->key, &m->rng, m->pem)) < 0)
		return err_set(e, RC_IO, "%s: making the certificate: %s",
		    m->cert_file, tls_text(n));
	return fsio_create(m->cert_file, str_from(m->pem, (size_t)n), 0644, e);
}

static enum rc
make(struct maker *m, const struct buf *key_pem, const char *common_name,
    const char *const *names, struct err *e)
{
	bool made_key = false;
	enum rc rc;
	int r;

	if ((r = get_key(key_pem, &m->key, &m->rng, &made_key)) != 0)
		return err_set(e, RC_INVALID, "%s: not a usable P-256 key: %s",
		    m->key_file, tls_text(r));
	if (wc_InitCert(m->cert) != 0 ||
	    fill_cert(m->cert, common_name, &m->key) != 0)
		return err_set(e, RC_INVALID,
		    "%s: the common name is too long, or the library lacks "
		    "certificate support",
		    common_name);
	if ((rc = put_names(m->cert, names, e)) != RC_OK)
		return rc;
	return write_both(m, made_key, e);
}

enum rc
tls_self_signed(const char *cert_file, const char *key_file,
    const char *common_name, const char *const *names, struct err *e)
{
	struct maker m = { .cert_file = cert_file, .key_file = key_file };
	struct buf cert_pem, key_pem;
	enum rc cert_rc, key_rc, rc;

	cert_rc = read_file(cert_file, &cert_pem, e);
	key_rc = read_file(key_file, &key_pem, e);
	if (cert_rc == RC_OK && key_rc == RC_OK) {
		rc = RC_OK;
	} else if (cert_rc == RC_OK && key_rc == RC_NOTFOUND) {
		rc = err_set(e, RC_CONFLICT,
		    "%s is there, but its key %s is not. Restore the key, or "
		    "remove the certificate",
		    cert_file, key_file);
	} else if (cert_rc != RC_NOTFOUND && cert_rc != RC_OK) {
		rc = cert_rc;
	} else if (key_rc != RC_NOTFOUND && key_rc != RC_OK) {
		rc = key_rc;
	} else if (wc_InitRng(&m.rng) != 0 || wc_ecc_init(&m.key) != 0) {
		rc = err_set(e, RC_IO, "no random numbers");
	} else {
		m.cert = MEM_NEW(Cert);
		m.pem = mem_alloc(PEM_MAX);
		rc = make(&m, &key_pem, common_name, names, e);
		mem_wipe(m.pem, PEM_MAX);
		mem_free(m.pem);
		mem_free(m.cert);
		wc_ecc_free(&m.key);
		wc_FreeRng(&m.rng);
	}
	buf_fini(&cert_pem);
	buf_wipe_fini(&key_pem);
	return rc;
}
