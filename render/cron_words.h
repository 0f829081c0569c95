/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_CRON_WORDS_H
#define RENDER_CRON_WORDS_H
/* Schedule expressions in words, and the usual ones by name.  Pure. */
#include <stddef.h>

#include "lib/base/cron.h"

struct arena;

/* "Every day at 03:00", "Every 6 hours", "Monday to Friday at 02:30"; "" for
 * what has no short sentence. */
const char *cron_words(struct arena *a, const struct cron *c);

struct cron_preset {
	const char *name; /* in addresses */
	const char *word; /* on its chip */
	const char *expr;
};
const struct cron_preset *cron_presets(size_t *out_count);
/* NULL: no such name. */
const struct cron_preset *cron_preset_find(struct str name);
#endif
