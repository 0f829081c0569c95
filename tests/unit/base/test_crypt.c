/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "tests/unit/base/tmpdir.h"

static void
init_forbids_core_files(void **state)
{
	struct rlimit lim;

	(void)state;
	assert_int_equal(crypt_init(NULL), RC_OK);
	assert_int_equal(crypt_init(NULL), RC_OK);
	assert_int_equal(getrlimit(RLIMIT_CORE, &lim), 0);
	assert_int_equal(lim.rlim_max, 0);
#ifndef SANITIZER_BUILD
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
#endif
}

static void
secret_holds_a_copy(void **state)
{
	struct secret s = { 0 };
	char text[] = "hunter2";

	(void)state;
	assert_true(str_eqz(secret_str(&s), ""));
	secret_set(&s, str_of(text));
	text[0] = 'X';
	assert_true(str_eqz(secret_str(&s), "hunter2"));
	assert_int_equal(s.p[s.n], '\0');
	secret_set(&s, str_sub(secret_str(&s), 4, 3)); /* part of itself */
	assert_true(str_eqz(secret_str(&s), "er2"));
	secret_fini(&s);
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	secret_fini(&s);
}

static void
random_values_differ(void **state)
{
	char a[CRYPT_TOKEN_CAP], b[CRYPT_TOKEN_CAP];
	unsigned seen[5] = { 0 };
	size_t i;

	(void)state;
	crypt_token(a);
	crypt_token(b);
	assert_int_equal(strlen(a), 43);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                           "abcdefghijklmnopqrstuvwxyz0123456789-_"),
	    43);
	assert_int_equal(crypt_random_below(1), 0);
	for (i = 0; i < 2000; i++)
		seen[crypt_random_below(ARRAY_LEN(seen))]++;
	for (i = 0; i < ARRAY_LEN(seen); i++)
		assert_in_range(seen[i], 200, 600);
}

static void
sha256_of_known_texts(void **state)
{
	uint8_t h[CRYPT_HASH_SIZE];
	char hex[65];

	(void)state;
	crypt_sha256(STR("abc"), h);
	str_hex(h, sizeof(h), hex, sizeof(hex));
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
	                         "b00361a396177a9cb410ff61f20015ad");
	crypt_sha256((struct str){ NULL, 0 }, h);
	str_hex(h, sizeof(h), hex, sizeof(hex));
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb924"
	                         "27ae41e4649b934ca495991b7852b855");
}

static void
eq_compares_all_bytes(void **state)
{
	(void)state;
	assert_true(crypt_eq("same", "same", 4));
	assert_false(crypt_eq("same", "samf", 4));
	assert_true(crypt_eq("same", "samf", 3));
	assert_true(crypt_eq("a", "b", 0));
}

struct sealed {
	uint8_t key[CRYPT_KEY_SIZE];
	struct buf sealed;
	struct buf plain;
};

static void
seal_text(struct sealed *s, struct str text)
{
	crypt_random(s->key, sizeof(s->key));
	buf_init(&s->sealed, KIB(64));
	buf_init(&s->plain, KIB(64));
	assert_int_equal(crypt_seal(s->key, STR("host:1:repo"), text,
	                     &s->sealed),
	    RC_OK);
}

static void
seal_fini(struct sealed *s)
{
	buf_fini(&s->sealed);
	buf_wipe_fini(&s->plain);
}

static void
sealed_text_opens_again(void **state)
{
	static const char *const texts[] = { "", "x", "a longer secret\n" };
	struct sealed s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		seal_text(&s, str_of(texts[i]));
		assert_int_equal(s.sealed.len, 24 + strlen(texts[i]) + 16);
		assert_int_equal(crypt_open(s.key, STR("host:1:repo"),
		                     buf_str(&s.sealed), &s.plain),
		    RC_OK);
		assert_true(str_eqz(buf_str(&s.plain), texts[i]));
		seal_fini(&s);
	}
}

