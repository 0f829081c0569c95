/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/read_file.h"

#include "controller/auth.h"
#include "controller/req.h"
#include "controller/route.h"
#include "lib/base/buf.h"

#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

static enum route_role
role_of(struct str name)
{
	if (str_eqz(name, "public"))
		return ROUTE_PUBLIC;
	if (str_eqz(name, "viewer"))
		return ROUTE_VIEWER;
	if (str_eqz(name, "operator"))
		return ROUTE_OPERATOR;
	if (str_eqz(name, "admin"))
		return ROUTE_ADMIN;
	fail_msg("tests/data/roles: no role is %.*s", STR_ARG(name));
	return ROUTE_UNSET;
}

/* The next word of a line, blanks around it gone. */
static struct str
word(struct str *line)
{
	struct str first;

	*line = str_trim(*line);
	str_cut(*line, ' ', &first, line);
	return first;
}

/* tests/data/roles says who may ask for what; the number of its rows. */
static size_t
read_matrix(struct buf *text)
{
	struct str rest, line;
	size_t rows = 0;

	read_file("tests/data/roles", text);
	rest = buf_str(text);
	while (str_next(&rest, '\n', &line))
		rows += line.n > 0 && line.p[0] != '#';
	return rows;
}

static enum route_role
expected_role(const struct buf *matrix, const struct route *r)
{
	struct str rest = buf_str(matrix), line;

	while (str_next(&rest, '\n', &line)) {
		if (str_eqz(word(&line), r->method) &&
		    str_eqz(word(&line), r->pattern))
			return role_of(word(&line));
	}
	fail_msg("%s %s is not in tests/data/roles", r->method, r->pattern);
	return ROUTE_UNSET;
}

/* M-402, M-403, M-460: what each role may open; nobody without one. */
static void
every_row_has_the_role_of_the_matrix(void **state)
{
	const struct route *rows;
	struct buf matrix;
	size_t i, n;

	(void)state;
	rows = route_table(&n);
	assert_int_equal(read_matrix(&matrix), n);
	for (i = 0; i < n; i++)
		assert_int_equal(rows[i].role,
		    expected_role(&matrix, &rows[i]));
	buf_fini(&matrix);
}

static void
rows_are_well_formed(void **state)
{
	const struct route *rows;
	size_t i, n;

	(void)state;
	rows = route_table(&n);
	for (i = 0; i < n; i++) {
		const struct route *r = &rows[i];
		bool get = strcmp(r->method, "GET") == 0;

		assert_int_equal(r->pattern[0], '/');
		assert_non_null(r->run);
		assert_int_equal(r->body == ROUTE_NO_BODY, get);
		assert_int_equal(r->max_body == 0, get);
		assert_true(r->max_body <= KIB(256));
		if (r->json != NULL)
			assert_true(r->body == ROUTE_JSON ||
			            r->body == ROUTE_JSON_OR_FORM);
		/* What browsers only reach by a form is no API, and the other
		 * way round. */
		if (strncmp(r->pattern, "/api/", 5) == 0)
			assert_true(r->body != ROUTE_FORM);
	}
}

/* Writes the pattern with an id for each variable. */
static void
example(const char *pattern, char *dst, size_t cap)
{
	struct str rest = str_of(pattern + 1), segment;
	size_t n = 0;

	while (str_next(&rest, '/', &segment)) {
		if (segment.n > 0 && segment.p[0] == '{')
			segment = STR(ID);
		assert_true(n + segment.n + 2 < cap);
		dst[n++] = '/';
		memcpy(dst + n, segment.p, segment.n);
		n += segment.n;
	}
	dst[n] = '\0';
}

static enum rc
find(const char *method, const char *path, const struct route **out,
    struct str *vars, char *allow)
{
	return route_find(str_of(method), str_of(path), out, vars, allow, 64);
}

static void
every_row_is_found_by_its_pattern(void **state)
{
	struct str vars[REQ_VARS_MAX];
	const struct route *rows, *found;
	char path[256], allow[64];
	size_t i, n;

	(void)state;
	rows = route_table(&n);
	for (i = 0; i < n; i++) {
		example(rows[i].pattern, path, sizeof(path));
		assert_rc(find(rows[i].method, path, &found, vars, allow),
		    RC_OK);
		assert_ptr_equal(found, &rows[i]);
		if (strchr(rows[i].pattern, '{') != NULL)
			assert_str(vars[0], ID);
		else
			assert_null(vars[0].p);
	}
}

static void
variables_are_slices_of_the_path(void **state)
{
	struct str vars[REQ_VARS_MAX];
	const struct route *r;
	char allow[64];

	(void)state;
	assert_rc(find("GET", "/static/fonts/inter.woff2", &r, vars, allow),
	    RC_OK);
	assert_str(vars[0], "fonts/inter.woff2");
	assert_rc(find("GET", "/hosts/a%2Fb", &r, vars, allow), RC_OK);
	assert_str(vars[0], "a%2Fb");
}

static void
other_paths_are_not_found(void **state)
{
	static const char *const paths[] = { "", "x", "*", "//", "/hosts",
		"/hosts/", "/hosts//jobs", "/hosts/a/", "/hosts/a/jobs/",
		"/hosts/a/jobs/b", "/static", "/static/", "/Healthz",
		"/healthz/", "//healthz", "/api", "/api/hosts/a/b",
		"http://x/healthz", "/hosts/a/../../healthz" };
	struct str vars[REQ_VARS_MAX];
	const struct route *r;
	char allow[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_rc(find("GET", paths[i], &r, vars, allow), RC_NOTFOUND);
}

static void
other_methods_are_told_what_is_allowed(void **state)
{
	struct str vars[REQ_VARS_MAX];
	const struct route *r;
	char allow[64];

	(void)state;
	assert_rc(find("PUT", "/login", &r, vars, allow), RC_INVALID);
	assert_string_equal(allow, "GET, POST");
	assert_rc(find("get", "/", &r, vars, allow), RC_INVALID);
	assert_string_equal(allow, "GET");
	assert_rc(find("GET", "/api/auth/login", &r, vars, allow), RC_INVALID);
	assert_string_equal(allow, "POST");
	assert_rc(find("HEAD", "/", &r, vars, allow), RC_OK);
	assert_string_equal(r->method, "GET");
	assert_rc(find("HEAD", "/logout", &r, vars, allow), RC_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_the_role_of_the_matrix),
		cmocka_unit_test(rows_are_well_formed),
		cmocka_unit_test(every_row_is_found_by_its_pattern),
		cmocka_unit_test(variables_are_slices_of_the_path),
		cmocka_unit_test(other_paths_are_not_found),
		cmocka_unit_test(other_methods_are_told_what_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
