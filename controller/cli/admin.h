/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_ADMIN_H
#define CONTROLLER_CLI_ADMIN_H
/*
 * The data directory of a controller that does not run.  Work on it is done
 * as its owner, so that no file of root is left in it, and under the lock
 * that a controller holds while it runs.
 */
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/rc.h"

struct cli;
struct store;

enum {
	ADMIN_PATH_CAP = 1024
};

/* --data-dir, RM_DATA_DIR, or /var/lib/restic-manager. */
const char *admin_dir(const struct cli *c);
/* dir/name; RC_NOTFOUND when it is not there. */
MUST_USE enum rc admin_path(const char *dir, const char *name,
    char out[ADMIN_PATH_CAP], struct err *e);
/* Gives up root for the owner of the directory, for good. */
MUST_USE enum rc admin_become_owner(const char *dir, struct err *e);
/* --key-file, or secret.key in dir.  One that is missing is not made. */
MUST_USE enum rc admin_key(const struct cli *c, const char *dir,
    uint8_t key[CRYPT_KEY_SIZE], struct err *e);
#endif
