/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/settings.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/base/conf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define AT(member) offsetof(struct settings, member)

enum {
	PATH_LEN_MAX = 1024,
	TEXT_LEN_MAX = 512
};

/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL, "RM_DATA_DIR", CONF_STR, 0, 1, PATH_LEN_MAX,
	  "/var/lib/restic-manager", AT(data_dir),
	  "Where db/state and the job logs lie." },
	{ NULL, "RM_RUNTIME_DIR", CONF_STR, 0, 0, PATH_LEN_MAX,
	  NULL, AT(runtime_dir),
	  "Where live/ and render.sock lie; unset: RM_DATA_DIR/run." },
	{ NULL, "RM_BUNDLED_ASSETS_DIR", CONF_STR, 0, 1, PATH_LEN_MAX,
	  "/opt/restic-manager/dist", AT(assets),
	  "Installed files; www/static and www/templates lie in it." },
	{ NULL, "RM_TIMEZONE", CONF_STR, 0, 1, TEXT_LEN_MAX,
	  "UTC", AT(timezone),
	  "Zone of the pages' clock and day boundaries (IANA name)." },
	{ NULL, "RM_LOG_LEVEL", CONF_STR, 0, 1, 16,
	  "info", AT(level_text),
	  "error, warn, info or debug." },
	{ NULL, "RM_SANDBOX_KILL", CONF_BOOL, 0, 0, 0,
	  "false", AT(sandbox_kill),
	  "End the process at a forbidden system call, for tests." },
	{ NULL, "RM_DIE_WITH_PARENT", CONF_INT, 0, 0, INT32_MAX,
	  "0", AT(parent),
	  "Process that started this one: this one ends with it." },
};
/* clang-format on */

enum rc
settings_load(struct settings *out, struct err *e)
{
	struct settings s;
	int32_t offset;
	size_t cap;
	enum rc rc;

	memset(&s, 0, sizeof(s));
	rc = conf_load(keys, ARRAY_LEN(keys), NULL, false, &s, e);
	if (rc != RC_OK)
		return rc;
	/* Read now: the sandbox lets nothing be read later. */
	if (!clock_zone_offset(s.timezone, clock_now_ms(), &offset))
		rc = err_set(e, RC_INVALID,
		    "RM_TIMEZONE: %s is not a known zone", s.timezone);
	else if (!log_level_parse(str_of(s.level_text), &s.log_level))
		rc = err_set(e, RC_INVALID,
		    "RM_LOG_LEVEL: %s is none of error, warn, info, debug",
		    s.level_text);
	if (rc != RC_OK) {
		settings_free(&s);
		return rc;
	}
	if (s.runtime_dir == NULL || s.runtime_dir[0] == '\0') {
		mem_free(s.runtime_dir);
		cap = strlen(s.data_dir) + sizeof("/run");
		s.runtime_dir = mem_alloc(cap);
		ASSERT(str_fmt(s.runtime_dir, cap, "%s/run", s.data_dir));
	}
	*out = s;
	return RC_OK;
}

void
settings_free(struct settings *s)
{
	conf_free(keys, ARRAY_LEN(keys), s);
}
