/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages about users, one's own account, and setup links. */
#include "tests/unit/render/pages_help.h"

static const char *
user_text(enum seed_user u)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_user_id(u);

	ulid_text(&id, z);
	return z;
}

static const char *
token_text(int n)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_api_token_id(n);

	ulid_text(&id, z);
	return z;
}

static size_t
place(const struct site *s, const char *part)
{
	const char *at = strstr(buf_text(&s->body), part);

	if (at == NULL)
		fail_msg("missing: %s", part);
	return (size_t)(at - buf_text(&s->body));
}

/* M-049 */
static void
users_are_listed_by_any_column(void **state)
{
	struct site *s = *state;

	show(s, "users", ADMIN, NULL);
	must(s, "6 users.");
	must(s, "aria-sort=\"ascending\"");
	must(s, "&lt;script&gt;alert(1)&lt;/script&gt;");
	must(s, "invited, link expired");
	must(s, "<span class=\"tag\">you</span>");
	assert_true(place(s, ">admin</a>") < place(s, ">ops</a>"));
	show(s, "users", ADMIN, "sort", "name", "dir", "desc", NULL);
	must(s, "aria-sort=\"descending\"");
	assert_true(place(s, ">ops</a>") < place(s, ">admin</a>"));
	show(s, "users", ADMIN, "sort", "seen", NULL);
	assert_true(place(s, ">ops</a>") < place(s, ">admin</a>"));
	assert_true(place(s, ">admin</a>") < place(s, ">gone-1</a>"));
	show(s, "users", ADMIN, "sort", "role", NULL);
	assert_true(place(s, ">gone-1</a>") < place(s, ">ops</a>"));
	show(s, "users", ADMIN, "state", "disabled", NULL);
	must(s, ">gone-1</a>");
	must_not(s, ">ops</a>");
	must(s, "state=disabled&amp;sort=role");
	show(s, "users", ADMIN, "state", "\"><b>", "sort", "\"><b>", "page",
	    "99", NULL);
	must(s, ">ops</a>");
}

/* M-047, M-049 */
static void
a_user_s_page_says_what_can_be_done(void **state)
{
	struct site *s = *state;

	show(s, "user", ADMIN, "id", user_text(SEED_USER_OPS), "sessions", "2",
	    NULL);
	must(s, "Sessions: 2.");
	must(s, "API tokens: 2.");
	must(s, "nightly &lt;b&gt;report&lt;/b&gt;");
	must(s, "aria-label=\"Revoke old one\"");
	must(s, "value=\"operator\" checked");
	must(s, "/force-logout\"");
	must(s, "/disable\"");
	must_not(s, "/enable\"");
	show(s, "user", ADMIN, "id", user_text(SEED_USER_GONE), "sessions", "0",
	    NULL);
	must(s, "is disabled since 18 Nov");
	must(s, "/enable\"");
	must_not(s, "/disable\"");
	must_not(s, "/regenerate-setup-link\"");
	show(s, "user", ADMIN, "id", user_text(SEED_USER_INVITED), "sessions",
	    "0", NULL);
	must(s, "The setup link is out");
	must_not(s, "/force-logout\"");
	show(s, "user", ADMIN, "id", user_text(SEED_USER_LATE), NULL);
	must(s, "There is no setup link that works.");
	show(s, "user", ADMIN, "id", user_text(SEED_USER_EVIL), "typed", "1",
	    "role", "admin", "email", "\"><i>", "must_change", "1",
	    "error.email", "no such thing", NULL);
	must(s, "value=\"admin\" checked");
	must(s, "value=\"&quot;&gt;&lt;i&gt;\"");
	must(s, "name=\"must_change\" value=\"1\" checked");
	must(s, "No such thing.");
	ask(s,
	    &(struct ask){ "user", NULL, ADMIN,
	        { "id", "01ARZ3NDEKTSV4RRFFQ69G5FAV" } },
	    404);
	ask(s, &(struct ask){ "user", NULL, ADMIN, { "id", "x" } }, 404);
}

