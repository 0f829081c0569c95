/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H1_HEAD_H
#define LIB_NET_H1_HEAD_H
/* Checks of an HTTP/1 header section that llhttp does not make. */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"

/* Bytes up to and with the empty line, looking from byte `from` on; 0 when
 * it is not there yet. */
size_t h1_head_end(struct str s, size_t from);
/* One space between the words of the first line; every line ends with CRLF,
 * no name is followed by white space, no line goes on in the next
 * (obs-fold). */
bool h1_head_ok(struct str section);
/* The path and query of a request target in absolute form ("http://h/p"),
 * or the target itself; host is set only in the first case. */
struct str h1_target_path(struct str target, struct str *host);
#endif
