/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SOURCES_H
#define CONTROLLER_SOURCES_H
/*
 * Source groups: what of a host is backed up together, under one tag, kept
 * how long and tried again how often.
 */
#include "controller/op.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct controller;
struct json_strs;
struct req;
struct route_json;
struct store_tx;

/* GET, POST /api/hosts/{id}/source-groups; GET, PUT, DELETE .../{gid}.  Of a
 * PUT what is absent stays; retention_policy is replaced as a whole. */
void sources_list(struct req *r);
void sources_get(struct req *r);
void sources_post(struct req *r);
void sources_put(struct req *r);
void sources_delete(struct req *r);
extern const struct route_json sources_body;
/* Forms: POST /hosts/{id}/sources/new, .../{gid}/edit, .../{gid}/delete. */
void sources_form(struct req *r);
void sources_delete_form(struct req *r);

/* After the commit of anything that changed the host's plan: its agent and
 * the pages hear of it. */
void sources_tell(struct controller *c, const struct ulid *host);

/* op->in; a member that is NULL or not given stays as it is. */
struct sources_edit {
	struct ulid host;
	struct ulid group; /* zero: a new one, and then its id */
	const char *name;
	struct json_strs *includes, *excludes;
	bool keep_given;
	struct Rec__Retention keep;
	bool retry_given, backoff_given;
	uint32_t retry_max, backoff_s;
	int64_t seen_ms; /* plan_check_seen() */
	int64_t now_ms;
	const char *zone; /* RM_TIMEZONE */
	bool made;        /* out: it is a new one */
};
/* RC_INVALID with the field, RC_CONFLICT, RC_NOTFOUND. */
enum rc sources_put_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* op->in */
struct sources_gone {
	struct ulid host, group;
	int64_t now_ms;
	const char *zone;
	bool had_hooks; /* out: the vault still has them */
};
/* RC_CONFLICT: group_in_use, op->out is then a list of schedules (struct
 * sources_users); last_group. */
struct sources_users {
	size_t n;
	struct ulid ids[100];
	const char *crons[100];
};
enum rc sources_delete_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
