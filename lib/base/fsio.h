/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_FSIO_H
#define LIB_BASE_FSIO_H
/*
 * Files done right: whole reads with a limit, atomic replacement,
 * directories that are really on disk.  Blocking: never on the loop after
 * start-up.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;

/* Half-written files of a process that was killed bear this prefix; walks
 * that clean up may remove them. */
#define FSIO_TEMP_PREFIX ".tmp-"

/* RC_NOTFOUND when absent, RC_LIMIT when larger than the room in out. */
MUST_USE enum rc fsio_read(const char *path, struct buf *out, struct err *e);
/* Unique temp in the same directory, fsync, rename, fsync directory. */
MUST_USE enum rc fsio_replace(const char *path, struct str data, mode_t mode,
    struct err *e);
/* The same, but RC_CONFLICT when path exists already. */
MUST_USE enum rc fsio_create(const char *path, struct str data, mode_t mode,
    struct err *e);
MUST_USE enum rc fsio_mkdirs(const char *path, mode_t mode, struct err *e);
MUST_USE enum rc fsio_sync_dir(const char *path, struct err *e);
/* unlink + fsync of the directory; absent is fine. */
MUST_USE enum rc fsio_remove(const char *path, struct err *e);
/* All of it or an error; handles short writes and EINTR. */
MUST_USE enum rc fsio_write_all(int fd, struct str data, struct err *e);
/* Exclusive lock file that is held until the process ends or the
 * descriptor is closed; RC_BUSY when another process holds it. */
MUST_USE enum rc fsio_lock(const char *path, int *out_fd, struct err *e);
/* Calls fn for each name in the directory ("." and ".." left out), in
 * bytewise order, at most max names. */
typedef enum rc fsio_walk_fn(void *ctx, const char *name, struct err *e);
MUST_USE enum rc fsio_walk(const char *dir, size_t max, fsio_walk_fn *fn,
    void *ctx, struct err *e);
/* dir/name into dst; RC_LIMIT when it does not fit. */
MUST_USE enum rc fsio_join(char *dst, size_t cap, const char *dir,
    const char *name);
/* dir/name, the caller's to free. */
char *fsio_below(const char *dir, const char *name);
/* Free space and inodes of the filesystem in per cent. */
MUST_USE enum rc fsio_free_percent(const char *path, unsigned *out_space,
    unsigned *out_inodes, struct err *e);
#endif
