/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"

enum {
	MARK_CAP = 48, /* " [cut, n bytes more]" */
	TIME_LEN = CLOCK_TEXT_CAP - 1,
	TAG_MAX = 4,
	HEAD_MAX = TIME_LEN + 1 + TAG_MAX + 2
};

/* Every byte as \xHH, time, the longest tag, blanks, newline. */
_Static_assert(4 * JOBLOG_LINE_MAX + CLOCK_TEXT_CAP + 8 + MARK_CAP <=
                   JOBLOG_STORED_MAX,
    "the longest line");

static const struct tag_row {
	const char *name;
	const char *stream;
} tags[] = {
	[JOBLOG_OUT] = { "out", "stdout" },
	[JOBLOG_ERR] = { "err", "stderr" },
	[JOBLOG_EVT] = { "evt", "event" },
	[JOBLOG_HOOK] = { "hook", "hook" },
	[JOBLOG_SYS] = { "sys", "sys" },
};
_Static_assert(ARRAY_LEN(tags) == JOBLOG_SYS + 1, "a row for each tag");

const char *
joblog_tag_name(enum joblog_tag tag)
{
	return tags[tag].name;
}

const char *
joblog_stream_name(enum joblog_tag tag)
{
	return tags[tag].stream;
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* Length of the well-formed, printable character s begins with; 0: its first
 * byte is written as \xHH. */
static size_t
printable_len(struct str s)
{
	const uint8_t b = (uint8_t)s.p[0];

	if (b < 0x80)
		return b >= 0x20 && b != 0x7f ? 1 : 0;
	/* U+0080 to U+009F: terminals take them as control characters. */
	if (b == 0xc2 && s.n > 1 && (uint8_t)s.p[1] < 0xa0)
		return 0;
	return str_utf8_len(s);
}

/* Eight printable ASCII bytes, no backslash among them (bench key
 * log-cpu).  The sums leave the top bit of each byte set for: not below a
 * blank, DEL, other than a backslash. */
static bool
plain_word(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t w, low, other;

	memcpy(&w, p, sizeof(w));
	low = w & ~high;
	other = (low ^ ones * '\\') + ones * 0x7f;
	return ((w | ~(low + ones * (0x80 - ' ')) | (low + ones) | ~other) &
	           high) == 0;
}

/* Bytes in front that stand for themselves. */
static size_t
plain_len(struct str s)
{
	size_t i = 0, step = 1;

	while (s.n - i >= sizeof(uint64_t) && plain_word(s.p + i))
		i += sizeof(uint64_t);
	while (i < s.n && step != 0 && s.p[i] != '\\') {
		if (s.p[i] >= ' ' && s.p[i] <= '~') {
			i++; /* nearly all there is */
			continue;
		}
		step = printable_len(str_sub(s, i, s.n));
		i += step;
	}
	return i;
}

static size_t
backslashes(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] == '\\')
		n++;
	return n;
}

/* A backslash before s would be read as part of an escape. */
static bool
reads_as_escape(struct str s)
{
	if (s.n == 0)
		return false;
	return printable_len(s) == 0 ||
	       (s.n >= 3 && s.p[0] == 'x' && is_hex(s.p[1]) && is_hex(s.p[2]));
}

static void
put_escape(struct buf *out, char c)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t b = (uint8_t)c;
	const char text[] = { '\\', 'x', hex[b >> 4], hex[b & 15] };

	buf_put(out, text, sizeof(text));
}

static void
put_text(struct buf *out, struct str s)
{
	struct str run;

	while (s.n > 0) {
		run = str_sub(s, 0, plain_len(s));
		buf_put_str(out, run);
		s = str_sub(s, run.n, s.n);
		run = str_sub(s, 0, backslashes(s));
		s = str_sub(s, run.n, s.n);
		buf_put_str(out, run);
		if (reads_as_escape(s))
			buf_put_str(out, run);
		if (s.n > 0 && printable_len(s) == 0) {
			put_escape(out, s.p[0]);
			s = str_sub(s, 1, s.n);
		}
	}
}

/* At most JOBLOG_LINE_MAX bytes, whole characters. */
static struct str
cut_line(struct str text)
{
	size_t n = JOBLOG_LINE_MAX, back;

	if (text.n <= n)
		return text;
	for (back = 0; back < 3 && ((uint8_t)text.p[n] & 0xc0) == 0x80; back++)
		n--;
	return str_sub(text, 0, n);
}

static void
put_head(struct buf *out, struct joblog_stamp *st, int64_t ts_ms,
    enum joblog_tag tag)
{
	const struct str name = str_of(joblog_tag_name(tag));
	char head[HEAD_MAX];

	if (!st->set || st->ms != ts_ms)
		clock_text(ts_ms, st->text);
	st->set = true;
	st->ms = ts_ms;
	memcpy(head, st->text, TIME_LEN);
	head[TIME_LEN] = ' ';
	memcpy(head + TIME_LEN + 1, name.p, name.n);
	memcpy(head + TIME_LEN + 1 + name.n, "  ", 2);
	buf_put(out, head, TIME_LEN + 3 + name.n);
}

void
joblog_line_at(struct buf *out, struct joblog_stamp *st, int64_t ts_ms,
    enum joblog_tag tag, struct str text)
{
	const struct str kept = cut_line(text);

	put_head(out, st, ts_ms, tag);
	put_text(out, kept);
	if (kept.n < text.n)
		buf_printf(out, " [cut, %zu bytes more]", text.n - kept.n);
	buf_putc(out, '\n');
}

void
joblog_line(struct buf *out, int64_t ts_ms, enum joblog_tag tag,
    struct str text)
{
	struct joblog_stamp st = { .set = false };

	joblog_line_at(out, &st, ts_ms, tag, text);
}

/* "out" and two blanks off the front. */
static bool
take_tag(struct str *s, enum joblog_tag *out)
{
	struct str name, rest;
	size_t i;

	if (!str_cut(*s, ' ', &name, &rest) || !str_starts(rest, STR(" ")))
		return false;
	for (i = 0; i < ARRAY_LEN(tags); i++) {
		if (!str_eqz(name, tags[i].name))
			continue;
		*out = (enum joblog_tag)i;
		*s = str_sub(rest, 1, rest.n);
		return true;
	}
	return false;
}

static bool
split_line(struct str line, struct joblog_entry *out)
{
	out->text = str_sub(line, TIME_LEN + 1, line.n);
	return line.n > TIME_LEN && line.p[TIME_LEN] == ' ' &&
	       line.p[TIME_LEN - 1] == 'Z' &&
	       clock_parse(str_sub(line, 0, TIME_LEN), &out->ts_ms) &&
	       take_tag(&out->text, &out->tag);
}

bool
joblog_next(struct str *rest, struct joblog_entry *out)
{
	struct joblog_entry entry;
	struct str line, after;

	if (rest->n == 0)
		return false;
	(void)str_cut(*rest, '\n', &line, &after);
	if (!split_line(line, &entry))
		entry =
		    (struct joblog_entry){ .tag = JOBLOG_SYS, .text = line };
	*rest = after;
	*out = entry;
	return true;
}
