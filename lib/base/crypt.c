/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/crypt.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/resource.h>
#endif

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"

enum {
	SEAL_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	SEAL_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	ARGON_PASSES = 3,
	ARGON_MAX_PASSES = 16,
	ARGON_MAX_LANES = 64,
	ARGON_MAX_KIB = 1 << 20
};

_Static_assert((int)CRYPT_KEY_SIZE ==
                   (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    "key size");
_Static_assert((int)CRYPT_HASH_SIZE == (int)crypto_hash_sha256_BYTES,
    "hash size");
_Static_assert((int)CRYPT_SIGN_PUBLIC_SIZE == (int)crypto_sign_PUBLICKEYBYTES,
    "public key size");
_Static_assert((int)CRYPT_SIGN_SECRET_SIZE == (int)crypto_sign_SECRETKEYBYTES,
    "secret key size");
_Static_assert((int)CRYPT_SIGN_SIZE == (int)crypto_sign_BYTES,
    "signature size");
_Static_assert((int)CRYPT_PASSWORD_CAP == (int)crypto_pwhash_STRBYTES,
    "password form size");
_Static_assert((int)CRYPT_TOKEN_CAP == 44, "32 bytes as base64url and NUL");

/* A core file would hold keys.  Sanitizer builds stay dumpable, because the
 * leak checker attaches to its own process. */
static enum rc
no_core(struct err *e)
{
#ifdef __linux__
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_errno(e, errno, "cannot forbid core files");
#ifndef SANITIZER_BUILD
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(e, errno, "cannot forbid memory dumps");
#endif
#endif
	(void)e;
	return RC_OK;
}

enum rc
crypt_init(struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, RC_IO,
		    "libsodium does not start: the "
		    "system gives no random numbers");
	return no_core(e);
}

void
secret_set(struct secret *s, struct str text)
{
	char *p = mem_alloc(text.n + 1);

	if (text.n > 0)
		memcpy(p, text.p, text.n);
	secret_fini(s); /* last, text may point into it */
	s->p = p;
	s->n = text.n;
}

void
secret_fini(struct secret *s)
{
	if (s->p != NULL)
		mem_wipe(s->p, s->n);
	mem_free(s->p);
	s->p = NULL;
	s->n = 0;
}

struct str
secret_str(const struct secret *s)
{
	return str_from(s->p != NULL ? s->p : "", s->n);
}

void
crypt_random(void *out, size_t n)
{
	randombytes_buf(out, n);
}

uint32_t
crypt_random_below(uint32_t limit)
{
	ASSERT(limit >= 1);
	return randombytes_uniform(limit);
}

void
crypt_token(char out[CRYPT_TOKEN_CAP])
{
	uint8_t raw[32];

	crypt_random(raw, sizeof(raw));
	(void)sodium_bin2base64(out, CRYPT_TOKEN_CAP, raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	mem_wipe(raw, sizeof(raw));
}

void
crypt_sha256(struct str data, uint8_t out[CRYPT_HASH_SIZE])
{
	(void)crypto_hash_sha256(out, (const unsigned char *)data.p, data.n);
}

bool
crypt_eq(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

enum rc
crypt_seal(const uint8_t key[CRYPT_KEY_SIZE], struct str ad, struct str plain,
    struct buf *out)
{
	unsigned char *p;
	size_t total;

	if (!size_add(plain.n, (size_t)SEAL_NONCE + SEAL_TAG, &total))
		return RC_LIMIT;
	p = (unsigned char *)buf_reserve(out, total);
	if (p == NULL)
		return RC_LIMIT;
	crypt_random(p, SEAL_NONCE);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(p + SEAL_NONCE, NULL,
	    (const unsigned char *)plain.p, plain.n,
	    (const unsigned char *)ad.p, ad.n, NULL, p, key);
	buf_added(out, total);
	return RC_OK;
}

enum rc
crypt_open(const uint8_t key[CRYPT_KEY_SIZE], struct str ad, struct str sealed,
    struct buf *plain)
{
	const unsigned char *in = (const unsigned char *)sealed.p;
	unsigned char none;
	unsigned char *p = &none;
	size_t n;

	if (sealed.n < (size_t)SEAL_NONCE + SEAL_TAG)
		return RC_CORRUPT;
	n = sealed.n - SEAL_NONCE - SEAL_TAG;
	if (n > 0)
		p = (unsigned char *)buf_reserve(plain, n);
	if (p == NULL)
		return RC_LIMIT;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(p, NULL, NULL,
	        in + SEAL_NONCE, sealed.n - SEAL_NONCE,
	        (const unsigned char *)ad.p, ad.n, in, key) != 0)
		return RC_CORRUPT;
	buf_added(plain, n);
	return RC_OK;
}

static enum rc
key_load(const char *path, uint8_t key[CRYPT_KEY_SIZE], struct err *e)
{
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(4));
	rc = fsio_read(path, &b, e);
	if (rc == RC_LIMIT || (rc == RC_OK && b.len != CRYPT_KEY_SIZE))
		rc = err_set(e, RC_CORRUPT,
		    "%s: is not a key of %d bytes; put "
		    "back the right file, what was sealed with it cannot be "
		    "read without it",
		    path, (int)CRYPT_KEY_SIZE);
	else if (rc == RC_OK)
		memcpy(key, b.data, CRYPT_KEY_SIZE);
	buf_wipe_fini(&b);
	return rc;
}

