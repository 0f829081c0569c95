/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SOURCES_OWN_H
#define CONTROLLER_SOURCES_OWN_H
/* Between sources.c, sources_api.c and sources_page.c. */
#include "controller/sources.h"
#include "proto/store.pb-c.h"

struct json_out;

/* Its member "retention_policy"; k NULL: all 0. */
void sources_put_keep(struct json_out *j, const struct Rec__Retention *k);

/* Submits an edit for r, whose texts are copied; done gets op->in. */
void sources_submit(struct req *r, const struct sources_edit *from,
    void (*done)(struct req *r, struct op *op));
void sources_submit_delete(struct req *r, const struct sources_gone *from,
    void (*done)(struct req *r, struct op *op));
/* After its commit. */
void sources_tell_deleted(struct controller *c, const struct sources_gone *g);
#endif
