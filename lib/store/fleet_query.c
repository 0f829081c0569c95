/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/fleet_query.h"

#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/fleet_store.h"

enum {
	SHOWN_MAX = 40, /* bytes of a bad word in a sentence */
	ATTENTION = 1U << STATUS_STALE | 1U << STATUS_NEVER |
	            1U << STATUS_FAILED | 1U << STATUS_INCOMPLETE,
	ONLINE = 1,
	OFFLINE = 2,
	BEHIND = 1
};

struct word {
	const char *name;
	unsigned mask;
};

/* clang-format off */
static const struct word states[] = {
	{ "stale", 1U << STATUS_STALE }, { "never", 1U << STATUS_NEVER },
	{ "failed", 1U << STATUS_FAILED },
	{ "incomplete", 1U << STATUS_INCOMPLETE },
	{ "running", 1U << STATUS_RUNNING }, { "new", 1U << STATUS_NEW },
	{ "ok", 1U << STATUS_OK }, { "attention", ATTENTION }, { NULL, 0 },
};
static const struct word statuses[] = {
	{ "online", ONLINE }, { "offline", OFFLINE }, { NULL, 0 },
};
static const struct word repos[] = {
	{ "ready", 1U << REC__REPO_STATUS__REPO_READY },
	{ "init_failed", 1U << REC__REPO_STATUS__REPO_INIT_FAILED },
	{ "unknown", 1U << REC__REPO_STATUS__REPO_UNKNOWN }, { NULL, 0 },
};
static const struct word updates[] = { { "behind", BEHIND }, { NULL, 0 } };

/* words: the values of a closed key, NULL when any text will do. */
static const struct {
	const char *name;
	const struct word *words;
	const char *values; /* in a sentence */
} keys[] = {
	[FLEET_NAME]    = { "name", NULL, "" },
	[FLEET_TAG]     = { "tag", NULL, "" },
	[FLEET_OS]      = { "os", NULL, "" },
	[FLEET_ARCH]    = { "arch", NULL, "" },
	[FLEET_STATE]   = { "state", states, "stale, never, failed, incomplete, "
	                    "running, new, ok or attention" },
	[FLEET_STATUS]  = { "status", statuses, "online or offline" },
	[FLEET_REPO]    = { "repo", repos, "ready, init_failed or unknown" },
	[FLEET_UPDATES] = { "updates", updates, "behind" },
};
/* clang-format on */

_Static_assert(ARRAY_LEN(keys) == FLEET_UPDATES + 1, "one row per key");

/* ------------------------------------------------------------------ reading */

/* Not in the middle of a character. */
static struct str
shown(struct str s)
{
	size_t n = s.n < SHOWN_MAX ? s.n : SHOWN_MAX;

	while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0U) == 0x80U)
		n--;
	return str_sub(s, 0, n);
}

/* The first one stays. */
static void
complain(struct fleet_query *q, const char *before, struct str bad,
    const char *after)
{
	struct str s = shown(bad);

	if (q->problem[0] != '\0')
		return;
	if (!str_fmt(q->problem, sizeof(q->problem), "%s%.*s%s", before,
	        STR_ARG(s), after))
		q->problem[0] = '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Takes "tag:" off *rest; false when no key is written there. */
static bool
take_key(struct str *rest, struct str *key)
{
	size_t n = 0;

	while (n < rest->n && is_letter(rest->p[n]))
		n++;
	if (n == 0 || n == rest->n || rest->p[n] != ':')
		return false;
	*key = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n + 1, rest->n);
	return true;
}

/* Takes a word, or what stands between quotes. */
static struct str
take_value(struct fleet_query *q, struct str *rest)
{
	bool quoted = rest->n > 0 && rest->p[0] == '"';
	struct str value;
	size_t n = 0;

	if (quoted) {
		*rest = str_sub(*rest, 1, rest->n);
		while (n < rest->n && rest->p[n] != '"')
			n++;
		if (n == rest->n)
			complain(q, "The quote before ", *rest,
			    " is not closed.");
	} else {
		while (n < rest->n && !is_blank(rest->p[n]))
			n++;
	}
	value = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, quoted && n < rest->n ? n + 1 : n, rest->n);
	return value;
}

