/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trend chart, member by member, against tests/data/trend/<case>.txt.
 * RM_GOLDEN=write in the environment writes these files instead: read what
 * changed before it is committed.
 */
#include "tests/unit/read_file.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/trend.h"
#include "render/value.h"

#define ONE_GIB (UINT64_C(1) << 30)

enum {
	TODAY = 20776, /* 19 Nov 2026 */
	DAYS = 400,
	TEXT_MAX = 1 << 20
};

struct made {
	struct trend_day days[DAYS];
	size_t n;
};

static void
add(struct made *m, int64_t day, uint64_t size, uint64_t count)
{
	m->days[m->n++] = (struct trend_day){ .day = day,
		.has_size = true,
		.has_count = true,
		.size = size,
		.count = count };
}

/* Grows by a GiB a day, pruned each 30 days. */
static void
fill(struct made *m, int64_t from, int64_t to)
{
	int64_t day;

	for (day = from; day <= to; day++) {
		uint64_t age = (uint64_t)(day - from);

		add(m, day,
		    900 * ONE_GIB + age * ONE_GIB - age / 30 * 20 * ONE_GIB,
		    100 + age - age / 30 * 10);
		m->days[m->n - 1].pruned = age > 0 && age % 30 == 0;
	}
}

static void
dump(struct buf *out, const struct value *v, int depth)
{
	const struct value *c;

	for (c = v->first; c != NULL; c = c->next) {
		buf_printf(out, "%*s%.*s", depth * 2, "", STR_ARG(c->key));
		if (c->kind == VALUE_TEXT)
			buf_printf(out, "%s%.*s", c->key.n > 0 ? ": " : "",
			    STR_ARG(c->text));
		if (c->kind == VALUE_BOOL)
			buf_puts(out, c->truth ? ": yes" : ": no");
		buf_putc(out, '\n');
		dump(out, c, depth + 1);
	}
}

static void
write_all(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

static void
check(const char *name, const struct trend *t)
{
	struct buf have, want;
	struct value *root;
	struct arena a;
	char path[100];

	assert_true(
	    str_fmt(path, sizeof(path), "tests/data/trend/%s.txt", name));
	arena_init(&a, MIB(4));
	buf_init(&have, TEXT_MAX);
	root = value_root(&a);
	trend_put(root, t);
	assert_int_equal(arena_rc(&a), RC_OK);
	dump(&have, root, 0);
	assert_int_equal(buf_rc(&have), RC_OK);
	if (getenv("RM_GOLDEN") != NULL)
		write_all(path, &have);
	read_file(path, &want);
	assert_string_equal(buf_text(&have), buf_text(&want));
	buf_fini(&want);
	buf_fini(&have);
	arena_fini(&a);
}

static void
check_days(const char *name, const struct made *m, int64_t days)
{
	const struct trend t = { TODAY - days + 1, TODAY, m->days, m->n };

	check(name, &t);
}

/* M-225, M-226 */
static void
a_quarter_of_a_year(void **state)
{
	static struct made m;

	(void)state;
	fill(&m, TODAY - 89, TODAY);
	check_days("quarter", &m, 90);
}

/* Each fourth day tells its figures, all of them are on the line. */
static void
a_year(void **state)
{
	static struct made m;

	(void)state;
	fill(&m, TODAY - 364, TODAY);
	check_days("year", &m, 365);
}

static void
fewer_days_than_points(void **state)
{
	static struct made m;

	(void)state;
	fill(&m, TODAY - 89, TODAY);
	check_days("fewer-days", &m, 5);
}

static void
a_lone_day_is_a_dot_in_the_middle(void **state)
{
	static struct made m;

	(void)state;
	add(&m, TODAY, 3 * ONE_GIB, 1);
	check_days("lone", &m, 1);
}

static void
two_days_have_two_dates(void **state)
{
	static struct made m;

	(void)state;
	add(&m, TODAY - 1, 300, 0);
	add(&m, TODAY, 0, 7);
	check_days("two", &m, 2);
}

static void
days_without_figures_are_bridged(void **state)
{
	static struct made m;

	(void)state;
	add(&m, TODAY - 20, 5 * ONE_GIB, 10);
	add(&m, TODAY - 10, 0, 20);
	m.days[1].has_size = false;
	m.days[2] = (struct trend_day){ .day = TODAY - 5, .pruned = true };
	m.n = 3;
	add(&m, TODAY - 1, 2 * ONE_GIB, 0);
	m.days[3].has_count = false;
	check_days("gaps", &m, 30);
}

/* No snapshots are told: no axis for them. */
static void
sizes_alone(void **state)
{
	static struct made m;

	(void)state;
	add(&m, TODAY - 1, 5 * ONE_GIB, 0);
	add(&m, TODAY, 6 * ONE_GIB, 0);
	m.days[0].has_count = m.days[1].has_count = false;
	check_days("sizes", &m, 2);
}

static void
nothing_is_known(void **state)
{
	static const struct made m;

	(void)state;
	check_days("empty", &m, 30);
}

/* No figure is too large for the axes. */
static void
the_largest_repository(void **state)
{
	static struct made m;

	(void)state;
	add(&m, TODAY - 1, 1, 1);
	add(&m, TODAY, UINT64_MAX, UINT64_MAX);
	check_days("largest", &m, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarter_of_a_year),
		cmocka_unit_test(a_year),
		cmocka_unit_test(fewer_days_than_points),
		cmocka_unit_test(a_lone_day_is_a_dot_in_the_middle),
		cmocka_unit_test(two_days_have_two_dates),
		cmocka_unit_test(days_without_figures_are_bridged),
		cmocka_unit_test(sizes_alone),
		cmocka_unit_test(nothing_is_known),
		cmocka_unit_test(the_largest_repository),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
