/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_ARGS_H
#define CONTROLLER_CLI_ARGS_H
/*
 * The words of the command line: options (one table, GNU style, anywhere)
 * and what is left.  Nothing is copied; no secret is ever an argument.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"

enum {
	ARGS_WORDS_MAX = 16,
	ARGS_REPEAT_MAX = 32,
	ARGS_LISTS = 4 /* options that repeat */
};

/* clang-format off */
/*	id                   name             short  value    list  help
 *	list: 0, or where what is given again and again is kept */
#define ARGS_OPTIONS(X) \
	X(OPT_SERVER,          "server",          0,  "URL",    0, "the controller, https://host[:port]") \
	X(OPT_PIN,             "pin",             0,  "HEX",    0, "trust only the key with this SHA-256") \
	X(OPT_CA_FILE,         "ca-file",         0,  "FILE",   0, "trust the authorities in this PEM file") \
	X(OPT_CONFIG,          "config",          0,  "FILE",   0, "the configuration file") \
	X(OPT_OUTPUT,          "output",         'o', "FORMAT", 0, "text or json") \
	X(OPT_HELP,            "help",           'h', NULL,     0, "show how to use it") \
	X(OPT_VERSION,         "version",        'V', NULL,     0, "show the version") \
	X(OPT_FOLLOW,          "follow",         'f', NULL,     0, "show the log as it grows, until the job ends") \
	X(OPT_NDJSON,          "ndjson",          0,  NULL,     0, "one JSON object a line") \
	X(OPT_QUERY,           "query",          'q', "TEXT",   0, "only hosts that fit, as on the dashboard") \
	X(OPT_STATUS,          "status",          0,  "STATUS", 0, "only jobs of this status") \
	X(OPT_LIMIT,           "limit",          'n', "N",      0, "at most so many") \
	X(OPT_USER,            "user",           'u', "NAME",   0, "the user name") \
	X(OPT_PASSWORD_STDIN,  "password-stdin",  0,  NULL,     0, "read the password from standard input") \
	X(OPT_NAME,            "name",            0,  "NAME",   0, "what the token is called") \
	X(OPT_ROLE,            "role",            0,  "ROLE",   0, "viewer, operator or admin") \
	X(OPT_DAYS,            "days",            0,  "N",      0, "valid for so many days") \
	X(OPT_REPO_URL,        "repo-url",        0,  "URL",    0, "the repository, without user and password") \
	X(OPT_REPO_USER,       "repo-user",       0,  "NAME",   0, "the user of the repository") \
	X(OPT_PATH,            "path",            0,  "PATH",   1, "back up this path; may be repeated") \
	X(OPT_TAG,             "tag",             0,  "TAG",    2, "tag the host; may be repeated") \
	X(OPT_ALLOW_DUPLICATE, "allow-duplicate", 0,  NULL,     0, "a second host of the same name is meant") \
	X(OPT_DATA_DIR,        "data-dir",        0,  "DIR",    0, "the data directory of a controller that does not run") \
	X(OPT_KEY_FILE,        "key-file",        0,  "FILE",   0, "its secret.key, if that lies elsewhere") \
	X(OPT_EXPECT,          "expect",          0,  "HASH",   0, "a hash that the controller logged earlier") \
	X(OPT_EVERY,           "every",           0,  "SECONDS", 0, "again and again, so often") \
	X(OPT_EXCLUDE,         "exclude",         0,  "PATTERN", 3, "leave out what fits; may be repeated") \
	X(OPT_KEEP,            "keep",            0,  "COUNTERS", 0, "what forget leaves, such as daily=14,weekly=4") \
	X(OPT_RETRIES,         "retries",         0,  "N",      0, "try a failed scheduled run again so often") \
	X(OPT_BACKOFF,         "backoff",         0,  "SECONDS", 0, "after so long; it doubles up to half an hour") \
	X(OPT_GROUP,           "group",           0,  "GROUP",  4, "back up this source group; may be repeated") \
	X(OPT_ZONE,            "zone",            0,  "ZONE",   0, "the time zone of the times, such as Europe/Berlin") \
	X(OPT_JITTER,          "jitter",          0,  "SECONDS", 0, "begin up to so much later, each host at its own time") \
	X(OPT_PAUSED,          "paused",          0,  NULL,     0, "keep it, but run nothing") \
	X(OPT_UP,              "up",              0,  "KIB",    0, "at most so many KiB a second to the repository; 0 is no limit") \
	X(OPT_DOWN,            "down",            0,  "KIB",    0, "the same from the repository") \
	X(OPT_ALLOWED_AGE,     "allowed-age",     0,  "HOURS",  0, "how old its newest backup may be; 0 is by its schedules") \
	X(OPT_FINGERPRINT,     "fingerprint",     0,  "TEXT",   0, "what the agent prints, compared before accepting")
/* clang-format on */

enum args_id {
#define X(id, name, brief, value, list, help) id,
	ARGS_OPTIONS(X)
#undef X
};

enum {
	ARGS_OPTION_COUNT = 38
};

#define ARGS_BIT(id) (UINT64_C(1) << (id))
/* Every verb takes these. */
#define ARGS_GLOBAL                                                            \
	(ARGS_BIT(OPT_SERVER) | ARGS_BIT(OPT_PIN) | ARGS_BIT(OPT_CA_FILE) |    \
	    ARGS_BIT(OPT_CONFIG) | ARGS_BIT(OPT_OUTPUT) | ARGS_BIT(OPT_HELP) | \
	    ARGS_BIT(OPT_VERSION))

struct args_option {
	const char *name;
	char brief;        /* 0: none */
	const char *value; /* NULL: a flag */
	unsigned list;     /* from 1; 0: it is given once */
	const char *help;
};

struct args {
	const char *word[ARGS_WORDS_MAX];
	size_t words;
	uint64_t seen; /* ARGS_BIT of each option given */
	const char *value[ARGS_OPTION_COUNT]; /* the last one */
	struct args_list {
		const char *v[ARGS_REPEAT_MAX];
		size_t n;
	} list[ARGS_LISTS];
};

const struct args_option *args_option(enum args_id id);
MUST_USE enum rc args_parse(int argc, char *const *argv, struct args *out,
    struct err *e);
bool args_has(const struct args *a, enum args_id id);
/* NULL when it was not given. */
const char *args_value(const struct args *a, enum args_id id);
/* Every value of an option that repeats, in order. */
const struct args_list *args_list(const struct args *a, enum args_id id);
/* A whole number from min to max; dflt when it was not given. */
MUST_USE enum rc args_number(const struct args *a, enum args_id id, int64_t min,
    int64_t max, int64_t dflt, int64_t *out, struct err *e);
#endif
