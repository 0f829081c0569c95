/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_LOOP_PRIV_H
#define LIB_NET_LOOP_PRIV_H
/*
 * What lib/net alone may do with a loop: tasks that run once before the loop
 * next sleeps (so that all output of one wake-up leaves in one write), and
 * the scratch buffers that every connection of the loop shares.
 * Loop thread.
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/net/loop.h"

enum {
	LOOP_READ_SIZE = 65536,  /* bytes of one read from a socket */
	LOOP_FRAME_SIZE = 16640, /* of nghttp2's frame buffer, at least */
	LOOP_PLAIN_SIZE = 17408, /* more than one TLS record holds */
	LOOP_PLACES = 64
};

/* Embedded in its owner; zeroed before first use. */
struct loop_task {
	struct list link;
	void (*fn)(struct loop_task *t);
};

/* Runs t->fn once before the loop next waits; harmless when due already. */
void loop_task_due(struct loop *l, struct loop_task *t);
/* The same, but only after the loop has looked for events again. */
void loop_task_next_turn(struct loop *l, struct loop_task *t);
/* What thousands may want at once goes by places, LOOP_PLACES in a turn, so
 * that it does not keep the others waiting (bench: heartbeat-storm).  False:
 * none is left in this turn. */
bool loop_place(struct loop *l);
/* Runs t->fn on the first turn that has a place for it; who waits goes
 * first. */
void loop_task_place(struct loop *l, struct loop_task *t);
void loop_task_cancel(struct loop_task *t);
/* Differs from one turn of the loop to the next. */
unsigned loop_turn(const struct loop *l);

/* Contents are valid only within one callback. */
struct loop_scratch {
	char read[LOOP_READ_SIZE];
	char plain_in[LOOP_PLAIN_SIZE];
	struct buf plain_out;
	struct buf cipher_out;
};
struct loop_scratch *loop_scratch(struct loop *l);
/* See h2_mem.h. */
char *loop_frame_buffer(struct loop *l);
#endif
