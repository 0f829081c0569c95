/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H
/*
 * agent.yaml (M-110): read at start, written by enrolment, mode 0600, always
 * replaced as a whole.  One table in settings.c.
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/conf.h"
#include "lib/base/rc.h"

struct settings {
	char *server;          /* https://host[:port] */
	char *host_id;         /* NULL: not enrolled */
	char *agent_token;     /* the bearer */
	char *secrets_key;     /* base64 of 32 bytes, made on first start */
	char *cert_pin_sha256; /* hex, NULL: by CA alone */
	char *restic_path;     /* NULL: from PATH */
	char *secrets_path;    /* NULL: <state_dir>/secrets.enc */
	char *state_dir;       /* /var/lib/restic-manager-agent */
	char *announce_key;
	char *enrol_id; /* stored before the first attempt */
	char *log_level;
	int64_t queue_max_bytes;
	/* where it was loaded from and will be saved to */
	char *path;
	/* derived */
	char *queue_dir;
	char *jobs_dir;
	char *secrets_file;
};

/* path NULL: RM_AGENT_CONFIG, else the platform's default.  A file that
 * others may read is refused (it holds the bearer). */
MUST_USE enum rc settings_load(struct settings *out, const char *path,
    struct err *e);
MUST_USE enum rc settings_save(const struct settings *s, struct err *e);
void settings_free(struct settings *s);
/* Makes the key of secrets.enc when there is none yet (M-112); what was
 * sealed with a key that got lost is not overwritten: RC_CORRUPT. */
MUST_USE enum rc settings_mint_key(struct settings *s, struct err *e);
/* Replaces one text; value NULL unsets it. */
void settings_set(char **field, const char *value);
const struct conf_key *settings_keys(size_t *n);
/* Whether secrets may travel to this address: https, or this machine. */
MUST_USE enum rc settings_server_ok(const char *url, struct err *e);
#endif
