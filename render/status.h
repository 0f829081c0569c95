/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_STATUS_H
#define RENDER_STATUS_H
/*
 * The states of hosts and jobs, and how each looks: colour is urgency,
 * shape is kind.  Pure: no store, no clock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/store.pb-c.h"

struct value;

/* Backup states in the order that needs people most. */
enum status_host {
	STATUS_STALE,
	STATUS_NEVER,
	STATUS_FAILED,
	STATUS_INCOMPLETE,
	STATUS_RUNNING,
	STATUS_NEW,
	STATUS_OK
};
enum {
	STATUS_HOST_COUNT = 7
};

/* How long a backup protects, and how long a new host may go without. */
#define STATUS_ALLOWED_MS ((int64_t)26 * 3600 * 1000)
#define STATUS_GRACE_MS ((int64_t)24 * 3600 * 1000)

struct status_look {
	const char *name; /* in ?status= */
	const char *class;
	const char *glyph;
	const char *word;
	const char *brief; /* on a filter */
	bool pill;         /* needs somebody */
	bool spin;
};

/* running: its current job is under way. */
enum status_host status_of_host(const struct Rec__Host *h, bool running,
    int64_t now_ms);
/* The newest good backup is inside the allowed age. */
bool status_protected(const struct Rec__Host *h, int64_t now_ms);
bool status_needs_attention(enum status_host s);
const struct status_look *status_host_look(enum status_host s);
const struct status_look *status_job_look(const struct Rec__Job *j);
/* "Backup", "Repository check" */
const char *status_kind_words(Rec__JobKind kind);

/* map key {class, glyph, word, pill, spin} */
void status_put(struct value *map, const char *key,
    const struct status_look *look);
#endif
