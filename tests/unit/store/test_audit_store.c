/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/store/audit_check.h"
#include "lib/store/audit_impl.h"
#include "lib/store/store_impl.h"
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
		/* A millisecond of its own leaves room between two ids. */
		clock_fake(1700000000000 + i * 1000, 0);
		add(tx, action);
	}
	clock_fake(-1, 0);
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

/* ----------------------------------------------------------------- tamper */

static const uint8_t secret[32] = { 1, 2, 3 };

static struct audit_check
check(struct store_tx *tx, size_t slice)
{
	struct audit_check c;

	audit_check_init(&c, NULL);
	while (audit_check_step(&c, tx, slice))
		continue;
	assert_rc(store_rc(tx), RC_OK);
	return c;
}

typedef void tamper_fn(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a);

static void
rehash(struct store_tx *tx, const struct key *k, struct Rec__AuditEntry *a)
{
	uint8_t hash[32];

	assert_true(audit_entry_hash(a, hash));
	a->hash = bytes_of(hash, sizeof(hash));
	table_put_record(tx, TB_AUDIT, k, &a->base);
}

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
tamper_garbage(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	(void)a;
	table_put(tx, TB_AUDIT, k, STR("\xff\xff"));
}

static void
tamper_delete(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	(void)a;
	assert_true(table_del(tx, TB_AUDIT, k));
}

/* Edited, and its own hash made right again. */
static void
tamper_rehash(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	a->actor_name = text("bob");
	rehash(tx, k, a);
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

/* The id right behind it: 0xff carries. */
static struct key
key_behind(const struct key *k)
{
	struct key to = *k;
	size_t i = to.n;

	while (i > 0 && ++to.b[--i] == 0)
		;
	return to;
}

/* A new one right behind it, with a hash that is right and following it. */
static void
tamper_insert(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	struct Rec__AuditEntry e = *a;
	struct key to = key_behind(k);

	e.previous = a->hash;
	e.id = bytes_of(to.b, 16);
	e.action = text("act.never");
	rehash(tx, &to, &e);
}

/* The same, but what it follows is made up. */
static void
tamper_insert_loose(struct store_tx *tx, const struct key *k,
    struct Rec__AuditEntry *a)
{
	struct Rec__AuditEntry e = *a;
	struct key to = key_behind(k);

	e.previous = bytes_of(secret, sizeof(secret));
	e.id = bytes_of(to.b, 16);
	rehash(tx, &to, &e);
}

struct tamper {
	tamper_fn *fn;
	enum audit_fault fault;
	unsigned
	    behind; /* the entry named is this far behind the one changed */
};

/* clang-format off */
static const struct tamper ways[] = {
	{ tamper_action,       AUDIT_EDITED,   0 },
	{ tamper_actor,        AUDIT_EDITED,   0 },
	{ tamper_split,        AUDIT_EDITED,   0 },
	{ tamper_time,         AUDIT_EDITED,   0 },
	{ tamper_hash,         AUDIT_EDITED,   0 },
	{ tamper_garbage,      AUDIT_DAMAGED,  0 },
	{ tamper_delete,       AUDIT_REMOVED,  0 },
	{ tamper_rehash,       AUDIT_REMOVED,  1 },
	{ tamper_move,         AUDIT_MOVED,    0 },
	{ tamper_insert,       AUDIT_INSERTED, 1 },
	{ tamper_insert_loose, AUDIT_INSERTED, 1 },
};
/* clang-format on */

static void
check_tamper(struct fixture *f, const struct tamper *way, unsigned at)
{
	static const size_t slices[] = { 1, 7, SIZE_MAX };
	struct list l = { .n = 0 };
	struct Rec__AuditEntry *a;
	struct key k = { .n = 0 };
	struct store_tx *tx = fixture_write(f);
	struct audit_check c;
	size_t i;

	audit_store_latest(tx, NULL, ENTRIES, test_on_entry, &l);
	key_ulid(&k, &l.ids[ENTRIES - 1 - at]);
	a = table_get(tx, TB_AUDIT, &k, &rec__audit_entry__descriptor, "entry");
	assert_non_null(a);
	way->fn(tx, &k, a);
	for (i = 0; i < ARRAY_LEN(slices); i++) {
		c = check(tx, slices[i]);
		assert_string_equal(audit_fault_name(c.fault),
		    audit_fault_name(way->fault));
		assert_int_equal(c.row, at + way->behind + 1);
		assert_false(ulid_is_zero(&c.bad));
		assert_int_equal(c.bad_at_ms != 0, c.fault != AUDIT_DAMAGED);
	}
	store_abort(tx);
}

/* W-02 */
static void
a_change_to_any_entry_is_found_and_named(void **state)
{
	static const unsigned places[] = { 0, 1, ENTRIES / 2, ENTRIES - 2 };
	struct fixture *f = *state;
	size_t i, p;

	audit_store_key(f->state, secret);
	fill(f);
	for (i = 0; i < ARRAY_LEN(ways); i++)
		for (p = 0; p < ARRAY_LEN(places); p++)
			check_tamper(f, &ways[i], places[p]);
}

static void
remove_newest(struct store_tx *tx, unsigned n)
{
	struct list l = { .n = 0 };
	struct key k;
	unsigned i;

	audit_store_latest(tx, NULL, ENTRIES, test_on_entry, &l);
	for (i = 0; i < n; i++) {
		k = (struct key){ 0 };
		key_ulid(&k, &l.ids[i]);
		assert_true(table_del(tx, TB_AUDIT, &k));
	}
}

/* W-02: what the chain alone cannot show. */
static void
the_newest_entries_cannot_be_taken_away(void **state)
{
	static const unsigned numbers[] = { 1, 2, ENTRIES - 1, ENTRIES };
	struct fixture *f = *state;
	struct audit_check c;
	struct store_tx *tx;
	size_t i;

	audit_store_key(f->state, secret);
	fill(f);
	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		tx = fixture_write(f);
		remove_newest(tx, numbers[i]);
		c = check(tx, 4);
		assert_int_equal(c.fault, AUDIT_CUT);
		assert_int_equal(c.row, ENTRIES - numbers[i]);
		assert_int_equal(c.sealed, ENTRIES);
		/* And what is written afterwards does not hide it. */
		add(tx, "later");
		assert_int_not_equal(check(tx, 4).fault, AUDIT_FITS);
		store_abort(tx);
	}
}

