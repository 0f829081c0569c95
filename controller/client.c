/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/client.h"

#include <arpa/inet.h>

#include "controller/settings.h"

/* The last address of X-Forwarded-For that is not a proxy of ours. */
static struct str
forwarded_client(const struct settings *set, struct str list)
{
	struct str last = str_from(NULL, 0), word;
	char z[INET6_ADDRSTRLEN];
	size_t end;

	while (list.n > 0) {
		for (end = list.n; end > 0 && list.p[end - 1] != ','; end--)
			;
		word = str_trim(str_sub(list, end, list.n));
		list = str_sub(list, 0, end > 0 ? end - 1 : 0);
		if (!str_copy(z, sizeof(z), word) || *z == '\0')
			return last;
		last = word;
		if (!settings_trusted(set, z))
			return last;
	}
	return last;
}

bool
client_is_address(struct str s)
{
	unsigned char raw[16];
	char z[INET6_ADDRSTRLEN];

	return str_copy(z, sizeof(z), s) &&
	       (inet_pton(AF_INET, z, raw) == 1 ||
	           inet_pton(AF_INET6, z, raw) == 1);
}

void
client_address(const struct settings *set, const char *peer,
    struct str forwarded, char out[CLIENT_ADDRESS_CAP])
{
	struct str client = str_of(peer), s;

	if (settings_trusted(set, peer)) {
		s = forwarded_client(set, forwarded);
		if (client_is_address(s))
			client = s;
	}
	if (!str_copy(out, CLIENT_ADDRESS_CAP, client))
		out[0] = '\0';
}
