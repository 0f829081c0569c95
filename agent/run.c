/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/run.h"

#include "lib/base/mem.h"

Wire__CommandRun *
run_copy(const Wire__CommandRun *cmd)
{
	size_t n = wire__command_run__get_packed_size(cmd);
	uint8_t *bytes = mem_alloc(n);
	Wire__CommandRun *copy;

	wire__command_run__pack(cmd, bytes);
	copy = wire__command_run__unpack(NULL, n, bytes);
	mem_free(bytes);
	ASSERT(copy != NULL);
	return copy;
}

Wire__OwnRun *
run_own_copy(const Wire__OwnRun *own)
{
	size_t n = wire__own_run__get_packed_size(own);
	uint8_t *bytes = mem_alloc(n);
	Wire__OwnRun *copy;

	wire__own_run__pack(own, bytes);
	copy = wire__own_run__unpack(NULL, n, bytes);
	mem_free(bytes);
	ASSERT(copy != NULL);
	return copy;
}