static void
tamper_seal(struct store_tx *tx, bool remove)
{
	struct Rec__AuditHead *h;
	struct key k = { .n = 0 };

	key_bytes(&k, "head", 4);
	h = table_get(tx, TB_AUDIT_HEAD, &k, &rec__audit_head__descriptor,
	    "seal");
	assert_non_null(h);
	h->count--;
	if (remove)
		assert_true(table_del(tx, TB_AUDIT_HEAD, &k));
	else
		table_put_record(tx, TB_AUDIT_HEAD, &k, &h->base);
}

/* Every entry from `at` on, following the one before. */
static void
write_anew(struct store_tx *tx, unsigned at)
{
	struct list l = { .n = 0 };
	struct Rec__AuditEntry *a;
	ProtobufCBinaryData previous = { 0, NULL };
	struct key k;
	unsigned i;

	audit_store_latest(tx, NULL, ENTRIES, test_on_entry, &l);
	for (i = ENTRIES; i-- > 0;) {
		k = (struct key){ 0 };
		key_ulid(&k, &l.ids[i]);
		a = table_get(tx, TB_AUDIT, &k, &rec__audit_entry__descriptor,
		    "entry");
		assert_non_null(a);
		if (ENTRIES - 1 - i >= at) {
			a->actor_name = text("nobody");
			a->previous = previous;
			rehash(tx, &k, a);
			a = table_get(tx, TB_AUDIT, &k,
			    &rec__audit_entry__descriptor, "entry");
		}
		previous = a->hash;
	}
}

/* W-02: who has the database has not the key. */
static void
the_seal_shows_what_the_chain_cannot(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx;

	audit_store_key(f->state, secret);
	fill(f);
	tx = fixture_write(f);
	write_anew(tx, 3);
	assert_int_equal(check(tx, 4).fault, AUDIT_REPLACED);
	add(tx, "later");
	assert_int_equal(check(tx, 4).fault, AUDIT_REPLACED);
	store_abort(tx);
	tx = fixture_write(f);
	tamper_seal(tx, false);
	assert_int_equal(check(tx, 4).fault, AUDIT_BROKEN);
	store_abort(tx);
	tx = fixture_write(f);
	tamper_seal(tx, true);
	assert_int_equal(check(tx, 4).fault, AUDIT_UNSEALED);
	store_abort(tx);
	f->state->audit_key[0] ^= 1;
	tx = fixture_write(f);
	assert_int_equal(check(tx, 4).fault, AUDIT_BROKEN);
	store_abort(tx);
}

