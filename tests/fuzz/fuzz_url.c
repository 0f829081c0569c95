/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An address that is taken, written again, is the same address. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/url.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text, again[URL_HOST_CAP + 32];
	struct url u, v;
	struct err e;

	if (n > 600)
		return 0;
	text = mem_strndup((const char *)data, n);
	if (url_parse(text, &u, &e) == RC_OK) {
		ASSERT(u.port != 0 && u.host[0] != '\0');
		ASSERT(str_fmt(again, sizeof(again),
		    u.is_v6 ? "%s://[%s]:%u" : "%s://%s:%u",
		    u.tls ? "https" : "http", u.host, u.port));
		ASSERT(url_parse(again, &v, &e) == RC_OK);
		ASSERT(u.tls == v.tls && u.port == v.port &&
		       strcmp(u.host, v.host) == 0);
	}
	mem_free(text);
	return 0;
}
