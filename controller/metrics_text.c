/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text format of Prometheus, version 0.0.4. */
#include <inttypes.h>
#include <math.h>

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
	for (; *z != '\0'; z++) {
		if (*z == '\\' || *z == '"')
			buf_putc(b, '\\');
		if (*z == '\n')
			buf_puts(b, "\\n");
		else
			buf_putc(b, *z);
	}
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
		buf_printf(b, "%s%s=\"", before, l->v[i].name);
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

/* Whole numbers in full: Prometheus reads both forms, people rather one. */
static void
put_value(struct buf *b, double v)
{
	static const double exact = 9007199254740992.0; /* 2^53 */

	if (v == floor(v) && fabs(v) < exact)
		buf_printf(b, " %.0f\n", v);
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
	buf_printf(b, "%s_bucket", metric_info(m)->name);
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
		buf_printf(b, " %" PRIu64 "\n", sum);
	}
	sum += h->bucket[h->bounds];
	put_bucket(b, m, l, "+Inf");
	buf_printf(b, " %" PRIu64 "\n", sum);
	buf_printf(b, "%s_sum", name);
	put_labels(b, l, NULL);
	put_value(b, h->sum_s);
	buf_printf(b, "%s_count", name);
	put_labels(b, l, NULL);
	buf_printf(b, " %" PRIu64 "\n", sum);
}
