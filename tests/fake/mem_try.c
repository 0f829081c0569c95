/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fake/mem_try.h"

#include <stdlib.h>

#include "lib/base/mem.h"

static unsigned left; /* allocations that still succeed, plus one; 0: all */
static bool failed;

void
fake_mem_fail_at(unsigned n)
{
	left = n;
	failed = false;
}

bool
fake_mem_failed(void)
{
	return failed;
}

void *
mem_try_alloc(size_t n)
{
	if (left > 1)
		left--;
	else if (left == 1)
		failed = true;
	return failed ? NULL : calloc(1, n == 0 ? 1 : n);
}
