/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_URL_H
#define LIB_NET_URL_H
/* A server's address as people write it: http[s]://host[:port][/]. */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

enum {
	URL_HOST_CAP = 256
};

struct url {
	bool tls;
	bool default_port;
	uint16_t port;
	bool is_v6; /* host is an IPv6 address, without brackets */
	char host[URL_HOST_CAP];
};

/* Refuses user names, paths, queries and fragments. */
MUST_USE enum rc url_parse(const char *text, struct url *out, struct err *e);
/* Whether it is an address at which secrets can be told: TLS, or this machine.
 * RC_INVALID: it is none, or the secrets, named as in "the token", could be
 * overheard. */
MUST_USE enum rc url_check_safe(const char *text, const char *secrets,
    struct err *e);
#endif
