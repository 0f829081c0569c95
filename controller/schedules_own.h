/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SCHEDULES_OWN_H
#define CONTROLLER_SCHEDULES_OWN_H
/* Between schedules_api.c, schedules_page.c and schedules_run.c. */
#include "controller/schedules.h"

/* Submits an edit for r, whose texts are copied; done gets op->in. */
void schedules_submit(struct req *r, const struct schedules_edit *from,
    void (*done)(struct req *r, struct op *op));
void schedules_submit_delete(struct req *r, const struct schedules_gone *from,
    void (*done)(struct req *r, struct op *op));
#endif
