/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/admin.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "lib/base/fsio.h"

#define ADMIN_DIR "/var/lib/restic-manager"

const char *
admin_dir(const struct cli *c)
{
	const char *given = args_value(&c->args, OPT_DATA_DIR);

	if (given == NULL)
		given = getenv("RM_DATA_DIR");
	return given != NULL && given[0] != '\0' ? given : ADMIN_DIR;
}

enum rc
admin_path(const char *dir, const char *name, char out[ADMIN_PATH_CAP],
    struct err *e)
{
	if (fsio_join(out, ADMIN_PATH_CAP, dir, name) != RC_OK)
		return err_set(e, RC_LIMIT, "the path is too long");
	if (access(out, F_OK) == 0)
		return RC_OK;
	if (errno == EACCES)
		return err_set(e, RC_DENIED,
		    "%s: not for this user; run it as root, or as the "
		    "controller's user",
		    out);
	return err_set(e, RC_NOTFOUND,
	    "%s is not there: is %s the data directory of a controller?", out,
	    dir);
}

enum rc
admin_become_owner(const char *dir, struct err *e)
{
	char path[ADMIN_PATH_CAP];
	struct stat st;
	enum rc rc;

	if ((rc = admin_path(dir, "db/state/data.mdb", path, e)) != RC_OK)
		return rc;
	if (stat(path, &st) != 0)
		return err_errno(e, errno, "cannot look at %s", path);
	if (geteuid() != 0 || st.st_uid == 0)
		return RC_OK;
	if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 ||
	    setuid(st.st_uid) != 0)
		return err_errno(e, errno, "cannot become the owner of %s",
		    path);
	return RC_OK;
}

enum rc
admin_key(const struct cli *c, const char *dir, uint8_t key[CRYPT_KEY_SIZE],
    struct err *e)
{
	const char *given = args_value(&c->args, OPT_KEY_FILE);
	char path[ADMIN_PATH_CAP];

	if (given == NULL &&
	    fsio_join(path, sizeof(path), dir, "secret.key") != RC_OK)
		return err_set(e, RC_LIMIT, "the path is too long");
	if (given == NULL)
		given = path;
	if (access(given, R_OK) != 0)
		return err_set(e, RC_NOTFOUND,
		    "%s cannot be read, and without that key the seal of the "
		    "audit log is unknown; --key-file names another",
		    given);
	return crypt_key_file(given, key, e);
}
