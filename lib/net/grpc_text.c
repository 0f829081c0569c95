/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/grpc_text.h"

void
grpc_percent_put(struct buf *out, struct str s)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c >= ' ' && c <= '~' && c != '%')
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void
grpc_percent_get(struct buf *out, struct str s)
{
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '%' && s.n - i > 2 &&
		    str_unhex(str_sub(s, i + 1, 2), &c, 1))
			i += 2;
		buf_putc(out, c);
	}
}

bool
grpc_timeout_parse(struct str s, uint64_t *out_ms)
{
	uint64_t n;

	if (s.n < 2 || s.n > 9 ||
	    !str_u64(str_sub(s, 0, s.n - 1), 99999999, &n))
		return false;
	switch (s.p[s.n - 1]) {
	case 'H':
		*out_ms = n * 3600000;
		return true;
	case 'M':
		*out_ms = n * 60000;
		return true;
	case 'S':
		*out_ms = n * 1000;
		return true;
	case 'm':
		*out_ms = n;
		return true;
	case 'u':
		*out_ms = (n + 999) / 1000;
		return true;
	case 'n':
		*out_ms = (n + 999999) / 1000000;
		return true;
	default:
		return false;
	}
}

void
grpc_timeout_text(unsigned ms, char out[GRPC_TIMEOUT_CAP])
{
	bool fits = ms <= 99999999;

	ASSERT(str_fmt(out, GRPC_TIMEOUT_CAP, "%u%c", fits ? ms : ms / 1000 + 1,
	    fits ? 'm' : 'S'));
}

enum grpc_status
grpc_status_of_http(int http)
{
	switch (http) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}