enum rc
crypt_key_file(const char *path, uint8_t key[CRYPT_KEY_SIZE], struct err *e)
{
	uint8_t fresh[CRYPT_KEY_SIZE];
	enum rc rc;

	rc = key_load(path, key, e);
	if (rc != RC_NOTFOUND)
		return rc;
	crypt_random(fresh, sizeof(fresh));
	rc = fsio_create(path, str_from(fresh, sizeof(fresh)), 0600, e);
	if (rc == RC_OK)
		memcpy(key, fresh, sizeof(fresh));
	mem_wipe(fresh, sizeof(fresh));
	if (rc == RC_CONFLICT) /* another process was first: its key counts */
		return key_load(path, key, e);
	return rc;
}

enum rc
crypt_password_hash(struct str password, char out[CRYPT_PASSWORD_CAP])
{
	if (crypto_pwhash_str_alg(out, password.p, password.n, ARGON_PASSES,
	        MIB(64), crypto_pwhash_ALG_ARGON2ID13) != 0)
		return RC_BUSY; /* only for want of memory */
	return RC_OK;
}

/* One "x=number" of the stored form; rest moves behind it. */
static bool
argon_param(struct str *rest, char name, uint64_t max)
{
	struct str head, word;
	uint64_t v;

	(void)str_cut(*rest, '$', &head, &word);
	(void)str_cut(head, ',', &word, &head);
	if (word.n < 3 || word.p[0] != name || word.p[1] != '=')
		return false;
	*rest = str_sub(*rest, word.n + 1, rest->n);
	return str_u64(str_sub(word, 2, word.n), max, &v) && v >= 1;
}

/* A damaged or planted record must not make us use any amount of memory or
 * time, so the parameters are looked at before the library sees them. */
static bool
argon_affordable(const char *stored)
{
	const struct str prefix = STR("$argon2id$v=19$");
	struct str rest = str_of(stored);

	if (!str_starts(rest, prefix) || rest.n >= CRYPT_PASSWORD_CAP)
		return false;
	rest = str_sub(rest, prefix.n, rest.n);
	return argon_param(&rest, 'm', ARGON_MAX_KIB) &&
	       argon_param(&rest, 't', ARGON_MAX_PASSES) &&
	       argon_param(&rest, 'p', ARGON_MAX_LANES);
}

bool
crypt_password_verify(const char *stored, struct str password)
{
	char form[CRYPT_PASSWORD_CAP] = { 0 };

	if (stored == NULL || !argon_affordable(stored))
		return false;
	if (!str_copy(form, sizeof(form), str_of(stored)))
		return false;
	return crypto_pwhash_str_verify(form, password.p, password.n) == 0;
}

void
crypt_sign_keypair(uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE],
    uint8_t sec[CRYPT_SIGN_SECRET_SIZE])
{
	(void)crypto_sign_keypair(pub, sec);
}

void
crypt_sign(struct str msg, const uint8_t sec[CRYPT_SIGN_SECRET_SIZE],
    uint8_t sig[CRYPT_SIGN_SIZE])
{
	(void)crypto_sign_detached(sig, NULL, (const unsigned char *)msg.p,
	    msg.n, sec);
}

bool
crypt_sign_verify(struct str msg, const uint8_t sig[CRYPT_SIGN_SIZE],
    const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE])
{
	return crypto_sign_verify_detached(sig, (const unsigned char *)msg.p,
	           msg.n, pub) == 0;
}

/* Half a byte at a time: 16 words of table, for machines without the
 * instruction. */
static uint32_t
crc32c_plain(uint32_t crc, const uint8_t *p, size_t n)
{
	static const uint32_t nibble[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede,
		0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
		0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

	for (; n > 0; n--, p++) {
		crc ^= *p;
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;
	uint64_t word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	return crc32c_plain((uint32_t)wide, p, n);
}
#endif

uint32_t
crypt_crc32c(uint32_t crc, struct str data)
{
	const uint8_t *p = (const uint8_t *)data.p;

#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~crc, p, data.n);
#endif
	return ~crc32c_plain(~crc, p, data.n);
}
