/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/spread.h"

#include <string.h>

#include "lib/base/crypt.h"

int64_t
spread_ms(const struct ulid *host, const struct ulid *thing, uint32_t window_s)
{
	uint8_t both[2 * sizeof(host->b)], hash[CRYPT_HASH_SIZE];
	uint64_t v = 0;
	size_t i;

	if (window_s == 0)
		return 0;
	memcpy(both, host->b, sizeof(host->b));
	memcpy(both + sizeof(host->b), thing->b, sizeof(thing->b));
	crypt_sha256(str_from(both, sizeof(both)), hash);
	for (i = 0; i < sizeof(v); i++)
		v = v << 8 | hash[i];
	return (int64_t)(v % ((uint64_t)window_s * 1000));
}
