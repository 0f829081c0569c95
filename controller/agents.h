/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AGENTS_H
#define CONTROLLER_AGENTS_H
/*
 * The gRPC service: enrolment, Session and Poll, presence, fencing of older
 * streams and of second instances.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct agents;
struct controller;
struct grpc_server;
struct Wire__ControllerMessage;

struct agents *agents_new(struct controller *c);
void agents_free(struct agents *a);
struct grpc_server *agents_grpc(struct agents *a); /* lent */

/* Seen within 90 s by Session or Poll. */
bool agents_online(const struct agents *a, const struct ulid *host);
/* Sends a command on the host's live stream, or hands it to its waiting Poll; false:
 * neither is there (the courier tries again at the next hello or poll). */
bool agents_send(struct agents *a, const struct ulid *host,
    const struct Wire__ControllerMessage *m);
/* The configuration of a host has changed: sends it to a connected agent.
 * No command overtakes it: agents_send() brings it first when it has not
 * gone out yet. */
void agents_configure(struct agents *a, const struct ulid *host);
/* Another bearer is wanted: tells a connected agent; others are told when they
 * say hello. */
void agents_rotate(struct agents *a, const struct ulid *host);
/* Ends what the host has open by another bearer than the one of this hash. */
void agents_close_others(struct agents *a, const struct ulid *host,
    const uint8_t bearer[CRYPT_HASH_SIZE], const struct err *e);
/* Called by ingest after the commit. */
void agents_ack(struct agents *a, const struct ulid *host, uint64_t seq);
/* Streams that were paused because too many events waited are read again, as
 * many as there is room for. */
void agents_read_on(struct agents *a);
/* Ends the host's stream with a status, e.g. an event out of order. */
void agents_drop(struct agents *a, const struct ulid *host,
    const struct err *e);
/* The host was deleted: its call ends with the reason, nothing is kept of
 * it; job: what it ran, or zero. */
void agents_forget(struct agents *a, const struct ulid *host,
    const struct ulid *job, const struct err *e);
/* Every second: presence that ran out. */
void agents_tick(struct agents *a);
unsigned agents_count(const struct agents *a);
struct agents_stats {
	unsigned online, sessions, polls;
};
void agents_stats(const struct agents *a, struct agents_stats *out);
#endif
