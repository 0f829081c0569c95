/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/facts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/str.h"

static const struct {
	const char *machine;
	const char *arch;
} facts_archs[] = {
	{ "x86_64", "amd64" },
	{ "aarch64", "arm64" },
};

static void
facts_arch(struct facts *f)
{
	struct utsname u;
	size_t i;

	if (uname(&u) != 0)
		return;
	for (i = 0; i < ARRAY_LEN(facts_archs); i++)
		if (strcmp(u.machine, facts_archs[i].machine) == 0 &&
		    str_copy(f->arch, sizeof(f->arch),
		        str_of(facts_archs[i].arch)))
			return;
	if (!str_copy(f->arch, sizeof(f->arch),
	        str_sub(str_of(u.machine), 0, sizeof(f->arch) - 1)))
		f->arch[0] = '\0';
}

static int64_t
facts_boot_time(void)
{
	struct timespec up;

	if (clock_gettime(CLOCK_BOOTTIME, &up) != 0)
		return 0;
	return clock_now_ms() - (int64_t)up.tv_sec * 1000;
}

/* The machine's id where it has one (systemd, D-Bus), else its name: two
 * machines cloned with their state then differ as far as anything tells. */
static void
facts_machine(struct buf *out, const char *hostname)
{
	static const char *const paths[] = { "/etc/machine-id",
		"/var/lib/dbus/machine-id" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths); i++)
		if (fsio_read(paths[i], out, NULL) == RC_OK && out->len > 0)
			return;
	buf_reset(out);
	buf_puts(out, hostname);
}

enum rc
facts_read(struct facts *out, const char *queue_dir, struct err *e)
{
	struct facts f = { .os = "linux" };
	char real[PATH_MAX];
	struct buf id;

	if (gethostname(f.hostname, sizeof(f.hostname) - 1) != 0)
		return err_errno(e, errno, "cannot read the host name");
	if (realpath(queue_dir, real) == NULL)
		return err_errno(e, errno, "cannot resolve %s", queue_dir);
	facts_arch(&f);
	f.boot_time_ms = facts_boot_time();
	buf_init(&id, KIB(16));
	facts_machine(&id, f.hostname);
	buf_putc(&id, '\0');
	buf_puts(&id, real);
	crypt_sha256(buf_str(&id), f.instance_id);
	buf_fini(&id);
	*out = f;
	return RC_OK;
}

/* ------------------------------------------------------------------ zone */

static bool
facts_zone_take(struct str name, char out[CRON_ZONE_CAP])
{
	int32_t offset;

	name = str_trim(name);
	if (name.n > 0 && str_copy(out, CRON_ZONE_CAP, name) &&
	    clock_zone_offset(out, 0, &offset))
		return true;
	out[0] = '\0';
	return false;
}

/* The end of /usr/share/zoneinfo/Europe/Berlin. */
static bool
facts_zone_of_path(struct str path, char out[CRON_ZONE_CAP])
{
	const struct str folder = STR("zoneinfo/");
	size_t i;

	for (i = 0; i + folder.n < path.n; i++)
		if (str_starts(str_sub(path, i, path.n), folder))
			return facts_zone_take(str_sub(path, i + folder.n,
			                           path.n),
			    out);
	return false;
}

static bool
facts_zone_of_file(char out[CRON_ZONE_CAP])
{
	struct buf b;
	bool ok;

	buf_init(&b, KIB(1));
	ok = fsio_read("/etc/timezone", &b, NULL) == RC_OK &&
	     facts_zone_take(buf_str(&b), out);
	buf_fini(&b);
	return ok;
}

static bool
facts_zone_of_tz(const char *tz, char out[CRON_ZONE_CAP])
{
	tz += tz[0] == ':' ? 1 : 0;
	return tz[0] == '/' ? facts_zone_of_path(str_of(tz), out)
	                    : facts_zone_take(str_of(tz), out);
}

void
facts_zone(char out[CRON_ZONE_CAP])
{
	const char *tz = getenv("TZ");
	char link[PATH_MAX];
	ssize_t n = -1;
	bool ok;

	if (tz == NULL)
		n = readlink("/etc/localtime", link, sizeof(link));
	if (tz != NULL)
		ok = facts_zone_of_tz(tz, out);
	else if (n > 0 && facts_zone_of_path(str_from(link, (size_t)n), out))
		ok = true;
	else
		ok = access("/etc/localtime", F_OK) == 0 &&
		     facts_zone_of_file(out);
	if (!ok)
		ASSERT(str_copy(out, CRON_ZONE_CAP, STR("UTC")));
}
