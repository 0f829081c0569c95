/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/cli/args.h"
#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/url.h"

#define TOKEN_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.="
#define BELOW_HOME "restic-manager/cli.yaml"
#define AT(member) offsetof(struct config, member)

/* clang-format off */
static const struct conf_key keys[] = {
	{ "server", NULL, CONF_STR, 0, 1, 512, NULL, AT(server),
	  "The controller: https://host[:port]." },
	{ "pin", NULL, CONF_STR, 0, 64, 64, NULL, AT(pin),
	  "SHA-256 of its public key, hex." },
	{ "ca_file", NULL, CONF_STR, 0, 1, 4000, NULL, AT(ca_file),
	  "Authorities to trust, PEM." },
	{ "token", NULL, CONF_STR, CONF_SECRET, 1, 256, NULL, AT(token),
	  "API token." },
	{ "token_id", NULL, CONF_STR, 0, 1, 64, NULL, AT(token_id),
	  "Its id." },
};
/* clang-format on */

static const char *
environment(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

void
config_set(char **field, const char *value)
{
	char *copy = value == NULL ? NULL : mem_strdup(value);

	if (*field != NULL)
		mem_wipe(*field, strlen(*field));
	mem_free(*field);
	*field = copy;
}

static enum rc
find_path(const struct args *a, char **out, struct err *e)
{
	const char *given = args_value(a, OPT_CONFIG);
	const char *xdg = environment("XDG_CONFIG_HOME");
	const char *home = environment("HOME");
	char *dir;

	if (given == NULL)
		given = environment("RM_CLI_CONFIG");
	if (given != NULL) {
		*out = mem_strdup(given);
	} else if (xdg != NULL && xdg[0] == '/') {
		*out = fsio_below(xdg, BELOW_HOME);
	} else if (home != NULL && home[0] == '/') {
		dir = fsio_below(home, ".config");
		*out = fsio_below(dir, BELOW_HOME);
		mem_free(dir);
	} else {
		(void)err_set(e, RC_INVALID,
		    "no home directory: say --config FILE");
		return RC_INVALID;
	}
	return RC_OK;
}

/* The file holds a token. */
static enum rc
check_mode(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR
		           ? RC_OK
		           : err_errno(e, errno, "cannot look at %s", path);
	if ((st.st_mode & 077) != 0)
		return err_set(e, RC_INVALID,
		    "%s can be read by others; run: chmod 600 %s", path, path);
	return RC_OK;
}

enum rc
config_server_ok(const char *url, struct err *e)
{
	return url_check_safe(url, "the token", e);
}

static bool
same_server(const char *a, const char *b)
{
	struct url x, y;

	return url_parse(a, &x, NULL) == RC_OK &&
	       url_parse(b, &y, NULL) == RC_OK && x.tls == y.tls &&
	       x.port == y.port && str_case_eq(str_of(x.host), str_of(y.host));
}

void
config_use(struct config *c, const char *server)
{
	if (c->server == NULL || !same_server(server, c->server)) {
		config_set(&c->token, NULL);
		config_set(&c->token_id, NULL);
		config_set(&c->pin, NULL);
		config_set(&c->ca_file, NULL);
	}
	config_set(&c->server, server);
}

/* Options win over the environment, which wins over the file. */
static void
overlay(struct config *c, const struct args *a)
{
	const char *server = args_value(a, OPT_SERVER);
	const char *pin = args_value(a, OPT_PIN);
	const char *ca = args_value(a, OPT_CA_FILE);

	if (server == NULL)
		server = environment("RM_SERVER");
	if (pin == NULL)
		pin = environment("RM_SERVER_CERT_PIN_SHA256");
	if (server != NULL)
		config_use(c, server);
	if (pin != NULL)
		config_set(&c->pin, pin);
	if (ca != NULL)
		config_set(&c->ca_file, ca);
	if (environment("RM_API_TOKEN") != NULL) {
		config_set(&c->token, environment("RM_API_TOKEN"));
		config_set(&c->token_id, NULL);
		c->from_environment = true;
	}
}

static enum rc
check(const struct config *c, struct err *e)
{
	uint8_t pin[32];

	if (c->pin != NULL && !str_unhex(str_of(c->pin), pin, sizeof(pin)))
		return err_set(e, RC_INVALID,
		    "the pin is not 64 hex digits; it is the SHA-256 of the "
		    "controller's public key");
	/* It becomes a line of a request. */
	if (c->token != NULL && c->token[strspn(c->token, TOKEN_CHARS)] != '\0')
		return err_set(e, RC_INVALID,
		    "the token (%s) holds a character that no token has",
		    c->from_environment ? "RM_API_TOKEN" : "of the file");
	return c->server == NULL ? RC_OK : config_server_ok(c->server, e);
}

enum rc
config_load(struct config *out, const struct args *a, struct err *e)
{
	struct config c = { 0 };
	char *path = NULL;
	enum rc rc;

	if ((rc = find_path(a, &path, e)) != RC_OK)
		return rc;
	if ((rc = check_mode(path, e)) == RC_OK &&
	    (rc = conf_load(keys, ARRAY_LEN(keys), path, false, &c, e)) ==
	        RC_OK) {
		overlay(&c, a);
		rc = check(&c, e);
	}
	c.path = path;
	if (rc != RC_OK) {
		config_free(&c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void
config_free(struct config *c)
{
	conf_free(keys, ARRAY_LEN(keys), c);
	mem_free(c->path);
	c->path = NULL;
}

static enum rc
make_folder(const char *path, struct err *e)
{
	char *dir = mem_strdup(path), *slash = strrchr(dir, '/');
	enum rc rc = RC_OK;

	if (slash != NULL && slash != dir) {
		*slash = '\0';
		rc = fsio_mkdirs(dir, 0700, e);
	}
	mem_free(dir);
	return rc;
}

enum rc
config_save(const struct config *c, struct err *e)
{
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(16));
	buf_puts(&b, "# Written by restic-manager login. Holds a secret.\n");
	conf_dump(keys, ARRAY_LEN(keys), c, &b);
	if ((rc = make_folder(c->path, e)) == RC_OK)
		rc = fsio_replace(c->path, buf_str(&b), 0600, e);
	buf_wipe_fini(&b);
	return rc;
}

enum rc
config_forget(struct config *c, struct err *e)
{
	config_set(&c->token, NULL);
	config_set(&c->token_id, NULL);
	return config_save(c, e);
}
