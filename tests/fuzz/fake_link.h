/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FUZZ_FAKE_LINK_H
#define TESTS_FUZZ_FAKE_LINK_H
/*
 * lib/net/link.h without sockets, for one program: it defines every function
 * of that header, so the linker never takes the real ones.
 */
#include <stdbool.h>

#include "lib/base/attr.h"
#include "lib/net/link.h"

struct link {
	bool due, shut, ended, paused;
};

void
link_flush(struct link *l)
{
	l->due = true;
}

void
link_pause(struct link *l, bool on)
{
	l->paused = on;
}

void
link_shut(struct link *l)
{
	l->shut = true;
}

void
link_end(struct link *l, const struct err *why)
{
	(void)why;
	l->ended = true;
}

const char *
link_peer(const struct link *l)
{
	(void)l;
	return "192.0.2.1";
}

int
link_fd(const struct link *l)
{
	(void)l;
	return -1;
}

bool
link_connected(const struct link *l)
{
	(void)l;
	return true;
}

void
link_known(struct link *l)
{
	(void)l;
}

bool
link_paused(const struct link *l)
{
	return l->paused;
}

bool
link_ending(const struct link *l)
{
	return l->ended;
}

bool
link_is_tls(const struct link *l)
{
	(void)l;
	return false;
}

enum tls_alpn
link_alpn(const struct link *l)
{
	(void)l;
	return TLS_ALPN_NONE;
}

int64_t
link_heard_ms(const struct link *l)
{
	(void)l;
	return 0;
}

int64_t
link_blocked_ms(const struct link *l)
{
	(void)l;
	return 0;
}
#endif
