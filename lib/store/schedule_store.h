/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_SCHEDULE_STORE_H
#define LIB_STORE_SCHEDULE_STORE_H
/*
 * When a host's source groups are due.
 * Key: host id, schedule id.
 */
#include "lib/store/store.h"

struct Rec__Schedule *schedule_store_get(struct store_tx *tx,
    const struct ulid *host, const struct ulid *schedule);
struct Rec__Schedule *schedule_store_find(struct store_tx *tx,
    const struct ulid *host, const struct ulid *schedule);
/* Inserts or replaces; keeps versions. */
void schedule_store_put(struct store_tx *tx, const struct Rec__Schedule *s);
void schedule_store_del(struct store_tx *tx, const struct ulid *host,
    const struct ulid *schedule);

typedef bool schedule_store_fn(void *ctx, const struct Rec__Schedule *s);

/* In order of creation; false from fn stops. */
void schedule_store_of_host(struct store_tx *tx, const struct ulid *host,
    schedule_store_fn *fn, void *ctx);
#endif
