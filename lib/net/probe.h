/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_PROBE_H
#define LIB_NET_PROBE_H
/*
 * Looks at a server from outside, hop by hop: its name, a connection, TLS.
 * Sends nothing beyond the handshake and trusts nothing; for "doctor", and
 * to show a key before it is trusted.  Has a loop of its own and blocks.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/net/link.h"
#include "lib/net/tls_conn.h"
#include "lib/net/url.h"

enum probe_hop {
	PROBE_DNS,
	PROBE_TCP,
	PROBE_TLS,
	PROBE_DONE
};

struct probe {
	enum probe_hop failed;       /* PROBE_DONE: none */
	struct err err;              /* why */
	unsigned addresses;          /* the name has */
	char address[LINK_PEER_CAP]; /* that answered, or the last one */
	unsigned dns_ms, connect_ms; /* the latter with TLS */
	struct tls_seen tls;
	enum tls_alpn alpn;
};

/* ca_file NULL: the system's authorities.  RC_OK: out tells how far it came;
 * otherwise it could not even begin. */
MUST_USE enum rc probe_run(const struct url *to, const char *ca_file,
    unsigned timeout_ms, struct probe *out, struct err *e);
#endif
