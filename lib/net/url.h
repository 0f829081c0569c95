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

/* What is said there cannot be overheard: TLS, or this machine. */
bool url_is_safe(const struct url *u);
/* Refuses user names, paths, queries and fragments. */
MUST_USE enum rc url_parse(const char *text, struct url *out, struct err *e);
#endif
