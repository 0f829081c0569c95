/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/chart.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/text.h"
#include "render/value.h"

enum {
	PITCH = 10,
	WEEK_GAP = 3,
	CELL_GAP = 2,
	MONDAY = 1,
	DATES_MAX = 4,   /* listed by name in a label */
	AXIS_ROOM = 235, /* a date further right meets "today" */
	TICK_ROOM = 3,   /* days a date under the strip needs */
	SPARK_LEFT = 10, /* of the drawing, in tenths */
	SPARK_RIGHT = 690,
	SPARK_TOP = 30,
	SPARK_BOTTOM = 170
};

/* A cell's rectangle: left edge past the cell's x and top, in tenths so that
 * the path is exact; then the way round it. */
struct kind {
	char code;
	const char *class; /* of the path */
	const char *cell;  /* of a day in the list */
	const char *word;
	int severity;
	int dx, y;
	const char *shape;
};

/* clang-format off */
static const struct kind kinds[] = {
	{ 'f', "bad",         "bad k-f",  "failed",           6, 12, 12, "h5.6v17.6h-5.6z" },
	{ 'i', "warn",        "warn k-i", "incomplete",       5, 12, 112, "h5.6v5.6h-5.6z" },
	{ 'm', "bad hollow",  "bad k-m",  "missed",           4, 10, 30, "h6v14h-6z" },
	{ 'r', "run",         "run k-r",  "running",          7, 12, 32, "h5.6v13.6h-5.6z" },
	{ 'o', "ok",          "ok k-o",   "ok",               3, 12, 32, "h5.6v13.6h-5.6z" },
	{ 'z', "idle hollow", "idle k-z", "asleep",           2, 10, 30, "h6v14h-6z" },
	{ 'n', "none",        "none",     "not scheduled",    1, 20, 96, "h4v0.8h-4z" },
	{ 'b', "none",        "none",     "before enrolment", 0, 38, 98, "h0.4v0.4h-0.4z" },
};
/* clang-format on */

static const struct kind *
kind_of(char code)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].code == code)
			return &kinds[i];
	}
	return &kinds[ARRAY_LEN(kinds) - 1];
}

char
chart_worse(char a, char b)
{
	return kind_of(a)->severity >= kind_of(b)->severity ? a : b;
}

/* Left edges of the cells; returns the width of the whole. */
static int
edges(int64_t first_day, int x[CHART_DAYS])
{
	int at = 0, i;

	for (i = 0; i < CHART_DAYS; i++) {
		if (i > 0 && text_weekday(first_day + i) == MONDAY)
			at += WEEK_GAP;
		x[i] = at;
		at += PITCH;
	}
	return at - CELL_GAP;
}

int
chart_width(int64_t first_day)
{
	int x[CHART_DAYS];

	return edges(first_day, x);
}

/* Without printf, which would be most of a page's cost. */
void
chart_tenths(struct buf *out, int v)
{
	char z[12];
	size_t i = sizeof(z);
	unsigned left = (unsigned)(v < 0 ? -v : v);

	if (left % 10 != 0) {
		z[--i] = (char)('0' + left % 10);
		z[--i] = '.';
	}
	left /= 10;
	do {
		z[--i] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (v < 0)
		z[--i] = '-';
	buf_put(out, z + i, sizeof(z) - i);
}

static void
put_rect(struct buf *out, const struct kind *k, int x)
{
	buf_putc(out, 'M');
	chart_tenths(out, x * 10 + k->dx);
	buf_putc(out, ' ');
	chart_tenths(out, k->y);
	buf_puts(out, k->shape);
}

static size_t
count_of(const char codes[CHART_DAYS], char code)
{
	size_t n = 0;
	int i;

	for (i = 0; i < CHART_DAYS; i++)
		n += codes[i] == code;
	return n;
}

/* ", 2 failed (9 Nov, 19 Nov)" */
static void
put_label(struct buf *out, struct arena *a, const char codes[CHART_DAYS],
    int64_t first_day, const struct kind *k)
{
	size_t n = count_of(codes, k->code);
	const char *sep = " (";
	int i;

	buf_printf(out, "%s%zu %s", out->len == 0 ? "Last 30 days: " : ", ", n,
	    k->word);
	if (n > DATES_MAX || k->code == 'o' || k->code == 'n')
		return;
	for (i = 0; i < CHART_DAYS; i++) {
		if (codes[i] != k->code)
			continue;
		buf_printf(out, "%s%s", sep, text_day_name(a, first_day + i));
		sep = ", ";
	}
	buf_putc(out, ')');
}

static void
add_path(struct value *paths, const struct kind *k,
    const char codes[CHART_DAYS], const int x[CHART_DAYS])
{
	struct value *path;
	struct buf d;
	int i;

	buf_init(&d, KIB(4));
	for (i = 0; i < CHART_DAYS; i++) {
		if (codes[i] == k->code)
			put_rect(&d, k, x[i]);
	}
	if (d.len > 0) {
		path = value_item(paths);
		value_text(path, "class", k->class);
		value_copy(path, "d", buf_str(&d));
	}
	buf_fini(&d);
}

void
chart_heat(struct value *map, const char codes[CHART_DAYS], int64_t first_day)
{
	struct value *paths;
	int x[CHART_DAYS];
	struct buf label;
	size_t i;

	if (map == NULL)
		return;
	value_copy(map, "days", str_from(codes, CHART_DAYS));
	value_printf(map, "width", "%d", edges(first_day, x));
	paths = value_list(map, "paths");
	buf_init(&label, KIB(1));
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		add_path(paths, &kinds[i], codes, x);
		if (kinds[i].code != 'b' && count_of(codes, kinds[i].code) > 0)
			put_label(&label, map->arena, codes, first_day,
			    &kinds[i]);
	}
	if (label.len == 0)
		buf_puts(&label, "Last 30 days: no runs");
	value_copy(map, "label", buf_str(&label));
	buf_fini(&label);
}

