/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/json_doc.h"

void
json_doc_init(struct json_doc *d, size_t max)
{
	buf_init(&d->b, max);
	json_out_init(&d->j, &d->b);
	json_obj(&d->j, NULL);
}

const char *
json_doc_end(struct json_doc *d)
{
	json_obj_end(&d->j);
	return buf_text(&d->b);
}

void
json_doc_fini(struct json_doc *d)
{
	buf_fini(&d->b);
}

void
json_doc_wipe_fini(struct json_doc *d)
{
	buf_wipe_fini(&d->b);
}
