/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/redact.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/base/repo_env.h"

enum {
	REDACT_MAX = 512,
	REDACT_DRESSES = 3, /* forms of one secret beside its own */
	/* Documents leave so much to the passwords, URLs and variables of
	 * both slots, which may be told behind them. */
	REDACT_KEPT = 2 * (2 + REPO_ENV_MAX) * (1 + REDACT_DRESSES),
	REDACT_SHORTEST = 4,
	REDACT_PIECE = 20 /* of a document: as long as the lines of a key */
};

struct redact {
	struct secret secrets[REDACT_MAX];
	size_t n;
	bool first[256]; /* some secret begins with this byte */
};

struct redact *
redact_new(void)
{
	return MEM_NEW(struct redact);
}

void
redact_free(struct redact *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++)
		secret_fini(&r->secrets[i]);
	mem_free(r);
}

static void
redact_percent(struct str s, struct buf *out)
{
	buf_put_percent(out, s, "");
}

static void
redact_keep(struct redact *r, struct str s)
{
	ASSERT(r->n < REDACT_MAX);
	secret_set(&r->secrets[r->n++], s);
	r->first[(unsigned char)s.p[0]] = true;
}

/* In quotes, as Go's %q has it. */
static void
redact_quote(struct str s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
}

/* In JSON, as Go's encoder has it: fit for HTML. */
static void
redact_json(struct str s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '&' || s.p[i] == '<' || s.p[i] == '>')
			buf_printf(out, "\\u%04x", (unsigned char)s.p[i]);
		else
			redact_quote(str_sub(s, i, 1), out);
	}
}

void
redact_secret(struct redact *r, struct str secret)
{
	static void (*const dress[REDACT_DRESSES])(struct str s,
	    struct buf * out) = { redact_percent, redact_quote, redact_json };
	struct buf enc;
	size_t i;

	if (secret.n < REDACT_SHORTEST ||
	    r->n + 1 + REDACT_DRESSES > REDACT_MAX)
		return;
	redact_keep(r, secret);
	for (i = 0; i < ARRAY_LEN(dress); i++) {
		buf_init(&enc, KIB(64));
		dress[i](secret, &enc);
		if (buf_rc(&enc) == RC_OK && !str_eq(buf_str(&enc), secret))
			redact_keep(r, buf_str(&enc));
		buf_wipe_fini(&enc);
	}
}

/* Where it is cut: at a line's end, real or as JSON writes it. */
static size_t
redact_piece(struct str text)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] == '\n' || (text.p[i] == '\\' && i + 1 < text.n &&
		                             text.p[i + 1] == 'n'))
			break;
	return i;
}

void
redact_document(struct redact *r, struct str text)
{
	struct str piece;
	size_t n = redact_piece(text);

	if (n == text.n) {
		redact_secret(r, text);
		return;
	}
	while (text.n > 0 && r->n + REDACT_KEPT < REDACT_MAX) {
		n = redact_piece(text);
		piece = str_trim(str_sub(text, 0, n));
		if (piece.n >= REDACT_PIECE)
			redact_keep(r, piece);
		n += n < text.n && text.p[n] == '\\' ? 2 : 1;
		text = str_sub(text, n, text.n);
	}
}

/* Length of the longest known secret that text begins with, else 0. */
static size_t
redact_match(const struct redact *r, struct str text)
{
	size_t i, best = 0;
	struct str s;

	if (r == NULL || !r->first[(unsigned char)*text.p])
		return 0;
	for (i = 0; i < r->n; i++) {
		s = secret_str(&r->secrets[i]);
		if (s.n > best && str_starts(text, s))
			best = s.n;
	}
	return best;
}

/* Text begins with "://": length of "user:password" before an '@' in the
 * authority, else 0. */
static size_t
redact_userinfo(struct str text)
{
	size_t i, at = 0;

	for (i = 3; i < text.n; i++) {
		if (text.p[i] == '@')
			at = i;
		else if (text.p[i] == '/' || text.p[i] == ' ' ||
		         text.p[i] == '"' || text.p[i] == '\'')
			break;
	}
	return at > 3 ? at - 3 : 0;
}

void
redact_url(struct redact *r, struct str url)
{
	struct str info, user, password;
	size_t i, n;

	for (i = 0; i < url.n; i++) {
		info = str_sub(url, i, url.n);
		if (!str_starts(info, STR("://")))
			continue;
		n = redact_userinfo(info);
		if (str_cut(str_sub(info, 3, n), ':', &user, &password))
			redact_secret(r, password);
		return;
	}
}

void
redact_text(const struct redact *r, struct str text, struct buf *out)
{
	size_t n;

	while (text.n > 0) {
		n = redact_match(r, text);
		if (n > 0) {
			buf_puts(out, "***");
			text = str_sub(text, n, text.n);
			continue;
		}
		if (str_starts(text, STR("://")) &&
		    (n = redact_userinfo(text)) > 0) {
			buf_puts(out, "://***");
			text = str_sub(text, 3 + n, text.n);
			continue;
		}
		buf_putc(out, *text.p);
		text = str_sub(text, 1, text.n);
	}
}
