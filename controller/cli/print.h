/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_PRINT_H
#define CONTROLLER_CLI_PRINT_H
/*
 * What goes to standard output: text with aligned columns, or one JSON
 * document.  Text from outside is shown, never obeyed: control characters,
 * changes of writing direction and malformed UTF-8 become \xHH.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

struct json;

struct print {
	struct buf b;
	int fd;
	bool json;
	bool colour;
	bool tty;
	bool broken; /* the reader has gone */
};

enum print_kind {
	PRINT_TEXT,
	PRINT_TIME,       /* RFC 3339 -> 2026-11-20 20:43:11Z */
	PRINT_SIZE,       /* bytes -> 1.2 GiB */
	PRINT_COUNT,      /* to the right */
	PRINT_KNOWN_SIZE, /* 0 is not known */
	PRINT_KNOWN_COUNT,
	PRINT_STATE, /* coloured by what it says; heeds "incomplete" */
	PRINT_LIST,  /* array of texts, joined by commas */
	PRINT_YES    /* bool */
};

/* member: of the JSON object, "log.lines" looks into objects. */
struct print_column {
	const char *title;
	const char *member;
	enum print_kind kind;
};

void print_open(struct print *p, int fd, bool json);
void print_close(struct print *p); /* flushes */
void print_flush(struct print *p);

void print_line(struct print *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Shown safely, without a newline. */
void print_safe(struct buf *b, struct str s);
/* A JSON document that is complete, and a newline. */
void print_doc(struct print *p, struct str json);
/* items: an array of objects.  "nothing" stands for none. */
void print_table(struct print *p, const struct print_column *cols, size_t n,
    const struct json *items, const char *nothing);
/* One object, a line a member; absent and empty ones are left out. */
void print_record(struct print *p, const struct print_column *cols, size_t n,
    const struct json *object);
/* The text of one member, safe. */
void print_cell(struct buf *b, const struct print_column *c,
    const struct json *object);
void print_size(struct buf *b, uint64_t bytes);
/* Characters, not bytes. */
size_t print_width(struct str s);
/* Before and after a word of the given state; "" without colour. */
const char *print_paint(const struct print *p, struct str state);
const char *print_plain(const struct print *p);
#endif
