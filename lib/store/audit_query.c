/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_query.h"

#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	DAY_TEXT = 10 /* 2026-11-20 */
};
static const int64_t day_ms = 86400000;

/* --------------------------------------------------------- what is asked */

/* Midnight of the zone, `add` days after the one named. */
static bool
parse_day(struct str s, int add, const char *zone, int64_t *out)
{
	int32_t offset = 0;
	char z[32];
	int64_t ms;

	if (s.n != DAY_TEXT ||
	    !str_fmt(z, sizeof(z), "%.*sT00:00:00Z", STR_ARG(s)) ||
	    !clock_parse(str_of(z), &ms))
		return false;
	ms += add * day_ms;
	if (!clock_zone_offset(zone, ms, &offset))
		offset = 0;
	*out = ms - offset * INT64_C(1000);
	return true;
}

static enum rc
parse_edge(struct str s, int add, const char *zone, int64_t *out, struct err *e)
{
	if (s.n == 0 || parse_day(s, add, zone, out))
		return RC_OK;
	if (clock_parse(s, out))
		return RC_OK;
	return err_set(e, RC_INVALID,
	    "%s is neither a day such as 2026-11-20 nor a time such as "
	    "2026-11-20T10:00:00Z",
	    log_safe(s));
}

static enum rc
parse_sort(struct audit_query *q, struct str s, struct err *e)
{
	static const char *const names[] = {
		[AUDIT_BY_TIME] = "time",
		[AUDIT_BY_USER] = "user",
		[AUDIT_BY_ACTION] = "action",
		[AUDIT_BY_TARGET] = "target",
		[AUDIT_BY_ADDRESS] = "address",
	};
	size_t i;

	if (s.n == 0)
		return RC_OK;
	q->up = !str_starts(s, STR("-"));
	if (!q->up)
		s = str_sub(s, 1, s.n);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (!str_eqz(s, names[i]))
			continue;
		q->sort = (enum audit_sort)i;
		return RC_OK;
	}
	return err_set(e, RC_INVALID,
	    "sort is one of time, user, action, target, address, with - in "
	    "front for downwards");
}

static void
split_words(struct audit_query *q, struct str text)
{
	struct str word;

	while (q->word_count < AUDIT_QUERY_WORDS_MAX &&
	       str_next(&text, ' ', &word)) {
		if (word.n > 0)
			q->words[q->word_count++] = word;
	}
}

static enum rc
check_sizes(const struct audit_ask *ask, struct err *e)
{
	if (ask->user.n <= AUDIT_QUERY_TEXT_MAX &&
	    ask->action.n <= AUDIT_QUERY_TEXT_MAX &&
	    ask->target.n <= AUDIT_QUERY_TEXT_MAX &&
	    ask->q.n <= AUDIT_QUERY_TEXT_MAX)
		return RC_OK;
	return err_set(e, RC_INVALID, "a filter has more than %d bytes",
	    AUDIT_QUERY_TEXT_MAX);
}

enum rc
audit_query_init(struct audit_query *q, const struct audit_ask *ask,
    const char *zone, struct err *e)
{
	*q = (struct audit_query){ .to_ms = INT64_MAX };
	if (check_sizes(ask, e) != RC_OK)
		return e->rc;
	if (parse_edge(str_trim(ask->from), 0, zone, &q->from_ms, e) != RC_OK ||
	    parse_edge(str_trim(ask->to), 1, zone, &q->to_ms, e) != RC_OK ||
	    parse_sort(q, str_trim(ask->sort), e) != RC_OK)
		return e->rc;
	q->user = str_trim(ask->user);
	q->action = str_trim(ask->action);
	q->target = str_trim(ask->target);
	q->target_is_id = ulid_parse(q->target, &q->target_id);
	split_words(q, ask->q);
	q->ranges = q->from_ms > 0 || q->to_ms < INT64_MAX;
	q->filters = q->user.n > 0 || q->action.n > 0 || q->target.n > 0 ||
	             q->word_count > 0;
	return RC_OK;
}

/* ------------------------------------------------ an entry as it lies there */

static bool
take_varint(struct str *s, uint64_t *out)
{
	unsigned shift = 0;
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s->n && shift < 64; i++, shift += 7) {
		uint8_t b = (uint8_t)s->p[i];

		v |= (uint64_t)(b & 0x7f) << shift;
		if ((b & 0x80) != 0)
			continue;
		*s = str_from(s->p + i + 1, s->n - i - 1);
		*out = v;
		return true;
	}
	return false;
}

static bool
take_bytes(struct str *s, uint64_t n, struct str *out)
{
	if (n > s->n)
		return false;
	*out = str_from(s->p, (size_t)n);
	*s = str_from(s->p + n, s->n - (size_t)n);
	return true;
}

/* Where a field of AuditEntry goes; NULL: not wanted here. */
static struct str *
place(struct audit_row *r, uint64_t field)
{
	switch (field) {
	case 3:
		return &r->actor_id;
	case 4:
		return &r->actor;
	case 5:
		return &r->action;
	case 6:
		return &r->target_kind;
	case 7:
		return &r->target_id;
	case 8:
		return &r->target;
	case 9:
		return &r->address;
	case 10:
		return &r->payload;
	default:
		return NULL;
	}
}

/* A reader of the wire format for this one message: numbers, texts, and
 * fields of a later version. */
