/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SCHEDULES_H
#define CONTROLLER_SCHEDULES_H
/*
 * Schedules: when which source groups of a host are backed up.  Its agent
 * runs them; here they are kept, checked, and run once on demand.
 */
#include "controller/op.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct json_strs;
struct req;
struct route_json;
struct store_tx;

/* GET, POST /api/hosts/{id}/schedules; GET, PUT, DELETE .../{sid}; of a PUT
 * what is absent stays. */
void schedules_list(struct req *r);
void schedules_get(struct req *r);
void schedules_post(struct req *r);
void schedules_put(struct req *r);
void schedules_delete(struct req *r);
extern const struct route_json schedules_body;
/* Forms: POST /hosts/{id}/schedules/new, .../{sid}/edit, .../{sid}/enabled,
 * .../{sid}/delete. */
void schedules_form(struct req *r);
void schedules_enabled_form(struct req *r);
void schedules_delete_form(struct req *r);
/* POST [/api]/hosts/{id}/schedules/{sid}/run: all its groups now; one that is
 * paused takes confirm. */
void schedules_run(struct req *r);
extern const struct route_json schedules_run_body;

/* op->in; a member that is NULL or not given stays as it is. */
struct schedules_edit {
	struct ulid host;
	struct ulid schedule; /* zero: a new one, and then its id */
	const char *cron, *zone;
	struct json_strs *groups; /* ids */
	bool enabled_given, enabled;
	bool jitter_given;
	uint32_t jitter_s;
	int64_t seen_ms; /* plan_check_seen() */
	int64_t now_ms;
	const char *usual_zone; /* RM_TIMEZONE */
	bool made;              /* out: it is a new one */
};
/* RC_INVALID with the field, RC_CONFLICT, RC_NOTFOUND. */
enum rc schedules_put_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* op->in */
struct schedules_gone {
	struct ulid host, schedule;
	int64_t now_ms;
};
enum rc schedules_delete_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
