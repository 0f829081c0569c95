/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_OP_HELP_H
#define TESTS_UNIT_CONTROLLER_OP_HELP_H
/* Ops without their queue, as the queue runs them. */
#include "tests/unit/store/store_fixture.h"

#include "controller/op.h"

enum op_fate {
	OP_KEPT,
	OP_LOST_HALF_WAY /* the vault is committed, state is not */
};

/* The vault is committed first; a failure undoes both, and op->err tells it. */
static inline enum rc
op_run_fated(struct fixture *f, struct op *op, enum op_fate fate)
{
	struct store_tx *vault = store_begin_write(f->vault, &op->arena);
	struct store_tx *state = store_begin_write(f->state, &op->arena);
	enum rc rc = op->run(state, vault, op);
	const struct store_tx *failed =
	    store_rc(state) != RC_OK ? state : vault;

	op->err = *store_err(failed);
	if (rc == RC_OK)
		rc = store_rc(failed);
	if (rc != RC_OK) {
		store_abort(state);
		store_abort(vault);
		return rc;
	}
	fixture_commit(vault);
	if (fate == OP_KEPT)
		fixture_commit(state);
	else
		store_abort(state);
	return RC_OK;
}

static inline enum rc
op_run(struct fixture *f, struct op *op)
{
	return op_run_fated(f, op, OP_KEPT);
}
#endif
