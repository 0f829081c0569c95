/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/json_doc.h"

static void
it_is_one_object_with_what_was_put_in(void **state)
{
	struct json_doc d;

	(void)state;
	json_doc_init(&d, KIB(1));
	json_put(&d.j, "a", "x\"y");
	json_arr(&d.j, "b");
	json_put_uint(&d.j, NULL, 1);
	json_arr_end(&d.j);
	assert_string_equal(json_doc_end(&d), "{\"a\":\"x\\\"y\",\"b\":[1]}");
	assert_int_equal(buf_rc(&d.b), RC_OK);
	json_doc_fini(&d);
}

static void
nothing_put_in_is_an_empty_object(void **state)
{
	struct json_doc d;

	(void)state;
	json_doc_init(&d, 2);
	assert_string_equal(json_doc_end(&d), "{}");
	json_doc_wipe_fini(&d);
}

static void
past_its_room_the_failure_stays(void **state)
{
	struct json_doc d;

	(void)state;
	json_doc_init(&d, 8);
	json_put(&d.j, "name", "longer than that");
	(void)json_doc_end(&d);
	assert_int_equal(buf_rc(&d.b), RC_LIMIT);
	json_doc_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_one_object_with_what_was_put_in),
		cmocka_unit_test(nothing_put_in_is_an_empty_object),
		cmocka_unit_test(past_its_room_the_failure_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
