/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_FLEET_STORE_H
#define LIB_STORE_FLEET_STORE_H
/*
 * All hosts at once: states, filter, order.  Pages, JSON and CSV show the
 * same hosts for the same question because they ask here.
 * Threads: any, with its own transaction.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "lib/store/status.h"

struct arena;
struct fleet_query;
struct store_tx;

enum {
	FLEET_HOSTS_MAX = 20000
}; /* looked at for one answer */

struct fleet_host {
	const struct Rec__Host *host;
	const struct Rec__Job *running; /* its current job under way, or NULL */
	struct ulid id;
	enum status_host state;
	uint32_t rank; /* by name */
};

struct fleet_list {
	struct fleet_host *rows;
	size_t n, cap;
	int64_t now_ms;
	struct store_tx *tx;
};

/* One host, with its state. */
void fleet_store_host(struct store_tx *tx, const struct Rec__Host *h,
    int64_t now_ms, struct fleet_host *out);
/* Every host by name; a is the transaction's arena. */
MUST_USE enum rc fleet_store_load(struct store_tx *tx, struct arena *a,
    int64_t now_ms, struct fleet_list *out);
/* What all repositories hold; one that several hosts share counts once. */
struct fleet_stored {
	uint64_t bytes, snapshots;
};
void fleet_store_stored(const struct fleet_list *l, struct fleet_stored *out);
/* Keeps those that fit, in their order. */
void fleet_store_filter(struct fleet_list *l, const struct fleet_query *q);

enum fleet_sort {
	FLEET_BY_ATTENTION, /* by state: what needs people most comes first */
	FLEET_BY_NAME,
	FLEET_BY_LAST, /* last backup, the oldest first */
	FLEET_BY_SIZE  /* stored, the largest first */
};
enum {
	FLEET_SORTS = 4
};

struct fleet_order {
	enum fleet_sort sort;
	bool back; /* the other way round */
};

/* attention, name, last, size */
const char *fleet_sort_name(enum fleet_sort s);
/* asc or desc, as the order reads: sizes begin with desc. */
const char *fleet_order_dir(struct fleet_order o);
/* From ?sort= and ?dir=, both optional.  False: one of them is nothing we
 * know, and dflt or its usual direction stands for it. */
bool fleet_order_parse(struct str sort, struct str dir, enum fleet_sort dflt,
    struct fleet_order *out);
/* Ties are by name. */
void fleet_store_sort(struct fleet_list *l, struct fleet_order o);
#endif
