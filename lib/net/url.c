/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/str.h"

static bool
is_v6(const char *host)
{
	uint8_t bin[16];

	return inet_pton(AF_INET6, host, bin) == 1;
}

static bool
host_chars_ok(struct str host)
{
	size_t i;
	char c;

	for (i = 0; i < host.n; i++) {
		c = host.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		        (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		        c == '_'))
			return false;
	}
	return host.n != 0 && host.p[0] != '.' && host.p[0] != '-';
}

/* "[v6]" or a name; *rest is what follows. */
static bool
take_host(struct str s, struct url *u, struct str *rest)
{
	struct str host;
	size_t i = 0;

	if (str_starts(s, STR("["))) {
		if (!str_cut(str_sub(s, 1, s.n), ']', &host, rest))
			return false;
		u->is_v6 = true;
		return str_copy(u->host, sizeof(u->host), host) &&
		       is_v6(u->host);
	}
	while (i < s.n && s.p[i] != ':')
		i++;
	host = str_sub(s, 0, i);
	*rest = str_sub(s, i, s.n);
	return host_chars_ok(host) && str_copy(u->host, sizeof(u->host), host);
}

enum rc
url_parse(const char *text, struct url *out, struct err *e)
{
	struct str s = str_of(text), rest = { "", 0 };
	struct url u = { .tls = true };
	uint64_t port;

	if (str_starts(s, STR("https://"))) {
		s = str_sub(s, 8, s.n);
	} else if (str_starts(s, STR("http://"))) {
		u.tls = false;
		s = str_sub(s, 7, s.n);
	} else {
		goto bad;
	}
	if (str_ends(s, STR("/")))
		s.n--;
	if (!take_host(s, &u, &rest))
		goto bad;
	u.default_port = rest.n == 0;
	port = u.tls ? 443 : 80;
	if (rest.n != 0 &&
	    (rest.p[0] != ':' ||
	        !str_u64(str_sub(rest, 1, rest.n), 65535, &port) || port == 0))
		goto bad;
	u.port = (uint16_t)port;
	*out = u;
	return RC_OK;
bad:
	return err_set(e, RC_INVALID,
	    "not a server address. Use https://host or https://host:port");
}

enum rc
url_check_safe(const char *text, const char *secrets, struct err *e)
{
	struct str host;
	struct url u = { .tls = false };
	enum rc rc;

	if ((rc = url_parse(text, &u, e)) != RC_OK)
		return rc;
	host = str_of(u.host);
	if (u.tls || str_case_eq(host, STR("localhost")) ||
	    str_eqz(host, "::1") || str_eqz(host, "127.0.0.1"))
		return RC_OK;
	return err_set(e, RC_INVALID,
	    "%s: without TLS everybody on the way could read %s. Use https://",
	    text, secrets);
}