/* An entry that fits, by somebody who cannot move the seal on. */
static void
an_entry_behind_the_seal_is_named(void **state)
{
	struct fixture *f = *state;
	struct audit_check c;
	struct store_tx *tx;

	audit_store_key(f->state, secret);
	fill(f);
	tx = fixture_write(f);
	f->state->audit_keyed = false;
	add(tx, "act.forged");
	add(tx, "act.forged");
	f->state->audit_keyed = true;
	c = check(tx, 4);
	assert_int_equal(c.fault, AUDIT_ADDED);
	assert_int_equal(c.row, ENTRIES + 1);
	assert_false(ulid_is_zero(&c.bad));
	store_abort(tx);
}

static void
a_log_of_an_older_version_gets_its_seal(void **state)
{
	struct fixture *f = *state;
	struct audit_head h;
	struct audit_check c;
	struct store_tx *tx;
	struct buf b;

	fill(f);
	audit_store_key(f->state, secret);
	tx = fixture_write(f);
	audit_store_head(tx, &h);
	assert_int_equal(h.seal, AUDIT_SEAL_MISSING);
	assert_int_equal(h.count, ENTRIES);
	add(tx, "unsealed"); /* does not seal by itself */
	assert_int_equal(check(tx, 4).fault, AUDIT_UNSEALED);
	audit_store_seal(tx);
	add(tx, "sealed");
	c = check(tx, 4);
	assert_int_equal(c.fault, AUDIT_FITS);
	assert_int_equal(c.before, ENTRIES + 1);
	assert_int_equal(c.sealed, ENTRIES + 2);
	buf_init(&b, KIB(1));
	audit_check_text(&c, &b);
	assert_string_equal(buf_text(&b),
	    "22 entries, every one fits, and so does the seal; the first 21 "
	    "entries are older than the seal");
	buf_fini(&b);
	store_abort(tx);
}

/* A hash that was noted elsewhere is looked for on the way. */
static void
an_expected_hash_is_found(void **state)
{
	struct fixture *f = *state;
	uint8_t none[32] = { 9 };
	struct audit_head h;
	struct audit_check c;
	struct store_tx *tx;

	audit_store_key(f->state, secret);
	fill(f);
	tx = fixture_write(f);
	audit_store_head(tx, &h);
	add(tx, "later");
	audit_check_init(&c, h.hash);
	while (audit_check_step(&c, tx, 3))
		continue;
	assert_int_equal(c.expected_row, ENTRIES);
	audit_check_init(&c, none);
	while (audit_check_step(&c, tx, 3))
		continue;
	assert_int_equal(c.fault, AUDIT_FITS);
	assert_int_equal(c.expected_row, 0);
	store_abort(tx);
}

/* The log goes on while it is walked. */
static void
entries_may_be_added_between_two_steps(void **state)
{
	struct fixture *f = *state;
	struct audit_check c;
	struct store_tx *tx;
	unsigned steps = 0;
	bool more = true;

	audit_store_key(f->state, secret);
	fill(f);
	audit_check_init(&c, NULL);
	while (more) {
		tx = fixture_read(f);
		more = audit_check_step(&c, tx, 5);
		fixture_end(tx);
		if (++steps < 4) {
			tx = fixture_write(f);
			add(tx, "meanwhile");
			fixture_commit(tx);
		}
	}
	assert_int_equal(c.fault, AUDIT_FITS);
	assert_int_equal(c.count, ENTRIES + 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(the_latest_come_first),
		store_test(an_untouched_chain_fits),
		store_test(the_chain_goes_on_when_the_clock_is_set_back),
		store_test(a_change_to_any_entry_is_found_and_named),
		store_test(the_newest_entries_cannot_be_taken_away),
		store_test(the_seal_shows_what_the_chain_cannot),
		store_test(an_entry_behind_the_seal_is_named),
		store_test(a_log_of_an_older_version_gets_its_seal),
		store_test(an_expected_hash_is_found),
		store_test(entries_may_be_added_between_two_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
