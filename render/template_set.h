/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_TEMPLATE_SET_H
#define RENDER_TEMPLATE_SET_H
/* Between the parser and the set of templates; users see template.h. */
#include "render/template.h"

/* Parses source, which must outlive t, into t->nodes (mem_free them, also
 * after a failure); t->name is set. */
MUST_USE enum rc template_parse(struct template *t, struct str source,
    struct err *e);
#endif
