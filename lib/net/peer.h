/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_PEER_H
#define LIB_NET_PEER_H
/* What counts as one peer: an IPv4 address, or an IPv6 /64, which is one
 * customer's.  Any thread. */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/str.h"

enum {
	PEER_KEY_CAP = 8
};

struct peer_key {
	uint8_t n; /* 0: no address at all, all such are one */
	uint8_t b[PEER_KEY_CAP];
};

struct peer_key peer_key(const char *address);
struct str peer_key_str(const struct peer_key *k); /* lent */
#endif
