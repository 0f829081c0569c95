/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_BUCKET_H
#define CONTROLLER_BUCKET_H
/*
 * A token bucket per address: so many requests a minute, and as many at
 * once.  In memory only.  Loop thread.
 */
#include <stddef.h>

struct buckets;

enum {
	BUCKET_ENTRIES_MAX = 4096
};

struct buckets *buckets_new(unsigned per_minute);
void buckets_free(struct buckets *b);
/* 0: go on; else the seconds until there is a token again. */
unsigned buckets_take(struct buckets *b, const char *address);
void buckets_tick(struct buckets *b); /* forgets those that are full */
size_t buckets_count(const struct buckets *b);
#endif
