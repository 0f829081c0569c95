/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ROTATE_H
#define CONTROLLER_ROTATE_H
/*
 * Another bearer in place of an agent's, without enrolling it again.
 *
 *   asked for: the host's record says so, until it is done
 *   -> the agent is told (Session, Poll, or its next hello)
 *   -> it makes one, and offers its SHA-256 in a hello
 *   -> the vault has both; what is open by the old one ends, `bearer_rotated`
 *   -> the first call by the new one: the old one goes, and is closed
 *
 * The vault keeps the bearer of the call that offers, so wherever either side
 * is cut off, the one that the agent used last is good.
 */
#include <stdbool.h>

struct Rec__HostSecrets;
struct Wire__Hello;
struct agents;
struct call;
struct caller;
struct req;

/* POST /api/hosts/{id}/rotate-bearer, and the form. */
void rotate_ask(struct req *r);

/* Whether a call by this bearer makes the host's other one worthless; s NULL:
 * no. */
bool rotate_ends(const struct Rec__HostSecrets *s, const struct caller *by);
/* A hello was taken: what it offers, or proves, is stored.  c->rotate is then
 * false: nothing is left to be told. */
void rotate_hello(struct agents *a, struct call *c,
    const struct Wire__Hello *h);
#endif
