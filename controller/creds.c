/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/creds.h"

#include <string.h>

#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/repo_env.h"
#include "lib/store/message.h"
#include "proto/store.pb-c.h"

/* -------------------------------------------------------------- checking */

bool
creds_printable(const char *z)
{
	for (; *z != '\0'; z++)
		if ((unsigned char)*z < 0x20 || *z == 0x7f)
			return false;
	return true;
}

/* [2001:db8::1], user@[::1], of which this is what stands before a colon. */
static bool
is_v6(struct str host)
{
	return str_starts(host, STR("[")) || str_contains(host, STR("@["));
}

/* Bytes of user:password@ behind the "://" of a URL, else 0.  Either may hold
 * an '@', and a '/' as people type it: what stands behind the host's colon is
 * a port, or it is none. */
static size_t
password_bytes(struct str rest)
{
	struct str host, port, behind;
	size_t at = rest.n;
	uint64_t v;

	(void)str_cut(rest, '/', &host, &behind);
	while (at > 0 && rest.p[at - 1] != '@')
		at--;
	if (!str_cut(host, ':', &host, &port))
		return 0; /* sftp://user@host has none */
	if (!str_contains(port, STR("@")) &&
	    (port.n == 0 || is_v6(host) || str_u64(port, UINT16_MAX, &v)))
		return 0;
	return at;
}

/* Behind the "://"; nothing when there is none. */
static struct str
rest_of(struct str url)
{
	size_t i;

	for (i = 0; i + 3 <= url.n; i++)
		if (str_starts(str_sub(url, i, url.n), STR("://")))
			return str_sub(url, i + 3, url.n);
	return STR("");
}

struct str
creds_url_again(struct arena *a, struct str url)
{
	struct str rest = rest_of(url);
	size_t n = password_bytes(rest);

	if (n == 0)
		return url;
	return str_of(arena_printf(a, "%.*s%.*s",
	    STR_ARG(str_sub(url, 0, url.n - rest.n)),
	    STR_ARG(str_sub(rest, n, rest.n))));
}

enum rc
creds_check_url(const char *url, struct err *e)
{
	if (url == NULL || url[0] == '\0' || !creds_printable(url))
		return err_set(e, RC_INVALID,
		    "the repository is needed, "
		    "for example rest:https://backup.example.net:8000/web-1");
	if (password_bytes(rest_of(str_of(url))) > 0)
		return err_set(e, RC_INVALID,
		    "leave user and password "
		    "out of the repository's URL; they have fields of their "
		    "own");
	return RC_OK;
}

enum rc
creds_check_username(const char *username, struct err *e)
{
	if (username != NULL && !creds_printable(username))
		return err_set(e, RC_INVALID,
		    "the user name holds control characters");
	return RC_OK;
}

enum rc
creds_check_password(const char *password, struct err *e)
{
	if (password != NULL && !creds_printable(password))
		return err_set(e, RC_INVALID,
		    "the password holds control characters");
	return RC_OK;
}

static bool
has_value(const struct json_pair *p)
{
	return p->value != NULL && p->value[0] != '\0';
}

enum rc
creds_check_extra(const char *url, const struct json_pairs *extra,
    struct err *e)
{
	size_t i;

	for (i = 0; i < extra->n; i++)
		if (has_value(&extra->v[i]) &&
		    repo_env_check(str_of(url), str_of(extra->v[i].name),
		        str_of(extra->v[i].value), e) != RC_OK)
			return e->rc;
	return RC_OK;
}

void
creds_lend_extra(struct Rec__RepoSecret *repo, const struct json_pairs *extra,
    struct arena *a)
{
	size_t i;

	repo->extra = arena_array(a, extra->n + 1, sizeof(*repo->extra));
	for (i = 0; repo->extra != NULL && i < extra->n; i++) {
		Rec__Variable *v =
		    has_value(&extra->v[i]) ? arena_alloc(a, sizeof(*v)) : NULL;

		if (v == NULL)
			continue;
		rec__variable__init(v);
		v->name = extra->v[i].name;
		v->value = extra->v[i].value;
		repo->extra[repo->n_extra++] = v;
	}
}

/* ---------------------------------------------------------------- places */

enum {
	PLACE_CAP = 512
};

/* Backends, from the table of restic's manual: what of the text behind the
 * colon says to whom credentials go, up to one of these. */
static const struct {
	const char *backend;
	const char *ends;
} backends[] = {
	{ "rest", "/" },
	{ "s3", "/" },
	{ "sftp", ":/" },
	{ "b2", ":" },
	{ "azure", ":" },
	{ "gs", ":" },
	{ "swift", ":" },
	{ "rclone", ":" },
};

