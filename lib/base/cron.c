/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/cron.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/tzif.h"

enum {
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
	MAX_STEP = 1000000
};

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may",
	"jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu",
	"fri", "sat", NULL };

enum field_id {
	F_MINUTE,
	F_HOUR,
	F_DAY,
	F_MONTH,
	F_WEEKDAY,
	FIELDS
};

struct field {
	const char *what;
	unsigned min, max;
	const char *const *names; /* of min, min + 1 ... */
};

static const struct field fields[FIELDS] = {
	[F_MINUTE] = { "minute", 0, 59, NULL },
	[F_HOUR] = { "hour", 0, 23, NULL },
	[F_DAY] = { "day of the month", 1, 31, NULL },
	[F_MONTH] = { "month", 1, 12, month_names },
	[F_WEEKDAY] = { "day of the week", 0, 6, day_names },
};

struct named {
	const char *name;
	const char *expr;
};

static const struct named descriptors[] = {
	{ "@yearly", "0 0 1 1 *" },
	{ "@annually", "0 0 1 1 *" },
	{ "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" },
	{ "@daily", "0 0 * * *" },
	{ "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

/* -------------------------------------------------------------- parsing */

/* What a field says: a bit for each value, and whether it is a star. */
struct set {
	uint64_t bits;
	bool star;
};

static bool
parse_value(const struct field *f, struct str s, uint64_t *out)
{
	unsigned i;

	if (f->names != NULL && s.n == 3)
		for (i = 0; f->names[i] != NULL; i++)
			if (str_case_eq(s, str_of(f->names[i]))) {
				*out = f->min + i;
				return true;
			}
	return str_u64(s, f->max, out) && *out >= f->min;
}

static bool
is_star(struct str s)
{
	return str_eqz(s, "*") || str_eqz(s, "?");
}

/* "*", "N", "N-M", each perhaps with "/STEP". */
static bool
parse_item(const struct field *f, struct str item, struct set *out)
{
	struct str range, step_text, from_text, to_text;
	uint64_t from = f->min, to = f->max, step = 1, v;
	bool stepped = str_cut(item, '/', &range, &step_text);

	if (stepped && (!str_u64(step_text, MAX_STEP, &step) || step == 0))
		return false;
	if (is_star(range)) {
		out->star = out->star || step == 1;
	} else if (str_cut(range, '-', &from_text, &to_text)) {
		if (!parse_value(f, from_text, &from) ||
		    !parse_value(f, to_text, &to) || from > to)
			return false;
	} else {
		if (!parse_value(f, range, &from))
			return false;
		to = stepped ? f->max : from;
	}
	for (v = from; v <= to; v += step)
		out->bits |= UINT64_C(1) << v;
	return true;
}

static enum rc
parse_field(const struct field *f, struct str text, struct set *out,
    struct err *e)
{
	struct str item;

	*out = (struct set){ 0 };
	while (str_next(&text, ',', &item))
		if (!parse_item(f, item, out))
			return err_set(e, RC_INVALID,
			    "schedule: \"%.*s\" is no %s; it takes %u to %u%s, "
			    "ranges, lists and steps",
			    (int)(item.n > 40 ? 40 : item.n), item.p, f->what,
			    f->min, f->max,
			    f->names == NULL ? "" : ", three-letter names");
	return RC_OK;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word; empty when none is left. */
static struct str
take_word(struct str *rest)
{
	struct str word;
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	word = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return word;
}

static enum rc
parse_fields(struct str expr, struct cron *out, struct err *e)
{
	struct set sets[FIELDS];
	struct str rest = expr, word;
	enum rc rc;
	size_t n;

	for (n = 0; (word = take_word(&rest)).n > 0; n++)
		if (n < FIELDS &&
		    (rc = parse_field(&fields[n], word, &sets[n], e)) != RC_OK)
			return rc;
	if (n != FIELDS)
		return err_set(e, RC_INVALID,
		    "schedule: %zu fields instead of 5 (minute, hour, day of "
		    "the month, month, day of the week)",
		    n);
	out->minutes = sets[F_MINUTE].bits;
	out->hours = (uint32_t)sets[F_HOUR].bits;
	out->days = (uint32_t)sets[F_DAY].bits;
	out->months = (uint32_t)sets[F_MONTH].bits;
	out->weekdays = (uint32_t)sets[F_WEEKDAY].bits;
	out->days_star = sets[F_DAY].star;
	out->weekdays_star = sets[F_WEEKDAY].star;
	out->fixed = !sets[F_MINUTE].star && !sets[F_HOUR].star;
	return RC_OK;
}

/* --------------------------------------------------------------- @every */

struct unit {
	const char *name;
	uint64_t ns;
};

/* Longer names before those they begin with. */
static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 },
	{ "ms", 1000000 },
	{ "s", UINT64_C(1000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
};

static size_t
digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static const struct unit *
take_unit(struct str *s)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++)
		if (str_starts(*s, str_of(units[i].name))) {
			*s = str_sub(*s, strlen(units[i].name), s->n);
			return &units[i];
		}
	return NULL;
}

/* ".5" of a unit, in ns. */
static uint64_t
fraction_ns(struct str digits_text, uint64_t unit_ns)
{
	uint64_t ns = 0;
	size_t i;

	for (i = 0; i < digits_text.n && unit_ns > 0; i++) {
		unit_ns /= 10;
		ns += unit_ns * (uint64_t)(digits_text.p[i] - '0');
	}
	return ns;
}

/* "1h30m", "1.5h", "90s": one or more numbers with their units. */
static bool
take_part(struct str *s, uint64_t *ns)
{
	const uint64_t max = (uint64_t)CRON_EVERY_MAX_S * 1000000000;
	struct str whole, frac = { NULL, 0 };
	const struct unit *u;
	uint64_t n = 0;

	whole = str_sub(*s, 0, digits(*s));
	*s = str_sub(*s, whole.n, s->n);
	if (s->n > 0 && s->p[0] == '.') {
		*s = str_sub(*s, 1, s->n);
		frac = str_sub(*s, 0, digits(*s));
		*s = str_sub(*s, frac.n, s->n);
	}
	if ((whole.n == 0 && frac.n == 0) ||
	    (whole.n > 0 && !str_u64(whole, max, &n)) ||
	    (u = take_unit(s)) == NULL || n > max / u->ns)
		return false;
	*ns += n * u->ns + fraction_ns(frac, u->ns);
	return *ns <= max;
}

static enum rc
parse_every(struct str text, struct cron *out, struct err *e)
{
	uint64_t ns = 0;

	do {
		if (!take_part(&text, &ns))
			return err_set(e, RC_INVALID,
			    "schedule: @every takes a duration such as 90s, "
			    "1h30m or 24h, at most a year");
	} while (text.n > 0);
	out->every_s = (int64_t)(ns / 1000000000);
	if (out->every_s < 1)
		return err_set(e, RC_INVALID,
		    "schedule: @every below one second");
	return RC_OK;
}

/* ----------------------------------------------------------- the whole */

static enum rc
parse_descriptor(struct str expr, struct cron *out, struct err *e)
{
	size_t i;

	if (str_starts(expr, STR("@every ")))
		return parse_every(str_sub(expr, 7, expr.n), out, e);
	for (i = 0; i < ARRAY_LEN(descriptors); i++)
		if (str_eqz(expr, descriptors[i].name))
			return parse_fields(str_of(descriptors[i].expr), out,
			    e);
	return err_set(e, RC_INVALID,
	    "schedule: \"%.*s\" is not known; there are @yearly, @monthly, "
	    "@weekly, @daily, @hourly and @every <duration>",
	    (int)(expr.n > 40 ? 40 : expr.n), expr.p);
}

static enum rc
set_zone(struct str zone, struct cron *out, struct err *e)
{
	struct tzif_span span;

	if (str_copy(out->zone, sizeof(out->zone), zone) &&
	    clock_zone_span(out->zone, 0, &span))
		return RC_OK;
	return err_set(e, RC_INVALID,
	    "schedule: time zone \"%.*s\" is not known here; it takes an IANA "
	    "name such as Europe/Berlin",
	    (int)(zone.n > 60 ? 60 : zone.n), zone.p);
}

enum rc
cron_parse(struct str expr, const char *zone, struct cron *out, struct err *e)
{
	struct str name = str_of(zone), word;
	enum rc rc;

	*out = (struct cron){ 0 };
	if (expr.n > CRON_EXPR_MAX)
		return err_set(e, RC_INVALID,
		    "schedule: longer than %d characters", CRON_EXPR_MAX);
	expr = str_trim(expr);
	if (str_starts(expr, STR("TZ=")) || str_starts(expr, STR("CRON_TZ="))) {
		word = take_word(&expr);
		(void)str_cut(word, '=', &word, &name);
		expr = str_trim(expr);
	}
	if ((rc = set_zone(name, out, e)) != RC_OK)
		return rc;
	if (expr.n > 0 && expr.p[0] == '@')
		return parse_descriptor(expr, out, e);
	return parse_fields(expr, out, e);
}

/* -------------------------------------------------------------- the next */

static bool
day_matches(const struct cron *c, const struct civil *d)
{
	bool day = (c->days >> d->day & 1) != 0;
	bool weekday = (c->weekdays >> d->weekday & 1) != 0;

	if (c->days_star || c->weekdays_star)
		return day && weekday;
	return day || weekday;
}

/* First matching second of a day at or behind `from`, both counted from the
 * day's start; -1: none. */
static int64_t
time_in_day(const struct cron *c, int64_t from)
{
	int64_t t = (from + MINUTE_S - 1) / MINUTE_S * MINUTE_S;

	while (t < DAY_S) {
		if ((c->hours >> (t / HOUR_S) & 1) == 0)
			t = (t / HOUR_S + 1) * HOUR_S;
		else if ((c->minutes >> (t % HOUR_S / MINUTE_S) & 1) == 0)
			t += MINUTE_S;
		else
			return t;
	}
	return -1;
}

/* First matching clock reading in [from, until), as seconds since 1970 as if
 * it were UTC. */
static bool
find_reading(const struct cron *c, int64_t from, int64_t until, int64_t *out)
{
	int64_t day = from / DAY_S * DAY_S, t;
	struct civil d;

	for (; day < until; day += DAY_S, from = day) {
		clock_civil(day * 1000, 0, &d);
		if ((c->months >> d.month & 1) == 0 || !day_matches(c, &d))
			continue;
		t = time_in_day(c, from - day);
		if (t >= 0) {
			*out = day + t;
			return *out < until;
		}
	}
	return false;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Span by span of constant offset; the readings of one are a plain range. */
static bool
next_reading(const struct cron *c, int64_t at, int64_t horizon, int64_t *out)
{
	struct tzif_span s;
	int64_t from, t;

	while (at < horizon) {
		if (!clock_zone_span(c->zone, at, &s))
			return false;
		from = at + s.offset_s;
		/* The clock went back: its readings come a second time. */
		if (c->fixed && s.before_s > s.offset_s)
			from = later(from, s.from_s + s.before_s);
		if (find_reading(c, from,
		        sooner(s.until_s, horizon) + s.offset_s, &t)) {
			*out = t - s.offset_s;
			return true;
		}
		at = s.until_s;
		/* It goes forward: readings that are missing count as its
		 * first instant. */
		if (c->fixed && at < horizon && s.after_s > s.offset_s &&
		    find_reading(c, at + s.offset_s, at + s.after_s, &t)) {
			*out = at;
			return true;
		}
	}
	return false;
}

bool
cron_next(const struct cron *c, int64_t after_ms, int64_t *out_ms)
{
	int64_t after = after_ms / 1000, at;

	/* Readings west of Greenwich would be before 1970. */
	if (after < DAY_S)
		return false;
	if (c->every_s > 0) {
		*out_ms = (after + c->every_s) * 1000;
		return true;
	}
	if (!next_reading(c, after + 1,
	        after + (int64_t)CRON_HORIZON_YEARS * 366 * DAY_S, &at))
		return false;
	*out_ms = at * 1000;
	return true;
}

/* All due times of a span, the last of which counts. */
static bool
last_of(const struct cron *c, int64_t from_ms, int64_t until_ms,
    int64_t *out_ms)
{
	int64_t at = from_ms;
	bool any = false;

	while (cron_next(c, at, &at) && at <= until_ms) {
		*out_ms = at;
		any = true;
	}
	return any;
}

/* Looks back over spans that double: what fires each minute is found in the
 * last hour, what fires once a year after a few steps. */
bool
cron_last(const struct cron *c, int64_t after_ms, int64_t until_ms,
    int64_t *out_ms)
{
	int64_t after = after_ms / 1000, span, n;

	if (until_ms <= after_ms)
		return false;
	if (c->every_s > 0) {
		n = (until_ms / 1000 - after) / c->every_s;
		if (n > 0 && after >= DAY_S)
			*out_ms = (after + n * c->every_s) * 1000;
		return n > 0 && after >= DAY_S;
	}
	for (span = INT64_C(3600000); until_ms - span > after_ms; span *= 2)
		if (last_of(c, until_ms - span, until_ms, out_ms))
			return true;
	return last_of(c, after_ms, until_ms, out_ms);
}
