/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text format of Prometheus, version 0.0.4. */
#include <math.h>
#include <string.h>

#include "controller/metrics_own.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

static const struct metric_info infos[] = {
#define X(id, name, type, labels, help) { name, type, labels, help },
	METRICS(X)
#undef X
};
_Static_assert(ARRAY_LEN(infos) == METRICS_COUNT, "a row for each metric");

const struct metric_info *
metric_info(enum metric m)
{
	ASSERT((unsigned)m < METRICS_COUNT);
	return &infos[m];
}

void
metric_head(struct buf *b, enum metric m)
{
	const struct metric_info *i = metric_info(m);

	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", i->name, i->help, i->name,
	    i->type);
}

static void
put_escaped(struct buf *b, const char *z)
{
	size_t plain = strcspn(z, "\\\"\n");

	while (z[plain] != '\0') {
		buf_put(b, z, plain);
		buf_putc(b, '\\');
		buf_putc(b, z[plain] == '\n' ? 'n' : z[plain]);
		z += plain + 1;
		plain = strcspn(z, "\\\"\n");
	}
	buf_put(b, z, plain);
}

/* le: one more label, or NULL. */
static void
put_labels(struct buf *b, const struct metric_labels *l, const char *le)
{
	const char *before = "{";
	size_t i;

	for (i = 0; l != NULL && i < METRIC_LABELS_MAX; i++) {
		if (l->v[i].name == NULL)
			break;
		buf_puts(b, before);
		buf_puts(b, l->v[i].name);
		buf_puts(b, "=\"");
		put_escaped(b, l->v[i].value);
		buf_putc(b, '"');
		before = ",";
	}
	if (le != NULL) {
		buf_printf(b, "%sle=\"%s\"", before, le);
		before = ",";
	}
	if (*before == ',')
		buf_putc(b, '}');
}

static void
put_count(struct buf *b, uint64_t n)
{
	buf_putc(b, ' ');
	buf_put_dec(b, n);
	buf_putc(b, '\n');
}

/* Whole numbers in full: Prometheus reads both forms, people rather one. */
static void
put_value(struct buf *b, double v)
{
	static const double exact = 9007199254740992.0; /* 2^53 */

	if (v >= 0 && v == floor(v) && v < exact)
		put_count(b, (uint64_t)v);
	else
		buf_printf(b, " %.15g\n", v);
}

void
metric_put(struct buf *b, enum metric m, const struct metric_labels *l,
    double value)
{
	buf_puts(b, metric_info(m)->name);
	put_labels(b, l, NULL);
	put_value(b, value);
}

static void
put_bucket(struct buf *b, enum metric m, const struct metric_labels *l,
    const char *le)
{
	buf_puts(b, metric_info(m)->name);
	buf_puts(b, "_bucket");
	put_labels(b, l, le);
}

void
metric_put_histogram(struct buf *b, enum metric m,
    const struct metric_labels *l, const struct metric_histogram *h)
{
	const char *name = metric_info(m)->name;
	uint64_t sum = 0;
	char le[32];
	size_t i;

	for (i = 0; i < h->bounds; i++) {
		sum += h->bucket[i];
		if (!str_fmt(le, sizeof(le), "%.10g", h->bounds_s[i]))
			continue;
		put_bucket(b, m, l, le);
		put_count(b, sum);
	}
	sum += h->bucket[h->bounds];
	put_bucket(b, m, l, "+Inf");
	put_count(b, sum);
	buf_puts(b, name);
	buf_puts(b, "_sum");
	put_labels(b, l, NULL);
	put_value(b, h->sum_s);
	buf_puts(b, name);
	buf_puts(b, "_count");
	put_labels(b, l, NULL);
	put_count(b, sum);
}
