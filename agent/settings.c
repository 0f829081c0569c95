/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/url.h"

#define SETTINGS_PATH "/etc/restic-manager/agent.yaml"
#define SETTINGS_STATE "/var/lib/restic-manager-agent"

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
static const struct conf_key settings_table[] = {
	{ "server", NULL, CONF_STR, 0, 1, 512, NULL, AT(server),
	  "The controller: https://host[:port]." },
	{ "host_id", NULL, CONF_STR, 0, 26, 26, NULL, AT(host_id),
	  "This host's id, given at enrolment." },
	{ "agent_token", NULL, CONF_STR, CONF_SECRET, 1, 128, NULL,
	  AT(agent_token), "The bearer, given at enrolment." },
	{ "secrets_key", NULL, CONF_STR, CONF_SECRET, 44, 44, NULL,
	  AT(secrets_key), "Key of secrets.enc, base64 of 32 bytes." },
	{ "cert_pin_sha256", "RM_SERVER_CERT_PIN_SHA256", CONF_STR, 0, 64, 64,
	  NULL, AT(cert_pin_sha256),
	  "SHA-256 of the controller's public key (SPKI), hex." },
	{ "restic_path", NULL, CONF_STR, 0, 1, 4000, NULL, AT(restic_path),
	  "restic to run; unset: the one in PATH." },
	{ "secrets_path", NULL, CONF_STR, 0, 1, 4000, NULL, AT(secrets_path),
	  "Sealed repository credentials; unset: state_dir/secrets.enc." },
	{ "state_dir", "RM_STATE_DIR", CONF_STR, 0, 1, 3900, SETTINGS_STATE,
	  AT(state_dir), "Where the agent keeps its queue and jobs." },
	{ "announce_key", NULL, CONF_STR, CONF_SECRET, 1, 128, NULL,
	  AT(announce_key), "Key pair of an agent that waits for approval." },
	{ "enrol_id", NULL, CONF_STR, 0, 1, 64, NULL, AT(enrol_id),
	  "Names an enrolment under way, so that it can be repeated." },
	{ "log_level", "RM_LOG_LEVEL", CONF_STR, 0, 1, 16, "info",
	  AT(log_level), "error, warn, info or debug." },
	{ "queue_max_bytes", NULL, CONF_SIZE, 0, 8388608, INT64_MAX, "256M",
	  AT(queue_max_bytes), "Room for events the controller lacks." },
};
/* clang-format on */

const struct conf_key *
settings_keys(size_t *n)
{
	*n = ARRAY_LEN(settings_table);
	return settings_table;
}

/* The file holds the bearer and the secrets key. */
static enum rc
settings_check_mode(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT
		           ? RC_OK
		           : err_errno(e, errno, "cannot look at %s", path);
	if ((st.st_mode & 077) != 0)
		return err_set(e, RC_DENIED,
		    "%s can be read by others; run: chmod 600 %s", path, path);
	return RC_OK;
}

enum rc
settings_server_ok(const char *url, struct err *e)
{
	return url_check_safe(url, "the token and the repository's password",
	    e);
}

enum rc
settings_load(struct settings *out, const char *path, struct err *e)
{
	struct settings s = { 0 };
	enum rc rc;

	if (path == NULL)
		path = getenv("RM_AGENT_CONFIG");
	if (path == NULL)
		path = SETTINGS_PATH;
	if ((rc = settings_check_mode(path, e)) != RC_OK)
		return rc;
	rc = conf_load(settings_table, ARRAY_LEN(settings_table), path, false,
	    &s, e);
	if (rc != RC_OK)
		return rc;
	s.path = mem_strdup(path);
	s.queue_dir = fsio_below(s.state_dir, "queue");
	s.jobs_dir = fsio_below(s.state_dir, "jobs");
	if (s.secrets_path == NULL)
		s.secrets_file = fsio_below(s.state_dir, "secrets.enc");
	else
		s.secrets_file = mem_strdup(s.secrets_path);
	*out = s;
	return RC_OK;
}

enum rc
settings_save(const struct settings *s, struct err *e)
{
	struct buf b;
	char *slash, *dir;
	enum rc rc = RC_OK;

	buf_init(&b, KIB(64));
	buf_puts(&b, "# Written by restic-manager-agent; keep it secret.\n");
	conf_dump(settings_table, ARRAY_LEN(settings_table), s, &b);
	dir = mem_strdup(s->path);
	slash = strrchr(dir, '/');
	if (slash != NULL && slash != dir) {
		*slash = '\0';
		rc = fsio_mkdirs(dir, 0755, e);
	}
	if (rc == RC_OK && (rc = buf_rc(&b)) != RC_OK)
		err_set(e, rc, "%s would be too large", s->path);
	if (rc == RC_OK)
		rc = fsio_replace(s->path, buf_str(&b), 0600, e);
	mem_free(dir);
	buf_wipe_fini(&b);
	return rc;
}

enum rc
settings_mint_key(struct settings *s, struct err *e)
{
	uint8_t key[CRYPT_KEY_SIZE];
	char text[STR_B64_CAP(CRYPT_KEY_SIZE)];

	if (s->secrets_key != NULL)
		return RC_OK;
	if (access(s->secrets_file, F_OK) == 0)
		return err_set(e, RC_CORRUPT,
		    "%s lacks the secrets_key that %s was sealed with; "
		    "restore it, or move that file away and save the "
		    "repository credentials again",
		    s->path, s->secrets_file);
	crypt_random(key, sizeof(key));
	str_b64(key, sizeof(key), false, text, sizeof(text));
	settings_set(&s->secrets_key, text);
	mem_wipe(key, sizeof(key));
	mem_wipe(text, sizeof(text));
	return settings_save(s, e);
}

void
settings_set(char **field, const char *value)
{
	mem_free(*field);
	*field = value == NULL ? NULL : mem_strdup(value);
}

void
settings_free(struct settings *s)
{
	mem_free(s->path);
	mem_free(s->queue_dir);
	mem_free(s->jobs_dir);
	mem_free(s->secrets_file);
	conf_free(settings_table, ARRAY_LEN(settings_table), s);
}