static void
sealing_twice_gives_different_bytes(void **state)
{
	struct sealed s;
	struct buf again;

	(void)state;
	seal_text(&s, STR("secret"));
	buf_init(&again, KIB(1));
	assert_int_equal(crypt_seal(s.key, STR("host:1:repo"), STR("secret"),
	                     &again),
	    RC_OK);
	assert_false(str_eq(buf_str(&s.sealed), buf_str(&again)));
	buf_fini(&again);
	seal_fini(&s);
}

static void
every_changed_byte_is_noticed(void **state)
{
	struct sealed s;
	size_t i;

	(void)state;
	seal_text(&s, STR("repository password"));
	for (i = 0; i < s.sealed.len; i++) {
		s.sealed.data[i] = (char)(s.sealed.data[i] ^ 0x10);
		assert_int_equal(crypt_open(s.key, STR("host:1:repo"),
		                     buf_str(&s.sealed), &s.plain),
		    RC_CORRUPT);
		assert_int_equal(s.plain.len, 0);
		s.sealed.data[i] = (char)(s.sealed.data[i] ^ 0x10);
	}
	for (i = 0; i < s.sealed.len; i++)
		assert_int_equal(crypt_open(s.key, STR("host:1:repo"),
		                     str_from(s.sealed.data, i), &s.plain),
		    RC_CORRUPT);
	seal_fini(&s);
}

static void
another_owner_or_key_cannot_open(void **state)
{
	struct sealed s;

	(void)state;
	seal_text(&s, STR("secret"));
	assert_int_equal(crypt_open(s.key, STR("host:2:repo"),
	                     buf_str(&s.sealed), &s.plain),
	    RC_CORRUPT);
	assert_int_equal(crypt_open(s.key, STR(""), buf_str(&s.sealed),
	                     &s.plain),
	    RC_CORRUPT);
	s.key[31] ^= 1;
	assert_int_equal(crypt_open(s.key, STR("host:1:repo"),
	                     buf_str(&s.sealed), &s.plain),
	    RC_CORRUPT);
	seal_fini(&s);
}

static void
sealing_respects_the_ceiling(void **state)
{
	const uint8_t key[CRYPT_KEY_SIZE] = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 24 + 16 + 4);
	assert_int_equal(crypt_seal(key, STR(""), STR("12345"), &b), RC_LIMIT);
	buf_reset(&b);
	assert_int_equal(crypt_seal(key, STR(""), STR("123"), &b), RC_OK);
	buf_fini(&b);
}

static void
key_file_is_made_once(void **state)
{
	uint8_t a[CRYPT_KEY_SIZE] = { 0 }, b[CRYPT_KEY_SIZE] = { 0 };
	struct tmpdir t;
	struct stat st;
	struct err e;

	(void)state;
	tmpdir_make(&t);
	(void)tmpdir_file(&t, "secret.key");
	assert_int_equal(crypt_key_file(t.file, a, &e), RC_OK);
	assert_int_equal(stat(t.file, &st), 0);
	assert_int_equal(st.st_size, CRYPT_KEY_SIZE);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(crypt_key_file(t.file, b, &e), RC_OK);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(tmpdir_count(t.path), 1);
	tmpdir_remove(t.path);
}

static void
key_file_of_a_wrong_size_is_refused(void **state)
{
	static const char *const wrong[] = { "", "short",
		"one byte more than a key may be !" };
	uint8_t key[CRYPT_KEY_SIZE] = { 7 };
	struct tmpdir t;
	struct stat st;
	struct err e;
	size_t i;

	(void)state;
	tmpdir_make(&t);
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		tmpdir_write(&t, "secret.key", wrong[i]);
		assert_int_equal(crypt_key_file(t.file, key, &e), RC_CORRUPT);
		assert_non_null(strstr(e.msg, t.file));
		assert_int_equal(key[0], 7);
		assert_int_equal(stat(t.file, &st), 0);
		assert_int_equal(st.st_size, strlen(wrong[i]));
	}
	assert_int_equal(crypt_key_file(tmpdir_file(&t, "no/such"), key, &e),
	    RC_NOTFOUND);
	tmpdir_remove(t.path);
}

