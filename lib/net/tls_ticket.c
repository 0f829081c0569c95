/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Session tickets.  The library's own keys live in each context, so a
 * certificate reload or a restart would end all resumption.  Ours: the key of
 * a day is SHA-256(ticket key | day); yesterday's tickets are still taken.
 */
#include "lib/net/tls_priv.h"

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum {
	DAY_MS = 86400000
};

_Static_assert(WOLFSSL_TICKET_IV_SZ >= CHACHA20_POLY1305_AEAD_IV_SIZE, "iv");
_Static_assert(WOLFSSL_TICKET_MAC_SZ >= CHACHA20_POLY1305_AEAD_AUTHTAG_SIZE,
    "mac");
_Static_assert(CRYPT_HASH_SIZE == CHACHA20_POLY1305_AEAD_KEYSIZE, "key");

/* Key name on the wire: "rmt1", day, eight bytes that tell key sets apart. */
struct day_key {
	uint8_t key[CRYPT_HASH_SIZE];
	uint8_t name[WOLFSSL_TICKET_NAME_SZ];
};

static void
day_key(const struct tls_ctx *c, int64_t day, struct day_key *out)
{
	uint8_t seed[CRYPT_KEY_SIZE + 8], hash[CRYPT_HASH_SIZE];
	int i;

	memcpy(seed, c->ticket_key, CRYPT_KEY_SIZE);
	for (i = 0; i < 8; i++)
		seed[CRYPT_KEY_SIZE + i] = (uint8_t)(day >> (56 - 8 * i));
	crypt_sha256(str_from(seed, sizeof(seed)), out->key);
	crypt_sha256(str_from(out->key, sizeof(out->key)), hash);
	memcpy(out->name, "rmt1", 4);
	memcpy(out->name + 4, seed + CRYPT_KEY_SIZE + 4, 4);
	memcpy(out->name + 8, hash, 8);
	mem_wipe(seed, sizeof(seed));
}

static bool
find_key(const struct tls_ctx *c, const uint8_t *name, struct day_key *out)
{
	int64_t today = clock_now_ms() / DAY_MS, day;

	for (day = today; day >= today - 1; day--) {
		day_key(c, day, out);
		if (memcmp(out->name, name, sizeof(out->name)) == 0)
			return true;
	}
	return false;
}

/* The signature is wolfSSL's SessionTicketEncCb. */
static int
/* NOLINTNEXTLINE(readability-function-size) */
tls_on_ticket(WOLFSSL *ssl, unsigned char *name, unsigned char *iv,
    unsigned char *mac, int enc, unsigned char *ticket, int in_len,
    int *out_len, void *ctx)
{
	const struct tls_ctx *c = ctx;
	struct day_key k;
	int r;

	(void)ssl;
	if (in_len < 0)
		return WOLFSSL_TICKET_RET_REJECT;
	if (enc != 0) {
		day_key(c, clock_now_ms() / DAY_MS, &k);
		memcpy(name, k.name, sizeof(k.name));
		crypt_random(iv, WOLFSSL_TICKET_IV_SZ);
		memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
		r = wc_ChaCha20Poly1305_Encrypt(k.key, iv, name,
		    WOLFSSL_TICKET_NAME_SZ, ticket, (word32)in_len, ticket,
		    mac);
	} else {
		if (!find_key(c, name, &k))
			return WOLFSSL_TICKET_RET_REJECT;
		r = wc_ChaCha20Poly1305_Decrypt(k.key, iv, name,
		    WOLFSSL_TICKET_NAME_SZ, ticket, (word32)in_len, mac,
		    ticket);
	}
	mem_wipe(&k, sizeof(k));
	if (r != 0)
		return WOLFSSL_TICKET_RET_REJECT;
	*out_len = in_len;
	return WOLFSSL_TICKET_RET_OK;
}

void
tls_ticket_use(struct tls_ctx *c)
{
	wolfSSL_CTX_set_TicketEncCb(c->w, tls_on_ticket);
	wolfSSL_CTX_set_TicketEncCtx(c->w, c);
	wolfSSL_CTX_set_TicketHint(c->w, DAY_MS / 1000);
	wolfSSL_CTX_set_num_tickets(c->w, 1);
}
