/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_SETTINGS_H
#define RENDER_SETTINGS_H
/* The few settings of the renderer, from the environment alone; names and
 * defaults are the controller's. */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/log.h"
#include "lib/base/rc.h"

struct settings {
	char *data_dir;
	char *runtime_dir; /* data_dir/run when unset */
	char *assets;      /* www/templates and www/static lie in it */
	char *timezone;    /* known */
	char *level_text;
	enum log_level log_level;
	bool sandbox_kill; /* forbidden calls end the process */
	int64_t parent;    /* ends with that process; 0: with none */
};

MUST_USE enum rc settings_load(struct settings *out, struct err *e);
void settings_free(struct settings *s);
#endif
