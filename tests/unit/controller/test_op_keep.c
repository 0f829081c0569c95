/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an op takes along from the request that made it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/op.h"
#include "lib/base/attr.h"
#include "lib/base/json.h"

struct given {
	int n;
	const char *text;
};

static enum rc
never_run(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	(void)vault;
	(void)op;
	return RC_OK;
}

static void
it_has_its_own_copy_of_what_it_was_given(void **state)
{
	struct given g = { 7, "x" };
	const struct given *in;
	struct op *op;

	(void)state;
	op = op_with(never_run, &g, sizeof(g));
	g.n = 8;
	in = op->in;
	assert_int_equal(in->n, 7);
	assert_ptr_equal(op->run, never_run);
	assert_false(op->vault);
	op_free(op);
}

static void
texts_are_copied_and_none_stays_none(void **state)
{
	char a[] = "one", b[] = "two";
	char *v[] = { a, b, NULL };
	const struct json_strs list = { v, 2 };
	const struct json_strs *kept;
	char *text;
	struct op *op;

	(void)state;
	op = op_with(never_run, &list, sizeof(list));
	text = op_keep(op, a);
	kept = op_keep_strs(op, &list);
	assert_null(op_keep(op, NULL));
	assert_null(op_keep_strs(op, NULL));
	memset(a, '-', 3);
	memset(b, '-', 3);
	assert_string_equal(text, "one");
	assert_int_equal(kept->n, 2);
	assert_string_equal(kept->v[0], "one");
	assert_string_equal(kept->v[1], "two");
	assert_null(kept->v[2]);
	op_free(op);
}

static void
a_secret_leaves_the_request(void **state)
{
	char z[] = "secret";
	static const char gone[sizeof(z)] = "";
	struct op *op;

	(void)state;
	op = op_with(never_run, z, sizeof(z));
	assert_string_equal(op_keep_secret(op, z), "secret");
	assert_memory_equal(z, gone, sizeof(z));
	assert_null(op_keep_secret(op, NULL));
	op_free(op);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_its_own_copy_of_what_it_was_given),
		cmocka_unit_test(texts_are_copied_and_none_stays_none),
		cmocka_unit_test(a_secret_leaves_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
