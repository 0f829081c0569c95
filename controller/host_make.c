/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/host_make.h"

#include "controller/pb.h"
#include "controller/upkeep.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/vault_store.h"

static void
put_host(struct store_tx *state, const struct host_make *m)
{
	struct Rec__Host h = REC__HOST__INIT;

	h.id = pb_id(m->id);
	h.name = pb_text(m->name);
	h.reported_name = pb_text(m->reported_name);
	h.os = pb_text(m->os);
	h.arch = pb_text(m->arch);
	h.agent_version = pb_text(m->agent_version);
	h.restic_version = pb_text(m->restic_version);
	h.tags = (char **)(uintptr_t)m->tags;
	h.n_tags = m->n_tags;
	h.enrolled_at_ms = clock_now_ms();
	h.always_on = true;
	h.repo_url = pb_text(m->repo_url);
	h.repo_username = pb_text(m->repo_username);
	h.extra_names = (char **)(uintptr_t)m->extra_names;
	h.n_extra_names = m->n_extra_names;
	h.config_version = 1;
	host_store_put(state, &h);
}

/* The default source group (M-082). */
static void
put_group(struct store_tx *state, const struct host_make *m)
{
	static const char *const usual[] = { "/etc", "/home" };
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	char *paths[ARRAY_LEN(usual)];
	struct ulid id;
	size_t i;

	ulid_new(&id);
	g.id = pb_id(&id);
	g.host_id = pb_id(m->id);
	g.name = pb_text("default");
	g.created_at_ms = g.updated_at_ms = clock_now_ms();
	g.includes = (char **)(uintptr_t)m->paths;
	g.n_includes = m->n_paths;
	if (g.n_includes == 0) {
		for (i = 0; i < ARRAY_LEN(usual); i++)
			paths[i] = pb_text(usual[i]);
		g.includes = paths;
		g.n_includes = ARRAY_LEN(usual);
	}
	plan_store_put(state, &g);
}

void
host_make(struct store_tx *state, struct store_tx *vault,
    const struct host_make *m)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;

	s.sealed_repo = pb_bytes(m->sealed_repo.p, m->sealed_repo.n);
	vault_put_host(vault, m->id, &s);
	put_host(state, m);
	put_group(state, m);
	upkeep_make(state, m->id);
}

bool
host_make_bearer(struct store_tx *vault, const struct ulid *host,
    char out[CRYPT_TOKEN_CAP], bool *has_repo)
{
	struct Rec__HostSecrets *s = vault_find_host(vault, host);
	uint8_t hash[CRYPT_HASH_SIZE];

	if (s == NULL)
		return false;
	crypt_token(out);
	crypt_sha256(str_of(out), hash);
	s->bearer_hash = pb_bytes(hash, sizeof(hash));
	s->previous_bearer_hash = (ProtobufCBinaryData){ 0, NULL };
	*has_repo = s->sealed_repo.len > 0;
	vault_put_host(vault, host, s);
	return true;
}
