/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/exit.h"

#include <string.h>

static const struct exit_row rows[] = {
#define X(name, code, text) { name, text },
	EXIT_TABLE(X)
#undef X
};

const struct exit_row *
exit_table(size_t *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

enum exit_code
exit_of(const struct err *e)
{
	if (e->code != NULL && strcmp(e->code, EXIT_UNREACHABLE_CODE) == 0)
		return END_UNREACHABLE;
	switch (e->rc) {
	case RC_OK:
		return END_OK;
	case RC_INVALID:
	case RC_PROTO:
		return END_USAGE;
	case RC_AUTH:
	case RC_DENIED:
		return END_REFUSED;
	case RC_NOTFOUND:
		return END_NOT_FOUND;
	case RC_CONFLICT:
	case RC_GONE:
		return END_CONFLICT;
	case RC_LIMIT:
	case RC_RATE:
		return END_LIMIT;
	case RC_BUSY:
	case RC_OFFLINE:
	case RC_TIMEOUT:
		return END_BUSY;
	case RC_CANCELLED:
		return END_CANCELLED;
	case RC_CORRUPT:
		return END_DAMAGED;
	case RC_VERSION:
		return END_VERSION;
	case RC_FULL:
	case RC_IO:
		return END_IO;
	}
	return END_IO;
}
