/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/identity.h"

#include <string.h>

#include "agent/events.h"
#include "agent/secrets.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "spool/queue.h"

static enum rc
identity_forget_credentials(const struct settings *s, struct err *e)
{
	const struct secrets_config none = { 0 };
	struct secrets *secrets = NULL;
	uint8_t key[CRYPT_KEY_SIZE];
	size_t n = 0;
	enum rc rc;

	if (!str_unb64(str_of(s->secrets_key), false, key, sizeof(key), &n) ||
	    n != sizeof(key))
		return err_set(e, RC_INVALID,
		    "secrets_key is not base64 of 32 bytes");
	rc = secrets_open(s->secrets_file, key, &secrets, e);
	mem_wipe(key, sizeof(key));
	if (rc == RC_OK)
		rc = secrets_put(secrets, SECRETS_REPO, NULL, &none, e);
	secrets_close(secrets);
	return rc;
}

/* Events and credentials of the host that this one was before are nothing
 * to the controller it belongs to now. */
static enum rc
identity_become(struct identity *id, const char *host_id, struct err *e)
{
	const char *before = id->settings->host_id;
	enum rc rc;

	if (before == NULL || strcmp(before, host_id) == 0)
		return RC_OK;
	if ((rc = queue_renew(id->queue, e)) != RC_OK)
		return rc;
	return identity_forget_credentials(id->settings, e);
}

enum rc
identity_take(struct identity *id, const struct identity_answer *a,
    struct err *e)
{
	struct settings *s = id->settings;
	enum rc rc;

	if (strlen(a->host_id) != ULID_TEXT_CAP - 1 || a->bearer[0] == '\0')
		return err_set(e, RC_PROTO,
		    "the controller's answer is malformed");
	if ((rc = identity_become(id, a->host_id, e)) != RC_OK)
		return rc;
	settings_set(&s->host_id, a->host_id);
	settings_set(&s->agent_token, a->bearer);
	settings_set(&s->enrol_id, NULL);
	settings_set(&s->announce_key, NULL);
	if (a->pin != NULL)
		settings_set(&s->cert_pin_sha256, a->pin);
	return settings_save(s, e);
}

static enum rc
identity_hold_queue(struct identity *id, struct err *e)
{
	const struct queue_opts o = { .dir = id->settings->queue_dir,
		.gap = events_gap };
	bool fresh;
	enum rc rc = queue_open(&o, &id->queue, &fresh, e);

	if (rc == RC_BUSY)
		return err_set(e, RC_BUSY,
		    "an agent runs on %s; stop it first: systemctl stop "
		    "restic-manager-agent",
		    id->settings->state_dir);
	return rc;
}

enum rc
identity_open(struct identity *id, struct settings *s, struct err *e)
{
	struct err none = { 0 };
	enum rc rc;

	id->settings = s;
	if ((rc = fsio_mkdirs(s->queue_dir, 0700, e)) != RC_OK ||
	    (rc = fsio_mkdirs(s->jobs_dir, 0700, e)) != RC_OK ||
	    (rc = identity_hold_queue(id, e)) != RC_OK ||
	    (rc = facts_read(&id->facts, s->queue_dir, e)) != RC_OK)
		return rc;
	/* Without restic the host can enrol; its commands will say so. */
	if (restic_locate(&id->restic, s->restic_path, &none) != RC_OK)
		id->restic.version[0] = '\0';
	return settings_mint_key(s, e);
}

void
identity_close(struct identity *id)
{
	queue_close(id->queue);
	id->queue = NULL;
}
