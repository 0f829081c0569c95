/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_FLEET_QUERY_H
#define LIB_STORE_FLEET_QUERY_H
/*
 * The one filter of hosts, for pages, JSON and CSV alike: words that must
 * all fit.
 *
 *   web              a part of the name
 *   tag:prod         os:windows  arch:arm64
 *   state:failed     stale never failed incomplete running new ok, and
 *                    attention for the first four
 *   status:offline   online offline
 *   repo:ready       ready init_failed unknown
 *   updates:behind   its agent is online and older than the controller
 *   -tag:office      not
 *   tag:prod,lab     one of these
 *   "my host"        quotes keep blanks and colons; tag:"a b" too
 *
 * Case does not matter.  Pure: no transaction, no clock.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"

struct buf;
struct fleet_host;

enum {
	FLEET_QUERY_MAX = 512, /* bytes */
	FLEET_TERMS_MAX = 16
};

enum fleet_key {
	FLEET_NAME,
	FLEET_TAG,
	FLEET_OS,
	FLEET_ARCH,
	FLEET_STATE,
	FLEET_STATUS,
	FLEET_REPO,
	FLEET_UPDATES
};

struct fleet_term {
	enum fleet_key key;
	bool not ;
	struct str value; /* without quotes */
	struct str raw;   /* as written */
	unsigned mask;    /* of the values of a closed key */
};

/* Slices of the text it was made of. */
struct fleet_query {
	struct fleet_term terms[FLEET_TERMS_MAX];
	size_t n;
	char problem[200]; /* the first one as a sentence; "": none */
};

/* Never fails: what cannot be understood is left out, and problem says so. */
void fleet_query_parse(struct str text, struct fleet_query *out);
bool fleet_query_fits(const struct fleet_query *q, const struct fleet_host *h);

/* What links and forms may say apart from the query itself; all optional. */
struct fleet_params {
	struct str q;
	struct str status;      /* online, offline, or a state */
	struct str repo_status; /* as repo: */
	struct str tag;
	struct str updates;
};
/* All of them as the text of one query. */
void fleet_query_join(const struct fleet_params *p, struct buf *out);

/* Is there a term key:value (not excluded)? */
bool fleet_query_has(const struct fleet_query *q, enum fleet_key key,
    struct str value);
/* The query as text, without its terms key:value; an empty value stands for
 * every value of the key.  Excluding terms stay. */
void fleet_query_put(const struct fleet_query *q, enum fleet_key key,
    struct str value, struct buf *out);
/* Appends key:value to a query's text, quoted where it must be. */
void fleet_query_add(struct buf *text, enum fleet_key key, struct str value);
#endif
