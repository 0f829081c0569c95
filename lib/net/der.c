/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/der.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/clock.h"

enum {
	TAG_BOOLEAN = 0x01,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTC_TIME = 0x17,
	TAG_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
	TAG_DNS_NAME = 0x82,
	TAG_IP_ADDRESS = 0x87
};

struct element {
	uint8_t tag;
	struct str body;
	struct str whole;
};

/* DER lengths of up to three bytes; longer elements are no certificate. */
static bool
read_length(struct str in, size_t *head, size_t *len)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t i, count;

	if (in.n < 2)
		return false;
	*head = 2;
	*len = p[1];
	if (p[1] < 0x80)
		return true;
	count = p[1] & 0x7fU;
	if (count == 0 || count > 3 || in.n < 2 + count)
		return false;
	*len = 0;
	for (i = 0; i < count; i++)
		*len = *len << 8 | p[2 + i];
	*head = 2 + count;
	return true;
}

static bool
take(struct str *rest, struct element *out)
{
	size_t head, len;

	if (!read_length(*rest, &head, &len) || len > rest->n - head)
		return false;
	out->tag = (uint8_t)rest->p[0];
	out->body = str_from(rest->p + head, len);
	out->whole = str_from(rest->p, head + len);
	*rest = str_sub(*rest, head + len, rest->n);
	return true;
}

static bool
take_tag(struct str *rest, uint8_t tag, struct element *out)
{
	return rest->n != 0 && (uint8_t)rest->p[0] == tag && take(rest, out);
}

/* Extensions ::= SEQUENCE OF { oid, critical?, OCTET STRING }; other
 * extensions than the alternative names are left to the TLS library. */
static bool
find_names(struct str exts, struct str *out)
{
	static const struct str alt_names = { "\x55\x1d\x11", 3 };
	struct element ext, oid, el;

	while (exts.n != 0) {
		if (!take_tag(&exts, TAG_SEQUENCE, &ext) ||
		    !take_tag(&ext.body, TAG_OID, &oid))
			return false;
		(void)take_tag(&ext.body, TAG_BOOLEAN, &el);
		if (!take_tag(&ext.body, TAG_OCTETS, &el))
			return false;
		if (!str_eq(oid.body, alt_names))
			continue;
		if (!take_tag(&el.body, TAG_SEQUENCE, &oid))
			return false;
		*out = oid.body;
	}
	return true;
}

/* YYMMDDhhmmssZ, or with the whole year. */
static int64_t
read_time(const struct element *el)
{
	struct str s = el->body;
	const char *century = "";
	char digits[16], text[32];
	int64_t ms = 0;

	if (el->tag == TAG_UTC_TIME && s.n == 13)
		century = s.p[0] < '5' ? "20" : "19";
	else if (el->tag != TAG_TIME || s.n != 15)
		return 0;
	if (!str_fmt(digits, sizeof(digits), "%s%.*s", century, STR_ARG(s)) ||
	    strlen(digits) != 15 ||
	    !str_fmt(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.3s",
	        digits, digits + 4, digits + 6, digits + 8, digits + 10,
	        digits + 12) ||
	    !clock_parse(str_of(text), &ms))
		return 0;
	return ms;
}

static void
read_validity(struct str validity, struct der_cert *c)
{
	struct element el;

	if (take(&validity, &el))
		c->not_before_ms = read_time(&el);
	if (take(&validity, &el))
		c->not_after_ms = read_time(&el);
}

enum rc
der_cert_read(struct str der, struct der_cert *out)
{
	struct der_cert c = { 0 };
	struct element cert, tbs, el;
	int i;

	if (!take_tag(&der, TAG_SEQUENCE, &cert) ||
	    !take_tag(&cert.body, TAG_SEQUENCE, &tbs))
		return RC_PROTO;
	(void)take_tag(&tbs.body, TAG_VERSION, &el);
	/* serial, signature algorithm, issuer, validity, subject */
	for (i = 0; i < 5; i++) {
		if (!take(&tbs.body, &el))
			return RC_PROTO;
		if (i == 3)
			read_validity(el.body, &c);
	}
	if (!take_tag(&tbs.body, TAG_SEQUENCE, &el))
		return RC_PROTO;
	c.spki = el.whole;
	while (tbs.body.n != 0) {
		if (!take(&tbs.body, &el))
			return RC_PROTO;
		if (el.tag != TAG_EXTENSIONS)
			continue;
		if (!take_tag(&el.body, TAG_SEQUENCE, &cert) ||
		    !find_names(cert.body, &c.names))
			return RC_PROTO;
	}
	*out = c;
	return RC_OK;
}

static bool
dns_matches(struct str pattern, struct str host)
{
	struct str label, rest;

	if (str_ends(host, STR(".")))
		host.n--;
	if (!str_starts(pattern, STR("*.")))
		return str_case_eq(pattern, host);
	pattern = str_sub(pattern, 2, pattern.n);
	return str_cut(host, '.', &label, &rest) && label.n != 0 &&
	       str_contains(pattern, STR(".")) && str_case_eq(pattern, rest);
}

static bool
parse_address(const char *host, struct str *out, uint8_t bin[16])
{
	if (inet_pton(AF_INET, host, bin) == 1)
		*out = str_from(bin, 4);
	else if (inet_pton(AF_INET6, host, bin) == 1)
		*out = str_from(bin, 16);
	else
		return false;
	return true;
}

bool
der_cert_names(const struct der_cert *c, const char *host)
{
	struct str rest = c->names, address;
	struct element el;
	uint8_t bin[16];
	bool is_address = parse_address(host, &address, bin);

	while (rest.n != 0 && take(&rest, &el)) {
		if (is_address && el.tag == TAG_IP_ADDRESS &&
		    str_eq(el.body, address))
			return true;
		if (!is_address && el.tag == TAG_DNS_NAME &&
		    dns_matches(el.body, str_of(host)))
			return true;
	}
	return false;
}
