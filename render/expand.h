/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_EXPAND_H
#define RENDER_EXPAND_H
/*
 * Filling a template: a walk with an explicit stack, so that depth, steps
 * and output are bounded whatever template and data say.
 */
#include "lib/base/rc.h"

struct buf;
struct template;
struct template_set;
struct value;

enum {
	EXPAND_DEPTH = 96,     /* open sections, partials and blocks */
	EXPAND_STEPS = 4000000 /* nodes visited */
};

/* Appends to out, whose max bounds the page.  RC_LIMIT: a bound was hit,
 * out is then incomplete. */
MUST_USE enum rc expand(const struct template_set *set,
    const struct template *t, const struct value *root, struct buf *out,
    struct err *e);
#endif
