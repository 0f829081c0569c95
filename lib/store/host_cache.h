/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_HOST_CACHE_H
#define LIB_STORE_HOST_CACHE_H
/*
 * All hosts as a reader last saw them, by name.  Finding and unpacking them
 * is most of what a look at the whole fleet costs, and few of them have
 * changed since the last one: while VER_HOSTS is the same the list is as
 * well, and a record whose stored bytes are the same is not unpacked again
 * (./bench dashboard, fleet-pages).  One thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct host_cache;

struct host_cache *host_cache_new(void);
void host_cache_free(struct host_cache *c);

/* Hosts are as they were at the last list that was ended whole. */
bool host_cache_is_of(const struct host_cache *c, uint64_t version);
/* The i-th host; NULL: there are not so many. */
const struct Rec__Host *host_cache_at(const struct host_cache *c, size_t i);

/* A new list: every host in its order, from one snapshot.  Records of the
 * old one may go. */
void host_cache_begin(struct host_cache *c);
/* The record with these stored bytes; NULL: damaged. */
const struct Rec__Host *host_cache_add(struct host_cache *c,
    const struct ulid *id, struct str stored);
void host_cache_end(struct host_cache *c, uint64_t version);
#endif
