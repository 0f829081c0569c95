/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/sandbox_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/attr.h"

/* The kernel's interface, as far as used here: neither the C library nor the
 * headers of older systems have all of it. */
enum {
	NR_CREATE_RULESET = 444, /* the same on every architecture */
	NR_ADD_RULE = 445,
	NR_RESTRICT_SELF = 446,
	CREATE_RULESET_VERSION = 1,
	RULE_PATH_BENEATH = 1
};

/* Rights, by the interface version that brought them. */
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_ALL_V1 = (1 << 13) - 1,
	FS_ALL_V2 = (1 << 14) - 1, /* refer */
	FS_ALL_V3 = (1 << 15) - 1, /* truncate */
	FS_ALL_V5 = (1 << 16) - 1, /* ioctl on devices */
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	FS_READ = FS_READ_FILE | FS_READ_DIR,
	/* the ones that make sense for what is not a directory */
	FS_OF_FILE = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE |
	             FS_IOCTL_DEV
};

struct ruleset_attr {
	uint64_t handled_access_fs;
};

struct path_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

_Static_assert(sizeof(struct ruleset_attr) == 8, "kernel layout");
_Static_assert(sizeof(struct path_attr) == 12, "kernel layout");

struct ruleset {
	int fd;
	uint64_t handled;
	struct err *e;
};

static uint64_t
rights_of(long version)
{
	if (version >= 5)
		return FS_ALL_V5;
	if (version >= 3)
		return FS_ALL_V3;
	return version == 2 ? FS_ALL_V2 : FS_ALL_V1;
}

static enum rc
allow(const struct ruleset *r, const char *path, uint64_t rights)
{
	struct path_attr attr = { .allowed_access = rights & r->handled };
	struct stat st;
	enum rc rc = RC_OK;
	int fd;

	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_errno(r->e, errno, "sandbox: %s", path);
	if (fstat(fd, &st) != 0) {
		rc = err_errno(r->e, errno, "sandbox: %s", path);
	} else {
		if (!S_ISDIR(st.st_mode))
			attr.allowed_access &= FS_OF_FILE;
		attr.parent_fd = fd;
		if (syscall(NR_ADD_RULE, r->fd, RULE_PATH_BENEATH, &attr, 0) !=
		    0)
			rc = err_errno(r->e, errno, "sandbox: no rule for %s",
			    path);
	}
	(void)close(fd);
	return rc;
}

static enum rc
allow_all(const struct ruleset *r, const char *const *paths, uint64_t rights)
{
	enum rc rc = RC_OK;

	for (; paths != NULL && *paths != NULL && rc == RC_OK; paths++)
		rc = allow(r, *paths, rights);
	return rc;
}

/* The leak checker reads /proc/self when the program ends. */
static enum rc
allow_sanitizer(const struct ruleset *r)
{
#ifdef SANITIZER_BUILD
	return allow(r, "/proc", FS_READ);
#else
	(void)r;
	return RC_OK;
#endif
}

enum rc
sandbox_landlock(const char *const *read_paths, const char *const *write_paths,
    bool *have, struct err *e)
{
	struct ruleset r = { .fd = -1, .e = e };
	struct ruleset_attr attr;
	long version;
	enum rc rc;

	*have = false;
	version = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
	if (version < 1) /* not compiled in, or not switched on */
		return RC_OK;
	r.handled = rights_of(version);
	attr.handled_access_fs = r.handled;
	r.fd = (int)syscall(NR_CREATE_RULESET, &attr, sizeof(attr), 0);
	if (r.fd < 0)
		return err_errno(e, errno, "sandbox: landlock");
	if ((rc = allow_all(&r, read_paths, FS_READ)) == RC_OK &&
	    (rc = allow_all(&r, write_paths, r.handled)) == RC_OK &&
	    (rc = allow_sanitizer(&r)) == RC_OK &&
	    syscall(NR_RESTRICT_SELF, r.fd, 0) != 0)
		rc = err_errno(e, errno, "sandbox: landlock");
	(void)close(r.fd);
	*have = rc == RC_OK;
	return rc;
}
