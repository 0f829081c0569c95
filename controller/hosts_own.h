/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_HOSTS_OWN_H
#define CONTROLLER_HOSTS_OWN_H
/*
 * What the files of hosts share: hosts.c answers about one host on the loop,
 * hosts_list.c about the fleet, which the pool looks through.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/store/store.h"

struct controller;
struct fleet_host;
struct req;

/* One answer in the making: read transactions and the JSON.  Any thread,
 * within one function. */
struct hosts_reading {
	struct arena arena;
	struct store_tx *state;
	struct store_tx *live;
	struct buf body;
	struct json_out j;
};

void hosts_reading_begin(struct hosts_reading *g, const struct controller *c);
/* Ends the transactions and what was unpacked; body is the caller's. */
enum rc hosts_reading_end(struct hosts_reading *g, struct err *e);
/* Members of the object that is open. */
void hosts_json(struct hosts_reading *g, const struct fleet_host *f);
/* The fresher of record and presence. */
int64_t hosts_last_seen(struct store_tx *live, const struct fleet_host *f);
/* Answers r with the object whose members look() writes.  look() runs in the
 * pool and must not touch the request; a failure it has is the state
 * transaction's.  in lives as long as the request. */
typedef void hosts_look_fn(struct hosts_reading *g, void *in);
void hosts_sweep(struct req *r, hosts_look_fn *look, void *in);
/* none, succeeded, incomplete, failed, cancelled */
const char *hosts_backup_status(const struct Rec__Host *h);
#endif
