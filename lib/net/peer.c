/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/peer.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	IPV4_BYTES = 4
};

struct peer_key
peer_key(const char *address)
{
	struct peer_key k = { 0 };
	uint8_t bin[16] = { 0 };

	if (inet_pton(AF_INET, address, bin) == 1)
		k.n = IPV4_BYTES;
	else if (inet_pton(AF_INET6, address, bin) == 1)
		k.n = PEER_KEY_CAP;
	memcpy(k.b, bin, sizeof(k.b));
	return k;
}

struct str
peer_key_str(const struct peer_key *k)
{
	return str_from(k->b, k->n);
}