/* M-015, X-19: one cost, whatever calls; nothing can choose a cheaper one. */
static void
password_verifies_only_itself(void **state)
{
	char stored[CRYPT_PASSWORD_CAP], again[CRYPT_PASSWORD_CAP];
	const struct str with_nul = STR("pass\0word");

	(void)state;
	assert_int_equal(crypt_password_hash(with_nul, stored), RC_OK);
	assert_int_equal(crypt_password_hash(with_nul, again), RC_OK);
	assert_string_not_equal(stored, again);
	assert_memory_equal(stored, "$argon2id$v=19$m=65536,t=3,p=1$", 31);
	assert_true(crypt_password_verify(stored, with_nul));
	assert_false(crypt_password_verify(stored, STR("pass")));
	assert_false(crypt_password_verify(stored, STR("")));
	stored[strlen(stored) - 1] ^= 1;
	assert_false(crypt_password_verify(stored, with_nul));
}

/* M-015: cheap ones, too.  Made by the reference implementation's program
 * from "password" and "somesalt"; the last by libsodium. */
static void
password_forms_of_other_programs_verify(void **state)
{
	static const char *const forms[] = {
		"$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHQ"
		"$hTSfg0+ZxUVA6Ay8Et01seNt2tx1T18Xh5elxNhrNJk",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ"
		"$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"$argon2id$v=19$m=4096,t=3,p=4$c29tZXNhbHQ"
		"$poE/0h2cjbv+UlPDgRVOHqwlmCAYo5LF5leMrvQqVrI",
		"$argon2id$v=19$m=16384,t=1,p=8$c29tZXNhbHQ"
		"$lB8DjhEdjilaNHvTFZRjbH8YvkBv6RDMJOWoNe2yumM",
		"$argon2id$v=19$m=8,t=1,p=1$dAMW0w5zhHsVdSjl7aE6bQ"
		"$qeAnOyZOFoGlSC+ftP7FVahRlEb4OVRDcAuz6qxQu4w",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		assert_true(crypt_password_verify(forms[i], STR("password")));
		assert_false(crypt_password_verify(forms[i], STR("Password")));
	}
}

/* Right forms, one step inside and one outside the limits. */
static void
password_forms_beyond_the_limits_are_refused(void **state)
{
	static const char *const inside[] = {
		"$argon2id$v=19$m=64,t=16,p=1$c29tZXNhbHQ"
		"$KorP4nCgMFwacIvaC5+p8ybssxq97HULSqzA4HbY2TE",
		"$argon2id$v=19$m=1024,t=1,p=64$c29tZXNhbHQ"
		"$hS7QVB7Hd2ieBBCW6FuLVty+JF90WhBRkd0gUPBJKus",
	};
	static const char *const outside[] = {
		"$argon2id$v=19$m=64,t=17,p=1$c29tZXNhbHQ"
		"$CEWrftO+c9AKc+NuNwQemF6ajKYxFE0BhXNkNz7zN94",
		"$argon2id$v=19$m=1024,t=1,p=65$c29tZXNhbHQ"
		"$5IhOVBOhubcFdHHNAK1WqXqbOf9kWwuchgwIv3vTkn0",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(inside); i++)
		assert_true(crypt_password_verify(inside[i], STR("password")));
	for (i = 0; i < ARRAY_LEN(outside); i++)
		assert_false(
		    crypt_password_verify(outside[i], STR("password")));
}

