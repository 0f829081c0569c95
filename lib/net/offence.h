/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_OFFENCE_H
#define LIB_NET_OFFENCE_H
/*
 * Who goes over a limit, told once.  An address is named in the log when it
 * has offended in one way as often as the row of that way says; then every
 * ten minutes as long as it goes on; and when it was quiet for a minute, with
 * the number of offences.  However many addresses there are, the log gets at
 * most OFFENCE_LINES a minute; the counters count everything.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct offences;

/*
 * Name in log and metrics, offences until the address is named, and what one
 * costs: so many TLS handshakes of what its address has (admit.h).
 * docs/security.md explains each name.
 */
/* clang-format off */
#define OFFENCES(X) \
	X(OFFENCE_CONNECTIONS, "connections",   1,  0) /* over the limit of an address */ \
	X(OFFENCE_HANDSHAKE,   "handshake",     20, 0) /* TLS that failed or was left */ \
	X(OFFENCE_RATE,        "handshake_rate", 20, 0) /* had to wait for its turn */ \
	X(OFFENCE_SILENT,      "no_request",    20, 0) /* none complete in time */ \
	X(OFFENCE_SLOW_READ,   "slow_read",     5,  0) /* takes no answer */ \
	X(OFFENCE_SLOW_BODY,   "slow_body",     5,  0) \
	X(OFFENCE_RESETS,      "resets",        1,  50) /* requests, and at once RST_STREAM */ \
	X(OFFENCE_FRAMES,      "frames",        1,  50) /* PING, SETTINGS, empty ones ... */ \
	X(OFFENCE_HTTP2,       "http2",         5,  5) /* other breaches of the protocol */ \
	X(OFFENCE_HTTP1,       "http1",         20, 1) /* malformed requests */ \
	X(OFFENCE_HEADERS,     "headers",       5,  1) /* header sections too large */ \
	X(OFFENCE_SIGN_IN,     "sign_in",       1,  0) /* too many wrong passwords */ \
	X(OFFENCE_BEARER,      "bearer",        20, 0) /* unknown agent credentials */ \
	X(OFFENCE_AGENT,       "agent",         20, 0) /* messages malformed or out of order */ \
	X(OFFENCE_VIEWS,       "views",         1,  0) /* live views, downloads over a limit */ \
	X(OFFENCE_REQUESTS,    "requests",      1000, 0) /* of nobody, more than the log takes */
/* clang-format on */

enum offence {
#define X(id, name, from, cost) id,
	OFFENCES(X)
#undef X
};
enum {
	OFFENCE_KINDS = OFFENCE_REQUESTS + 1,
	OFFENCE_ADDRESSES_MAX = 1024,
	OFFENCE_LINES = 30
};

const char *offence_name(enum offence kind);
unsigned offence_cost(enum offence kind);

/* loop NULL: the caller ticks. */
struct offences *offences_new(struct loop *loop);
void offences_free(struct offences *o);
/* True for the first of its kind by that address in a spell: the time to log
 * a detail.  o NULL: nothing, false. */
bool offences_note(struct offences *o, const char *address, enum offence kind);
uint64_t offences_count(const struct offences *o, enum offence kind);
/* Tells whose spells are over, and forgets them. */
void offences_tick(struct offences *o);
#endif
