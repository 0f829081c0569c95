/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/keyproof.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	MESSAGE_MAX = 512,
	BLOCK = 4
};

void
keyproof_fingerprint(const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE],
    uint8_t out[CRYPT_HASH_SIZE])
{
	crypt_sha256(str_from(pub, CRYPT_SIGN_PUBLIC_SIZE), out);
}

void
keyproof_text(const uint8_t fingerprint[CRYPT_HASH_SIZE],
    char out[KEYPROOF_TEXT_CAP])
{
	static const char prefix[] = "SHA256:";

	memcpy(out, prefix, sizeof(prefix));
	str_hex(fingerprint, CRYPT_HASH_SIZE, out + sizeof(prefix) - 1,
	    KEYPROOF_TEXT_CAP - sizeof(prefix) + 1);
}

void
keyproof_blocks(const uint8_t fingerprint[CRYPT_HASH_SIZE],
    char out[KEYPROOF_BLOCKS_CAP])
{
	char text[KEYPROOF_TEXT_CAP];
	const char *hex;
	size_t i, n;

	keyproof_text(fingerprint, text);
	hex = strchr(text, ':') + 1;
	memcpy(out, text, (size_t)(hex - text));
	n = (size_t)(hex - text);
	for (i = 0; hex[i] != '\0'; i++) {
		if (i % BLOCK == 0)
			out[n++] = ' ';
		out[n++] = hex[i];
	}
	out[n] = '\0';
}

static void
put_message(struct buf *b, const struct keyproof *k)
{
	buf_init(b, MESSAGE_MAX);
	buf_printf(b, "restic-manager announce v1\n%s\n%s\n", k->id, k->pin);
	buf_put_str(b, str_from(k->nonce, sizeof(k->nonce)));
	ASSERT(buf_rc(b) == RC_OK); /* ids and pins are short */
}

void
keyproof_sign(const struct keyproof *k,
    const uint8_t sec[CRYPT_SIGN_SECRET_SIZE], uint8_t sig[CRYPT_SIGN_SIZE])
{
	struct buf b;

	put_message(&b, k);
	crypt_sign(buf_str(&b), sec, sig);
	buf_fini(&b);
}

bool
keyproof_verify(const struct keyproof *k, const uint8_t sig[CRYPT_SIGN_SIZE],
    const uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE])
{
	struct buf b;
	bool ok;

	put_message(&b, k);
	ok = crypt_sign_verify(buf_str(&b), sig, pub);
	buf_fini(&b);
	return ok;
}
