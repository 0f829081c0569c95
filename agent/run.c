/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/run.h"

#include <string.h>

#include "lib/base/mem.h"

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
