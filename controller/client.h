/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLIENT_H
#define CONTROLLER_CLIENT_H
/* Where a request really comes from (M-463). */
#include <stdbool.h>

#include "lib/base/str.h"

struct settings;

enum {
	CLIENT_ADDRESS_CAP = 64
};

/* IPv4 or IPv6. */
bool client_is_address(struct str s);
/* The peer, or behind a proxy that the settings trust the last address of
 * X-Forwarded-For that is not such a proxy itself. */
void client_address(const struct settings *set, const char *peer,
    struct str forwarded, char out[CLIENT_ADDRESS_CAP]);
#endif
