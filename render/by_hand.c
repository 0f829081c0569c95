/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/by_hand.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/store/job_store.h"
#include "proto/store.pb-c.h"

enum {
	COMMAND_MAX = 16384
};

/* As it is in any shell. */
static bool
plain(struct str word)
{
	size_t i;

	for (i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		        (c >= 'A' && c <= 'Z') ||
		        (c != '\0' && strchr("/._-+:,=@", c) != NULL)))
			return false;
	}
	return word.n > 0;
}

static bool
between(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

/* U+200E, 200F, 202A to 202E, 2066 to 2069: text behind them may run the
 * other way. */
static bool
turns(const unsigned char *b, size_t n)
{
	if (n != 3 || b[0] != 0xe2)
		return false;
	return (b[1] == 0x80 &&
	           (between(b[2], 0x8e, 0x8f) || between(b[2], 0xaa, 0xae))) ||
	       (b[1] == 0x81 && between(b[2], 0xa6, 0xa9));
}

/* Bytes of the first character when it may stand in quotes as it is: no
 * control character (C1 ones have two bytes), nothing that turns. */
static size_t
shown(struct str s)
{
	const unsigned char *b = (const unsigned char *)s.p;
	const size_t n = str_utf8_len(s);

	if (n == 0 || b[0] < ' ' || b[0] == 0x7f ||
	    (n == 2 && b[0] == 0xc2 && b[1] < 0xa0) || turns(b, n))
		return 0;
	return n;
}

static bool
all_shown(struct str s)
{
	size_t n;

	for (; s.n > 0; s = str_sub(s, n, s.n))
		if ((n = shown(s)) == 0)
			return false;
	return true;
}

/* '...' in which the quote is written as given. */
static void
put_single(struct buf *out, struct str word, const char *quote)
{
	size_t i;

	buf_putc(out, '\'');
	for (i = 0; i < word.n; i++) {
		if (word.p[i] == '\'')
			buf_puts(out, quote);
		else
			buf_putc(out, word.p[i]);
	}
	buf_putc(out, '\'');
}

/* $'...', three octal digits so that what follows is not taken in. */
static void
put_escaped(struct buf *out, struct str word)
{
	size_t n;

	buf_puts(out, "$'");
	for (; word.n > 0; word = str_sub(word, n > 0 ? n : 1, word.n)) {
		n = shown(word);
		if (n == 0)
			buf_printf(out, "\\%03o", (unsigned char)word.p[0]);
		else if (word.p[0] == '\'' || word.p[0] == '\\')
			buf_printf(out, "\\%c", word.p[0]);
		else
			buf_put_str(out, str_sub(word, 0, n));
	}
	buf_putc(out, '\'');
}

void
by_hand_quote(struct buf *out, struct str word, bool windows)
{
	if (plain(word))
		buf_put_str(out, word);
	else if (windows)
		put_single(out, word, "''");
	else if (all_shown(word))
		put_single(out, word, "'\\''");
	else
		put_escaped(out, word);
}

static bool
on_windows(const struct Rec__Host *h)
{
	return h != NULL && strcmp(h->os, "windows") == 0;
}

/* --flag=value as one word. */
static void
put_pair(struct buf *out, const char *flag, const char *value, bool windows)
{
	struct buf word;

	buf_init(&word, COMMAND_MAX);
	buf_printf(&word, "%s=%s", flag, value);
	buf_putc(out, ' ');
	by_hand_quote(out, buf_str(&word), windows);
	if (buf_rc(&word) != RC_OK)
		buf_puts(out, "...");
	buf_fini(&word);
}

static void
put_limits(struct buf *out, const struct Rec__Job *j)
{
	if (j->bandwidth_up_kbps > 0)
		buf_printf(out, " --limit-upload %u",
		    (unsigned)j->bandwidth_up_kbps);
	if (j->bandwidth_down_kbps > 0)
		buf_printf(out, " --limit-download %u",
		    (unsigned)j->bandwidth_down_kbps);
}

static void
put_backup(struct buf *out, const struct Rec__Job *j, bool windows)
{
	size_t i;

	buf_puts(out, " backup");
	if (j->group_name[0] != '\0')
		put_pair(out, "--tag", j->group_name, windows);
	for (i = 0; i < j->n_excludes; i++)
		put_pair(out, "--exclude", j->excludes[i], windows);
	buf_puts(out, " --");
	for (i = 0; i < j->n_includes; i++) {
		buf_putc(out, ' ');
		by_hand_quote(out, str_of(j->includes[i]), windows);
	}
}

const char *
by_hand(struct arena *a, const struct Rec__Job *j, const struct Rec__Host *h)
{
	const char *z = "";
	struct buf b;

	buf_init(&b, COMMAND_MAX);
	buf_puts(&b, "restic");
	put_limits(&b, j);
	if (j->kind == REC__JOB_KIND__KIND_BACKUP && j->n_includes > 0)
		put_backup(&b, j, on_windows(h));
	else if (j->kind == REC__JOB_KIND__KIND_INIT)
		buf_puts(&b, " init");
	else
		buf_reset(&b);
	if (buf_rc(&b) == RC_OK)
		z = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return z;
}

const char *
by_hand_needs(const struct Rec__Host *h)
{
	if (h != NULL && h->repo_username[0] != '\0' &&
	    str_starts(str_of(h->repo_url), STR("rest:")))
		return "RESTIC_REPOSITORY, RESTIC_PASSWORD, "
		       "RESTIC_REST_USERNAME, RESTIC_REST_PASSWORD";
	return "RESTIC_REPOSITORY, RESTIC_PASSWORD";
}
