/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_ADMIT_H
#define LIB_NET_ADMIT_H
/*
 * Which connections of a listener may stay, and which may shake hands next.
 *
 * A connection that has not sent a whole first record costs a descriptor and
 * nothing else; where there are too many, the oldest of those gives way.
 * When its record is there (admit_asks), it waits for its turn: so many begin
 * in one turn of the loop, so many are in progress, one address after the
 * other.  An address has so many at once, and then one every address_ms.
 * When all are in progress, who holds more than the one that waits gives way
 * after a second, anybody after three.
 *
 * admit_enter -> admit_asks -> begin() -> admit_settled -> admit_leave;
 * without TLS admit_enter -> admit_settled -> admit_leave.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/net/offence.h"

struct admit;
struct admit_peer;
struct loop;

enum admit_step {
	ADMIT_SILENT,
	ADMIT_WAITS,
	ADMIT_BUSY, /* shakes hands */
	ADMIT_SETTLED,
	ADMIT_GONE /* gave way; admit_leave is to come */
};

/* One connection's part, embedded in it. */
struct admit_conn {
	struct list link;   /* of its peer: silent, waiting; of all: busy */
	struct list silent; /* of all that are */
	struct admit_peer *peer;
	int64_t since_ms; /* in this step */
	enum admit_step step;
	bool delayed; /* told as OFFENCE_RATE */
	size_t load;
};

struct admit_limits {
	unsigned per_address;
	unsigned in_progress;
	unsigned per_turn;
	unsigned requests;    /* of an address, in one turn */
	size_t address_bytes; /* that its connections may hold */
	unsigned address_ms;  /* one handshake of an address, after a burst of
	                        per_address */
};

struct admit_calls {
	void (*begin)(void *ctx, struct admit_conn *c);
	/* It gives way: end it, not from inside this call. */
	void (*end)(void *ctx, struct admit_conn *c, const char *why);
	void (*offence)(void *ctx, struct admit_conn *c, enum offence kind);
};

struct admit *admit_new(struct loop *loop, const struct admit_limits *l,
    const struct admit_calls *calls, void *ctx);
void admit_free(struct admit *a);
/* exempt: no limit of an address applies.  False: there is no room for one
 * more of this address; leave it at once. */
bool admit_enter(struct admit *a, struct admit_conn *c, const char *address,
    bool exempt);
/* There is no room for one more in all: true when another one gives way. */
bool admit_make_room(struct admit *a);
void admit_asks(struct admit *a, struct admit_conn *c);
void admit_settled(struct admit *a, struct admit_conn *c);
void admit_leave(struct admit *a, struct admit_conn *c);
/* Takes so many handshakes off what the address has. */
void admit_charge(struct admit *a, struct admit_conn *c, unsigned handshakes);
/* What the connection holds now, in bytes.  False: its address holds more than
 * it may. */
bool admit_load(struct admit *a, struct admit_conn *c, size_t bytes);
/* The connection begins a request.  False: its address has begun as many in
 * this turn as it may. */
bool admit_request(struct admit *a, struct admit_conn *c);
unsigned admit_in_progress(const struct admit *a);
/* About once a second: forgets addresses that owe nothing. */
void admit_tick(struct admit *a);
#endif
