/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CONF_H
#define LIB_BASE_CONF_H
/*
 * Configuration: flat YAML (scalars, and lists of scalars) with the
 * environment on top.  One table makes the parser, the defaults, the sample
 * and the man page's list.  Unknown keys, duplicates and nested maps are
 * errors that name file and line.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"

enum conf_type {
	CONF_STR,  /* char *, mem_free */
	CONF_INT,  /* int64_t */
	CONF_BOOL, /* bool: true false yes no on off 1 0 */
	CONF_STRS, /* struct conf_strs; in the environment comma-separated */
	CONF_SIZE  /* int64_t bytes: 64, 32K, 20G (binary) */
};

struct conf_strs {
	char **v;
	size_t n;
};

enum {
	CONF_SECRET = 1
}; /* never in a message; wiped when freed */

struct conf_key {
	const char *name; /* in the file; NULL: environment only */
	const char *env;  /* NULL: file only */
	enum conf_type type;
	unsigned flags;
	int64_t min, max; /* value, length of a string, elements */
	const char *dflt; /* text form, NULL: unset */
	size_t offset;
	const char *help; /* one sentence */
};

/* path NULL or absent with must_exist false: defaults and environment.
 * "key:" alone (or null) leaves the default, an empty environment variable
 * counts as unset.  Control characters and malformed UTF-8 are refused.
 * What out held before is not freed; after a failure its fields are empty. */
MUST_USE enum rc conf_load(const struct conf_key *keys, size_t n,
    const char *path, bool must_exist, void *out, struct err *e);
void conf_free(const struct conf_key *keys, size_t n, void *out);
/* A commented sample file with every key and its default. */
struct buf;
void conf_sample(const struct conf_key *keys, size_t n, struct buf *out);
/* One key: value line each, quoted where YAML needs it; only texts that are
 * unset are left out.  Secrets are there too: for files that the program
 * writes itself (agent.yaml), never for a log. */
void conf_dump(const struct conf_key *keys, size_t n, const void *in,
    struct buf *out);
#endif
