/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_EVENTS_HELP_H
#define TESTS_UNIT_AGENT_EVENTS_HELP_H
/* Lines of one job's log, as many and as long as a test wants. */
#include "tests/unit/agent/agent_help.h"

#define JOB "01JD0000000000000000000000"

static inline void
put_log(struct events *ev, uint64_t first, size_t n, size_t len)
{
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	Wire__LogLine row, *ptrs[64];
	char *text = mem_alloc(len + 1);
	size_t i;

	assert_true(n <= ARRAY_LEN(ptrs));
	memset(text, 'x', len);
	wire__log_line__init(&row);
	row.payload.data = (uint8_t *)text;
	row.payload.len = len;
	for (i = 0; i < n; i++)
		ptrs[i] = &row;
	c.job_id = (char[]){ JOB };
	c.first_line = first;
	c.lines = ptrs;
	c.n_lines = n;
	events_put_log(ev, &c);
	mem_free(text);
}
#endif
