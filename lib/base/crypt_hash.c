/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "lib/base/crypt.h"

/* One key per process: a map may be filled by one thread and read by the
 * next, so it cannot hang from either. */
static uint8_t key[crypto_shorthash_KEYBYTES];
static pthread_once_t key_made = PTHREAD_ONCE_INIT;

static void
make_key(void)
{
	ASSERT(sodium_init() >= 0);
	crypto_shorthash_keygen(key);
}

uint64_t
crypt_shorthash(struct str data)
{
	static const uint8_t none;
	uint8_t out[crypto_shorthash_BYTES];
	const void *p = data.n == 0 ? (const void *)&none : data.p;
	uint64_t v;

	_Static_assert(sizeof(out) == sizeof(v), "64-bit hash");
	ASSERT(pthread_once(&key_made, make_key) == 0);
	crypto_shorthash(out, p, data.n, key);
	memcpy(&v, out, sizeof(v));
	return v;
}

void
crypt_mac(const uint8_t mac_key[CRYPT_KEY_SIZE], struct str data,
    uint8_t out[CRYPT_HASH_SIZE])
{
	static const uint8_t none;
	const void *p = data.n == 0 ? (const void *)&none : data.p;

	_Static_assert(crypto_auth_hmacsha256_KEYBYTES == CRYPT_KEY_SIZE &&
	                   crypto_auth_hmacsha256_BYTES == CRYPT_HASH_SIZE,
	    "HMAC-SHA256");
	(void)crypto_auth_hmacsha256(out, p, data.n, mac_key);
}
