/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/events.h"

#include <string.h>

enum {
	EVENTS_LINE_MAX = 1 << 20
};

void
events_init(struct events *ev, events_fn *fn, void *ctx)
{
	memset(ev, 0, sizeof(*ev));
	buf_init(&ev->line, EVENTS_LINE_MAX);
	buf_init(&ev->data, EVENTS_LINE_MAX);
	ev->fn = fn;
	ev->ctx = ctx;
}

void
events_fini(struct events *ev)
{
	buf_fini(&ev->line);
	buf_fini(&ev->data);
}

static void
begin(struct events *ev)
{
	buf_reset(&ev->data);
	ev->name[0] = '\0';
	ev->has_id = false;
}

void
events_restart(struct events *ev)
{
	buf_reset(&ev->line);
	begin(ev);
}

static bool
end(struct events *ev)
{
	bool more = true;

	if (ev->has_id)
		ev->id = ev->next_id;
	if (ev->data.len > 0)
		more = ev->fn(ev->ctx, str_of(ev->name), buf_str(&ev->data));
	begin(ev);
	return more;
}

static void
take_field(struct events *ev, struct str line)
{
	struct str name, value;

	str_cut(line, ':', &name, &value);
	if (str_starts(value, STR(" ")))
		value = str_sub(value, 1, value.n);
	if (str_eqz(name, "event")) {
		if (!str_copy(ev->name, sizeof(ev->name), value))
			ev->name[0] = '\0';
	} else if (str_eqz(name, "id")) {
		ev->has_id = str_u64(value, UINT64_MAX, &ev->next_id);
	} else if (str_eqz(name, "data")) {
		if (ev->data.len > 0)
			buf_putc(&ev->data, '\n');
		buf_put_str(&ev->data, value);
	}
}

bool
events_feed(struct events *ev, struct str bytes)
{
	struct str line;
	bool whole;

	while (bytes.n > 0) {
		whole = str_cut(bytes, '\n', &line, &bytes);
		buf_put_str(&ev->line, line);
		if (buf_rc(&ev->line) != RC_OK || buf_rc(&ev->data) != RC_OK)
			return false;
		if (!whole)
			return true;
		line = buf_str(&ev->line);
		if (str_ends(line, STR("\r")))
			line.n--;
		if (line.n == 0 && !end(ev))
			return false;
		if (line.n > 0 && line.p[0] != ':')
			take_field(ev, line);
		buf_reset(&ev->line);
	}
	return true;
}
