/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_KEYPROOF_H
#define LIB_BASE_KEYPROOF_H
/*
 * How a program that nobody knows yet is recognised: its Ed25519 key's
 * fingerprint, which people compare, and the signature that proves that it
 * holds the key.
 *
 * What is signed:
 *   "restic-manager announce v1\n" <id> "\n" <pin> "\n" <nonce>
 * id: the text of the id it was given; pin: the 64 hex digits that it pins
 * the other side's TLS key by, or nothing when it trusts a CA; nonce: 32
 * raw bytes of the other side.  So no signature serves another purpose,
 * another id, another server or a second time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"

enum {
	KEYPROOF_NONCE = 32,
	KEYPROOF_TEXT_CAP = 7 + 2 * CRYPT_HASH_SIZE + 1,
	KEYPROOF_BLOCKS_CAP = KEYPROOF_TEXT_CAP + 2 * CRYPT_HASH_SIZE / 4
};

/* SHA-256 of the raw public key. */
void keyproof_fingerprint(const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE],
    uint8_t out[CRYPT_HASH_SIZE]);
/* "SHA256:711785f3..." */
void keyproof_text(const uint8_t fingerprint[CRYPT_HASH_SIZE],
    char out[KEYPROOF_TEXT_CAP]);
/* "SHA256: 7117 85f3 ...", for eyes. */
void keyproof_blocks(const uint8_t fingerprint[CRYPT_HASH_SIZE],
    char out[KEYPROOF_BLOCKS_CAP]);

struct keyproof {
	const char *id;
	const char *pin; /* "" for none */
	uint8_t nonce[KEYPROOF_NONCE];
};
void keyproof_sign(const struct keyproof *k,
    const uint8_t sec[CRYPT_SIGN_SECRET_SIZE], uint8_t sig[CRYPT_SIGN_SIZE]);
MUST_USE bool keyproof_verify(const struct keyproof *k,
    const uint8_t sig[CRYPT_SIGN_SIZE],
    const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE]);
#endif
