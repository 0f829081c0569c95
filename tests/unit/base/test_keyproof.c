/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/keyproof.h"

#define PIN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct keyproof proof = { .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
	.pin = PIN,
	.nonce = { 1, 2, 3 } };

/* M-084 */
static void
a_fingerprint_is_the_hash_of_the_raw_key(void **state)
{
	uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE] = { 0 }, fp[CRYPT_HASH_SIZE];
	char text[KEYPROOF_TEXT_CAP], blocks[KEYPROOF_BLOCKS_CAP];

	(void)state;
	keyproof_fingerprint(pub, fp);
	keyproof_text(fp, text);
	assert_string_equal(text, "SHA256:66687aadf862bd776c8fc18b8e9f8e20"
	                          "089714856ee233b3902a591d0d5f2925");
	keyproof_blocks(fp, blocks);
	assert_string_equal(blocks,
	    "SHA256: 6668 7aad f862 bd77 6c8f c18b 8e9f 8e20 "
	    "0897 1485 6ee2 33b3 902a 591d 0d5f 2925");
	assert_int_equal(strlen(blocks) + 1, KEYPROOF_BLOCKS_CAP);
}

/* The bytes themselves: other programs sign them too. */
static void
the_signed_message_is_what_the_header_says(void **state)
{
	static const char said[] =
	    "restic-manager announce v1\n"
	    "01ARZ3NDEKTSV4RRFFQ69G5FAV\n" PIN "\n\1\2\3";
	uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE], sec[CRYPT_SIGN_SECRET_SIZE];
	uint8_t sig[CRYPT_SIGN_SIZE], same[CRYPT_SIGN_SIZE];
	char message[27 + 27 + 65 + KEYPROOF_NONCE] = { 0 };

	(void)state;
	memcpy(message, said, sizeof(said));
	crypt_sign_keypair(pub, sec);
	keyproof_sign(&proof, sec, sig);
	crypt_sign(str_from(message, sizeof(message)), sec, same);
	assert_memory_equal(sig, same, sizeof(sig));
}

/* M-089: nothing of it can be changed, and no other key will do. */
static void
a_signature_holds_for_one_key_id_server_and_nonce(void **state)
{
	uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE], sec[CRYPT_SIGN_SECRET_SIZE];
	uint8_t other[CRYPT_SIGN_PUBLIC_SIZE], zero[CRYPT_SIGN_PUBLIC_SIZE];
	uint8_t sig[CRYPT_SIGN_SIZE];
	struct keyproof k = proof;

	(void)state;
	memset(zero, 0, sizeof(zero));
	crypt_sign_keypair(other, sec);
	crypt_sign_keypair(pub, sec);
	keyproof_sign(&k, sec, sig);
	assert_true(keyproof_verify(&k, sig, pub));
	assert_false(keyproof_verify(&k, sig, other));
	assert_false(keyproof_verify(&k, sig, zero));
	k.id = "01ARZ3NDEKTSV4RRFFQ69G5FAW";
	assert_false(keyproof_verify(&k, sig, pub));
	k = proof;
	k.pin = "";
	assert_false(keyproof_verify(&k, sig, pub));
	k = proof;
	k.nonce[31] ^= 1;
	assert_false(keyproof_verify(&k, sig, pub));
	k = proof;
	sig[0] ^= 1;
	assert_false(keyproof_verify(&k, sig, pub));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fingerprint_is_the_hash_of_the_raw_key),
		cmocka_unit_test(the_signed_message_is_what_the_header_says),
		cmocka_unit_test(
		    a_signature_holds_for_one_key_id_server_and_nonce),
	};

	if (crypt_init(NULL) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
