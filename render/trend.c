/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/trend.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/chart.h"
#include "render/text.h"
#include "render/value.h"

enum {
	SCALES = 24, /* powers of ten: more than 64 bits count */
	STEPS = 3,   /* between the labels of an axis */
	X_LABELS = 5,
	POINTS_MAX = 92, /* that tell their figures under the pointer */
	PRUNES_TOLD = 4,
	PATH_MAX_BYTES = 16384
};

/* The first and the last day with a figure. */
struct ends {
	const struct trend_day *first, *last;
	uint64_t max;
};

/* A picture in the making. */
struct plot {
	const struct trend *t;
	struct value *map;
	struct ends size, count;
	double top_size, top_count; /* of the axes */
};

static bool
on_axis(const struct trend *t, const struct trend_day *d)
{
	return d->day >= t->first && d->day <= t->last;
}

static bool
figure(const struct trend_day *d, bool of_size, uint64_t *out)
{
	*out = of_size ? d->size : d->count;
	return of_size ? d->has_size : d->has_count;
}

static struct ends
ends_of(const struct trend *t, bool of_size)
{
	struct ends e = { NULL, NULL, 0 };
	uint64_t v;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct trend_day *d = &t->days[i];

		if (!on_axis(t, d) || !figure(d, of_size, &v))
			continue;
		if (e.first == NULL)
			e.first = d;
		e.last = d;
		e.max = v > e.max ? v : e.max;
	}
	return e;
}

/* ------------------------------------------------------------------- axes */

static bool
is_whole(double v)
{
	double past = v - (double)(int64_t)(v + 0.5);

	return past < 1e-9 && past > -1e-9;
}

/* The first of the round numbers at a scale that will do; 0: none. */
static double
step_at(double scale, double max, bool whole)
{
	static const int round[] = { 10, 15, 20, 25, 30, 40, 50, 60, 80 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(round); i++) {
		double step = round[i] * scale;

		if ((!whole || is_whole(step)) &&
		    STEPS * step >= max * (1 - 1e-9))
			return step;
	}
	return 0;
}

/* The least round number that STEPS times reaches max. */
static double
step_of(double max, bool whole)
{
	double scale = whole ? 0.1 : 0.01, step = 0;
	int i;

	for (i = 0; i < SCALES && step <= 0; i++) {
		step = step_at(scale, max, whole);
		scale *= 10;
	}
	return step;
}

static void
put_labels(struct value *list, double step, const char *unit)
{
	bool whole = is_whole(step);
	int i;

	for (i = STEPS; i >= 0; i--)
		value_item_text(list,
		    str_of(arena_printf(list->arena, "%.*f%s%s",
		        whole || i == 0 ? 0 : 1, step * i,
		        i == STEPS && *unit != '\0' ? " " : "",
		        i == STEPS ? unit : "")));
}

static double
size_axis(struct value *list, const struct ends *e)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
		"EiB" };
	double unit = 1024, v;
	size_t u = 0;

	while ((double)e->max / unit >= 1024 && u + 1 < ARRAY_LEN(units)) {
		unit *= 1024;
		u++;
	}
	v = (double)e->max / unit;
	v = step_of(v < 1 ? 1 : v, false);
	if (e->first != NULL)
		put_labels(list, v, units[u]);
	return v * STEPS * unit;
}

/* Without labels when there is nothing to count. */
static double
count_axis(struct value *list, const struct ends *e)
{
	double step = step_of(e->max < 1 ? 1 : (double)e->max, true);

	if (e->first != NULL)
		put_labels(list, step, "");
	return step * STEPS;
}

static void
put_days_axis(struct value *list, const struct trend *t)
{
	int64_t span = t->last - t->first;
	int64_t k = span < X_LABELS - 1 ? span : X_LABELS - 1, i;

	for (i = 0; i <= k; i++)
		value_item_text(list,
		    str_of(text_day_name(list->arena,
		        t->first + (k == 0 ? 0 : (span * i + k / 2) / k))));
}

/* ------------------------------------------------------------------ paths */

/* In tenths of the box.  A lone day stands in the middle. */
static int
x_of(const struct trend *t, int64_t day)
{
	if (t->last == t->first)
		return TREND_WIDTH * 5;
	return (
	    int)((day - t->first) * TREND_WIDTH * 10 / (t->last - t->first));
}

static int
y_of(uint64_t v, double top)
{
	return TREND_HEIGHT * 10 -
	       (int)((double)v / top * TREND_HEIGHT * 10 + 0.5);
}

