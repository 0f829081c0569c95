/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The printing half of conf.h. */
#include <inttypes.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/base/str.h"

/* Value of a well-formed UTF-8 character of n bytes. */
static uint32_t
code_point(const char *p, size_t n)
{
	static const unsigned char first_bits[5] = { 0, 0x7f, 0x1f, 0x0f,
		0x07 };
	uint32_t cp = (unsigned char)p[0] & first_bits[n];
	size_t i;

	for (i = 1; i < n; i++)
		cp = (cp << 6) | ((unsigned char)p[i] & 0x3f);
	return cp;
}

/* What may stand in a double-quoted YAML text as it is. */
static bool
yaml_plain(uint32_t cp)
{
	if (cp < 0x20 || cp == '"' || cp == '\\')
		return false;
	if (cp >= 0x7f && cp < 0xa0)
		return false;
	/* Line and paragraph separator would be folded. */
	return cp != 0x2028 && cp != 0x2029 && cp != 0xfeff && cp != 0xfffe &&
	       cp != 0xffff;
}

static void
put_quoted(struct buf *b, struct str s)
{
	uint32_t cp;
	size_t n;

	buf_putc(b, '"');
	while (s.n > 0) {
		n = str_utf8_len(s);
		cp = n > 0 ? code_point(s.p, n) : 0xfffd;
		if (n == 0)
			n = 1;
		if (yaml_plain(cp) && cp != 0xfffd)
			buf_put(b, s.p, n);
		else if (cp == '"' || cp == '\\')
			buf_printf(b, "\\%c", (int)cp);
		else
			buf_printf(b, "\\u%04" PRIx32, cp);
		s = str_sub(s, n, s.n - n);
	}
	buf_putc(b, '"');
}

static void
put_list(struct buf *b, const struct conf_strs *l)
{
	size_t i;

	buf_putc(b, '[');
	for (i = 0; i < l->n; i++) {
		buf_puts(b, i > 0 ? ", " : "");
		put_quoted(b, str_of(l->v[i]));
	}
	buf_putc(b, ']');
}

/* The text form of a default, as it would stand in the file. */
static void
put_default(struct buf *b, const struct conf_key *k)
{
	struct str word, rest = str_of(k->dflt);
	const char *sep = "";

	switch (k->type) {
	case CONF_INT:
	case CONF_SIZE:
	case CONF_BOOL:
		buf_put_str(b, rest);
		return;
	case CONF_STR:
		put_quoted(b, rest);
		return;
	case CONF_STRS:
		buf_putc(b, '[');
		while (rest.n > 0 && str_next(&rest, ',', &word)) {
			buf_puts(b, sep);
			put_quoted(b, str_trim(word));
			sep = ", ";
		}
		buf_putc(b, ']');
		return;
	}
}

void
conf_sample(const struct conf_key *keys, size_t n, struct buf *out)
{
	const struct conf_key *k;
	size_t i;

	for (i = 0; i < n; i++) {
		k = &keys[i];
		buf_printf(out, "%s# %s\n", i > 0 ? "\n" : "", k->help);
		if (k->name == NULL) {
			buf_printf(out, "# Only in the environment: %s\n",
			    k->env);
			continue;
		}
		if (k->env != NULL)
			buf_printf(out, "# In the environment: %s\n", k->env);
		buf_printf(out, "#%s:", k->name);
		if (k->dflt != NULL) {
			buf_putc(out, ' ');
			put_default(out, k);
		}
		buf_putc(out, '\n');
	}
}

static void
dump_key(const struct conf_key *k, const void *field, struct buf *out)
{
	const char *z;

	switch (k->type) {
	case CONF_STR:
		z = *(const char *const *)field;
		if (z == NULL)
			return;
		buf_printf(out, "%s: ", k->name);
		put_quoted(out, str_of(z));
		break;
	case CONF_STRS:
		buf_printf(out, "%s: ", k->name);
		put_list(out, field);
		break;
	case CONF_INT:
	case CONF_SIZE:
		buf_printf(out, "%s: %" PRId64, k->name,
		    *(const int64_t *)field);
		break;
	case CONF_BOOL:
		buf_printf(out, "%s: %s", k->name,
		    *(const bool *)field ? "true" : "false");
		break;
	}
	buf_putc(out, '\n');
}

void
conf_dump(const struct conf_key *keys, size_t n, const void *in,
    struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (keys[i].name != NULL)
			dump_key(&keys[i], (const char *)in + keys[i].offset,
			    out);
	}
}
