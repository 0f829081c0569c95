/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/repo_env.h"

#define BIT(b) (1U << (b))

enum {
	REPO_ENV_HTTPS = BIT(REPO_S3) | BIT(REPO_B2) | BIT(REPO_AZURE) |
	                 BIT(REPO_GCS) | BIT(REPO_REST) | BIT(REPO_SWIFT)
};

static const struct {
	const char *prefix;
	const char *name;
} repo_backends[] = {
	[REPO_LOCAL] = { "local:", "a local path" },
	[REPO_S3] = { "s3:", "Amazon S3" },
	[REPO_B2] = { "b2:", "Backblaze B2" },
	[REPO_AZURE] = { "azure:", "Azure Blob Storage" },
	[REPO_GCS] = { "gs:", "Google Cloud Storage" },
	[REPO_SFTP] = { "sftp:", "SFTP" },
	[REPO_REST] = { "rest:", "a REST server" },
	[REPO_SWIFT] = { "swift:", "OpenStack Swift" },
	[REPO_RCLONE] = { "rclone:", "rclone" },
};
_Static_assert(ARRAY_LEN(repo_backends) == REPO_BACKEND_COUNT,
    "a row for each back end");

/* clang-format off */
#define TEXT(name, backend, what)   { name, REPO_ENV_TEXT, false, NULL, BIT(backend), what }
#define SECRET(name, backend, what) { name, REPO_ENV_TEXT, true, NULL, BIT(backend), what }

static const struct repo_env repo_envs[] = {
	TEXT(  "AWS_ACCESS_KEY_ID",                    REPO_S3, "access key"),
	SECRET("AWS_SECRET_ACCESS_KEY",                REPO_S3, "secret key"),
	SECRET("AWS_SESSION_TOKEN",                    REPO_S3, "token of a temporary key"),
	TEXT(  "AWS_DEFAULT_REGION",                   REPO_S3, "region"),
	TEXT(  "RESTIC_AWS_ASSUME_ROLE_ARN",           REPO_S3, "role to assume"),
	TEXT(  "RESTIC_AWS_ASSUME_ROLE_SESSION_NAME",  REPO_S3, "its session's name"),
	SECRET("RESTIC_AWS_ASSUME_ROLE_EXTERNAL_ID",   REPO_S3, "its external id"),
	TEXT(  "RESTIC_AWS_ASSUME_ROLE_POLICY",        REPO_S3, "its policy, JSON"),
	TEXT(  "RESTIC_AWS_ASSUME_ROLE_REGION",        REPO_S3, "its region"),
	TEXT(  "RESTIC_AWS_ASSUME_ROLE_STS_ENDPOINT",  REPO_S3, "its token service"),
	TEXT(  "B2_ACCOUNT_ID",                        REPO_B2, "key id"),
	SECRET("B2_ACCOUNT_KEY",                       REPO_B2, "application key"),
	TEXT(  "AZURE_ACCOUNT_NAME",                   REPO_AZURE, "storage account"),
	SECRET("AZURE_ACCOUNT_KEY",                    REPO_AZURE, "its key"),
	SECRET("AZURE_ACCOUNT_SAS",                    REPO_AZURE, "shared access signature"),
	TEXT(  "AZURE_ENDPOINT_SUFFIX",                REPO_AZURE, "endpoint of another cloud"),
	TEXT(  "GOOGLE_PROJECT_ID",                    REPO_GCS, "project"),
	{      "GOOGLE_APPLICATION_CREDENTIALS",       REPO_ENV_FILE, true, NULL, BIT(REPO_GCS), "service account, JSON" },
	SECRET("GOOGLE_ACCESS_TOKEN",                  REPO_GCS, "access token"),
	TEXT(  "RESTIC_REST_USERNAME",                 REPO_REST, "user of the server, if another"),
	SECRET("RESTIC_REST_PASSWORD",                 REPO_REST, "password of the server, if another"),
	TEXT(  "OS_AUTH_URL",                          REPO_SWIFT, "identity service"),
	TEXT(  "OS_REGION_NAME",                       REPO_SWIFT, "region"),
	TEXT(  "OS_USERNAME",                          REPO_SWIFT, "user"),
	TEXT(  "OS_USER_ID",                           REPO_SWIFT, "user id"),
	SECRET("OS_PASSWORD",                          REPO_SWIFT, "password"),
	TEXT(  "OS_TENANT_ID",                         REPO_SWIFT, "tenant id"),
	TEXT(  "OS_TENANT_NAME",                       REPO_SWIFT, "tenant"),
	TEXT(  "OS_USER_DOMAIN_NAME",                  REPO_SWIFT, "user's domain"),
	TEXT(  "OS_USER_DOMAIN_ID",                    REPO_SWIFT, "user's domain id"),
	TEXT(  "OS_PROJECT_NAME",                      REPO_SWIFT, "project"),
	TEXT(  "OS_PROJECT_DOMAIN_NAME",               REPO_SWIFT, "project's domain"),
	TEXT(  "OS_PROJECT_DOMAIN_ID",                 REPO_SWIFT, "project's domain id"),
	TEXT(  "OS_TRUST_ID",                          REPO_SWIFT, "trust"),
	TEXT(  "OS_APPLICATION_CREDENTIAL_ID",         REPO_SWIFT, "application credential id"),
	TEXT(  "OS_APPLICATION_CREDENTIAL_NAME",       REPO_SWIFT, "application credential"),
	SECRET("OS_APPLICATION_CREDENTIAL_SECRET",     REPO_SWIFT, "its secret"),
	TEXT(  "OS_STORAGE_URL",                       REPO_SWIFT, "storage URL, with a token"),
	SECRET("OS_AUTH_TOKEN",                        REPO_SWIFT, "token"),
	TEXT(  "ST_AUTH",                              REPO_SWIFT, "identity service, v1"),
	TEXT(  "ST_USER",                              REPO_SWIFT, "user, v1"),
	SECRET("ST_KEY",                               REPO_SWIFT, "key, v1"),
	TEXT(  "SWIFT_DEFAULT_CONTAINER_POLICY",       REPO_SWIFT, "policy of a new container"),
	SECRET("RCLONE_CONFIG_PASS",                   REPO_RCLONE, "password of rclone.conf"),
	TEXT(  "RCLONE_BWLIMIT",                       REPO_RCLONE, "bandwidth, as rclone counts"),
	{      "RM_SFTP_KEY",            REPO_ENV_FILE, true, NULL, BIT(REPO_SFTP), "private key, as ssh reads it, without a passphrase" },
	{      "RM_SFTP_KNOWN_HOSTS",    REPO_ENV_FILE, false, NULL, BIT(REPO_SFTP), "the server's keys, as in known_hosts" },
	{      "RESTIC_CACERT",          REPO_ENV_FILE, false, "--cacert", REPO_ENV_HTTPS, "certificates to trust, PEM" },
	{      "RESTIC_TLS_CLIENT_CERT", REPO_ENV_FILE, true, "--tls-client-cert", REPO_ENV_HTTPS, "client certificate and key, PEM" },
};
/* clang-format on */