static void
planted_or_damaged_forms_are_refused(void **state)
{
#define TAIL "$c29tZXNhbHQ$hTSfg0+ZxUVA6Ay8Et01seNt2tx1T18Xh5elxNhrNJk"
	static const char *const forms[] = {
		"",
		"$",
		"password",
		"$argon2id$",
		"$argon2id$v=19$",
		"$argon2id$v=19$m=1024",
		"$argon2id$v=19$m=1024,t=3,p=1",
		"$argon2id$v=19$m=1024,t=3,p=1$",
		"$argon2id$v=19$m=1024,t=3,p=1$$",
		"$argon2id$v=16$m=1024,t=3,p=1" TAIL,
		"$argon2id$v=19$m=1048577,t=3,p=1" TAIL, /* over 1 GiB */
		"$argon2id$v=19$m=4294967295,t=3,p=1" TAIL,
		"$argon2id$v=19$m=99999999999999999999,t=3,p=1" TAIL,
		"$argon2id$v=19$m=1024,t=17,p=1" TAIL,
		"$argon2id$v=19$m=1024,t=0,p=1" TAIL,
		"$argon2id$v=19$m=1024,t=3,p=0" TAIL,
		"$argon2id$v=19$m=1024,t=3,p=65" TAIL,
		"$argon2id$v=19$t=3,m=1024,p=1" TAIL,
		"$argon2id$v=19$m=-1024,t=3,p=1" TAIL,
		"$argon2id$v=19$m=1024,t=3" TAIL,
		"$argon2id$v=19$m=1024,t=3,p=1" TAIL "A",
		"$argon2id$v=19$m=1024,t=3,p=1" TAIL TAIL TAIL,
		"$argon2i$v=19$m=1024,t=3,p=1$c29tZXNhbHQ"
		"$2PL6DGwFk5goFIHejpozhLlN0DmGuGJ7wT+b0ICqeTc",
		"$scrypt$ln=15,r=8,p=1" TAIL,
	};
#undef TAIL
	size_t i;

	(void)state;
	assert_false(crypt_password_verify(NULL, STR("password")));
	for (i = 0; i < ARRAY_LEN(forms); i++)
		assert_false(crypt_password_verify(forms[i], STR("password")));
}

static void
signature_binds_message_and_key(void **state)
{
	uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE], other[CRYPT_SIGN_PUBLIC_SIZE];
	uint8_t sec[CRYPT_SIGN_SECRET_SIZE];
	uint8_t sig[CRYPT_SIGN_SIZE];
	size_t i;

	(void)state;
	crypt_sign_keypair(other, sec);
	crypt_sign_keypair(pub, sec);
	crypt_sign(STR("nonce"), sec, sig);
	assert_true(crypt_sign_verify(STR("nonce"), sig, pub));
	assert_false(crypt_sign_verify(STR("nonce"), sig, other));
	assert_false(crypt_sign_verify(STR("noncf"), sig, pub));
	assert_false(crypt_sign_verify(STR(""), sig, pub));
	for (i = 0; i < sizeof(sig); i++) {
		sig[i] ^= 0x20;
		assert_false(crypt_sign_verify(STR("nonce"), sig, pub));
		sig[i] ^= 0x20;
	}
}

/* Bit by bit, as the definition says. */
static uint32_t
crc32c_slow(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;
	int bit;

	for (; n > 0; n--, p++) {
		crc ^= *p;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void
crc32c_of_known_texts(void **state)
{
	uint8_t data[100];
	uint32_t part;
	size_t i;

	(void)state;
	assert_int_equal(crypt_crc32c(0, STR("123456789")), 0xe3069283);
	assert_int_equal(crypt_crc32c(0, STR("")), 0);
	crypt_random(data, sizeof(data));
	for (i = 0; i <= sizeof(data); i++) {
		assert_int_equal(crypt_crc32c(0, str_from(data, i)),
		    crc32c_slow(data, i));
		part = crypt_crc32c(0, str_from(data, i));
		part = crypt_crc32c(part, str_from(data + i, sizeof(data) - i));
		assert_int_equal(part, crc32c_slow(data, sizeof(data)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_forbids_core_files),
		cmocka_unit_test(secret_holds_a_copy),
		cmocka_unit_test(random_values_differ),
		cmocka_unit_test(sha256_of_known_texts),
		cmocka_unit_test(eq_compares_all_bytes),
		cmocka_unit_test(sealed_text_opens_again),
		cmocka_unit_test(sealing_twice_gives_different_bytes),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(another_owner_or_key_cannot_open),
		cmocka_unit_test(sealing_respects_the_ceiling),
		cmocka_unit_test(key_file_is_made_once),
		cmocka_unit_test(key_file_of_a_wrong_size_is_refused),
		cmocka_unit_test(password_verifies_only_itself),
		cmocka_unit_test(password_forms_of_other_programs_verify),
		cmocka_unit_test(password_forms_beyond_the_limits_are_refused),
		cmocka_unit_test(planted_or_damaged_forms_are_refused),
		cmocka_unit_test(signature_binds_message_and_key),
		cmocka_unit_test(crc32c_of_known_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
