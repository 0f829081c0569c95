/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/backoff.h"

#include "lib/base/crypt.h"

uint64_t
backoff_ms(unsigned *failures)
{
	uint64_t most = BACKOFF_MIN_MS;
	unsigned i;

	for (i = 0; i < *failures && most < BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	(*failures)++;
	return 50 + crypt_random_below((uint32_t)most);
}
