/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_INGEST_WIRE_H
#define CONTROLLER_INGEST_WIRE_H
/*
 * Packed log chunks, read where they lie.  Nearly all that agents send is
 * log lines, and to unpack each into an object of its own costs more than
 * everything else that is done for it (bench key log-cpu).
 *
 * Only the plain form is taken, each field at most once, as every protobuf
 * library writes it: false for all else, which is then unpacked, or refused,
 * as any other message is.  Fields of a newer agent are passed over.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"

struct ingest_chunk {
	uint64_t seq;
	int64_t at_ms;
	struct str job; /* its id as text */
	uint64_t first_line;
	uint64_t count;  /* lines */
	struct str body; /* the chunk, for ingest_wire_line() */
};

struct ingest_line {
	int64_t ts_ms;
	uint32_t stream;
	struct str text;
};

/* The event within a message that holds nothing else. */
MUST_USE bool ingest_wire_event(struct str message, struct str *event);
/* The event is a log chunk, and every line of it can be read. */
MUST_USE bool ingest_wire_chunk(struct str event, struct ingest_chunk *out);
/* Takes the next line off the front of *rest, a chunk's body at first. */
MUST_USE bool ingest_wire_line(struct str *rest, struct ingest_line *out);
#endif
