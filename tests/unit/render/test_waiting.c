/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The panel of hosts that wait for approval, on pages with hosts and none. */
#include "tests/unit/render/pages_help.h"

#include "lib/base/crypt.h"
#include "lib/base/ulid.h"
#include "lib/store/pending_store.h"

#define ID_ONE "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define ID_TWO "01ARZ3NDEKTSV4RRFFQ69G5FAW"
#define ID_OVER "01ARZ3NDEKTSV4RRFFQ69G5FAX"

static void
put(struct store_tx *tx, const char *id, const char *name, int64_t expires_ms)
{
	struct Rec__PendingHost p = REC__PENDING_HOST__INIT;
	uint8_t key[CRYPT_SIGN_PUBLIC_SIZE] = { 0 };
	uint8_t fingerprint[CRYPT_HASH_SIZE] = { 0x71, 0x17, 0x85, 0xf3 };
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	key[0] = u.b[15];
	p.id = (ProtobufCBinaryData){ sizeof(u.b), u.b };
	p.public_key = (ProtobufCBinaryData){ sizeof(key), key };
	p.fingerprint =
	    (ProtobufCBinaryData){ sizeof(fingerprint), fingerprint };
	p.hostname = mut(name);
	p.os = mut("linux");
	p.arch = mut("amd64");
	p.address = mut("192.0.2.44");
	p.first_seen_at_ms = SEED_NOW_MS - 180000;
	p.expires_at_ms = expires_ms;
	pending_store_put(tx, &p);
	assert_rc(store_rc(tx), RC_OK);
}

static void
with_rows(struct site *s)
{
	struct store *w;
	struct store_tx *tx = edit_site(s, &w);

	put(tx, ID_ONE, "app-77", SEED_NOW_MS + 600000);
	put(tx, ID_TWO, "app-77", SEED_NOW_MS + 600000);
	put(tx, ID_OVER, "expired-1", SEED_NOW_MS);
	edit_done(s, tx, w);
}

/* M-097, M-100 */
static void
an_administrator_sees_what_to_compare_and_decides(void **state)
{
	struct site *s = *state;

	with_rows(s);
	show(s, "dashboard", ADMIN, NULL);
	must(s, "panel ask");
	must(s, "SHA256: 7117 85f3 0000");
	must(s, "linux amd64");
	must(s, "192.0.2.44");
	must(s, "3 min ago");
	must(s, "in 10 min");
	must(s, "Another host has this name");
	must(s, "what makes accepting safe");
	must(s, "action=\"/api/pending-hosts/" ID_ONE "/accept\"");
	must(s, "action=\"/api/pending-hosts/" ID_TWO "/reject\"");
	must(s, "data-live=\"pending.list\"");
	must_not(s, "expired-1");
	must_not(s, "<details open");
}

static void
others_see_it_and_cannot(void **state)
{
	struct site *s = *state;

	with_rows(s);
	show(s, "dashboard", OPERATOR, NULL);
	must(s, "SHA256: 7117 85f3");
	must(s, "An administrator can accept or reject");
	must_not(s, "/api/pending-hosts/");
}

/* M-098, M-312 */
static void
it_shows_without_any_host(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", ADMIN, NULL);
	must(s, "No hosts yet");
	must(s, "data-live=\"pending.list\"");
	with_rows(s);
	show(s, "dashboard", ADMIN, NULL);
	must(s, "No host is enrolled yet");
	must(s, "SHA256: 7117 85f3");
	must_not(s, "No hosts yet");
}

static void
nobody_waits(void **state)
{
	struct site *s = *state;

	show(s, "dashboard", ADMIN, NULL);
	must_not(s, "Waiting for approval");
	show_part(s, "dashboard", "pending.list", ADMIN, NULL);
	must(s, " hidden");
}

static void
a_refused_form_keeps_what_was_typed(void **state)
{
	struct site *s = *state;

	with_rows(s);
	show(s, "dashboard", ADMIN, "pending", ID_TWO, "repo_url",
	    "rest:https://x/\"y", "repo_username", "u1", "error.repo_password",
	    "the repository's password is needed", NULL);
	must(s, "<details open");
	must(s, "value=\"rest:https://x/&quot;y\"");
	must(s, "The repository&#39;s password is needed.");
	must(s, "id=\"repo_password-error-" ID_TWO "\"");
	must_not(s, "id=\"repo_password-error-" ID_ONE "\"");
	show(s, "dashboard", ADMIN, "pending", ID_OVER, "error.repo_url",
	    "it is needed", NULL);
	must(s, "does not wait any more");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    an_administrator_sees_what_to_compare_and_decides,
		    setup_fleet, teardown),
		cmocka_unit_test_setup_teardown(others_see_it_and_cannot,
		    setup_fleet, teardown),
		cmocka_unit_test_setup_teardown(it_shows_without_any_host,
		    setup_empty, teardown),
		cmocka_unit_test_setup_teardown(nobody_waits, setup_fleet,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_refused_form_keeps_what_was_typed, setup_fleet, teardown),
	};

	if (crypt_init(NULL) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
