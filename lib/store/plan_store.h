/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_PLAN_STORE_H
#define LIB_STORE_PLAN_STORE_H
/*
 * What a host backs up: source groups, and each group's outcome by day for
 * the heat strip.
 * Keys: host id, group id | host id, day (u32 big-endian), group id.
 */
#include "lib/store/store.h"

struct Rec__SourceGroup *plan_store_get(struct store_tx *tx,
    const struct ulid *host, const struct ulid *group);
struct Rec__SourceGroup *plan_store_find(struct store_tx *tx,
    const struct ulid *host, const struct ulid *group);
/* Without reading it. */
bool plan_store_has(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group);
/* Whether one of the host's groups, but the one of this id, has the name. */
bool plan_store_has_name(struct store_tx *tx, const struct ulid *host,
    const char *name, const ProtobufCBinaryData *but);
void plan_store_put(struct store_tx *tx, const struct Rec__SourceGroup *g);
/* What it was in the past (days, jobs) stays. */
void plan_store_del(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group);
typedef bool plan_store_fn(void *ctx, const struct Rec__SourceGroup *g);
/* In order of creation. */
void plan_store_of_host(struct store_tx *tx, const struct ulid *host,
    plan_store_fn *fn, void *ctx);

/* day: days since 1970 in the console's zone. */
void plan_store_put_day(struct store_tx *tx, const struct ulid *host,
    uint32_t day, const struct ulid *group, const struct Rec__DayOutcome *o);
typedef bool plan_store_day_fn(void *ctx, uint32_t day,
    const struct ulid *group, const struct Rec__DayOutcome *o);
/* Days from..to inclusive, ascending; each is lent for the call. */
void plan_store_days(struct store_tx *tx, const struct ulid *host,
    uint32_t from, uint32_t to, plan_store_day_fn *fn, void *ctx);
#endif
