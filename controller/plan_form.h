/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PLAN_FORM_H
#define CONTROLLER_PLAN_FORM_H
/*
 * The field "seen" of the forms of source groups and schedules: as of when
 * the record was when its form was opened, in ms.  plan_check_seen() judges it.
 */
#include <stdint.h>

#include "lib/base/str.h"

struct err;
struct req;

int64_t plan_form_seen(const struct req *r); /* 0: none was sent */
/* For the form that is shown again: as it was sent, or "" after a conflict,
 * where it is drawn as of now so that a second save replaces. */
struct str plan_form_seen_again(const struct req *r, const struct err *e);
#endif
