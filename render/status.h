/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_STATUS_H
#define RENDER_STATUS_H
/*
 * How the states of hosts and jobs look: colour is urgency, shape is kind.
 * Pure: no transaction, no clock.
 */
#include <stdbool.h>

#include "lib/store/status.h"
#include "proto/store.pb-c.h"

struct value;

struct status_look {
	const char *name; /* as in a filter */
	const char *class;
	const char *glyph;
	const char *word;
	const char *brief; /* on a filter */
	bool pill;         /* needs somebody */
	bool spin;
};

const struct status_look *status_host_look(enum status_host s);
/* The same of one host in that state. */
const struct status_look *status_look_of(const struct Rec__Host *h,
    enum status_host s);
const struct status_look *status_job_look(const struct Rec__Job *j);
/* "Backup", "Repository check" */
const char *status_kind_words(Rec__JobKind kind);

/* map key {class, glyph, word, pill, spin} */
void status_put(struct value *map, const char *key,
    const struct status_look *look);
#endif
