/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fsio.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/show.h"

enum {
	PRINT_MAX = 256 << 20,
	LINE_MAX_BYTES = 8192
};

/* ----------------------------------------------------------------- output */

/* https://no-color.org: set and not empty means none. */
static bool
colour_wanted(bool tty)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return tty && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

void
print_open(struct print *p, int fd, bool json)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->b, PRINT_MAX);
	p->fd = fd;
	p->json = json;
	p->tty = isatty(fd) == 1;
	p->colour = !json && colour_wanted(p->tty);
}

void
print_flush(struct print *p)
{
	if (!p->broken && p->b.len > 0 &&
	    fsio_write_all(p->fd, buf_str(&p->b), NULL) != RC_OK)
		p->broken = true;
	buf_reset(&p->b);
}

void
print_close(struct print *p)
{
	print_flush(p);
	buf_fini(&p->b);
}

void
print_line(struct print *p, const char *fmt, ...)
{
	char *line = mem_alloc(LINE_MAX_BYTES);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, LINE_MAX_BYTES, fmt, ap);
	va_end(ap);
	buf_puts(&p->b, line);
	buf_putc(&p->b, '\n');
	mem_free(line);
}

void
print_doc(struct print *p, struct str json)
{
	buf_put_str(&p->b, str_trim(json));
	buf_putc(&p->b, '\n');
}

/* ------------------------------------------------------------- safe texts */

void
print_safe(struct buf *b, struct str s)
{
	show_text(b, s);
}

size_t
print_width(struct str s)
{
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* ---------------------------------------------------------------- colours */

struct paint {
	const char *state;
	const char *code;
};

#define GREEN "\033[32m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define BLUE "\033[34m"

static const struct paint paints[] = {
	{ "succeeded", GREEN },
	{ "online", GREEN },
	{ "ready", GREEN },
	{ "ok", GREEN },
	{ "failed", RED },
	{ "offline", RED },
	{ "init_failed", RED },
	{ "incomplete", YELLOW },
	{ "stale", YELLOW },
	{ "never", YELLOW },
	{ "disabled", YELLOW },
	{ "cancelled", YELLOW },
	{ "skipped", YELLOW },
	{ "running", BLUE },
	{ "queued", BLUE },
};

const char *
print_paint(const struct print *p, struct str state)
{
	size_t i;

	if (!p->colour)
		return "";
	for (i = 0; i < ARRAY_LEN(paints); i++)
		if (str_eqz(state, paints[i].state))
			return paints[i].code;
	return "\033[39m"; /* as it is, so that columns stay aligned */
}

const char *
print_plain(const struct print *p)
{
	return p->colour ? "\033[0m" : "";
}

/* ------------------------------------------------------------------ cells */

void
print_size(struct buf *b, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB",
		"PiB" };
	double v = (double)bytes / 1024.0;
	size_t i = 0;

	if (bytes < 1024) {
		buf_printf(b, "%llu B", (unsigned long long)bytes);
		return;
	}
	while (v >= 1023.95 && i + 1 < ARRAY_LEN(units)) {
		v /= 1024.0;
		i++;
	}
	buf_printf(b, "%.1f %s", v, units[i]);
}

static void
put_time(struct buf *b, struct str s)
{
	if (s.n < 20 || s.p[10] != 'T') {
		print_safe(b, s);
		return;
	}
	print_safe(b, str_sub(s, 0, 10));
	buf_putc(b, ' ');
	print_safe(b, str_sub(s, 11, 8));
	buf_putc(b, 'Z');
}

static void
put_list(struct buf *b, const struct json *v)
{
	size_t i;

	for (i = 0; i < json_len(v); i++) {
		if (i > 0)
			buf_puts(b, ",");
		print_safe(b, json_self_text(json_at(v, i)));
	}
}

/* The object that holds the last part of a dotted name; *name is that. */
static const struct json *
holder(const struct json *v, const char *member, const char **name,
    char room[64])
{
	struct str head, rest = str_of(member);

	while (str_cut(rest, '.', &head, &rest)) {
		if (!str_copy(room, 64, head))
			return NULL;
		v = json_get(v, room);
	}
	*name = rest.n > 0 ? rest.p : head.p;
	return v;
}

/* A backup that could not read everything did not simply succeed. */
static void
put_state(struct buf *b, const struct json *v, const char *name)
{
	struct str state = json_text(v, name);

	if (str_eqz(state, "succeeded") && json_flag(v, "incomplete", false))
		state = str_of("incomplete");
	print_safe(b, state);
}

static void
put_number(struct buf *b, const struct json *v, const char *name, bool size)
{
	int64_t n = json_int(v, name, -1);

	if (n < 0)
		return;
	if (size)
		print_size(b, (uint64_t)n);
	else
		buf_printf(b, "%lld", (long long)n);
}

