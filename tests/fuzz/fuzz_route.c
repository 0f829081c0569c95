/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client writes into a request line and a form: paths against the
 * table, percent-escapes, queries.  First byte: which of them. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/form.h"
#include "controller/req.h"
#include "controller/route.h"
#include "lib/base/arena.h"

static bool
inside(struct str part, struct str whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* What a path finds is one of the rows, and its variables lie in it. */
static void
check_path(struct str method, struct str path)
{
	struct str vars[REQ_VARS_MAX];
	const struct route *r = NULL, *rows;
	char allow[64];
	size_t i, n;
	enum rc rc;

	rc = route_find(method, path, &r, vars, allow, sizeof(allow));
	ASSERT(rc == RC_OK || rc == RC_NOTFOUND || rc == RC_INVALID);
	ASSERT((rc == RC_INVALID) == (rc != RC_OK && allow[0] != '\0'));
	if (rc != RC_OK)
		return;
	rows = route_table(&n);
	ASSERT(r >= rows && r < rows + n);
	for (i = 0; i < REQ_VARS_MAX; i++) {
		if (vars[i].p != NULL)
			ASSERT(vars[i].n > 0 && inside(vars[i], path));
	}
	if (strchr(r->pattern, '{') == NULL)
		ASSERT(str_eqz(path, r->pattern));
}

/* What was decoded is text, and not longer than what came. */
static void
check_decode(struct str s, bool plus)
{
	struct arena a;
	struct str out;

	arena_init(&a, KIB(512));
	if (form_decode(s, plus, &a, &out) == RC_OK) {
		ASSERT(out.n <= s.n);
		ASSERT(str_utf8_ok(out));
		ASSERT(memchr(out.p, '\0', out.n) == NULL);
	}
	arena_fini(&a);
}

static void
check_form(struct str s)
{
	struct req_form *form;
	struct arena a;
	size_t i, n;

	arena_init(&a, KIB(512));
	if (form_parse(s, &a, &form, &n) == RC_OK) {
		ASSERT(n <= REQ_FORM_MAX);
		for (i = 0; i < n; i++) {
			ASSERT(str_utf8_ok(form[i].name));
			ASSERT(str_utf8_ok(form[i].value));
		}
	}
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct str methods[] = { { "GET", 3 }, { "POST", 4 },
		{ "HEAD", 4 }, { "", 0 } };
	struct str s;

	if (n == 0)
		return 0;
	s = str_from(data + 1, n - 1);
	if (data[0] % 8 < ARRAY_LEN(methods))
		check_path(methods[data[0] % 8], s);
	else if (data[0] % 8 < 6)
		check_decode(s, data[0] % 8 == 5);
	else
		check_form(s);
	return 0;
}
