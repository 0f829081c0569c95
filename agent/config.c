/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config.h"

#include <string.h>

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/secrets.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

static void
config_tell(struct agent *a, uint64_t version)
{
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;

	ack.version = version;
	ack.applied_at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	ev.config_ack = &ack;
	events_put(a->events, &ev, true);
}

static void
config_wipe(Wire__RepoSlot *slot)
{
	if (slot == NULL)
		return;
	mem_wipe(slot->password, strlen(slot->password));
	mem_wipe(slot->url, strlen(slot->url));
}

void
config_apply(struct agent *a, const struct Wire__Config *c)
{
	struct secrets_config held = secrets_config(a->secrets), now = { 0 };
	struct secrets_repo repo = { 0 };
	struct err e = { 0 };
	enum rc rc;

	now.version = c->version;
	if (c->caps != NULL) {
		now.up_kbps = c->caps->bandwidth_up_kbps;
		now.down_kbps = c->caps->bandwidth_down_kbps;
	}
	if (held.version == now.version) {
		config_wipe(c->repo);
		return;
	}
	if (c->repo != NULL) {
		secret_set(&repo.url, str_of(c->repo->url));
		secret_set(&repo.username, str_of(c->repo->username));
		secret_set(&repo.password, str_of(c->repo->password));
		config_wipe(c->repo);
	}
	rc = secrets_put(a->secrets, SECRETS_REPO,
	    c->repo != NULL ? &repo : NULL, &now, &e);
	secrets_repo_fini(&repo);
	if (rc != RC_OK) {
		log_error(LOG_CONF, "configuration not stored error=%s", e.msg);
		return;
	}
	a->stats_took_ms = 0; /* of the former repository, it may be */
	log_info(LOG_CONF, "configuration stored version=%llu",
	    (unsigned long long)now.version);
	config_tell(a, now.version);
}
