/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_TZIF_H
#define LIB_BASE_TZIF_H
/*
 * Compiled time zones (RFC 8536, versions 2 to 4): the table of past and
 * near transitions, and the rule after the last one.  Parses what it is
 * given and nothing else; files and caching are clock's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"

enum {
	TZIF_MAX_BYTES = 65536
};

/* When, within a year, the local clock changes. */
enum tzif_rule_form {
	TZIF_JULIAN,  /* day 1..365, February 29 never counted */
	TZIF_ORDINAL, /* day 0..365 */
	TZIF_WEEKDAY  /* weekday of the week-th week of month, 5: last */
};

struct tzif_rule {
	enum tzif_rule_form form;
	int day, month, week;
	int32_t time_s; /* local time of the change, may pass midnight */
};

struct tzif_change {
	int64_t at_s;
	int32_t offset_s;
};

struct tzif {
	struct tzif_change *changes; /* ascending */
	size_t n;
	int32_t first_offset_s; /* before the first change */
	bool has_footer;
	int32_t std_offset_s;
	bool has_dst;
	int32_t dst_offset_s;
	struct tzif_rule dst_from, dst_to;
};

/* False when malformed, of version 1, or with leap seconds (such zones do
 * not count UTC); *out is then empty. */
MUST_USE bool tzif_parse(struct str file, struct tzif *out);
void tzif_fini(struct tzif *z);
int32_t tzif_offset(const struct tzif *z, int64_t unix_s);

/* The time without a clock change around an instant. */
struct tzif_span {
	int64_t from_s;   /* INT64_MIN: there is no change before */
	int64_t until_s;  /* the next change; INT64_MAX: none follows */
	int32_t before_s; /* offset before from_s */
	int32_t offset_s; /* from from_s on */
	int32_t after_s;  /* from until_s on */
};
void tzif_span(const struct tzif *z, int64_t unix_s, struct tzif_span *out);
#endif
