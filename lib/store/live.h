/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_LIVE_H
#define LIB_STORE_LIVE_H
/*
 * Presence and progress: true for this run of the controller only, not
 * synced, emptied at its start.  Keys: host id; job id.
 */
#include "lib/store/store.h"

void live_put_presence(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Presence *p);
void live_del_presence(struct store_tx *tx, const struct ulid *host);
struct Rec__Presence *live_find_presence(struct store_tx *tx,
    const struct ulid *host);
void live_put_progress(struct store_tx *tx, const struct ulid *job,
    const struct Rec__LiveProgress *p);
void live_del_progress(struct store_tx *tx, const struct ulid *job);
struct Rec__LiveProgress *live_find_progress(struct store_tx *tx,
    const struct ulid *job);
/* Empties all of it. */
void live_clear(struct store_tx *tx);
#endif
