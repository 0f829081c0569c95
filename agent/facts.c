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
