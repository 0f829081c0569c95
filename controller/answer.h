/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ANSWER_H
#define CONTROLLER_ANSWER_H
/*
 * A JSON answer out of the state: one object, written within one function
 * from one read transaction.  begin opens both; end answers with the object,
 * or with the transaction's failure, and gives everything back.  Storage by
 * the caller, not moved in between.  Loop thread; costs a read transaction.
 */
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/json_doc.h"
#include "lib/store/store.h"

struct req;

struct answer {
	struct req *req;
	struct json_doc doc;
	struct arena arena;  /* what is read; dies with the answer */
	struct store_tx *tx; /* fail it to refuse */
};

/* body_max: of the text; read_max: of the records.  Gives doc.j. */
struct json_out *answer_begin(struct answer *an, struct req *r, size_t body_max,
    size_t read_max);
void answer_end(struct answer *an, int status);
#endif
