/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOOKS_OWN_H
#define CONTROLLER_HOOKS_OWN_H
/* Between hooks.c, which opens them, and hooks_api.c, which takes them. */
#include "controller/hooks.h"
#include "controller/op.h"

enum {
	HOOKS_AD_CAP = 96
};

/* Additional data: a body opens only in its place; group NULL: the host's
 * defaults. */
void hooks_ad(const struct ulid *host, const struct ulid *group, bool post,
    char ad[HOOKS_AD_CAP]);

/* op->in; needs the vault. */
struct hooks_edit {
	const uint8_t *key;
	struct ulid host;
	struct ulid group; /* zero: the host's defaults */
	/* NULL stays, "" removes; wiped by the op */
	char *pre, *post;
	bool limit_given;
	uint32_t limit_s; /* 0: as usual */
	int64_t now_ms;
	/* out: as it is now */
	bool has_pre, has_post;
	uint32_t limit_now_s;
};
enum rc hooks_put_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
