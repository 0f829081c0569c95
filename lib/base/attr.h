/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_ATTR_H
#define LIB_BASE_ATTR_H
/* Compiler attributes and the few macros every file may use. */
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Defined when the compiler puts ASan or TSan in: they need more memory and
 * system calls than the program itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER_BUILD 1
#endif
#endif

/* A broken invariant of our own: says where, aborts.  Always compiled in;
 * never used on what a peer sent. */
#define ASSERT(cond) \
	((cond) ? (void)0 : assert_failed(__FILE__, __LINE__, #cond))

NORETURN void assert_failed(const char *file, int line, const char *cond);
#endif
