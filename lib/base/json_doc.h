/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_JSON_DOC_H
#define LIB_BASE_JSON_DOC_H
/*
 * A whole JSON object with room of its own, such as an answer or the payload
 * of an audit row: init opens it, members go through j, end closes it.
 * Storage by the caller, and not moved between init and fini, for j points
 * into it.  Past max bytes the failure sticks to b.  Any thread.
 */
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/json.h"

struct json_doc {
	struct json_out j;
	struct buf b;
};

void json_doc_init(struct json_doc *d, size_t max);
/* Once.  Lends the text until fini. */
const char *json_doc_end(struct json_doc *d);
void json_doc_fini(struct json_doc *d);
/* Overwrites the text first: for secrets. */
void json_doc_wipe_fini(struct json_doc *d);
#endif
