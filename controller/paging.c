/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/paging.h"

#include "controller/req.h"
#include "lib/base/json.h"

static enum rc
number(struct req *r, const char *name, uint64_t max, uint64_t *out,
    struct err *e)
{
	struct str text = req_query(r, name);

	if (text.n == 0 || (str_u64(text, max, out) && *out > 0))
		return RC_OK;
	return err_set(e, RC_INVALID, "%s must be a number from 1 to %llu",
	    name, (unsigned long long)max);
}

enum rc
paging_begin(struct paging *p, struct req *r, unsigned dflt, struct err *e)
{
	enum rc rc;

	*p = (struct paging){ .page = 1, .per_page = dflt };
	rc = number(r, "page", UINT32_MAX, &p->page, e);
	if (rc == RC_OK)
		rc = number(r, "per_page", PAGING_EACH_MAX, &p->per_page, e);
	return rc;
}

bool
paging_shows(struct paging *p)
{
	return p->total++ / p->per_page == p->page - 1;
}

void
paging_put(const struct paging *p, struct json_out *j)
{
	json_put_uint(j, "total", p->total);
	json_put_uint(j, "page", p->page);
	json_put_uint(j, "per_page", p->per_page);
}
