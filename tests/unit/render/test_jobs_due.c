/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/jobs_due.h"

#include "tests/unit/render/view_help.h"

#include "lib/base/buf.h"
#include "lib/store/upkeep_store.h"
#include "render/value.h"

static const int64_t minute_ms = 60000;

enum {
	MANY = 450,
	EACH = 30, /* of them in a minute */
	SHOWN = 12
};

/* A host with a backup, and with a prune when prune_ms is not 0. */
static void
put(struct store_tx *tx, uint32_t n, const char *cron, int64_t prune_ms)
{
	struct ulid host = id_n(1, n);
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep prune = REC__UPKEEP__INIT;

	put_scheduled(tx, n, cron, true);
	if (prune_ms == 0)
		return;
	m.host_id = id_bytes(&host);
	prune.enabled = true;
	prune.due_ms = prune_ms;
	m.prune = &prune;
	upkeep_store_put(tx, &m);
}

static struct str
member(const struct value *item, const char *name)
{
	const struct value *v = value_get(item, str_of(name));

	assert_non_null(v);
	return v->text;
}

/* A line for each item: "15:00 Backup: host-001, host-002 (2 hosts)". */
static void
expect(struct fixture *f, const char *want)
{
	const struct value *item;
	struct value *root;
	struct look l;
	struct buf got;

	look_begin(&l, f, now_ms);
	buf_init(&got, KIB(4));
	root = value_root(&l.arena);
	jobs_due_put(&l.v, root);
	for (item = value_get(root, STR("due"))->first; item != NULL;
	     item = item->next) {
		buf_put_str(&got, member(item, "time"));
		buf_put_str(&got, STR(" "));
		buf_put_str(&got, member(item, "kind"));
		buf_put_str(&got, STR(": "));
		buf_put_str(&got, member(item, "hosts"));
		if (member(item, "what").n > 0)
			buf_printf(&got, " (%.*s)", (int)member(item, "what").n,
			    member(item, "what").p);
		assert_int_equal(member(item, "link").n > 0,
		    member(item, "what").n == 0);
		buf_put_str(&got, STR("\n"));
	}
	assert_string_equal(got.len > 0 ? got.data : "", want);
	buf_fini(&got);
	look_end(&l);
}

static void
what_begins_is_told_soonest_first(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx;

	expect(f, "");
	tx = fixture_write(f);
	put(tx, 1, "0 18 * * *", now_ms + 60 * minute_ms);
	put(tx, 2, "0 15 * * *", now_ms - minute_ms); /* waits: no beginning */
	put(tx, 3, "0 15 * * *", now_ms + 60 * minute_ms);
	put(tx, 4, "18 15 * * *", 0);
	put(tx, 5, "0 0 1 1 *", now_ms + 2000 * minute_ms); /* not today */
	fixture_commit(tx);
	expect(f, "15:00 Backup: host-002, host-003 (2 hosts)\n"
	          "15:18 Backup: host-004\n"
	          "15:18 Prune: host-001, host-003 (2 hosts)\n"
	          "18:00 Backup: host-001\n");
}

/* However many there are, they are counted. */
static void
hosts_of_one_minute_are_counted_all(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	uint32_t n;

	for (n = 0; n < MANY; n++)
		put(tx, n, "0 15 * * *", now_ms + 60 * minute_ms);
	fixture_commit(tx);
	expect(f, "15:00 Backup: host-000, host-001, host-002 and 447 more "
	          "(450 hosts)\n"
	          "15:18 Prune: host-000, host-001, host-002 and 447 more "
	          "(450 hosts)\n");
}

/* The list ends, but never with a part of what begins together. */
static void
the_list_is_as_long_as_it_says(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct buf want;
	char cron[32];
	uint32_t n;

	for (n = MANY; n-- > 0;) {
		assert_true(str_fmt(cron, sizeof(cron), "%u 15 * * *",
		    (unsigned)(n / EACH)));
		put(tx, n, cron, 0);
	}
	fixture_commit(tx);
	buf_init(&want, KIB(4));
	for (n = 0; n < SHOWN; n++)
		buf_printf(&want,
		    "15:%02u Backup: host-%03u, host-%03u, host-%03u and 27 "
		    "more (30 hosts)\n",
		    n, n * EACH, n * EACH + 1, n * EACH + 2);
	expect(f, want.data);
	buf_fini(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_begins_is_told_soonest_first),
		store_test(hosts_of_one_minute_are_counted_all),
		store_test(the_list_is_as_long_as_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
