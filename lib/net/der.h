/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_DER_H
#define LIB_NET_DER_H
/*
 * The parts of an X.509 certificate that we look at ourselves: the
 * SubjectPublicKeyInfo (for pins), the alternative names (for the host
 * name) and the dates (to show them).  Reads what a peer sent: strict, bounded, nothing is copied.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct der_cert {
	struct str spki; /* the whole element, tag included */
	struct str
	    names; /* inside of GeneralNames; empty when there are none */
	/* 0: not understood.  Whether they hold is the TLS library's say. */
	int64_t not_before_ms, not_after_ms;
};

/* RC_PROTO when it is not a certificate.  out lends from der. */
MUST_USE enum rc der_cert_read(struct str der, struct der_cert *out);
/* host: a DNS name or an IP address.  Only the leftmost label may be "*". */
bool der_cert_names(const struct der_cert *c, const char *host);
#endif