const struct repo_env *
repo_env_at(size_t i)
{
	return i < ARRAY_LEN(repo_envs) ? &repo_envs[i] : NULL;
}

const struct repo_env *
repo_env_find(struct str name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(repo_envs); i++)
		if (str_eqz(name, repo_envs[i].name))
			return &repo_envs[i];
	return NULL;
}

bool
repo_env_suits(const struct repo_env *v, enum repo_backend b)
{
	return (v->backends & BIT(b)) != 0;
}

enum repo_backend
repo_env_backend(struct str url)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(repo_backends); i++)
		if (str_starts(url, str_of(repo_backends[i].prefix)))
			return (enum repo_backend)i;
	return REPO_LOCAL;
}

const char *
repo_env_backend_name(enum repo_backend b)
{
	return repo_backends[b].name;
}

/* Letters, digits and what names are made of beside: nothing that a shell or
 * an option would see in it. */
static bool
repo_sftp_plain(struct str s)
{
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		        (c >= '0' && c <= '9') ||
		        (i > 0 && (c == '.' || c == '-' || c == '_'))))
			return false;
	}
	return s.n > 0;
}

bool
repo_sftp_parse(struct str url, struct repo_sftp *out)
{
	struct repo_sftp r = { .port = 22 };
	struct str rest, place, path, user, host, port;
	uint64_t n = 22;
	bool is_url;

	if (repo_env_backend(url) != REPO_SFTP)
		return false;
	rest = str_sub(url, 5, url.n);
	is_url = str_starts(rest, STR("//"));
	rest = str_sub(rest, is_url ? 2 : 0, rest.n);
	if (!str_cut(rest, is_url ? '/' : ':', &place, &path))
		return false;
	if (!str_cut(place, '@', &user, &host)) {
		host = user;
		user = STR("");
	} else if (!repo_sftp_plain(user)) {
		return false;
	}
	if (is_url && str_cut(host, ':', &host, &port) &&
	    !str_u64(port, 65535, &n))
		return false;
	if (!repo_sftp_plain(host))
		return false;
	r.user = user;
	r.host = host;
	r.port = (unsigned)n;
	*out = r;
	return true;
}

/* A value is one line of text, a file's contents may be several. */
static bool
repo_env_is_text(struct str value, bool lines)
{
	size_t i;
	unsigned char c;

	if (!str_utf8_ok(value))
		return false;
	for (i = 0; i < value.n; i++) {
		c = (unsigned char)value.p[i];
		if ((c < ' ' || c == 0x7f) &&
		    !(lines && (c == '\n' || c == '\r' || c == '\t')))
			return false;
	}
	return true;
}

enum rc
repo_env_check(struct str url, struct str name, struct str value, struct err *e)
{
	const struct repo_env *v = repo_env_find(name);
	const enum repo_backend b = repo_env_backend(url);
	struct repo_sftp place;
	size_t max;

	if (v == NULL)
		return err_set(e, RC_INVALID,
		    "%.*s is not a variable that a repository may be given",
		    (int)(name.n < REPO_ENV_NAME_MAX ? name.n
		                                     : REPO_ENV_NAME_MAX),
		    name.p != NULL ? name.p : "");
	if (!repo_env_suits(v, b))
		return err_set(e, RC_INVALID, "%s is of no use with %s",
		    v->name, repo_env_backend_name(b));
	if (b == REPO_SFTP && !repo_sftp_parse(url, &place))
		return err_set(e, RC_INVALID,
		    "%s needs a URL like sftp:user@host:/path, of letters, "
		    "digits and . - _ in user and host",
		    v->name);
	max = v->form == REPO_ENV_FILE ? REPO_ENV_FILE_MAX : REPO_ENV_TEXT_MAX;
	if (value.n == 0)
		return err_set(e, RC_INVALID, "%s has no value", v->name);
	if (value.n > max)
		return err_set(e, RC_INVALID, "%s is longer than %zu bytes",
		    v->name, max);
	if (!repo_env_is_text(value, v->form == REPO_ENV_FILE))
		return err_set(e, RC_INVALID,
		    v->form == REPO_ENV_FILE ? "%s is not text"
		                             : "%s is not one line of text",
		    v->name);
	return RC_OK;
}
