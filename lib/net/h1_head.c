/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/h1_head.h"

#include <string.h>

size_t
h1_head_end(struct str s, size_t from)
{
	const char *p;

	/* The end may have begun in what was looked at before. */
	from = from < 3 ? 0 : from - 3;
	if (s.n <= from)
		return 0;
	p = memmem(s.p + from, s.n - from, "\r\n\r\n", 4);
	return p == NULL ? 0 : (size_t)(p - s.p) + 4;
}

static bool
field_ok(struct str line)
{
	struct str name, value;
	size_t i;

	if (!str_cut(line, ':', &name, &value) || name.n == 0)
		return false;
	for (i = 0; i < name.n; i++)
		if (name.p[i] == ' ' || name.p[i] == '\t')
			return false;
	return true;
}

/* Method, target and version with one space between: whoever takes more, or
 * another blank, sees another target than somebody before us. */
static bool
request_line_ok(struct str line)
{
	struct str method, target, version;

	return memchr(line.p, '\t', line.n) == NULL &&
	       str_cut(line, ' ', &method, &line) &&
	       str_cut(line, ' ', &target, &version) && method.n != 0 &&
	       target.n != 0 && version.n != 0 &&
	       memchr(version.p, ' ', version.n) == NULL;
}

bool
h1_head_ok(struct str section)
{
	struct str rest = section, line;
	bool first = true;

	while (str_cut(rest, '\n', &line, &rest)) {
		if (line.n == 0 || line.p[line.n - 1] != '\r')
			return false;
		line.n--;
		if (memchr(line.p, '\r', line.n) != NULL ||
		    memchr(line.p, '\0', line.n) != NULL)
			return false;
		if (first ? !request_line_ok(line)
		          : line.n != 0 && !field_ok(line))
			return false;
		first = false;
	}
	return rest.n == 0;
}

struct str
h1_target_path(struct str target, struct str *host)
{
	struct str rest;
	const char *slash;

	*host = (struct str){ NULL, 0 };
	if (str_starts(target, STR("http://")))
		rest = str_sub(target, 7, target.n);
	else if (str_starts(target, STR("https://")))
		rest = str_sub(target, 8, target.n);
	else
		return target;
	slash = memchr(rest.p, '/', rest.n);
	*host =
	    slash == NULL ? rest : str_from(rest.p, (size_t)(slash - rest.p));
	return slash == NULL ? STR("/") : str_sub(rest, host->n, rest.n);
}
