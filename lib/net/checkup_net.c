/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/checkup_net.h"

#include <string.h>

#include "lib/base/checkup.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/net/probe.h"
#include "lib/net/tls.h"

enum {
	HOP_MS = 10000,
	SKEW_MAX_MS = 60000,
	DAY_MS = 86400000,
	SOON_DAYS = 14
};

static const char *const hops[] = { "dns", "tcp", "tls", "certificate", "trust",
	"alpn" };

/* Everything from there on was not reached. */
static void
skip_from(struct checkup *c, size_t hop)
{
	for (; hop < ARRAY_LEN(hops); hop++)
		checkup_skip(c, hops[hop], "not reached");
}

static void
tell_dns(struct checkup *c, const struct checkup_net *o, const struct probe *p)
{
	if (p->failed == PROBE_DNS)
		checkup_fail(c, "dns",
		    "is the name right? Does this machine's resolver know it "
		    "(getent hosts NAME)?",
		    "looking up %s: %s", o->to->host, p->err.msg);
	else
		checkup_ok(c, "dns", "%s: %u address%s in %u ms", o->to->host,
		    p->addresses, p->addresses == 1 ? "" : "es", p->dns_ms);
}

static void
tell_tcp(struct checkup *c, const struct checkup_net *o, const struct probe *p)
{
	if (p->failed == PROBE_TCP)
		checkup_fail(c, "tcp",
		    "does the controller run and listen there (RM_LISTEN)? "
		    "Does a firewall let this port through?",
		    "%s port %u: %s", p->address, o->to->port, p->err.msg);
	else
		checkup_ok(c, "tcp", "%s port %u is open", p->address,
		    o->to->port);
}

static void
tell_certificate(struct checkup *c, const struct checkup_net *o,
    const struct tls_seen *s)
{
	char from[CLOCK_TEXT_CAP], to[CLOCK_TEXT_CAP];
	int64_t now = clock_now_ms();
	const char *pinned = o->pin != NULL ? " (the pin decides)" : "";

	clock_text(s->not_before_ms, from);
	clock_text(s->not_after_ms, to);
	if (s->not_after_ms == 0)
		checkup_skip(c, "certificate", "its dates are not understood");
	else if (now > s->not_after_ms && o->pin == NULL)
		checkup_fail(c, "certificate",
		    "renew it and send the controller SIGHUP",
		    "it expired on %.10s", to);
	else if (now < s->not_before_ms && o->pin == NULL)
		checkup_fail(c, "certificate", "is the clock right?",
		    "it is not valid before %.10s", from);
	else if (now > s->not_after_ms || now < s->not_before_ms)
		checkup_ok(c, "certificate", "valid from %.10s to %.10s%s",
		    from, to, pinned);
	else if (s->not_after_ms - now < (int64_t)SOON_DAYS * DAY_MS)
		checkup_ok(c, "certificate", "expires soon, on %.10s%s", to,
		    pinned);
	else
		checkup_ok(c, "certificate", "valid to %.10s", to);
}

static void
tell_trust(struct checkup *c, const struct checkup_net *o,
    const struct tls_seen *s)
{
	char pin[2 * TLS_PIN_SIZE + 1];

	str_hex(s->pin, sizeof(s->pin), pin, sizeof(pin));
	if (o->pin != NULL && !str_case_eq(str_of(o->pin), str_of(pin)))
		checkup_fail(c, "trust", o->pin_hint,
		    "its key is %s, the pin is another", pin);
	else if (o->pin != NULL)
		checkup_ok(c, "trust", "its key is the pinned one");
	else if (!s->trusted)
		checkup_fail(c, "trust",
		    "name its authority, or pin its key if it is the right "
		    "one",
		    "%s (key %s)", s->distrust, pin);
	else if (!s->named)
		checkup_fail(c, "trust",
		    "use a name that is in the certificate, or put this one "
		    "into it",
		    "the certificate is for other names than %s", o->to->host);
	else
		checkup_ok(c, "trust", "an authority vouches for %s",
		    o->to->host);
}

static void
tell_alpn(struct checkup *c, const struct checkup_net *o, enum tls_alpn alpn)
{
	if (alpn == TLS_ALPN_H2)
		checkup_ok(c, "alpn", "h2: HTTP/2 is offered");
	else
		checkup_fail(c, "alpn",
		    "something between ends TLS: let it speak HTTP/2 to the "
		    "outside (nginx: listen ... ssl http2; grpc_pass)",
		    "%s only: %s",
		    alpn == TLS_ALPN_HTTP11 ? "HTTP/1.1" : "no protocol",
		    o->plain_ok ? "pages work, agents cannot connect"
		                : "agents cannot connect");
}

bool
checkup_net(struct checkup *c, const struct checkup_net *o)
{
	struct err e = { 0 };
	struct probe p;

	if (probe_run(o->to, o->ca_file, HOP_MS, &p, &e) != RC_OK) {
		checkup_fail(c, "dns", "", "it could not be tried: %s", e.msg);
		skip_from(c, 1);
		return false;
	}
	tell_dns(c, o, &p);
	if (p.failed == PROBE_DNS) {
		skip_from(c, 1);
		return false;
	}
	tell_tcp(c, o, &p);
	if (p.failed == PROBE_TCP) {
		skip_from(c, 2);
		return false;
	}
	if (!o->to->tls) {
		checkup_skip(c, "tls", "plain HTTP to this machine");
		return true;
	}
	if (p.failed == PROBE_TLS) {
		checkup_fail(c, "tls",
		    "is this the TLS port? http:// and other services do not "
		    "answer a handshake",
		    "%s", p.err.msg);
		skip_from(c, 3);
		return false;
	}
	checkup_ok(c, "tls", "connected in %u ms", p.connect_ms);
	tell_certificate(c, o, &p.tls);
	tell_trust(c, o, &p.tls);
	tell_alpn(c, o, p.alpn);
	return true;
}

void
checkup_clock(struct checkup *c, long long skew_ms)
{
	long long s = (skew_ms < 0 ? -skew_ms : skew_ms) / 1000;
	const char *way = skew_ms > 0 ? "ahead of" : "behind";

	if (s * 1000 > SKEW_MAX_MS)
		checkup_fail(c, "clock",
		    "set the time on both (timedatectl set-ntp true): "
		    "certificates and times in logs depend on it",
		    "this clock is %lld s %s the controller's", s, way);
	else if (s > 1)
		checkup_ok(c, "clock", "%lld s %s the controller's", s, way);
	else
		checkup_ok(c, "clock", "the same as the controller's");
}
