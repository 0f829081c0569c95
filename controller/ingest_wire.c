/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/ingest_wire.h"

#include "proto/agent.pb-c.h"

enum {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
	VARINT_BYTES = 10,
	/* proto/agent.proto: numbers of fields are forever. */
	MESSAGE_EVENT = 3,
	EVENT_SEQ = 1,
	EVENT_AT = 2,
	EVENT_BODY_FIRST = 3,
	EVENT_LOG = 4,
	EVENT_BODY_LAST = 9,
	CHUNK_JOB = 1,
	CHUNK_FIRST = 2,
	CHUNK_LINE = 3,
	LINE_TS = 1,
	LINE_STREAM = 2,
	LINE_PAYLOAD = 3
};

struct field {
	uint32_t number;
	unsigned type;
	uint64_t value;   /* of a varint */
	struct str bytes; /* of the length-delimited */
};

static bool
take_long_varint(struct str *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;
	uint8_t b;

	for (i = 0; i < s->n && i < VARINT_BYTES; i++) {
		b = (uint8_t)s->p[i];
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (b < 0x80) {
			s->p += i + 1;
			s->n -= i + 1;
			*out = v;
			return true;
		}
	}
	return false;
}

/* Most are of one byte. */
static inline bool
take_varint(struct str *s, uint64_t *out)
{
	if (s->n == 0 || (uint8_t)*s->p >= 0x80)
		return take_long_varint(s, out);
	*out = (uint8_t)*s->p;
	s->p++;
	s->n--;
	return true;
}

static bool
take_bytes(struct str *s, uint64_t n, struct str *out)
{
	if (n > s->n)
		return false;
	*out = (struct str){ s->p, (size_t)n };
	s->p += n;
	s->n -= (size_t)n;
	return true;
}

/* Groups are of another age. */
static bool
take_field(struct str *s, struct field *f)
{
	uint64_t tag, n;

	if (!take_varint(s, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
		return false;
	f->number = (uint32_t)(tag >> 3);
	f->type = (unsigned)(tag & 7);
	switch (f->type) {
	case WIRE_VARINT:
		return take_varint(s, &f->value);
	case WIRE_BYTES:
		return take_varint(s, &n) && take_bytes(s, n, &f->bytes);
	case WIRE_FIXED64:
		return take_bytes(s, 8, &f->bytes);
	case WIRE_FIXED32:
		return take_bytes(s, 4, &f->bytes);
	default:
		return false;
	}
}

/* A field that is known: of its type, and for the first time. */
static bool
is_plain(const struct field *f, unsigned type, unsigned *seen)
{
	const unsigned bit = 1U << f->number;

	if (f->type != type || (*seen & bit) != 0)
		return false;
	*seen |= bit;
	return true;
}

bool
ingest_wire_event(struct str message, struct str *event)
{
	struct field f;

	if (!take_field(&message, &f) || f.number != MESSAGE_EVENT ||
	    f.type != WIRE_BYTES || message.n > 0)
		return false;
	*event = f.bytes;
	return true;
}

static bool
read_line(struct str s, struct ingest_line *out)
{
	unsigned seen = 0;
	struct field f;

	*out = (struct ingest_line){ .text = STR("") };
	while (s.n > 0) {
		if (!take_field(&s, &f))
			return false;
		if (f.number > LINE_PAYLOAD)
			continue;
		if (!is_plain(&f,
		        f.number == LINE_PAYLOAD ? WIRE_BYTES : WIRE_VARINT,
		        &seen))
			return false;
		if (f.number == LINE_TS)
			out->ts_ms = (int64_t)f.value;
		else if (f.number == LINE_STREAM)
			out->stream = (uint32_t)f.value;
		else
			out->text = f.bytes;
	}
	return true;
}

/* Into the chunk; its lines are counted and looked through once. */
static bool
read_body(struct ingest_chunk *c)
{
	struct ingest_line line;
	struct str s = c->body;
	unsigned seen = 0;
	struct field f;

	while (s.n > 0) {
		if (!take_field(&s, &f))
			return false;
		if (f.number > CHUNK_LINE)
			continue;
		if (f.number == CHUNK_LINE) {
			if (f.type != WIRE_BYTES || !read_line(f.bytes, &line))
				return false;
			c->count++;
			continue;
		}
		if (!is_plain(&f,
		        f.number == CHUNK_JOB ? WIRE_BYTES : WIRE_VARINT,
		        &seen))
			return false;
		if (f.number == CHUNK_JOB)
			c->job = f.bytes;
		else
			c->first_line = f.value;
	}
	return true;
}

bool
ingest_wire_chunk(struct str event, struct ingest_chunk *out)
{
	struct ingest_chunk c = { .job = STR("") };
	bool found = false;
	unsigned seen = 0;
	struct field f;

	while (event.n > 0) {
		if (!take_field(&event, &f))
			return false;
		if (f.number > EVENT_BODY_LAST)
			continue;
		if (f.number >= EVENT_BODY_FIRST && f.number != EVENT_LOG)
			return false;
		if (!is_plain(&f,
		        f.number == EVENT_LOG ? WIRE_BYTES : WIRE_VARINT,
		        &seen))
			return false;
		if (f.number == EVENT_SEQ)
			c.seq = f.value;
		else if (f.number == EVENT_AT)
			c.at_ms = (int64_t)f.value;
		else
			c.body = f.bytes;
		found |= f.number == EVENT_LOG;
	}
	if (!found || !read_body(&c))
		return false;
	*out = c;
	return true;
}

bool
ingest_wire_line(struct str *rest, struct ingest_line *out)
{
	struct field f;

	while (rest->n > 0 && take_field(rest, &f))
		if (f.number == CHUNK_LINE && f.type == WIRE_BYTES)
			return read_line(f.bytes, out);
	return false;
}