/* Height of a figure, in tenths from above. */
static int
spark_y(uint64_t n, uint64_t low, uint64_t high)
{
	const double span = SPARK_BOTTOM - SPARK_TOP;

	if (low == high)
		return (SPARK_TOP + SPARK_BOTTOM) / 2;
	return SPARK_BOTTOM -
	       (int)((double)(n - low) / (double)(high - low) * span);
}

static void
put_point(struct buf *out, char letter, int x, int y)
{
	if (letter != '\0')
		buf_putc(out, letter);
	chart_tenths(out, x);
	buf_putc(out, ' ');
	chart_tenths(out, y);
}

static int
spark_x(int day)
{
	return SPARK_LEFT + day * (SPARK_RIGHT - SPARK_LEFT) / (CHART_DAYS - 1);
}

void
chart_spark(const uint64_t n[CHART_DAYS], uint32_t has, struct chart_spark *out)
{
	uint64_t low = UINT64_MAX, high = 0;
	struct buf d, last;
	char letter = 'M';
	int i;

	*out = (struct chart_spark){ .d = "" };
	for (i = 0; i < CHART_DAYS; i++) {
		if ((has >> i & 1) == 0)
			continue;
		low = n[i] < low ? n[i] : low;
		high = n[i] > high ? n[i] : high;
	}
	buf_init(&d, CHART_SPARK_CAP);
	buf_init(&last, sizeof(out->last));
	for (i = 0; i < CHART_DAYS; i++) {
		if ((has >> i & 1) == 0)
			continue;
		put_point(&d, letter, spark_x(i), spark_y(n[i], low, high));
		letter = 'L';
		buf_reset(&last);
		put_point(&last, '\0', spark_x(i), spark_y(n[i], low, high));
	}
	if (!str_copy(out->d, sizeof(out->d), buf_str(&d)) ||
	    !str_copy(out->last, sizeof(out->last), buf_str(&last)))
		*out = (struct chart_spark){ .d = "" };
	buf_fini(&last);
	buf_fini(&d);
}

void
chart_axis(struct value *list, int64_t first_day)
{
	int x[CHART_DAYS], width, i;
	struct value *item;

	if (list == NULL)
		return;
	width = edges(first_day, x);
	for (i = 1; i < CHART_DAYS; i++) {
		if (text_weekday(first_day + i) != MONDAY || x[i] > AXIS_ROOM)
			continue;
		item = value_item(list);
		value_printf(item, "x", "%d", x[i]);
		value_text(item, "text",
		    text_day_name(list->arena, first_day + i));
	}
	item = value_item(list);
	value_printf(item, "x", "%d", width);
	value_text(item, "text", "today");
	value_bool(item, "end", true);
}

static bool
has_tick(int64_t first_day, int i)
{
	int k;

	if (i == CHART_DAYS - 1)
		return true;
	if (i > CHART_DAYS - 1 - TICK_ROOM)
		return false;
	if (text_weekday(first_day + i) == MONDAY)
		return true;
	for (k = 1; i == 0 && k < TICK_ROOM; k++) {
		if (text_weekday(first_day + k) == MONDAY)
			return false;
	}
	return i == 0;
}

void
chart_days(struct value *list, const char codes[CHART_DAYS], int64_t first_day)
{
	int i;

	if (list == NULL)
		return;
	for (i = 0; i < CHART_DAYS; i++) {
		const struct kind *k = kind_of(codes[i]);
		const char *name = text_day_name(list->arena, first_day + i);
		struct value *item = value_item(list);

		value_text(item, "class", k->cell);
		value_printf(item, "title", "%s: %s", name, k->word);
		if (has_tick(first_day, i))
			value_text(item, "tick",
			    i == CHART_DAYS - 1 ? "today" : name);
	}
}
