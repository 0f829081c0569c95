/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/base/clock.h"
#include "lib/store/table.h"

enum {
	ENTRIES = 20
};

static void
add(struct store_tx *tx, const char *action)
{
	struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;

	a.action = text(action);
	a.actor_name = text("anna");
	a.payload = text("{}");
	audit_store_add(tx, &a);
}

static void
fill(struct fixture *f)
{
	struct store_tx *tx = fixture_write(f);
	char action[32];
	unsigned i;

	for (i = 0; i < ENTRIES; i++) {
		assert_true(str_fmt(action, sizeof(action), "act.%u", i));
		add(tx, action);
	}
	fixture_commit(tx);
}

struct list {
	struct ulid ids[ENTRIES];
	char text[512];
	unsigned n;
};

static bool
test_on_entry(void *ctx, const struct Rec__AuditEntry *a)
{
	struct list *l = ctx;
	size_t used = strlen(l->text);

	assert_true(l->n < ENTRIES);
	memcpy(l->ids[l->n++].b, a->id.data, 16);
	assert_true(
	    str_fmt(l->text + used, sizeof(l->text) - used, "%s ", a->action));
	return true;
}

static void
the_latest_come_first(void **state)
{
	struct fixture *f = *state;
	struct list l = { .n = 0 }, older = { .n = 0 };
	struct store_tx *tx;

	fill(f);
	tx = fixture_read(f);
	audit_store_latest(tx, NULL, 3, test_on_entry, &l);
	assert_string_equal(l.text, "act.19 act.18 act.17 ");
	audit_store_latest(tx, &l.ids[2], 2, test_on_entry, &older);
	assert_string_equal(older.text, "act.16 act.15 ");
	assert_true(store_version(tx, VER_AUDIT) > 0);
	fixture_end(tx);
}

static uint64_t
verify(struct store_tx *tx, struct ulid *bad)
{
	uint64_t n = 0;

	assert_rc(audit_store_verify(tx, bad, &n), RC_OK);
	return n;
}

static void
an_untouched_chain_fits(void **state)
{
	struct fixture *f = *state;
	struct ulid bad;
	struct store_tx *tx = fixture_read(f);

	assert_int_equal(verify(tx, &bad), 0); /* an empty one too */
	assert_true(ulid_is_zero(&bad));
	fixture_end(tx);
	fill(f);
	fixture_reopen(f);
	fill(f); /* goes on behind a restart */
	tx = fixture_read(f);
	assert_int_equal(verify(tx, &bad), 2 * ENTRIES);
	assert_true(ulid_is_zero(&bad));
	fixture_end(tx);
}

static void
the_chain_goes_on_when_the_clock_is_set_back(void **state)
{
	struct fixture *f = *state;
	struct list l = { .n = 0 };
	struct store_tx *tx = fixture_write(f);
	struct ulid bad;

	clock_fake(2000000000000, 0);
	add(tx, "first");
	clock_fake(1000000000000, 0);
	add(tx, "second");
	add(tx, "third");
	clock_fake(-1, 0);
	audit_store_latest(tx, NULL, 10, test_on_entry, &l);
	assert_string_equal(l.text, "third second first ");
	assert_int_equal(verify(tx, &bad), 3);
	fixture_commit(tx);
}

typedef void tamper_fn(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a);

static void
tamper_action(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	a->action = text("act.other");
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

static void
tamper_actor(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	a->actor_name = text("bob");
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

/* The same bytes in a row, split differently between two fields. */
static void
tamper_split(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	a->actor_name = text("annaa");
	a->action++;
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

static void
tamper_time(struct store_tx *tx, const struct key *k, struct Rec__AuditEntry *a)
{
	a->at_ms++;
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

static void
tamper_hash(struct store_tx *tx, const struct key *k, struct Rec__AuditEntry *a)
{
	a->hash.data[31] ^= 1;
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

static void
tamper_delete(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	(void)a;
	assert_true(table_del(tx, TB_AUDIT, k));
}

/* Under another key: it looks younger. */
static void
tamper_move(struct store_tx *tx, const struct key *k, struct Rec__AuditEntry *a)
{
	struct key to = *k;

	to.b[0] = 0xff;
	assert_true(table_del(tx, TB_AUDIT, k));
	table_put_record(tx, TB_AUDIT, &to, &a->base);
}

static void
check_tamper(struct fixture *f, tamper_fn *fn, unsigned at)
{
	struct list l = { .n = 0 };
	struct Rec__AuditEntry *a;
	struct key k = { .n = 0 };
	struct store_tx *tx = fixture_write(f);
	struct ulid bad;

	audit_store_latest(tx, NULL, ENTRIES, test_on_entry, &l);
	key_ulid(&k, &l.ids[ENTRIES - 1 - at]);
	a = table_get(tx, TB_AUDIT, &k, &rec__audit_entry__descriptor, "entry");
	assert_non_null(a);
	fn(tx, &k, a);
	assert_int_equal(verify(tx, &bad), at);
	assert_false(ulid_is_zero(&bad));
	store_abort(tx);
}

/* W-02 */
static void
a_change_to_any_entry_is_found(void **state)
{
	static tamper_fn *const ways[] = { tamper_action, tamper_actor,
		tamper_split, tamper_time, tamper_hash, tamper_delete,
		tamper_move };
	static const unsigned places[] = { 0, 1, ENTRIES / 2, ENTRIES - 2 };
	struct fixture *f = *state;
	unsigned i, p;

	fill(f);
	for (i = 0; i < ARRAY_LEN(ways); i++)
		for (p = 0; p < ARRAY_LEN(places); p++)
			check_tamper(f, ways[i], places[p]);
}

static void
a_damaged_entry_is_named(void **state)
{
	struct fixture *f = *state;
	struct list l = { .n = 0 };
	struct key k = { .n = 0 };
	struct store_tx *tx;
	struct ulid bad;
	uint64_t n;

	fill(f);
	tx = fixture_write(f);
	audit_store_latest(tx, NULL, ENTRIES, test_on_entry, &l);
	key_ulid(&k, &l.ids[4]);
	table_put(tx, TB_AUDIT, &k, STR("\xff\xff"));
	assert_rc(audit_store_verify(tx, &bad, &n), RC_CORRUPT);
	assert_true(ulid_eq(&bad, &l.ids[4]));
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(the_latest_come_first),
		store_test(an_untouched_chain_fits),
		store_test(the_chain_goes_on_when_the_clock_is_set_back),
		store_test(a_change_to_any_entry_is_found),
		store_test(a_damaged_entry_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
