/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/head.h"

#include "lib/base/mem.h"

enum {
	FIRST_FIELDS = 12,
	FIELD_COST =
	    32 /* RFC 9113 6.5.2: what an entry counts beside its text */
};

/* Offsets, because the text moves while it grows. */
struct head_span {
	uint32_t name, name_n;
	uint32_t value, value_n;
};

void
head_init(struct head *h, size_t max_bytes, unsigned max_fields)
{
	*h = (struct head){ .max_fields = max_fields };
	buf_init(&h->text, max_bytes);
}

void
head_fini(struct head *h)
{
	buf_fini(&h->text);
	mem_free(h->spans);
	h->spans = NULL;
	h->count = h->cap = h->pseudo = 0;
}

static void
put_lower(struct buf *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		buf_putc(b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32)
		                                           : s.p[i]);
}

void
head_add(struct head *h, struct str name, struct str value)
{
	struct head_span *sp;

	if (h->rc != RC_OK)
		return;
	if (h->count == h->max_fields ||
	    h->text.len + name.n + value.n +
	            (h->count + 1) * (size_t)FIELD_COST >
	        h->text.max) {
		h->rc = RC_LIMIT;
		return;
	}
	if (h->count == h->cap) {
		h->cap = h->cap == 0 ? FIRST_FIELDS : h->cap * 2;
		h->spans = mem_realloc(h->spans, h->cap * sizeof(*h->spans));
	}
	sp = &h->spans[h->count++];
	sp->name = (uint32_t)h->text.len;
	sp->name_n = (uint32_t)name.n;
	put_lower(&h->text, name);
	sp->value = (uint32_t)h->text.len;
	sp->value_n = (uint32_t)value.n;
	buf_put_str(&h->text, value);
	if (name.n != 0 && name.p[0] == ':')
		h->pseudo++;
}

enum rc
head_rc(const struct head *h)
{
	return h->rc;
}

void
head_at(const struct head *h, unsigned i, struct str *name, struct str *value)
{
	const struct head_span *sp = &h->spans[i];

	ASSERT(i < h->count);
	*name = str_from(h->text.data + sp->name, sp->name_n);
	*value = str_from(h->text.data + sp->value, sp->value_n);
}

struct str
head_get(const struct head *h, const char *name)
{
	struct str wanted = str_of(name), found, value;
	unsigned i;

	for (i = 0; i < h->count; i++) {
		head_at(h, i, &found, &value);
		if (str_eq(found, wanted))
			return value;
	}
	return (struct str){ NULL, 0 };
}

unsigned
head_times(const struct head *h, const char *name)
{
	struct str wanted = str_of(name), found, value;
	unsigned i, times = 0;

	for (i = 0; i < h->count; i++) {
		head_at(h, i, &found, &value);
		times += str_eq(found, wanted);
	}
	return times;
}
