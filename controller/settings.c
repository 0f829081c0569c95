/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/settings.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define AT(member) offsetof(struct settings, member)

enum {
	PATH_LEN_MAX = 1024,
	TEXT_LEN_MAX = 512,
	PROXIES_MAX = 64
};

/* clang-format off */
static const struct conf_key keys[] = {
	/* name, environment, type, flags, min, max, default, offset, help */
	{ "listen", "RM_LISTEN", CONF_STR, 0, 1, TEXT_LEN_MAX,
	  ":8443", AT(listen),
	  "Address of the TLS listener: agents, browsers and scripts." },
	{ "listen_plain", "RM_LISTEN_PLAIN", CONF_STR, 0, 0, TEXT_LEN_MAX,
	  NULL, AT(listen_plain),
	  "Address of an additional listener without TLS, for a reverse proxy "
	  "on this machine; bind it to loopback." },
	{ "tls_cert", "RM_TLS_CERT", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(tls_cert),
	  "Certificate chain (PEM); unset: a self-signed certificate is made. "
	  "SIGHUP reads it again." },
	{ "tls_key", "RM_TLS_KEY", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(tls_key),
	  "Private key (PEM) of tls_cert." },
	{ "data_dir", "RM_DATA_DIR", CONF_STR, 0, 1, PATH_LEN_MAX,
	  "/var/lib/restic-manager", AT(data_dir),
	  "Everything that must survive: databases, job logs, keys." },
	{ "runtime_dir", "RM_RUNTIME_DIR", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(runtime_dir),
	  "What lives only while the controller runs; unset: data_dir/run." },
	{ "base_url", "RM_BASE_URL", CONF_STR, 0, 0, TEXT_LEN_MAX,
	  NULL, AT(base_url),
	  "Public URL, as in https://backup.example.org; used in links." },
	{ "secret_key_file", "RM_SECRET_KEY_FILE", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(secret_key_file),
	  "Key that seals credentials, made on first start; unset: "
	  "data_dir/secret.key. Back it up apart from the databases." },
	{ "cookie_secure", "RM_COOKIE_SECURE", CONF_BOOL, 0, 0, 0,
	  "true", AT(cookie_secure),
	  "Cookies only over HTTPS; false only for local tests over HTTP." },
	{ "trusted_proxies", "RM_TRUSTED_PROXY", CONF_STRS, 0, 0, PROXIES_MAX,
	  NULL, AT(trusted_proxy_text),
	  "Addresses or networks (CIDR) of reverse proxies whose X-Forwarded-* "
	  "fields count." },
	{ "bundled_assets_dir", "RM_BUNDLED_ASSETS_DIR", CONF_STR, 0, 1,
	  PATH_LEN_MAX, "/opt/restic-manager/dist", AT(assets_dir),
	  "Installed files; www/static and www/templates lie in it." },
	{ "timezone", "RM_TIMEZONE", CONF_STR, 0, 1, TEXT_LEN_MAX,
	  "UTC", AT(timezone),
	  "Zone of the console's clock and day boundaries (IANA name)." },
	{ "log_retention_days", "RM_LOG_RETENTION_DAYS", CONF_INT, 0, 1, 36500,
	  "90", AT(log_retention_days),
	  "Age at which job logs are removed; the job records stay." },
	{ "log_max_bytes", "RM_LOG_MAX_BYTES", CONF_SIZE, 0, 1 << 20,
	  INT64_MAX, "20G", AT(log_max_bytes),
	  "Total size of job logs above which the oldest are removed." },
	{ "group", "RM_GROUP", CONF_STR, 0, 0, 64,
	  NULL, AT(group),
	  "Group that may read the state database and the job logs: the "
	  "renderer's and that of administrators." },
	{ "render", "RM_RENDER", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(render),
	  "Path of the renderer to start (all-in-one); unset: the service "
	  "manager starts it." },
	{ "metrics_token", "RM_METRICS_TOKEN", CONF_STR, CONF_SECRET, 0,
	  TEXT_LEN_MAX, NULL, AT(metrics_token),
	  "Bearer token that Prometheus shows at /metrics. Without it, its file "
	  "and metrics_trusted_cidrs there is no /metrics; with both, both must "
	  "fit." },
	{ "metrics_token_file", "RM_METRICS_TOKEN_FILE", CONF_STR, 0, 0,
	  PATH_LEN_MAX, NULL, AT(metrics_token_file),
	  "File that holds the token, instead of metrics_token." },
	{ "metrics_trusted_cidrs", "RM_METRICS_TRUSTED_CIDR", CONF_STRS, 0, 0,
	  PROXIES_MAX, NULL, AT(metrics_cidr_text),
	  "Addresses or networks (CIDR) that may read /metrics." },
	{ "log_level", "RM_LOG_LEVEL", CONF_STR, 0, 1, 16,
	  "info", AT(log_level),
	  "error, warn, info or debug." },
};
/* clang-format on */