void
print_cell(struct buf *b, const struct print_column *c,
    const struct json *object)
{
	const char *name = c->member;
	char room[64];
	const struct json *v = holder(object, c->member, &name, room);

	switch (c->kind) {
	case PRINT_TEXT:
		print_safe(b, json_text(v, name));
		return;
	case PRINT_STATE:
		put_state(b, v, name);
		return;
	case PRINT_TIME:
		put_time(b, json_text(v, name));
		return;
	case PRINT_SIZE:
	case PRINT_COUNT:
		put_number(b, v, name, c->kind == PRINT_SIZE);
		return;
	case PRINT_KNOWN_SIZE:
	case PRINT_KNOWN_COUNT:
		if (json_int(v, name, 0) != 0)
			put_number(b, v, name, c->kind == PRINT_KNOWN_SIZE);
		return;
	case PRINT_LIST:
		put_list(b, json_get(v, name));
		return;
	case PRINT_YES:
		buf_puts(b, json_flag(v, name, false) ? "yes" : "no");
		return;
	}
}

/* ----------------------------------------------------------------- tables */

static bool
to_the_right(enum print_kind k)
{
	return k == PRINT_SIZE || k == PRINT_COUNT || k == PRINT_KNOWN_SIZE ||
	       k == PRINT_KNOWN_COUNT;
}

static void
pad(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_putc(b, ' ');
}

/* One cell with its padding; nothing is put after the last column. */
static void
put_cell(struct print *p, const struct print_column *c, struct str text,
    size_t width, bool last)
{
	size_t room = width - print_width(text);
	bool paint = c->kind == PRINT_STATE && text.n > 0;

	if (text.n == 0) {
		text = str_of("-");
		room = width - 1;
	}
	if (to_the_right(c->kind))
		pad(&p->b, room);
	if (paint)
		buf_puts(&p->b, print_paint(p, text));
	buf_put_str(&p->b, text);
	if (paint)
		buf_puts(&p->b, print_plain(p));
	if (last) {
		buf_putc(&p->b, '\n');
		return;
	}
	if (!to_the_right(c->kind))
		pad(&p->b, room);
	buf_puts(&p->b, "  ");
}

static void
put_heads(struct print *p, const struct print_column *cols, size_t n,
    const size_t *width)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t room = width[i] - strlen(cols[i].title);

		if (to_the_right(cols[i].kind))
			pad(&p->b, room);
		buf_puts(&p->b, cols[i].title);
		if (i + 1 == n)
			break;
		if (!to_the_right(cols[i].kind))
			pad(&p->b, room);
		buf_puts(&p->b, "  ");
	}
	buf_putc(&p->b, '\n');
}

/* Columns are as wide as their widest cell: cells are made twice rather than
 * kept. */
static void
measure(const struct print_column *cols, size_t n, const struct json *items,
    size_t *width)
{
	struct buf cell;
	size_t i, k, w;

	buf_init(&cell, MIB(1));
	for (i = 0; i < n; i++)
		width[i] = strlen(cols[i].title);
	for (k = 0; k < json_len(items); k++) {
		for (i = 0; i < n; i++) {
			buf_reset(&cell);
			print_cell(&cell, &cols[i], json_at(items, k));
			w = print_width(buf_str(&cell));
			width[i] = w > width[i] ? w : width[i];
		}
	}
	buf_fini(&cell);
}

void
print_table(struct print *p, const struct print_column *cols, size_t n,
    const struct json *items, const char *nothing)
{
	size_t *width, i, k;
	struct buf cell;

	if (json_len(items) == 0) {
		print_line(p, "%s", nothing);
		return;
	}
	width = mem_array(n, sizeof(*width));
	buf_init(&cell, MIB(1));
	measure(cols, n, items, width);
	put_heads(p, cols, n, width);
	for (k = 0; k < json_len(items); k++) {
		for (i = 0; i < n; i++) {
			buf_reset(&cell);
			print_cell(&cell, &cols[i], json_at(items, k));
			put_cell(p, &cols[i], buf_str(&cell), width[i],
			    i + 1 == n);
		}
	}
	buf_fini(&cell);
	mem_free(width);
}

void
print_record(struct print *p, const struct print_column *cols, size_t n,
    const struct json *object)
{
	struct buf cell;
	size_t i, width = 0;

	buf_init(&cell, MIB(1));
	for (i = 0; i < n; i++)
		width = strlen(cols[i].title) > width ? strlen(cols[i].title)
		                                      : width;
	for (i = 0; i < n; i++) {
		buf_reset(&cell);
		print_cell(&cell, &cols[i], object);
		if (cell.len == 0)
			continue;
		buf_puts(&p->b, cols[i].title);
		pad(&p->b, width - strlen(cols[i].title) + 2);
		if (cols[i].kind == PRINT_STATE)
			buf_puts(&p->b, print_paint(p, buf_str(&cell)));
		buf_put_str(&p->b, buf_str(&cell));
		if (cols[i].kind == PRINT_STATE)
			buf_puts(&p->b, print_plain(p));
		buf_putc(&p->b, '\n');
	}
	buf_fini(&cell);
}
