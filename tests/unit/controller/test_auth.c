/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/auth.h"
#include "controller/users_own.h"

enum {
	NONE = REC__ROLE__ROLE_NONE,
	VIEWER = REC__ROLE__ROLE_VIEWER,
	OPERATOR = REC__ROLE__ROLE_OPERATOR,
	ADMIN = REC__ROLE__ROLE_ADMIN
};

/* M-031: a higher role includes the lower; without a role a row needs the
 * highest. */
static void
roles_include_the_lower(void **state)
{
	/* clang-format off */
	static const struct {
		enum route_role need;
		enum rc rc[4]; /* nobody, viewer, operator, admin */
	} matrix[] = {
		{ ROUTE_PUBLIC,   { RC_OK,   RC_OK,     RC_OK,     RC_OK } },
		{ ROUTE_VIEWER,   { RC_AUTH, RC_OK,     RC_OK,     RC_OK } },
		{ ROUTE_OPERATOR, { RC_AUTH, RC_DENIED, RC_OK,     RC_OK } },
		{ ROUTE_ADMIN,    { RC_AUTH, RC_DENIED, RC_DENIED, RC_OK } },
		{ ROUTE_UNSET,    { RC_AUTH, RC_DENIED, RC_DENIED, RC_OK } },
	};
	/* clang-format on */
	struct err e;
	size_t i;
	int role;

	(void)state;
	for (i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		for (role = NONE; role <= ADMIN; role++)
			assert_rc(auth_allows(matrix[i].need, (Rec__Role)role,
			              &e),
			    matrix[i].rc[role]);
	}
}

static void
unknown_roles_are_nobody(void **state)
{
	struct err e;

	(void)state;
	assert_rc(auth_allows(ROUTE_VIEWER, (Rec__Role)4, &e), RC_AUTH);
	assert_rc(auth_allows(ROUTE_VIEWER, (Rec__Role)-1, &e), RC_AUTH);
	assert_rc(auth_allows((enum route_role)99, (Rec__Role)OPERATOR, &e),
	    RC_DENIED);
	assert_rc(auth_allows((enum route_role)99, (Rec__Role)ADMIN, &e),
	    RC_OK);
}

static void
refusals_name_the_role_that_is_needed(void **state)
{
	struct err e;

	(void)state;
	assert_rc(auth_allows(ROUTE_ADMIN, (Rec__Role)VIEWER, &e), RC_DENIED);
	assert_non_null(strstr(e.msg, "admin"));
	assert_non_null(strstr(e.msg, "viewer"));
	assert_string_equal(auth_need_name(ROUTE_UNSET), "admin");
	assert_string_equal(auth_need_name(ROUTE_OPERATOR), "operator");
	assert_string_equal(auth_need_name(ROUTE_PUBLIC), "");
}

/* W-14 */
static void
foreign_origins_are_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *origin, *site, *authority, *base;
		bool https, ok;
	} cases[] = {
		/* scripts send neither */
		{ NULL, NULL, "rm:8443", NULL, true, true },
		{ "https://rm:8443", "same-origin", "rm:8443", NULL, true, true },
		{ "https://RM:8443", NULL, "rm:8443", NULL, true, true },
		{ NULL, "none", "rm:8443", NULL, true, true },
		{ "https://evil", NULL, "rm:8443", NULL, true, false },
		{ "https://evil", "same-origin", "rm:8443", NULL, true, false },
		{ "https://rm:8443", "cross-site", "rm:8443", NULL, true, false },
		{ "https://rm:8443", "same-site", "rm:8443", NULL, true, false },
		{ NULL, "cross-site", "rm:8443", NULL, true, false },
		{ "null", NULL, "rm:8443", NULL, true, false },
		{ "", NULL, "rm:8443", NULL, true, false },
		{ "http://rm:8443", NULL, "rm:8443", NULL, true, false },
		{ "https://rm:8443", NULL, "rm:8443", NULL, false, false },
		{ "http://rm", NULL, "rm", NULL, false, true },
		{ "https://rm", NULL, "rm:8443", NULL, true, false },
		{ "https://rm:8443.evil", NULL, "rm:8443", NULL, true, false },
		{ "https://", NULL, "", NULL, true, false },
		/* behind a proxy that changes Host */
		{ "https://backup.example", NULL, "127.0.0.1:9", "https://backup.example/console", true, true },
		{ "https://backup.example", NULL, "127.0.0.1:9", "https://backup.example", false, true },
		{ "https://backup.example.evil", NULL, "127.0.0.1:9", "https://backup.example", true, false },
		{ "https://backup", NULL, "127.0.0.1:9", "https://backup.example", true, false },
	};
	/* clang-format on */
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct auth_origin o = { str_of(cases[i].origin),
			str_of(cases[i].site), cases[i].https,
			str_of(cases[i].authority), cases[i].base };

		if ((auth_origin_ok(&o, &e) == RC_OK) != cases[i].ok)
			fail_msg("case %zu: %s %s", i,
			    cases[i].origin != NULL ? cases[i].origin : "-",
			    cases[i].site != NULL ? cases[i].site : "-");
	}
}

static void
sessions_are_random_and_stored_as_hashes(void **state)
{
	struct auth_session a, b;
	uint8_t hash[CRYPT_HASH_SIZE];

	(void)state;
	auth_session_new(&a);
	auth_session_new(&b);
	assert_string_not_equal(a.cookie, b.cookie);
	assert_string_not_equal(a.csrf, b.csrf);
	assert_string_not_equal(a.cookie, a.csrf);
	assert_int_equal(strlen(a.cookie), CRYPT_TOKEN_CAP - 1);
	crypt_sha256(str_of(a.cookie), hash);
	assert_memory_equal(hash, a.hash, sizeof(hash));
}

/* M-020 */
static void
user_names_are_lower_case_and_plain(void **state)
{
	char name[USERS_NAME_CAP], longest[USERS_NAME_CAP + 1];

	(void)state;
	assert_true(users_name("Ann.B-C_1@Example", name));
	assert_string_equal(name, "ann.b-c_1@example");
	assert_false(users_name("", name));
	assert_false(users_name("a b", name));
	assert_false(users_name("a\nb", name));
	assert_false(users_name("\xc3\xa4", name));
	assert_string_equal(name, "");
	memset(longest, 'a', sizeof(longest));
	longest[USERS_NAME_CAP] = '\0';
	assert_false(users_name(longest, name));
	longest[USERS_NAME_CAP - 1] = '\0';
	assert_true(users_name(longest, name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_include_the_lower),
		cmocka_unit_test(unknown_roles_are_nobody),
		cmocka_unit_test(refusals_name_the_role_that_is_needed),
		cmocka_unit_test(foreign_origins_are_refused),
		cmocka_unit_test(sessions_are_random_and_stored_as_hashes),
		cmocka_unit_test(user_names_are_lower_case_and_plain),
	};
	struct err e;

	if (crypt_init(&e) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
