/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/creds.h"

#include <string.h>

#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
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

/* user:password@ in the authority of a URL. */
static bool
has_password(const char *url)
{
	const char *slashes = strstr(url, "://"), *colon, *at, *end;

	if (slashes == NULL)
		return false;
	end = strchr(slashes + 3, '/');
	at = strchr(slashes + 3, '@');
	colon = strchr(slashes + 3, ':');
	return at != NULL && (end == NULL || at < end) && colon != NULL &&
	       colon < at; /* sftp://user@host has none */
}

enum rc
creds_check_url(const char *url, struct err *e)
{
	if (url == NULL || url[0] == '\0' || !creds_printable(url))
		return err_set(e, RC_INVALID,
		    "the repository is needed, "
		    "for example rest:https://backup.example.net:8000/web-1");
	if (has_password(url))
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
creds_host_ad(const struct ulid *host, char ad[CREDS_AD_CAP])
{
	char id[ULID_TEXT_CAP];

	ulid_text(host, id);
	ASSERT(str_fmt(ad, CREDS_AD_CAP, "host:%s:repo", id));
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
		repo = pb_unpack(&rec__repo_secret__descriptor, buf_str(&plain),
		    a);
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
	if (repo == NULL)
		return;
	mem_wipe(repo->password, strlen(repo->password));
}
