/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CRYPT_H
#define LIB_BASE_CRYPT_H
/*
 * The only user of libsodium.  Secrets live in struct secret, which is
 * wiped when it ends.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;

enum {
	CRYPT_KEY_SIZE = 32,
	CRYPT_HASH_SIZE = 32,
	CRYPT_SIGN_PUBLIC_SIZE = 32,
	CRYPT_SIGN_SECRET_SIZE = 64,
	CRYPT_SIGN_SIZE = 64,
	CRYPT_PASSWORD_CAP = 128, /* stored form with NUL */
	CRYPT_TOKEN_CAP = 44      /* 32 random bytes, base64url, NUL */
};

/* Once, at the start of each program: libsodium, no core dumps
 * (RLIMIT_CORE 0, PR_SET_DUMPABLE 0). */
MUST_USE enum rc crypt_init(struct err *e);

/* Text that must not leak; NUL after n.  Zero it with = {0}. */
struct secret {
	char *p;
	size_t n;
};
void secret_set(struct secret *s, struct str text);
void secret_fini(struct secret *s); /* wipes; the value is empty again */
struct str secret_str(const struct secret *s);

void crypt_random(void *out, size_t n);
uint32_t crypt_random_below(uint32_t limit); /* uniform, limit >= 1 */
void crypt_token(char out[CRYPT_TOKEN_CAP]);
void crypt_sha256(struct str data, uint8_t out[CRYPT_HASH_SIZE]);
bool crypt_eq(const void *a, const void *b, size_t n); /* constant time */

/* XChaCha20-Poly1305: out = nonce (24) + ciphertext + tag (16).  ad binds
 * it to its owner, such as "host:<id>:repo".  Opening fails with
 * RC_CORRUPT when key, ad or bytes differ. */
MUST_USE enum rc crypt_seal(const uint8_t key[CRYPT_KEY_SIZE], struct str ad,
    struct str plain, struct buf *out);
MUST_USE enum rc crypt_open(const uint8_t key[CRYPT_KEY_SIZE], struct str ad,
    struct str sealed, struct buf *plain);

/* Loads the 32-byte key, or makes it (0600, never overwrites).  A wrong
 * size is RC_CORRUPT. */
MUST_USE enum rc crypt_key_file(const char *path, uint8_t key[CRYPT_KEY_SIZE],
    struct err *e);

/* argon2id, 64 MiB, t=3, p=1, "$argon2id$v=19$m=65536,t=3,p=1$salt$hash".
 * Blocking for about 0.1 s: pool threads only.  RC_BUSY for want of memory.
 * verify reads the parameters of the stored form, also several lanes, which
 * run one after the other; false beyond m = 1 GiB, t = 16, p = 64, for other
 * algorithms and for forms that do not fit CRYPT_PASSWORD_CAP. */
MUST_USE enum rc crypt_password_hash(struct str password,
    char out[CRYPT_PASSWORD_CAP]);
bool crypt_password_verify(const char *stored, struct str password);

/* Ed25519. */
void crypt_sign_keypair(uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE],
    uint8_t sec[CRYPT_SIGN_SECRET_SIZE]);
void crypt_sign(struct str msg, const uint8_t sec[CRYPT_SIGN_SECRET_SIZE],
    uint8_t sig[CRYPT_SIGN_SIZE]);
bool crypt_sign_verify(struct str msg, const uint8_t sig[CRYPT_SIGN_SIZE],
    const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE]);

/* HMAC-SHA256.  Also how a key for one purpose is made of a key for all:
 * data is then the purpose's name. */
void crypt_mac(const uint8_t key[CRYPT_KEY_SIZE], struct str data,
    uint8_t out[CRYPT_HASH_SIZE]);

/* Keyed with a random key of this process: for hash tables, never stored or
 * sent.  Any thread. */
uint64_t crypt_shorthash(struct str data);
/* CRC32C (Castagnoli), start with 0. */
uint32_t crypt_crc32c(uint32_t crc, struct str data);
#endif