static bool
find_key(struct str name, enum fleet_key *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		if (!str_case_eq(name, str_of(keys[i].name)))
			continue;
		*out = (enum fleet_key)i;
		return true;
	}
	return false;
}

static unsigned
mask_of(const struct word *words, struct str name)
{
	for (; words->name != NULL; words++) {
		if (str_case_eq(name, str_of(words->name)))
			return words->mask;
	}
	return 0;
}

/* A closed key knows all its values. */
static bool
check_values(struct fleet_query *q, struct fleet_term *t)
{
	struct str rest = t->value, one;
	char after[128];
	unsigned mask;

	if (keys[t->key].words == NULL)
		return true;
	while (str_next(&rest, ',', &one)) {
		mask = mask_of(keys[t->key].words, one);
		if (mask == 0 && one.n > 0) {
			if (!str_fmt(after, sizeof(after),
			        " is nothing that %s: can be; use %s.",
			        keys[t->key].name, keys[t->key].values))
				after[0] = '\0';
			complain(q, "", one, after);
			return false;
		}
		t->mask |= mask;
	}
	if (t->mask == 0)
		complain(q, "Nothing stands behind ", t->raw, ".");
	return t->mask != 0;
}

/* Takes one term; false when it is left out. */
static bool
take_term(struct fleet_query *q, struct str *rest, struct fleet_term *t)
{
	struct str at = *rest, key;
	bool known = true;

	*t = (struct fleet_term){ .key = FLEET_NAME };
	if (rest->n > 1 && rest->p[0] == '-' && !is_blank(rest->p[1])) {
		t->not = true;
		*rest = str_sub(*rest, 1, rest->n);
	}
	if (take_key(rest, &key)) {
		known = find_key(key, &t->key);
		if (!known)
			complain(q, "There is no filter ", key,
			    ":. Use a part of the name, or tag:, os:, arch:, "
			    "state:, status:, repo:, updates:.");
	}
	t->value = take_value(q, rest);
	t->raw = str_sub(at, 0, at.n - rest->n);
	if (!known)
		return false;
	if (t->value.n == 0) {
		complain(q, "Nothing stands behind ", t->raw, ".");
		return false;
	}
	return check_values(q, t);
}

void
fleet_query_parse(struct str text, struct fleet_query *out)
{
	struct fleet_term t;

	out->n = 0;
	out->problem[0] = '\0';
	if (text.n > FLEET_QUERY_MAX)
		complain(out, "The filter is longer than 512 bytes; the rest ",
		    STR(""), "is left out.");
	text = str_sub(text, 0, FLEET_QUERY_MAX);
	for (;;) {
		while (text.n > 0 && is_blank(text.p[0]))
			text = str_sub(text, 1, text.n);
		if (text.n == 0)
			return;
		if (out->n == FLEET_TERMS_MAX) {
			complain(out, "The filter has more than 16 words; ",
			    text, " is left out.");
			return;
		}
		if (take_term(out, &text, &t))
			out->terms[out->n++] = t;
	}
}

/* ----------------------------------------------------------------- matching */

static bool
has_tag(const struct Rec__Host *h, struct str tag)
{
	size_t i;

	for (i = 0; i < h->n_tags; i++) {
		if (str_case_eq(str_of(h->tags[i]), tag))
			return true;
	}
	return false;
}

/* Case-insensitive part of a name. */
static bool
name_has(const char *name, struct str part)
{
	struct str s = str_of(name);
	size_t i;

	for (i = 0; i + part.n <= s.n; i++) {
		if (str_case_eq(str_sub(s, i, part.n), part))
			return true;
	}
	return false;
}