/* Without user@. */
static struct str
host_part(struct str rest, const char *ends)
{
	size_t n = 0, i;

	while (n < rest.n && strchr(ends, rest.p[n]) == NULL)
		n++;
	for (i = n; i > 0; i--)
		if (rest.p[i - 1] == '@')
			return str_sub(rest, i, n - i);
	return str_sub(rest, 0, n);
}

/* "rest|https|vault:8000", in lower case; "" is a path on the host. */
static void
place_of(const char *url, char out[PLACE_CAP])
{
	struct str backend, rest, scheme = STR("");
	const char *slashes, *ends = "/";
	size_t i;

	out[0] = '\0';
	(void)str_cut(str_of(url), ':', &backend, &rest);
	for (i = 0; i < ARRAY_LEN(backends); i++)
		if (str_eqz(backend, backends[i].backend))
			break;
	if (i == ARRAY_LEN(backends))
		return;
	slashes = memmem(rest.p, rest.n, "://", 3);
	if (slashes != NULL) {
		scheme = str_from(rest.p, (size_t)(slashes - rest.p));
		rest = str_sub(rest, scheme.n + 3, rest.n);
	} else if (str_starts(rest, STR("//"))) {
		rest = str_sub(rest, 2, rest.n);
	} else {
		ends = backends[i].ends;
	}
	rest = host_part(rest, ends);
	/* Too long to compare is a place of its own. */
	if (!str_fmt(out, PLACE_CAP, "%.*s|%.*s|%.*s", STR_ARG(backend),
	        STR_ARG(scheme), STR_ARG(rest)))
		memcpy(out, "?", 2);
	for (i = 0; out[i] != '\0'; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
}

bool
creds_same_place(const char *a, const char *b)
{
	char pa[PLACE_CAP], pb[PLACE_CAP];

	place_of(a, pa);
	place_of(b, pb);
	return strcmp(a, b) == 0 ||
	       (strcmp(pa, pb) == 0 && strcmp(pa, "?") != 0);
}

/* --------------------------------------------------------------- sealing */

void
creds_token_ad(const uint8_t hash[CRYPT_HASH_SIZE], char ad[CREDS_AD_CAP])
{
	static const char prefix[] = "token:";

	memcpy(ad, prefix, sizeof(prefix));
	str_hex(hash, CRYPT_HASH_SIZE, ad + sizeof(prefix) - 1,
	    CREDS_AD_CAP - sizeof(prefix) + 1);
}

void
creds_host_ad(const struct ulid *host, enum creds_slot slot,
    char ad[CREDS_AD_CAP])
{
	static const char *const names[] = {
		[CREDS_REPO] = "repo",
		[CREDS_ADMIN] = "admin",
	};
	char id[ULID_TEXT_CAP];

	ulid_text(host, id);
	ASSERT(str_fmt(ad, CREDS_AD_CAP, "host:%s:%s", id, names[slot]));
}

enum rc
creds_seal(const uint8_t key[CRYPT_KEY_SIZE], const char *ad,
    const struct Rec__RepoSecret *repo, struct buf *out)
{
	struct buf plain;
	enum rc rc;

	buf_init(&plain, CREDS_PLAIN_MAX);
	pb_pack(&repo->base, &plain);
	rc = buf_rc(&plain);
	if (rc == RC_OK)
		rc = crypt_seal(key, str_of(ad), buf_str(&plain), out);
	buf_wipe_fini(&plain);
	return rc;
}

enum rc
creds_open(const uint8_t key[CRYPT_KEY_SIZE], const char *ad, struct str sealed,
    struct arena *a, struct Rec__RepoSecret **out)
{
	struct Rec__RepoSecret *repo;
	struct buf plain;
	enum rc rc;

	buf_init(&plain, CREDS_PLAIN_MAX);
	rc = crypt_open(key, str_of(ad), sealed, &plain);
	if (rc == RC_OK) {
		repo = message_unpack(a, buf_str(&plain),
		    &rec__repo_secret__descriptor);
		if (repo == NULL)
			rc = arena_rc(a) != RC_OK ? RC_LIMIT : RC_CORRUPT;
		else
			*out = repo;
	}
	buf_wipe_fini(&plain);
	return rc;
}

void
creds_wipe(struct Rec__RepoSecret *repo)
{
	size_t i;

	if (repo == NULL)
		return;
	mem_wipe(repo->password, strlen(repo->password));
	for (i = 0; i < repo->n_extra; i++)
		mem_wipe(repo->extra[i]->value, strlen(repo->extra[i]->value));
}
