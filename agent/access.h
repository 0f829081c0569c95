/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_ACCESS_H
#define AGENT_ACCESS_H
/*
 * What a restic child is given to open a repository: its environment, made
 * from a table (nothing of the agent's own RESTIC_*, AWS_* or B2_* passes),
 * files in memory, and the options that name them.  Secrets are in the
 * environment and the files, never in the options.
 */
#include <stddef.h>

#include "lib/base/crypt.h"

struct proc_opts;
struct redact;
struct restic;
struct secrets_repo;

enum {
	ACCESS_FILES_MAX = 4, /* as many as a child may have */
	ACCESS_OPTION_CAP = 512
};

struct access {
	char **env; /* NULL-terminated */
	size_t n_env;
	struct str files[ACCESS_FILES_MAX]; /* owned */
	size_t n_files;
	char options[ACCESS_FILES_MAX][ACCESS_OPTION_CAP];
	size_t n_options;
};

/* redact (NULL: nobody's) learns every secret of it. */
struct access *access_new(const struct restic *r,
    const struct secrets_repo *repo, const char *state_dir,
    struct redact *redact);
void access_free(struct access *a); /* wipes; NULL is fine */
/* Environment and files of a child; lent. */
void access_give(const struct access *a, struct proc_opts *o);
#endif
