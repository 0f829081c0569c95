/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/form.h"

#include "controller/req.h"
#include "lib/base/arena.h"

enum rc
form_decode(struct str s, bool plus, struct arena *a, struct str *out)
{
	char *text = arena_alloc(a, s.n + 1);
	size_t i, n = 0;

	if (text == NULL)
		return RC_LIMIT;
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (plus && c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (!str_unhex(str_sub(s, i + 1, 2), &c, 1))
				return RC_PROTO;
			i += 2;
		}
		text[n++] = c;
	}
	if (!str_utf8_ok(str_from(text, n)))
		return RC_PROTO;
	*out = str_from(text, n);
	return RC_OK;
}

static size_t
count_pairs(struct str s)
{
	struct str pair;
	size_t n = 0;

	while (str_next(&s, '&', &pair))
		n += pair.n > 0;
	return n;
}

enum rc
form_parse(struct str s, struct arena *a, struct req_form **out,
    size_t *out_count)
{
	size_t n = count_pairs(s), i = 0;
	struct req_form *form;
	struct str pair, name, value;
	enum rc rc;

	if (n > REQ_FORM_MAX)
		return RC_LIMIT;
	form = arena_array(a, n + 1, sizeof(*form));
	if (form == NULL)
		return RC_LIMIT;
	while (str_next(&s, '&', &pair)) {
		if (pair.n == 0)
			continue;
		str_cut(pair, '=', &name, &value);
		rc = form_decode(name, true, a, &form[i].name);
		if (rc == RC_OK)
			rc = form_decode(value, true, a, &form[i].value);
		if (rc != RC_OK)
			return rc;
		i++;
	}
	*out = form;
	*out_count = n;
	return RC_OK;
}