static void
put_point(struct buf *out, char letter, int x, int y)
{
	buf_putc(out, letter);
	chart_tenths(out, x);
	buf_putc(out, ' ');
	chart_tenths(out, y);
}

/* One point is a dot: a line of no length with round ends. */
static void
put_line(const struct plot *p, const char *name, bool of_size)
{
	const struct ends *e = of_size ? &p->size : &p->count;
	double top = of_size ? p->top_size : p->top_count;
	uint64_t v;
	struct buf b;
	size_t i;

	buf_init(&b, PATH_MAX_BYTES);
	for (i = 0; e->first != NULL && i < p->t->n; i++) {
		const struct trend_day *d = &p->t->days[i];

		if (on_axis(p->t, d) && figure(d, of_size, &v))
			put_point(&b, b.len == 0 ? 'M' : 'L',
			    x_of(p->t, d->day), y_of(v, top));
	}
	if (e->first != NULL && e->first == e->last)
		buf_puts(&b, "h0");
	value_copy(p->map, name, buf_str(&b));
	value_bool(p->map, of_size ? "one_size" : "one_count",
	    e->first != NULL && e->first == e->last);
	buf_fini(&b);
}

static void
put_area(const struct plot *p)
{
	const struct value *line = value_get(p->map, STR("size"));
	struct buf b;

	buf_init(&b, PATH_MAX_BYTES + 64);
	if (line != NULL && p->size.first != NULL &&
	    p->size.first != p->size.last) {
		put_point(&b, 'M', x_of(p->t, p->size.first->day),
		    TREND_HEIGHT * 10);
		buf_putc(&b, 'L');
		buf_put_str(&b, str_sub(line->text, 1, line->text.n));
		put_point(&b, 'L', x_of(p->t, p->size.last->day),
		    TREND_HEIGHT * 10);
		buf_putc(&b, 'z');
	}
	value_copy(p->map, "area", buf_str(&b));
	buf_fini(&b);
}

static void
put_marks(const struct plot *p)
{
	struct buf b;
	size_t i;

	buf_init(&b, PATH_MAX_BYTES);
	for (i = 0; i < p->t->n; i++) {
		const struct trend_day *d = &p->t->days[i];

		if (!d->pruned || !on_axis(p->t, d))
			continue;
		put_point(&b, 'M', x_of(p->t, d->day), 0);
		buf_printf(&b, "v%d", TREND_HEIGHT);
	}
	value_copy(p->map, "marks", buf_str(&b));
	buf_fini(&b);
}

/* ------------------------------------------------------------------ words */

static const char *
snapshots(struct arena *a, uint64_t n)
{
	return arena_printf(a, "%s snapshot%s", text_count(a, n),
	    n == 1 ? "" : "s");
}

/* "1.21 TiB, 212 snapshots, pruned" */
static const char *
day_words(struct arena *a, const struct trend_day *d)
{
	return arena_printf(a, "%s%s%s%s",
	    d->has_size ? text_bytes(a, d->size) : "",
	    d->has_size && d->has_count ? ", " : "",
	    d->has_count ? snapshots(a, d->count) : "",
	    d->pruned ? ", pruned" : "");
}

static void
put_one_point(const struct plot *p, struct value *list,
    const struct trend_day *d, int width)
{
	struct value *item = value_item(list);
	struct arena *a = list->arena;
	int x = x_of(p->t, d->day);
	struct buf b;

	buf_init(&b, KIB(1));
	if (d->has_size)
		put_point(&b, 'M', x, y_of(d->size, p->top_size));
	if (d->has_size)
		buf_puts(&b, "h0");
	if (d->has_count)
		put_point(&b, 'M', x, y_of(d->count, p->top_count));
	if (d->has_count)
		buf_puts(&b, "h0");
	value_copy(item, "dots", buf_str(&b));
	buf_reset(&b);
	chart_tenths(&b, x - width / 2);
	value_copy(item, "x", buf_str(&b));
	buf_reset(&b);
	chart_tenths(&b, width);
	value_copy(item, "w", buf_str(&b));
	value_printf(item, "title", "%s: %s", text_day_name(a, d->day),
	    day_words(a, d));
	buf_fini(&b);
}

static void
put_points(const struct plot *p)
{
	const struct trend *t = p->t;
	struct value *list = value_list(p->map, "points");
	size_t every = (t->n + POINTS_MAX - 1) / POINTS_MAX, i;
	int64_t days = t->last - t->first;
	int width = days == 0 ? TREND_WIDTH * 10
	                      : (int)((int64_t)every * TREND_WIDTH * 10 / days);

	/* Counted from the newest, which so is among them. */
	for (i = 0; i < t->n; i++) {
		const struct trend_day *d = &t->days[i];

		if ((t->n - 1 - i) % every == 0 && on_axis(t, d) &&
		    (d->has_size || d->has_count))
			put_one_point(p, list, d, width);
	}
}

