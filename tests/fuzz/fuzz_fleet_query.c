/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The filter of hosts: any text is read, whatever is left can be written and
 * read again to the same terms. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/fleet_query.h"
#include "lib/store/fleet_store.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct fleet_host f = { .host = &h, .state = STATUS_OK };
	struct fleet_query q, again;
	char longer[FLEET_QUERY_MAX + 1]; /* than any value */
	struct buf b;
	size_t i;

	fleet_query_parse(str_from(data, size), &q);
	ASSERT(q.n <= FLEET_TERMS_MAX);
	memset(longer, 'x', sizeof(longer));
	buf_init(&b, KIB(4));
	fleet_query_put(&q, FLEET_NAME, str_from(longer, sizeof(longer)), &b);
	if (b.len > FLEET_QUERY_MAX)
		buf_cut(&b, 0);
	fleet_query_parse(b.len == 0 ? str_from(data, size) : buf_str(&b),
	    &again);
	ASSERT(again.n == q.n);
	for (i = 0; i < q.n; i++) {
		ASSERT(again.terms[i].key == q.terms[i].key);
		ASSERT(str_eq(again.terms[i].value, q.terms[i].value));
		ASSERT(again.terms[i].mask == q.terms[i].mask);
	}
	ASSERT(fleet_query_fits(&q, &f) == fleet_query_fits(&again, &f));
	buf_fini(&b);
	return 0;
}
