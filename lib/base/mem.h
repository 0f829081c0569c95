/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_MEM_H
#define LIB_BASE_MEM_H
/*
 * Small allocations of our own making: zeroed, and out of memory aborts.
 * What is sized by the outside goes through buf or arena, which have a
 * ceiling and report RC_LIMIT.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/attr.h"

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))

/* Never NULL; zeroed; n may be 0. */
MUST_USE void *mem_alloc(size_t n);
MUST_USE void *mem_array(size_t count, size_t size);
/* New bytes are not zeroed. */
MUST_USE void *mem_realloc(void *p, size_t n);
MUST_USE char *mem_strdup(const char *s);
MUST_USE char *mem_strndup(const char *s, size_t n);
/* For sizes that come from outside and have a ceiling already (buf, arena):
 * zeroed, NULL when there is no memory. */
MUST_USE void *mem_try_alloc(size_t n);
void mem_free(void *p);
/* Zeroes n bytes in a way the compiler keeps. */
void mem_wipe(void *p, size_t n);
/* Gives the kernel what a start or a large piece of work needed and waiting
 * does not: free memory, and code, which comes back when it is used. */
void mem_settle(void);
/* At the start of a program that runs for months, before there are threads.
 * All but the first share one heap: each with its own would keep what its
 * largest batch ever took.  Large blocks are never cut out of a heap, where
 * they leave holes between what lives longer. */
void mem_stay_small(void);
/* a + b, a * b; false on overflow, *out untouched. */
MUST_USE bool size_add(size_t a, size_t b, size_t *out);
MUST_USE bool size_mul(size_t a, size_t b, size_t *out);
#endif
