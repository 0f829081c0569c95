/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_REPO_STORE_H
#define LIB_STORE_REPO_STORE_H
/*
 * Repositories by their own id (that of restic's config), which hosts use
 * which, and how large each host's was day by day.
 * Keys: repository id (32 bytes) | repository id, host id | host id, day (u32).
 */
#include "lib/store/store.h"

enum {
	REPO_ID_SIZE = 32
};

/* NULL: not heard of. */
struct Rec__Repo *repo_store_find(struct store_tx *tx,
    const uint8_t id[REPO_ID_SIZE]);
/* The one of a host, by its repo_id; NULL when that is empty or unheard of. */
struct Rec__Repo *repo_store_of_host(struct store_tx *tx,
    const struct Rec__Host *h);
void repo_store_put(struct store_tx *tx, const struct Rec__Repo *r);

/* The host uses this repository (id NULL: none that is known) and no other;
 * sets h->repo_id, which the caller puts.  What nobody uses goes, and so does
 * the lease the host had on the one it leaves. */
void repo_store_link(struct store_tx *tx, struct Rec__Host *h,
    const uint8_t id[REPO_ID_SIZE]);

typedef bool repo_store_host_fn(void *ctx, const struct ulid *host);

void repo_store_hosts(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    repo_store_host_fn *fn, void *ctx);
/* Those whose machine has that name, byte by byte as restic compares them.
 * Each row has the one that its host told last. */
void repo_store_hosts_named(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const char *name, repo_store_host_fn *fn, void *ctx);
/* For host_store_put() alone: the host's name is in its row, too. */
void repo_store_keep_name(struct store_tx *tx, const struct Rec__Host *h);
/* Whether that host is one of them. */
bool repo_store_uses(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const struct ulid *host);
/* The next of them behind *host, which becomes it; false: none. */
bool repo_store_next_host(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    struct ulid *host);

/* day: days since 1970 in the console's zone.  NULL: nothing that day. */
struct Rec__RepoDay *repo_store_find_day(struct store_tx *tx,
    const struct ulid *host, uint32_t day);
void repo_store_put_day(struct store_tx *tx, const struct ulid *host,
    uint32_t day, const struct Rec__RepoDay *d);

/* Days before that one go. */
void repo_store_trim_days(struct store_tx *tx, const struct ulid *host,
    uint32_t before);

typedef bool repo_store_day_fn(void *ctx, uint32_t day,
    const struct Rec__RepoDay *d);

/* Days from..to inclusive, ascending. */
void repo_store_days(struct store_tx *tx, const struct ulid *host,
    uint32_t from, uint32_t to, repo_store_day_fn *fn, void *ctx);
#endif
