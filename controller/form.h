/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_FORM_H
#define CONTROLLER_FORM_H
/*
 * Percent-decoding, of path segments and of x-www-form-urlencoded bodies
 * and queries.  What comes out is well-formed UTF-8 without NUL.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena;
struct req_form;

/* plus: '+' stands for a blank.  RC_PROTO: a broken escape, NUL, or not
 * UTF-8; RC_LIMIT: no room in the arena. */
MUST_USE enum rc form_decode(struct str s, bool plus, struct arena *a,
    struct str *out);
/* name=value&name=value.  Empty pairs are left out; RC_LIMIT: more than
 * REQ_FORM_MAX fields. */
MUST_USE enum rc form_parse(struct str s, struct arena *a,
    struct req_form **out, size_t *out_count);
#endif