const struct conf_key *
settings_keys(size_t *n)
{
	*n = ARRAY_LEN(keys);
	return keys;
}

static char *
join(const char *dir, const char *name)
{
	size_t cap = strlen(dir) + strlen(name) + 2;
	char *path = mem_alloc(cap);

	ASSERT(str_fmt(path, cap, "%s/%s", dir, name));
	return path;
}

/* An empty value in the environment means unset. */
static void
drop_empty(char **value)
{
	if (*value == NULL || **value != '\0')
		return;
	mem_free(*value);
	*value = NULL;
}

static bool
parse_address(struct str text, uint8_t out[16], unsigned *out_width)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char z[INET6_ADDRSTRLEN];

	if (!str_copy(z, sizeof(z), text))
		return false;
	if (inet_pton(AF_INET, z, out + 12) == 1) {
		memcpy(out, mapped, sizeof(mapped));
		*out_width = 32;
		return true;
	}
	*out_width = 128;
	return inet_pton(AF_INET6, z, out) == 1;
}

static bool
cidr_parse(struct str text, struct cidr *out)
{
	struct str address, bits;
	unsigned width;
	uint64_t n;

	memset(out, 0, sizeof(*out));
	if (!str_cut(text, '/', &address, &bits)) {
		out->bits = 128;
		return parse_address(address, out->addr, &width);
	}
	if (!parse_address(address, out->addr, &width))
		return false;
	if (!str_u64(bits, width, &n))
		return false;
	out->bits = 128 - width + (unsigned)n;
	return true;
}

static bool
cidr_holds(const struct cidr *c, const uint8_t addr[16])
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (memcmp(c->addr, addr, whole) != 0)
		return false;
	return rest == 0 || ((c->addr[whole] ^ addr[whole]) & mask) == 0;
}

struct networks {
	const char *env;
	const struct conf_strs *text;
	struct cidr **cidrs;
	size_t *count;
};

static enum rc
read_networks(const struct networks *net, struct err *e)
{
	size_t i;

	*net->cidrs = mem_array(net->text->n, sizeof(struct cidr));
	*net->count = net->text->n;
	for (i = 0; i < net->text->n; i++) {
		struct str text = str_trim(str_of(net->text->v[i]));

		if (!cidr_parse(text, &(*net->cidrs)[i]))
			return err_set(e, RC_INVALID,
			    "%s: \"%s\" is not an address or network such as "
			    "10.0.0.0/8",
			    net->env, log_safe(text));
	}
	return RC_OK;
}

static enum rc
read_all_networks(struct settings *s, struct err *e)
{
	const struct networks proxies = { "RM_TRUSTED_PROXY",
		&s->trusted_proxy_text, &s->trusted_proxies,
		&s->trusted_proxy_count };
	const struct networks metrics = { "RM_METRICS_TRUSTED_CIDR",
		&s->metrics_cidr_text, &s->metrics_cidrs,
		&s->metrics_cidr_count };

	if (read_networks(&proxies, e) != RC_OK)
		return e->rc;
	return read_networks(&metrics, e);
}

static bool
within(const struct cidr *cidrs, size_t n, const char *address)
{
	struct str text = str_of(address), zone;
	uint8_t addr[16];
	unsigned width;
	size_t i;

	str_cut(text, '%', &text, &zone);
	if (!parse_address(text, addr, &width))
		return false;
	for (i = 0; i < n; i++) {
		if (cidr_holds(&cidrs[i], addr))
			return true;
	}
	return false;
}

bool
settings_trusted(const struct settings *s, const char *peer)
{
	return within(s->trusted_proxies, s->trusted_proxy_count, peer);
}

bool
settings_metrics_from(const struct settings *s, const char *address)
{
	return within(s->metrics_cidrs, s->metrics_cidr_count, address);
}

/* W-27: a token that is neither in the environment nor in the configuration.
 * One line; what is around it is not part of it. */
