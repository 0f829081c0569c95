/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/checkup.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/show.h"

enum {
	STEP_WIDTH = 12
};

static const struct {
	const char *name;
	const char *colour;
} states[] = {
	[CHECKUP_OK] = { "ok", "\033[32m" },
	[CHECKUP_FAILED] = { "failed", "\033[31m" },
	[CHECKUP_SKIPPED] = { "skipped", "\033[33m" },
};

static void
keep(char dst[CHECKUP_TEXT_CAP], const char *text)
{
	struct buf b;

	buf_init(&b, (size_t)4 * CHECKUP_TEXT_CAP + 1);
	show_text(&b, str_of(text));
	if (!str_copy(dst, CHECKUP_TEXT_CAP,
	        str_sub(buf_str(&b), 0, CHECKUP_TEXT_CAP - 1)))
		dst[0] = '\0';
	buf_fini(&b);
}

static struct checkup_row *
add(struct checkup *c, const char *step, enum checkup_state state,
    const char *advice)
{
	struct checkup_row *row = &c->rows[c->n];

	ASSERT(c->n < CHECKUP_MAX);
	c->n++;
	row->step = step;
	row->state = state;
	keep(row->advice, advice);
	c->failed += state == CHECKUP_FAILED;
	return row;
}

PRINTF_LIKE(2, 0)
static void
detail(struct checkup_row *row, const char *fmt, va_list ap)
{
	char text[CHECKUP_TEXT_CAP];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	keep(row->detail, text);
}

void
checkup_ok(struct checkup *c, const char *step, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	detail(add(c, step, CHECKUP_OK, ""), fmt, ap);
	va_end(ap);
}

void
checkup_skip(struct checkup *c, const char *step, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	detail(add(c, step, CHECKUP_SKIPPED, ""), fmt, ap);
	va_end(ap);
}

void
checkup_fail(struct checkup *c, const char *step, const char *advice,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	detail(add(c, step, CHECKUP_FAILED, advice), fmt, ap);
	va_end(ap);
}

void
checkup_text(const struct checkup *c, struct buf *b, bool colour)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct checkup_row *r = &c->rows[i];

		buf_printf(b, "%s%-7s%s  %-*s  %s\n",
		    colour ? states[r->state].colour : "",
		    states[r->state].name, colour ? "\033[0m" : "",
		    (int)STEP_WIDTH, r->step, r->detail);
		if (r->advice[0] != '\0')
			buf_printf(b, "%*s-> %s\n", STEP_WIDTH + 11, "",
			    r->advice);
	}
}

void
checkup_json(const struct checkup *c, struct buf *b)
{
	struct json_out j;
	size_t i;

	json_out_init(&j, b);
	json_obj(&j, NULL);
	json_put_bool(&j, "ok", c->failed == 0);
	json_arr(&j, "checks");
	for (i = 0; i < c->n; i++) {
		json_obj(&j, NULL);
		json_put(&j, "check", c->rows[i].step);
		json_put(&j, "status", states[c->rows[i].state].name);
		json_put(&j, "detail", c->rows[i].detail);
		json_put(&j, "advice", c->rows[i].advice);
		json_obj_end(&j);
	}
	json_arr_end(&j);
	json_obj_end(&j);
	buf_putc(b, '\n');
}
