/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_REPO_ENV_H
#define LIB_BASE_REPO_ENV_H
/*
 * What a repository's back end may be given beside URL, user and password:
 * the environment variables restic documents, by back end, and for SFTP the
 * key and known hosts of ssh.  Both sides hold to this one table: who stores
 * them and who runs restic.
 *
 * Left out on purpose is what names a program, or a file or profile on the
 * host that may name one (RESTIC_PASSWORD_COMMAND, AWS_PROFILE,
 * AWS_SHARED_CREDENTIALS_FILE, RCLONE_CONFIG): who may write credentials may
 * not by that run programs as root.  Pure, any thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

enum repo_backend {
	REPO_LOCAL,
	REPO_S3,
	REPO_B2,
	REPO_AZURE,
	REPO_GCS,
	REPO_SFTP,
	REPO_REST,
	REPO_SWIFT,
	REPO_RCLONE
};

enum {
	REPO_BACKEND_COUNT = 9,
	REPO_ENV_MAX = 16,        /* variables of one repository */
	REPO_ENV_NAME_MAX = 63,   /* bytes */
	REPO_ENV_TEXT_MAX = 4096, /* bytes of one value */
	REPO_ENV_FILE_MAX = 16384 /* bytes of one that is a file */
};

enum repo_env_form {
	REPO_ENV_TEXT, /* one line: the variable's value */
	REPO_ENV_FILE  /* the contents of a file; restic is given its name */
};

struct repo_env {
	const char *name;
	enum repo_env_form form;
	bool secret; /* never shown; names always may be */
	/* restic's option for it where it has no variable of that name, or not
	 * in each version; NULL: the variable. */
	const char *option;
	unsigned backends; /* bits 1 << enum repo_backend */
	const char *what;  /* for people: "access key" */
};

/* Rows in the order to show them; NULL behind the last. */
const struct repo_env *repo_env_at(size_t i);
/* NULL: not allowed for anything. */
const struct repo_env *repo_env_find(struct str name);
bool repo_env_suits(const struct repo_env *v, enum repo_backend b);

/* By the URL's beginning; a path without one is local. */
enum repo_backend repo_env_backend(struct str url);
/* For people: "Amazon S3", "a local path". */
const char *repo_env_backend_name(enum repo_backend b);

/* Who sftp:user@host:/path or sftp://user@host:port//path is; lent.  False
 * when a shell might see more in it than names. */
struct repo_sftp {
	struct str user; /* empty: as ssh is configured */
	struct str host;
	unsigned port;
};
MUST_USE bool repo_sftp_parse(struct str url, struct repo_sftp *out);

/* Whether that variable may stand beside that URL: RC_INVALID and a sentence
 * that never holds the value. */
MUST_USE enum rc repo_env_check(struct str url, struct str name,
    struct str value, struct err *e);
#endif
