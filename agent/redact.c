/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/redact.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"

enum {
	REDACT_MAX = 16,
	REDACT_SHORTEST = 4
};

struct redact {
	struct secret secrets[REDACT_MAX];
	size_t n;
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

static bool
redact_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

void
redact_percent(struct str s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (redact_unreserved(s.p[i]))
			buf_putc(out, s.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
	}
}

static void
redact_keep(struct redact *r, struct str s)
{
	ASSERT(r->n < REDACT_MAX);
	secret_set(&r->secrets[r->n++], s);
}

void
redact_secret(struct redact *r, struct str secret)
{
	struct buf enc;

	if (secret.n < REDACT_SHORTEST)
		return;
	redact_keep(r, secret);
	buf_init(&enc, KIB(64));
	redact_percent(secret, &enc);
	if (buf_rc(&enc) == RC_OK && !str_eq(buf_str(&enc), secret))
		redact_keep(r, buf_str(&enc));
	buf_wipe_fini(&enc);
}

/* Length of the longest known secret that text begins with, else 0. */
static size_t
redact_match(const struct redact *r, struct str text)
{
	size_t i, best = 0;
	struct str s;

	for (i = 0; r != NULL && i < r->n; i++) {
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