bool
audit_row_read(struct str s, struct audit_row *r)
{
	struct str bytes, empty = STR("");
	uint64_t tag, v;
	struct str *to;

	r->at_ms = 0;
	r->actor_id = r->actor = r->action = r->target_kind = empty;
	r->target_id = r->target = r->address = r->payload = empty;
	while (s.n > 0) {
		if (!take_varint(&s, &tag))
			return false;
		bytes = empty;
		switch (tag & 7) {
		case 0:
			if (!take_varint(&s, &v))
				return false;
			if (tag >> 3 == 2)
				r->at_ms = (int64_t)v;
			break;
		case 1:
		case 5:
			if (!take_bytes(&s, (tag & 7) == 1 ? 8 : 4, &bytes))
				return false;
			break;
		case 2:
			if (!take_varint(&s, &v) || !take_bytes(&s, v, &bytes))
				return false;
			to = place(r, tag >> 3);
			if (to != NULL)
				*to = bytes;
			break;
		default:
			return false;
		}
	}
	return true;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ASCII case does not matter. */
static bool
holds(struct str s, struct str part)
{
	char first = lower(part.p[0]);
	size_t i;

	for (i = 0; i + part.n <= s.n; i++) {
		if (lower(s.p[i]) == first &&
		    str_case_eq(str_from(s.p + i, part.n), part))
			return true;
	}
	return false;
}

static bool
action_fits(struct str have, struct str want)
{
	if (have.n > want.n)
		return have.p[want.n] == '.' &&
		       str_case_eq(str_from(have.p, want.n), want);
	return str_case_eq(have, want);
}

static bool
target_fits(const struct audit_row *r, const struct audit_query *q)
{
	if (q->target_is_id && r->target_id.n == sizeof(q->target_id.b) &&
	    memcmp(r->target_id.p, q->target_id.b, r->target_id.n) == 0)
		return true;
	return str_case_eq(r->target_kind, q->target) ||
	       holds(r->target, q->target);
}

static bool
word_fits(const struct audit_row *r, struct str w)
{
	return holds(r->actor, w) || holds(r->action, w) ||
	       holds(r->target_kind, w) || holds(r->target, w) ||
	       holds(r->address, w) || holds(r->payload, w);
}

static bool
fits(const struct audit_row *r, const struct audit_query *q)
{
	size_t i;

	if (q->user.n > 0 && !str_case_eq(r->actor, q->user))
		return false;
	if (q->action.n > 0 && !action_fits(r->action, q->action))
		return false;
	if (q->target.n > 0 && !target_fits(r, q))
		return false;
	for (i = 0; i < q->word_count; i++)
		if (!word_fits(r, q->words[i]))
			return false;
	return true;
}

/* ---------------------------------------------------------------- walking */

static int64_t
id_ms(const struct ulid *id)
{
	int64_t ms = 0;
	size_t i;

	for (i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

/* Right before the first key of that millisecond. */
static void
ms_key(struct key *k, int64_t ms)
{
	struct ulid id = { { 0 } };
	size_t i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
	*k = (struct key){ 0 };
	key_ulid(k, &id);
}

static void
begin(struct table_scan *sc, struct store_tx *tx, const struct audit_query *q,
    const struct ulid *at)
{
	static const int64_t last_ms = (INT64_C(1) << 48) - 1;
	struct key k = { .n = 0 };

	table_scan_init(sc, tx, TB_AUDIT, NULL, q->up ? SCAN_UP : SCAN_DOWN);
	if (!ulid_is_zero(at)) {
		key_ulid(&k, at);
		table_scan_behind(sc, &k);
	} else if (q->up && q->from_ms > 0 && q->from_ms <= last_ms) {
		ms_key(&k, q->from_ms);
		table_scan_behind(sc, &k);
	} else if (!q->up && q->to_ms <= last_ms) {
		ms_key(&k, q->to_ms < 0 ? 0 : q->to_ms);
		table_scan_behind(sc, &k);
	}
}

bool
audit_query_walk(struct store_tx *tx, const struct audit_query *q,
    struct ulid *at, uint64_t max, audit_query_fn *fn, void *ctx)
{
	struct audit_row row = { 0 };
	struct table_scan sc;
	struct str key, value;
	bool more = true;
	int64_t ms;

	begin(&sc, tx, q, at);
	while (max-- > 0 && more) {
		more = table_scan_next(&sc, &key, &value) &&
		       key.n == sizeof(at->b);
		if (!more)
			break;
		memcpy(row.id.b, key.p, key.n);
		ms = id_ms(&row.id);
		more = q->up ? ms < q->to_ms : ms >= q->from_ms;
		if (!more || ms < q->from_ms || ms >= q->to_ms)
			continue;
		*at = row.id;
		if (!audit_row_read(value, &row) ||
		    (q->filters && !fits(&row, q)))
			continue;
		if (!fn(ctx, &row))
			break;
	}
	table_scan_fini(&sc);
	return more && store_usable(tx);
}

bool
audit_query_get(struct store_tx *tx, const struct ulid *id,
    struct audit_row *out)
{
	struct key k = { .n = 0 };
	struct str value;

	key_ulid(&k, id);
	out->id = *id;
	return table_peek(tx, TB_AUDIT, &k, &value) &&
	       audit_row_read(value, out);
}
