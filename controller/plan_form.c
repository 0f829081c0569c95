/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/plan_form.h"

#include <string.h>

#include "controller/req.h"
#include "lib/base/rc.h"

int64_t
plan_form_seen(const struct req *r)
{
	int64_t ms = 0;

	return str_i64(req_field(r, "seen"), 0, INT64_MAX, &ms) ? ms : 0;
}

struct str
plan_form_seen_again(const struct req *r, const struct err *e)
{
	bool conflict = e != NULL && e->code != NULL &&
	                strcmp(e->code, "changed_meanwhile") == 0;

	return conflict ? STR("") : req_field(r, "seen");
}