static void
put_rows(const struct plot *p)
{
	struct value *list = value_list(p->map, "rows"), *item;
	struct arena *a = list == NULL ? NULL : list->arena;
	size_t i;

	for (i = p->t->n; list != NULL && i > 0; i--) {
		const struct trend_day *d = &p->t->days[i - 1];

		if (!on_axis(p->t, d))
			continue;
		item = value_item(list);
		value_text(item, "day", text_day_name(a, d->day));
		value_text(item, "size",
		    d->has_size ? text_bytes(a, d->size) : "");
		value_text(item, "count",
		    d->has_count ? text_count(a, d->count) : "");
		value_bool(item, "pruned", d->pruned);
	}
}

/* "from 0.88 to 1.22 TiB", or "is 1.22 TiB" when nothing came to pass. */
static void
put_change(struct buf *out, const char *what, const char *from, const char *to)
{
	if (str_eqz(str_of(from), to))
		buf_printf(out, " %s: %s.", what, to);
	else
		buf_printf(out, " %s from %s to %s.", what, from, to);
}

static void
put_prunes(struct buf *out, struct arena *a, const struct trend *t)
{
	size_t n = 0, told = 0, i;

	for (i = 0; i < t->n; i++)
		n += t->days[i].pruned && on_axis(t, &t->days[i]);
	if (n > PRUNES_TOLD)
		buf_printf(out, " Pruned on %zu days.", n);
	for (i = 0; n <= PRUNES_TOLD && i < t->n; i++) {
		if (!t->days[i].pruned || !on_axis(t, &t->days[i]))
			continue;
		buf_puts(out, told == 0       ? " Pruned on "
		              : told + 1 == n ? " and "
		                              : ", ");
		buf_puts(out, text_day_name(a, t->days[i].day));
		told++;
	}
	if (told > 0)
		buf_putc(out, '.');
}

static void
put_label(const struct plot *p)
{
	struct arena *a = p->map->arena;
	int64_t days = p->t->last - p->t->first + 1;
	struct buf b;

	buf_init(&b, KIB(2));
	buf_printf(&b, "%" PRId64 " day%s.", days, days == 1 ? "" : "s");
	if (p->size.first != NULL)
		put_change(&b, "Stored size",
		    text_bytes(a, p->size.first->size),
		    text_bytes(a, p->size.last->size));
	if (p->count.first != NULL)
		put_change(&b, "Snapshots",
		    text_count(a, p->count.first->count),
		    text_count(a, p->count.last->count));
	put_prunes(&b, a, p->t);
	value_copy(p->map, "label", buf_str(&b));
	buf_fini(&b);
}

/* "1.21 TiB stored, 348 GiB more than 90 days before" */
static void
put_sentence(const struct plot *p)
{
	struct arena *a = p->map->arena;
	const struct trend_day *first = p->size.first, *last = p->size.last;
	int64_t days;

	if (first == NULL) {
		value_text(p->map, "sentence", "");
		return;
	}
	days = last->day - first->day;
	if (days == 0 || first->size == last->size)
		value_printf(p->map, "sentence", "%s stored%s",
		    text_bytes(a, last->size),
		    days == 0 ? "" : ", as much as at the beginning");
	else
		value_printf(p->map, "sentence",
		    "%s stored, %s %s than %" PRId64 " day%s before",
		    text_bytes(a, last->size),
		    text_bytes(a, last->size > first->size
		                      ? last->size - first->size
		                      : first->size - last->size),
		    last->size > first->size ? "more" : "less", days,
		    days == 1 ? "" : "s");
}

void
trend_put(struct value *map, const struct trend *t)
{
	struct plot p = { .t = t, .map = map };

	if (map == NULL)
		return;
	p.size = ends_of(t, true);
	p.count = ends_of(t, false);
	value_bool(map, "any", p.size.first != NULL || p.count.first != NULL);
	put_sentence(&p);
	if (p.size.first == NULL && p.count.first == NULL)
		return;
	p.top_size = size_axis(value_list(map, "left"), &p.size);
	p.top_count = count_axis(value_list(map, "right"), &p.count);
	put_days_axis(value_list(map, "x"), t);
	put_line(&p, "size", true);
	put_line(&p, "count", false);
	put_area(&p);
	put_marks(&p);
	put_points(&p);
	put_rows(&p);
	put_label(&p);
}
