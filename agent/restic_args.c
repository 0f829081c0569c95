/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/restic.h"

#include <string.h>

#include "agent/access.h"
#include "agent/secrets.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum {
	RESTIC_ARGS_OWN = 24,        /* beside what the call brings */
	RESTIC_PATHS_BYTES = 262144, /* more than that goes by input */
	RESTIC_PATH_BYTES = 4096
};

struct restic_args {
	struct arena *a;
	char **v;
	size_t n;
	size_t cap;
};

static void
restic_arg(struct restic_args *args, const char *z)
{
	if (args->n + 1 < args->cap)
		args->v[args->n++] = arena_dup(args->a, z);
}

static void
restic_arg_u32(struct restic_args *args, const char *flag, uint32_t value)
{
	restic_arg(args, flag);
	args->v[args->n++] = arena_printf(args->a, "%u", value);
}

/* --flag=value as one word: a value cannot become a flag. */
static void
restic_arg_pair(struct restic_args *args, const char *flag, const char *value)
{
	if (args->n + 1 < args->cap)
		args->v[args->n++] =
		    arena_printf(args->a, "%s=%s", flag, value);
}

static bool
restic_by_input(const Wire__CommandRun *cmd)
{
	size_t i, n, total = 0;

	for (i = 0; i < cmd->n_includes; i++) {
		n = strlen(cmd->includes[i]) + 1 + sizeof(char *);
		total += n;
		if (n > RESTIC_PATH_BYTES || total > RESTIC_PATHS_BYTES)
			return true;
	}
	return false;
}

void
restic_input(enum restic_step step, const Wire__CommandRun *cmd,
    struct buf *out)
{
	size_t i;

	if (step != RESTIC_BACKUP || !restic_by_input(cmd))
		return;
	for (i = 0; i < cmd->n_includes; i++)
		buf_put(out, cmd->includes[i], strlen(cmd->includes[i]) + 1);
}

static void
restic_backup_args(struct restic_args *args, const Wire__CommandRun *cmd,
    const char *hostname)
{
	size_t i;

	restic_arg(args, "backup");
	restic_arg(args, "--json");
	restic_arg_pair(args, "--host", hostname);
	if (cmd->tag[0] != '\0')
		restic_arg_pair(args, "--tag", cmd->tag);
	for (i = 0; i < cmd->n_excludes; i++)
		restic_arg_pair(args, "--exclude", cmd->excludes[i]);
	if (restic_by_input(cmd)) {
		restic_arg_pair(args, "--files-from-raw", "-");
		return;
	}
	restic_arg(args, "--");
	for (i = 0; i < cmd->n_includes; i++)
		restic_arg(args, cmd->includes[i]);
}

/* Words that need nothing of the call. */
static const char *const restic_words[][6] = {
	[RESTIC_INIT] = { "init" },
	[RESTIC_BACKUP] = { NULL },
	/* Reading takes no part in locking: a check elsewhere must not turn a
	 * finished backup into one not verified. */
	[RESTIC_SNAPSHOTS] = { "snapshots", "--json", "--no-lock" },
	[RESTIC_STATS] = { "stats", "--json", "--no-lock", "--mode=raw-data" },
	[RESTIC_UNLOCK] = { "unlock" },
	[RESTIC_FORGET] = { "forget" },
	[RESTIC_PRUNE] = { "prune" },
	[RESTIC_CHECK] = { "check" },
	[RESTIC_CONFIG] = { "cat", "config", "--no-lock" },
	[RESTIC_LOCKS] = { "list", "locks", "--no-lock" },
	[RESTIC_LOCK] = { "cat", "lock", "--no-lock" },
};
_Static_assert(ARRAY_LEN(restic_words) == RESTIC_STEP_COUNT,
    "words for each step");

static void
restic_step_args(struct restic_args *args, const struct restic_call *c)
{
	const Wire__CheckPart *part =
	    c->cmd != NULL ? c->cmd->check_part : NULL;
	size_t i;

	if (c->step == RESTIC_BACKUP) {
		ASSERT(c->cmd != NULL);
		restic_backup_args(args, c->cmd, c->hostname);
		return;
	}
	for (i = 0; restic_words[c->step][i] != NULL; i++)
		restic_arg(args, restic_words[c->step][i]);
	if (c->step == RESTIC_CHECK && part != NULL && args->n + 1 < args->cap)
		args->v[args->n++] = arena_printf(args->a,
		    "--read-data-subset=%u/%u", part->n, part->of);
	for (i = 0; i < c->n_ids; i++)
		restic_arg(args, c->ids[i]);
}

/* What this run may take of the line, or else the host's. */
static void
restic_cap_args(struct restic_args *args, const struct restic_call *c)
{
	const Wire__CommandRun *cmd = c->cmd;
	uint32_t up = c->caps->up_kbps, down = c->caps->down_kbps;

	if (cmd != NULL && cmd->caps != NULL) {
		up = cmd->caps->bandwidth_up_kbps;
		down = cmd->caps->bandwidth_down_kbps;
	} else if (cmd != NULL) {
		if (cmd->bandwidth_up_kbps > 0)
			up = cmd->bandwidth_up_kbps;
		if (cmd->bandwidth_down_kbps > 0)
			down = cmd->bandwidth_down_kbps;
	}
	if (up > 0)
		restic_arg_u32(args, "--limit-upload", up);
	if (down > 0)
		restic_arg_u32(args, "--limit-download", down);
}

char **
restic_argv(const struct restic *r, const struct restic_call *c,
    struct arena *a)
{
	struct restic_args args = { .a = a, .cap = RESTIC_ARGS_OWN + c->n_ids };
	size_t i;

	if (c->cmd != NULL)
		args.cap += c->cmd->n_includes + c->cmd->n_excludes;
	args.v = arena_array(a, args.cap, sizeof(*args.v));
	if (args.v == NULL)
		return NULL;
	restic_arg(&args, r->path);
	if (r->no_cache)
		restic_arg(&args, "--no-cache");
	for (i = 0; c->access != NULL && i < c->access->n_options; i++)
		restic_arg(&args, c->access->options[i]);
	restic_cap_args(&args, c);
	restic_step_args(&args, c);
	return arena_rc(a) == RC_OK ? args.v : NULL;
}
