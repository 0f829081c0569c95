/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bearer.h"

#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/mem.h"

enum rc
bearer_open(struct bearer *b, struct secrets *s, const char *enrolled,
    struct err *e)
{
	struct secrets_bearers stored = { 0 };
	bool fits;
	enum rc rc;
	size_t i;

	*b = (struct bearer){ .secrets = s };
	crypt_sha256(str_of(enrolled), b->of);
	rc = s != NULL ? secrets_bearers(s, b->of, &stored, e) : RC_OK;
	if (rc != RC_OK)
		return rc;
	fits = str_copy(b->text[stored.n], BEARER_CAP, str_of(enrolled));
	for (i = 0; i < stored.n; i++)
		fits = str_copy(b->text[i], BEARER_CAP,
		           secret_str(&stored.v[i])) &&
		       fits;
	b->n = stored.n + 1;
	secrets_bearers_fini(&stored);
	return fits ? RC_OK
	            : err_set(e, RC_INVALID, "a bearer has more than %d bytes",
	                  BEARER_CAP - 1);
}

void
bearer_wipe(struct bearer *b)
{
	mem_wipe(b, sizeof(*b));
}

const char *
bearer_in_use(const struct bearer *b)
{
	return b->text[b->at];
}

bool
bearer_offer(const struct bearer *b, uint8_t out[CRYPT_HASH_SIZE])
{
	if (b->at == 0)
		return false;
	crypt_sha256(str_of(b->text[0]), out);
	return true;
}

enum rc
bearer_renew(struct bearer *b, struct err *e)
{
	char enrolled[BEARER_CAP], fresh[CRYPT_TOKEN_CAP];
	enum rc rc;

	if (b->at > 0)
		return RC_OK;
	crypt_token(fresh);
	rc = secrets_add_bearer(b->secrets, b->of, str_of(fresh), e);
	if (rc == RC_OK) {
		memcpy(enrolled, b->text[b->n - 1], BEARER_CAP);
		if (b->n < BEARER_MAX)
			b->n++;
		memmove(b->text[1], b->text[0],
		    (b->n - 2) * sizeof(b->text[0]));
		ASSERT(str_copy(b->text[0], BEARER_CAP, str_of(fresh)));
		memcpy(b->text[b->n - 1], enrolled, BEARER_CAP);
		mem_wipe(enrolled, sizeof(enrolled));
		b->at = 1;
	}
	mem_wipe(fresh, sizeof(fresh));
	return rc;
}

void
bearer_taken(struct bearer *b)
{
	b->at = 0;
}

void
bearer_good(struct bearer *b)
{
	b->refused = 0;
}

bool
bearer_refused(struct bearer *b)
{
	b->at = (b->at + 1) % b->n;
	if (++b->refused < b->n)
		return true;
	b->refused = 0;
	b->at = 0;
	return false;
}
