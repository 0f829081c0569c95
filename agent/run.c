/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/run.h"

#include <string.h>

#include "lib/base/mem.h"

enum {
	RUN_PATHS_MAX = 10000,
	RUN_KIND_MAX = 32,
	RUN_TAG_MAX = 1024,
	/* The kernel takes 2 MiB of arguments, 128 KiB each; paths that are
	 * too much for that go another way, excludes cannot. */
	RUN_EXCLUDE_MAX = 65536,
	RUN_EXCLUDES_MAX = 1 << 20
};

Wire__CommandRun *
run_copy(const Wire__CommandRun *cmd)
{
	size_t n = wire__command_run__get_packed_size(cmd);
	uint8_t *bytes = mem_alloc(n);
	Wire__CommandRun *copy;

	wire__command_run__pack(cmd, bytes);
	copy = wire__command_run__unpack(NULL, n, bytes);
	mem_wipe(bytes, n);
	mem_free(bytes);
	ASSERT(copy != NULL);
	return copy;
}

Wire__OwnRun *
run_own_copy(const Wire__OwnRun *own)
{
	size_t n = wire__own_run__get_packed_size(own);
	uint8_t *bytes = mem_alloc(n + 1); /* an empty one takes none */
	Wire__OwnRun *copy;

	wire__own_run__pack(own, bytes);
	copy = wire__own_run__unpack(NULL, n, bytes);
	mem_free(bytes);
	ASSERT(copy != NULL);
	return copy;
}

static void
run_wipe_text(char *z)
{
	mem_wipe(z, strlen(z));
}

void
run_wipe_slot(Wire__RepoSlot *slot)
{
	size_t i;

	if (slot == NULL)
		return;
	run_wipe_text(slot->url);
	run_wipe_text(slot->password);
	for (i = 0; i < slot->n_extra; i++)
		run_wipe_text(slot->extra[i]->value);
}

void
run_wipe(Wire__CommandRun *cmd)
{
	run_wipe_slot(cmd->admin);
	if (cmd->hooks == NULL)
		return;
	if (cmd->hooks->pre.len > 0)
		mem_wipe(cmd->hooks->pre.data, cmd->hooks->pre.len);
	if (cmd->hooks->post.len > 0)
		mem_wipe(cmd->hooks->post.data, cmd->hooks->post.len);
}

void
run_free(Wire__CommandRun *cmd)
{
	if (cmd == NULL)
		return;
	run_wipe(cmd);
	wire__command_run__free_unpacked(cmd, NULL);
}

/* ------------------------------------------------------ what can be done */

static bool
run_excludes_fit(const Wire__CommandRun *run)
{
	size_t i, n, total = 0;

	for (i = 0; i < run->n_excludes; i++) {
		n = strlen(run->excludes[i]);
		total += n + sizeof("--exclude=") + sizeof(char *);
		if (n > RUN_EXCLUDE_MAX || total > RUN_EXCLUDES_MAX)
			return false;
	}
	return true;
}

const char *
run_objection(const Wire__CommandRun *run)
{
	size_t i;

	if (run->n_includes > RUN_PATHS_MAX || run->n_excludes > RUN_PATHS_MAX)
		return "more than 10000 source paths or excludes";
	if (strlen(run->kind) > RUN_KIND_MAX)
		return "kind not implemented on this agent";
	if (strlen(run->tag) > RUN_TAG_MAX)
		return "the tag is longer than 1024 bytes";
	if (!run_excludes_fit(run))
		return "the excludes are longer than 1 MiB in all, or one "
		       "than 64 KiB";
	if (strcmp(run->kind, "backup") != 0)
		return NULL;
	if (run->n_includes == 0)
		return "no source paths";
	for (i = 0; i < run->n_includes; i++)
		if (run->includes[i][0] != '/')
			return "a source path is not absolute";
	return NULL;
}
