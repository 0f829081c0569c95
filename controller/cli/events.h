/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_EVENTS_H
#define CONTROLLER_CLI_EVENTS_H
/* Takes a stream of server-sent events apart, in pieces of any size. */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

/* false ends it. */
typedef bool events_fn(void *ctx, struct str name, struct str data);

struct events {
	struct buf line, data;
	char name[48];
	uint64_t id; /* of the last whole event; 0: none yet */
	uint64_t next_id;
	bool has_id;
	events_fn *fn;
	void *ctx;
};

void events_init(struct events *ev, events_fn *fn, void *ctx);
void events_fini(struct events *ev);
/* A new connection: half an event is forgotten, the id is kept. */
void events_restart(struct events *ev);
/* false: fn said so, or a line is longer than any of ours. */
bool events_feed(struct events *ev, struct str bytes);
#endif