static bool
text_fits(enum fleet_key key, const struct Rec__Host *h, struct str value)
{
	switch (key) {
	case FLEET_TAG:
		return has_tag(h, value);
	case FLEET_OS:
		return str_case_eq(str_of(h->os), value);
	case FLEET_ARCH:
		return str_case_eq(str_of(h->arch), value);
	case FLEET_NAME:
	case FLEET_STATE:
	case FLEET_STATUS:
	case FLEET_REPO:
	case FLEET_UPDATES:
		break;
	}
	return name_has(h->name, value);
}

/* A newer version may have written others. */
static unsigned
repo_mask(Rec__RepoStatus s)
{
	return mask_of(repos, str_of(status_repo_name(s)));
}

static unsigned
value_mask(enum fleet_key key, const struct fleet_host *f)
{
	switch (key) {
	case FLEET_STATE:
		return 1U << f->state;
	case FLEET_STATUS:
		return f->host->online ? ONLINE : OFFLINE;
	case FLEET_REPO:
		return repo_mask(f->host->repo_status);
	case FLEET_UPDATES:
		return status_behind(f->host) ? BEHIND : 0;
	case FLEET_NAME:
	case FLEET_TAG:
	case FLEET_OS:
	case FLEET_ARCH:
		break;
	}
	return 0;
}

static bool
term_fits(const struct fleet_term *t, const struct fleet_host *f)
{
	struct str rest = t->value, one;

	if (keys[t->key].words != NULL)
		return (t->mask & value_mask(t->key, f)) != 0;
	while (str_next(&rest, ',', &one)) {
		if (one.n > 0 && text_fits(t->key, f->host, one))
			return true;
	}
	return false;
}

bool
fleet_query_fits(const struct fleet_query *q, const struct fleet_host *h)
{
	size_t i;

	for (i = 0; i < q->n; i++) {
		if (term_fits(&q->terms[i], h) == q->terms[i].not )
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ writing */

static bool
is_term(const struct fleet_term *t, enum fleet_key key, struct str value)
{
	return t->key == key &&
	       !t->not &&(value.n == 0 || str_case_eq(t->value, value));
}

bool
fleet_query_has(const struct fleet_query *q, enum fleet_key key,
    struct str value)
{
	size_t i;

	for (i = 0; i < q->n; i++) {
		if (is_term(&q->terms[i], key, value))
			return true;
	}
	return false;
}

void
fleet_query_put(const struct fleet_query *q, enum fleet_key key,
    struct str value, struct buf *out)
{
	size_t i;

	for (i = 0; i < q->n; i++) {
		if (is_term(&q->terms[i], key, value))
			continue;
		if (out->len > 0)
			buf_putc(out, ' ');
		buf_put_str(out, q->terms[i].raw);
	}
}

static bool
needs_quotes(struct str value)
{
	size_t i;

	for (i = 0; i < value.n; i++) {
		if (is_blank(value.p[i]))
			return true;
	}
	return false;
}

void
fleet_query_add(struct buf *text, enum fleet_key key, struct str value)
{
	const char *quote = needs_quotes(value) ? "\"" : "";

	buf_printf(text, "%s%s:%s%.*s%s", text->len > 0 ? " " : "",
	    keys[key].name, quote, STR_ARG(value), quote);
}

static void
join(struct buf *out, enum fleet_key key, struct str value)
{
	if (value.n > 0)
		fleet_query_add(out, key, value);
}

void
fleet_query_join(const struct fleet_params *p, struct buf *out)
{
	bool connection = mask_of(statuses, p->status) != 0;

	buf_put_str(out, str_trim(p->q));
	join(out, connection ? FLEET_STATUS : FLEET_STATE, p->status);
	join(out, FLEET_REPO, p->repo_status);
	join(out, FLEET_TAG, p->tag);
	join(out, FLEET_UPDATES, p->updates);
}
