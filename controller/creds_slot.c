/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slots as they go to the agent. */
#include <string.h>

#include "controller/creds.h"
#include "controller/creds_own.h"
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"
#include "proto/store.pb-c.h"

enum rc
creds_open_slot(struct store_tx *vault, const uint8_t key[CRYPT_KEY_SIZE],
    const struct ulid *host, enum creds_slot slot, struct Rec__RepoSecret **out)
{
	const struct Rec__HostSecrets *s = vault_find_host(vault, host);
	const ProtobufCBinaryData *sealed;
	char ad[CREDS_AD_CAP];

	if (s == NULL)
		return RC_NOTFOUND;
	sealed = slot == CREDS_ADMIN ? &s->sealed_admin : &s->sealed_repo;
	if (sealed->len == 0)
		return RC_NOTFOUND;
	creds_host_ad(host, slot, ad);
	return creds_open(key, ad, str_from(sealed->data, sealed->len),
	    store_arena(vault), out);
}

/* The slots share an arena, and what is lent by one is wiped with it: so
 * everything is copied. */
static void
put_extra(struct arena *a, Wire__RepoSlot *slot,
    const struct Rec__RepoSecret *from)
{
	Wire__Variable *v;
	size_t i, k;

	for (i = 0; i < from->n_extra; i++) {
		for (k = 0; k < slot->n_extra; k++)
			if (strcmp(slot->extra[k]->name,
			        from->extra[i]->name) == 0)
				break;
		v = k == slot->n_extra ? arena_alloc(a, sizeof(*v)) : NULL;
		if (v == NULL)
			continue;
		wire__variable__init(v);
		v->name = arena_dup(a, from->extra[i]->name);
		v->value = arena_dup(a, from->extra[i]->value);
		slot->extra[slot->n_extra++] = v;
	}
}

static Wire__RepoSlot *
new_slot(struct arena *a, size_t variables)
{
	Wire__RepoSlot *slot = arena_alloc(a, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	wire__repo_slot__init(slot);
	slot->extra = arena_array(a, variables + 1, sizeof(*slot->extra));
	return slot->extra == NULL ? NULL : slot;
}

static const char *
first_of(const char *a, const char *b)
{
	return a[0] != '\0' ? a : b;
}

static Wire__RepoSlot *
join(struct arena *a, const struct Rec__RepoSecret *own,
    const struct Rec__RepoSecret *repo)
{
	const char *url = first_of(own->url, repo->url);
	bool same = creds_same_place(url, repo->url);
	Wire__RepoSlot *slot = new_slot(a, own->n_extra + repo->n_extra);

	if (slot == NULL)
		return NULL;
	slot->url = arena_dup(a, url);
	slot->username =
	    arena_dup(a, first_of(own->username, same ? repo->username : ""));
	slot->password =
	    arena_dup(a, first_of(own->password, same ? repo->password : ""));
	put_extra(a, slot, own);
	if (same)
		put_extra(a, slot, repo);
	return slot;
}

enum rc
creds_for_agent(struct store_tx *vault, const uint8_t key[CRYPT_KEY_SIZE],
    const struct ulid *host, enum creds_slot slot, struct Wire__RepoSlot **out)
{
	struct Rec__RepoSecret *own = NULL, *repo = NULL;
	struct Wire__RepoSlot *s = NULL;
	struct arena *a = store_arena(vault);
	enum rc rc;

	rc = creds_open_slot(vault, key, host, slot, &own);
	if (rc == RC_OK && slot == CREDS_ADMIN)
		rc = creds_open_slot(vault, key, host, CREDS_REPO, &repo);
	if (rc == RC_OK)
		s = join(a, own, repo != NULL ? repo : own);
	creds_wipe(own);
	creds_wipe(repo);
	if (rc != RC_OK)
		return rc == RC_NOTFOUND && own != NULL ? RC_CORRUPT : rc;
	if (s == NULL || arena_rc(a) != RC_OK) {
		creds_wipe_slot(s);
		return RC_LIMIT;
	}
	*out = s;
	return RC_OK;
}

void
creds_wipe_slot(struct Wire__RepoSlot *slot)
{
	size_t i;

	if (slot == NULL)
		return;
	mem_wipe(slot->password, strlen(slot->password));
	mem_wipe(slot->url, strlen(slot->url));
	for (i = 0; i < slot->n_extra; i++)
		mem_wipe(slot->extra[i]->value, strlen(slot->extra[i]->value));
}
