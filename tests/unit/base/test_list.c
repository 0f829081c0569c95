/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/list.h"

struct item {
	int n;
	struct list link;
};

static int
digits(const struct list *head)
{
	struct list *it, *tmp;
	int v = 0;

	LIST_FOREACH(it, tmp, head)
	v = v * 10 + LIST_ENTRY(it, struct item, link)->n;
	return v;
}

static void
order_is_kept_at_both_ends(void **state)
{
	struct item a = { .n = 1 }, b = { .n = 2 }, c = { .n = 3 };
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_take(&head));
	assert_int_equal(digits(&head), 0);
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_prepend(&head, &a.link);
	assert_int_equal(digits(&head), 123);
	assert_ptr_equal(list_first(&head), &a.link);
	assert_ptr_equal(list_take(&head), &a.link);
	assert_false(list_linked(&a.link));
	assert_int_equal(digits(&head), 23);
	assert_ptr_equal(list_take(&head), &b.link);
	assert_ptr_equal(list_take(&head), &c.link);
	assert_true(list_empty(&head));
}

static void
an_element_knows_whether_it_is_in_a_list(void **state)
{
	struct item a = { .n = 1 };
	struct list head;

	(void)state;
	list_init(&head);
	assert_false(list_linked(&a.link));
	list_del(&a.link);
	list_append(&head, &a.link);
	assert_true(list_linked(&a.link));
	list_del(&a.link);
	list_del(&a.link);
	assert_false(list_linked(&a.link));
	assert_true(list_empty(&head));
	list_append(&head, &a.link);
	assert_int_equal(digits(&head), 1);
}

static void
the_body_of_a_walk_may_delete_the_element(void **state)
{
	struct item items[9] = { 0 };
	struct list head, *it, *tmp;
	int i;

	(void)state;
	list_init(&head);
	for (i = 0; i < 9; i++) {
		items[i].n = i + 1;
		list_append(&head, &items[i].link);
	}
	LIST_FOREACH(it, tmp, &head)
	if (LIST_ENTRY(it, struct item, link)->n % 2 == 0)
		list_del(it);
	assert_int_equal(digits(&head), 13579);
	LIST_FOREACH(it, tmp, &head)
	list_del(it);
	assert_true(list_empty(&head));
}

static void
append_to(void *arg)
{
	struct list *links = arg;

	list_append(&links[0], &links[1]);
}

static void
an_element_cannot_be_in_two_lists(void **state)
{
	struct list links[2] = { 0 };

	(void)state;
	list_init(&links[0]);
	assert_false(unit_aborts(append_to, links));
	append_to(links);
	assert_true(unit_aborts(append_to, links));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_kept_at_both_ends),
		cmocka_unit_test(an_element_knows_whether_it_is_in_a_list),
		cmocka_unit_test(the_body_of_a_walk_may_delete_the_element),
		cmocka_unit_test(an_element_cannot_be_in_two_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