static enum rc
read_token(struct settings *s, struct err *e)
{
	struct buf b;
	enum rc rc;

	if (s->metrics_token_file == NULL)
		return RC_OK;
	if (s->metrics_token != NULL)
		return err_set(e, RC_INVALID,
		    "RM_METRICS_TOKEN and RM_METRICS_TOKEN_FILE: set one of "
		    "them");
	buf_init(&b, TEXT_LEN_MAX);
	rc = fsio_read(s->metrics_token_file, &b, e);
	if (rc == RC_OK) {
		struct str token = str_trim(buf_str(&b));

		if (token.n == 0 || memchr(token.p, '\0', token.n) != NULL)
			rc = err_set(e, RC_INVALID, "%s holds no token",
			    s->metrics_token_file);
		else
			s->metrics_token = mem_strndup(token.p, token.n);
	}
	buf_wipe_fini(&b);
	if (rc != RC_OK)
		err_wrap(e, "RM_METRICS_TOKEN_FILE");
	return rc;
}

static enum rc
check_base_url(struct settings *s, struct err *e)
{
	struct str url = str_of(s->base_url), scheme = STR("https://");
	size_t i;

	if (url.p == NULL)
		return RC_OK;
	while (url.n > 0 && url.p[url.n - 1] == '/')
		s->base_url[--url.n] = '\0';
	if (!str_starts(url, scheme))
		scheme = STR("http://");
	if (!str_starts(url, scheme) || url.n == scheme.n)
		return err_set(e, RC_INVALID,
		    "RM_BASE_URL must begin with https:// or http:// and "
		    "name a host");
	for (i = scheme.n; i < url.n; i++) {
		if (url.p[i] <= ' ' || url.p[i] > '~' ||
		    strchr("\"'<>\\?#@/", url.p[i]) != NULL)
			return err_set(e, RC_INVALID,
			    "RM_BASE_URL: only scheme, host and port are "
			    "allowed; pages lie at the root");
	}
	return RC_OK;
}

static enum rc
check(struct settings *s, struct err *e)
{
	enum log_level level;
	int32_t offset_s;
	enum rc rc;

	if ((s->tls_cert == NULL) != (s->tls_key == NULL))
		return err_set(e, RC_INVALID,
		    "RM_TLS_CERT and RM_TLS_KEY: set both or neither");
	if (!clock_zone_offset(s->timezone, clock_now_ms(), &offset_s))
		return err_set(e, RC_INVALID,
		    "RM_TIMEZONE: there is no zone \"%s\" here (IANA names, "
		    "such as Europe/Berlin; package tzdata)",
		    log_safe(str_of(s->timezone)));
	if (!log_level_parse(str_of(s->log_level), &level))
		return err_set(e, RC_INVALID,
		    "RM_LOG_LEVEL: use error, warn, info or debug");
	if ((rc = check_base_url(s, e)) != RC_OK)
		return rc;
	if ((rc = read_all_networks(s, e)) != RC_OK)
		return rc;
	return read_token(s, e);
}

static void
derive(struct settings *s)
{
	if (s->runtime_dir == NULL)
		s->runtime_dir = join(s->data_dir, "run");
	if (s->secret_key_file == NULL)
		s->secret_key_file = join(s->data_dir, "secret.key");
	s->spool_dir = join(s->data_dir, "spool");
	s->state_dir = join(s->data_dir, "db/state");
	s->vault_dir = join(s->data_dir, "db/vault");
	s->live_dir = join(s->runtime_dir, "live");
	s->tls_dir = join(s->data_dir, "tls");
	s->render_sock = join(s->runtime_dir, "render.sock");
}

enum rc
settings_load(struct settings *out, const char *path, bool must_exist,
    struct err *e)
{
	struct settings s = { 0 };
	char **optional[] = { &s.listen_plain, &s.tls_cert, &s.tls_key,
		&s.runtime_dir, &s.base_url, &s.secret_key_file, &s.group,
		&s.render, &s.metrics_token, &s.metrics_token_file };
	enum rc rc;
	size_t i;

	rc = conf_load(keys, ARRAY_LEN(keys), path, must_exist, &s, e);
	if (rc != RC_OK)
		goto out;
	for (i = 0; i < ARRAY_LEN(optional); i++)
		drop_empty(optional[i]);
	if ((rc = check(&s, e)) != RC_OK)
		goto out;
	derive(&s);
	*out = s;
	return RC_OK;
out:
	settings_free(&s);
	return rc;
}

void
settings_free(struct settings *s)
{
	char *derived[] = { s->spool_dir, s->state_dir, s->vault_dir,
		s->live_dir, s->tls_dir, s->render_sock };
	size_t i;

	for (i = 0; i < ARRAY_LEN(derived); i++)
		mem_free(derived[i]);
	mem_free(s->trusted_proxies);
	mem_free(s->metrics_cidrs);
	conf_free(keys, ARRAY_LEN(keys), s);
	memset(s, 0, sizeof(*s));
}
