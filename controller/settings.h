/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SETTINGS_H
#define CONTROLLER_SETTINGS_H
/*
 * controller.yaml and RM_* (requirements section 32, contract.md): one table
 * in settings.c.  Paths that follow from RM_DATA_DIR are filled in here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/conf.h"
#include "lib/base/rc.h"

struct cidr {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;
};

struct settings {
	char *listen;       /* RM_LISTEN, ":8443" */
	char *listen_plain; /* RM_LISTEN_PLAIN, NULL: none */
	char *tls_cert;     /* RM_TLS_CERT, NULL: self-signed */
	char *tls_key;
	char *data_dir;    /* RM_DATA_DIR */
	char *runtime_dir; /* RM_RUNTIME_DIR, default data_dir/run */
	char *base_url;    /* RM_BASE_URL, no trailing slash, NULL: unset */
	char *secret_key_file;
	bool cookie_secure;
	struct conf_strs trusted_proxy_text;
	struct cidr *trusted_proxies;
	size_t trusted_proxy_count;
	char *assets_dir; /* RM_BUNDLED_ASSETS_DIR: www lies in it */
	char *timezone;   /* RM_TIMEZONE, "UTC" */
	int64_t log_retention_days;
	int64_t log_max_bytes;
	char *group;  /* RM_GROUP, shares data.mdb and spool, NULL: none */
	char *render; /* RM_RENDER: path of the renderer to start
	                     (all-in-one), NULL: it is started elsewhere */
	char *log_level;
	char *metrics_token; /* of /metrics, also out of the file; NULL: none */
	char *metrics_token_file;
	struct conf_strs metrics_cidr_text;
	struct cidr *metrics_cidrs;
	size_t metrics_cidr_count;
	/* derived */
	char *spool_dir;
	char *state_dir, *vault_dir, *live_dir, *tls_dir;
	char *render_sock;
};

MUST_USE enum rc settings_load(struct settings *out, const char *path,
    bool must_exist, struct err *e);
void settings_free(struct settings *s);
/* The table, for the sample file and tests. */
const struct conf_key *settings_keys(size_t *n);
/* Whether an address may read /metrics, as far as addresses decide. */
bool settings_metrics_from(const struct settings *s, const char *address);
/* Whether a peer's forwarded headers count.  peer: address text. */
bool settings_trusted(const struct settings *s, const char *peer);
#endif
