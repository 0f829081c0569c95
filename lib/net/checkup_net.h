/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_CHECKUP_NET_H
#define LIB_NET_CHECKUP_NET_H
/* The hops every doctor looks at: dns, tcp, tls, certificate, trust, alpn. */
#include <stdbool.h>

#include "lib/base/rc.h"

struct checkup;
struct url;

struct checkup_net {
	const struct url *to;
	const char *pin;      /* hex; NULL: by authority */
	const char *ca_file;  /* NULL: the system's */
	const char *pin_hint; /* what to do about another key */
	bool plain_ok;        /* HTTP/1.1 alone does as well */
};

/* false: the way ends before TLS is up, what lies behind cannot be tried. */
bool checkup_net(struct checkup *c, const struct checkup_net *o);
/* ours - theirs; more than a minute is a failure. */
void checkup_clock(struct checkup *c, long long skew_ms);
#endif
