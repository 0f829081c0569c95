/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/json.h"

static void
put_note(const char *text)
{
	struct buf b;

	buf_init(&b, KIB(8));
	buf_puts(&b, "restic-manager: ");
	print_safe(&b, str_of(text));
	buf_putc(&b, '\n');
	(void)fputs(buf_text(&b), stderr);
	buf_fini(&b);
}

void
cli_note(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_note(text);
}

enum exit_code
cli_fail(struct cli *c, const struct err *e)
{
	const char *code =
	    e->code != NULL ? e->code : rc_info(e->rc)->json_code;
	struct json_out j;

	print_flush(&c->out);
	put_note(e->msg[0] != '\0' ? e->msg : rc_info(e->rc)->text);
	if (c->out.json) {
		json_out_init(&j, &c->out.b);
		json_obj(&j, NULL);
		json_obj(&j, "error");
		json_put(&j, "code", code);
		json_put(&j, "message", e->msg);
		json_obj_end(&j);
		json_obj_end(&j);
		buf_putc(&c->out.b, '\n');
	}
	return exit_of(e);
}