static void
a_refused_invitation_keeps_what_was_typed(void **state)
{
	struct site *s = *state;

	show(s, "user_new", ADMIN, NULL);
	must(s, "value=\"operator\" checked");
	show(s, "user_new", ADMIN, "username", "gone-1", "email", "<x>", "role",
	    "admin", "other", user_text(SEED_USER_GONE), "error.username",
	    "it exists", NULL);
	must(s, "value=\"gone-1\"");
	must(s, "value=\"admin\" checked");
	must(s, "It exists.");
	must(s, ">Open gone-1</a>");
	must(s, "autofocus");
}

/* M-041: markers, and only until it was shown. */
static void
secrets_are_markers(void **state)
{
	struct site *s = *state;

	show(s, "user_link", ADMIN, "id", user_text(SEED_USER_INVITED), "shown",
	    "", NULL);
	must(s,
	    "https://backup.example.net/setup?token=" MARKER PAGES_MARK_TOKEN);
	must(s, "works once, until 14:38");
	show(s, "user_link", ADMIN, "id", user_text(SEED_USER_INVITED), "shown",
	    "1", NULL);
	must_not(s, MARKER);
	must(s, "It was shown already");
	must(s, "works until 14:38");
	show(s, "account_token", OPERATOR, "id", token_text(1), "shown", "",
	    NULL);
	must(s, "<code>" MARKER PAGES_MARK_TOKEN "</code>");
	show(s, "account_token", OPERATOR, "id", token_text(1), "shown", "1",
	    NULL);
	must_not(s, MARKER);
	ask(s,
	    &(struct ask){ "account_token", NULL, OPERATOR,
	        { "id", user_text(SEED_USER_OPS) } },
	    404);
	assert_int_not_equal(ask_raw(s,
	                         &(struct ask){ "user_link", NULL, ADMIN,
	                             { "id", user_text(SEED_USER_OPS) } },
	                         ""),
	    RC_OK);
}

/* M-043 */
static void
a_setup_link_leads_to_a_form_or_to_a_word(void **state)
{
	struct site *s = *state;

	show(s, "setup", NOBODY, "username", "invited-1", "error.password",
	    "too short", NULL);
	must(s, "name=\"token\" value=\"" MARKER PAGES_MARK_TOKEN "\"");
	must(s, "value=\"invited-1\"");
	must(s, "Too short.");
	show(s, "setup", NOBODY, "gone", "1", NULL);
	must(s, "This link does not work");
	must_not(s, MARKER);
	must_not(s, "<form");
}

/* M-027, M-435 */
static void
one_s_own_account(void **state)
{
	struct site *s = *state;

	show(s, "account", OPERATOR, "sessions", "3", NULL);
	must(s, "Signed in as <span class=\"m\">ops</span>, operator");
	must(s, "in 2 other places");
	must(s, "nightly &lt;b&gt;report&lt;/b&gt;");
	must(s, ">expired<");
	must(s, "value=\"operator\"");
	must_not(s, "value=\"admin\"");
	must_not(s, "/settings/users");
	show(s, "account", OPERATOR, "sessions", "1", "name", "<i>", "role",
	    "operator", "expires_in_days", "365", "error.name", "too long",
	    NULL);
	must(s, "signed in here only");
	must(s, "value=\"&lt;i&gt;\"");
	must(s, "value=\"operator\" checked");
	must(s, "value=\"365\" selected");
	must(s, "Too long.");
	show(s, "account", OPERATOR, "must_change", "1", "sessions", "1", NULL);
	must(s, "Choose a new password");
	must_not(s, "current_password");
	must_not(s, "API tokens");
}

/* M-036, M-498: users are for administrators. */
static void
the_side_navigation_follows_the_role(void **state)
{
	struct site *s = *state;

	show(s, "account", ADMIN, NULL);
	must(s, "href=\"/settings/users\"");
	show(s, "account", VIEWER, NULL);
	must_not(s, "href=\"/settings/users\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FLEET(users_are_listed_by_any_column),
		FLEET(a_user_s_page_says_what_can_be_done),
		FLEET(a_refused_invitation_keeps_what_was_typed),
		FLEET(secrets_are_markers),
		FLEET(a_setup_link_leads_to_a_form_or_to_a_word),
		FLEET(one_s_own_account),
		FLEET(the_side_navigation_follows_the_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
