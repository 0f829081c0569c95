/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ROUTE_H
#define CONTROLLER_ROUTE_H
/*
 * All the controller can be asked, as one table (route.c): method, pattern,
 * minimum role, body, limit, handler.  Fail closed: a row without a role
 * needs admin.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/json.h"
#include "lib/base/rc.h"

struct req;

enum route_role {
	ROUTE_UNSET, /* admin */
	ROUTE_PUBLIC,
	ROUTE_VIEWER,
	ROUTE_OPERATOR,
	ROUTE_ADMIN
};

enum route_body {
	ROUTE_NO_BODY,
	ROUTE_JSON,
	ROUTE_FORM,
	ROUTE_JSON_OR_FORM
};

struct route_json {
	const struct json_field *fields;
	size_t n;
	size_t size; /* of the struct that r->in becomes */
};

/* Answers the request, now or later. */
typedef void route_run_fn(struct req *r);

struct route {
	const char *method;
	const char *pattern; /* "/api/hosts/{id}/jobs" */
	enum route_role role;
	enum route_body body;
	size_t max_body;
	const struct route_json *json; /* NULL: none */
	route_run_fn *run;
};

const struct route *route_table(size_t *n);
/* Finds the row; vars are slices of path.  RC_NOTFOUND, or RC_INVALID with
 * *allow (for 405) when only the method does not fit. */
MUST_USE enum rc route_find(struct str method, struct str path,
    const struct route **out, struct str *vars, char *allow, size_t allow_cap);
#endif
