/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates; what is found lies inside what was given. */
#include "tests/fuzz/fuzz.h"

#include "lib/net/der.h"

static void
inside(struct str part, struct str whole)
{
	if (part.n != 0)
		ASSERT(
		    part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str der = str_from(data, n);
	struct der_cert c;

	if (der_cert_read(der, &c) != RC_OK)
		return 0;
	inside(c.spki, der);
	inside(c.names, der);
	ASSERT(c.not_before_ms >= 0 && c.not_after_ms >= 0);
	(void)der_cert_names(&c, "a.example");
	(void)der_cert_names(&c, "192.0.2.1");
	(void)der_cert_names(&c, "fd00::1");
	return 0;
}
