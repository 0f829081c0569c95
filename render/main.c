/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restic-manager-render: turns state into HTML for the controller. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/sandbox.h"
#include "lib/store/store.h"
#include "render/answer.h"
#include "render/fleet_next.h"
#include "render/host_month.h"
#include "render/settings.h"
#include "render/sock.h"
#include "render/template.h"
#include "version.h"

enum {
	MAKING_MS = 2000,
	RETRY_MS = 200,
	DATA_BYTES_MIB = 384,
	PATH_CAP = 1100
};

struct paths {
	char templates[PATH_CAP];
	char statics[PATH_CAP];
	char state[PATH_CAP];
	char live[PATH_CAP];
	char spool[PATH_CAP];
	char sock[PATH_CAP];
};

static enum rc
make_paths(const struct settings *s, struct paths *p, struct err *e)
{
	bool ok =
	    str_fmt(p->templates, PATH_CAP, "%s/www/templates", s->assets) &&
	    str_fmt(p->statics, PATH_CAP, "%s/www/static", s->assets) &&
	    str_fmt(p->state, PATH_CAP, "%s/db/state", s->data_dir) &&
	    str_fmt(p->spool, PATH_CAP, "%s/spool", s->data_dir) &&
	    str_fmt(p->live, PATH_CAP, "%s/live", s->runtime_dir) &&
	    str_fmt(p->sock, PATH_CAP, "%s/render.sock", s->runtime_dir);

	return ok ? RC_OK : err_set(e, RC_LIMIT, "a path is too long");
}

/* The writer makes the environment when it first starts: until then it is
 * not there, or has no meta record. */
static enum rc
open_store(enum store_env env, const char *dir, struct store **out,
    struct err *e)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	const int64_t began = clock_mono_ms();
	bool told = false;
	enum rc rc;

	for (;;) {
		rc = store_open(env, STORE_READER, dir, out, e);
		if (rc == RC_OK)
			return rc;
		/* A database in the making may show any face for a moment,
		 * such as a mode that is not widened yet. */
		if (rc != RC_BUSY && rc != RC_NOTFOUND &&
		    clock_mono_ms() - began > MAKING_MS)
			return rc;
		if (!told)
			log_info(LOG_STORE,
			    "waiting for the controller "
			    "dir=%s",
			    dir);
		told = true;
		nanosleep(&pause, NULL);
	}
}

static enum rc
enter_sandbox(const struct settings *s, const struct paths *p, struct err *e)
{
	/* Clocks of schedules' zones; a machine without them knows UTC. */
	const char *zones = access("/usr/share/zoneinfo", R_OK) == 0
	                        ? "/usr/share/zoneinfo"
	                        : NULL;
	const char *read_paths[] = { p->spool, p->state, zones, NULL };
	const char *none[] = { NULL };
	struct sandbox_opts o = { .profile = SANDBOX_RENDER,
		.mode = s->sandbox_kill ? SANDBOX_KILL : SANDBOX_ERRNO,
		.read_paths = read_paths,
		.write_paths = none,
		.data_bytes = MIB(DATA_BYTES_MIB) };
	bool landlock = false;
	enum rc rc;

#ifdef RM_SANITIZED
	o.data_bytes = 0;
#endif
	rc = sandbox_enter(&o, &landlock, e);
	if (rc == RC_OK && !landlock)
		log_warn(LOG_MAIN, "no landlock in this kernel");
	return rc;
}

static enum rc
run(const struct settings *s, struct template_set *set, struct err *e)
{
	struct answer a = { .templates = set, .zone = s->timezone };
	struct paths p;
	int fd = -1;
	enum rc rc;

	if ((rc = make_paths(s, &p, e)) != RC_OK)
		return rc;
	a.spool = p.spool;
	if ((rc = template_load(set, p.templates, e)) != RC_OK)
		return rc;
	if ((rc = answer_check(&a, e)) != RC_OK)
		return rc;
	if ((rc = answer_asset(&a, p.statics, e)) != RC_OK)
		return rc;
	if ((rc = sock_listen(p.sock, &fd, e)) != RC_OK)
		return rc;
	a.months = host_months_new();
	a.nexts = fleet_nexts_new();
	if ((rc = open_store(STORE_STATE, p.state, &a.state, e)) != RC_OK)
		goto out;
	if ((rc = open_store(STORE_LIVE, p.live, &a.live, e)) != RC_OK)
		goto out;
	if ((rc = enter_sandbox(s, &p, e)) != RC_OK)
		goto out;
	log_info(LOG_MAIN, "ready version=%s commit=%s sock=%s", RM_VERSION,
	    RM_COMMIT, p.sock);
	rc = sock_serve(fd, &a, e);
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	store_close(a.live);
	store_close(a.state);
	fleet_nexts_free(a.nexts);
	host_months_free(a.months);
	return rc;
}

/* False: it has ended before the kernel knew that we want to follow. */
static bool
bind_to_parent(const struct settings *s)
{
	if (s->parent == 0)
		return true;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() == (pid_t)s->parent;
}

int
main(int argc, char **argv)
{
	struct err e = { .rc = RC_OK };
	struct template_set *set;
	struct settings s;
	enum rc rc;

	if (argc == 2 && (strcmp(argv[1], "-version") == 0 ||
	                     strcmp(argv[1], "--version") == 0)) {
		(void)printf("restic-manager-render %s (commit %s, built %s)\n",
		    RM_VERSION, RM_COMMIT, RM_BUILD_DATE);
		return 0;
	}
	if (argc != 1) {
		(void)fputs("usage: restic-manager-render [-version]\n",
		    stderr);
		return rc_info(RC_PROTO)->exit_code;
	}
	rc = settings_load(&s, &e);
	if (rc == RC_OK) {
		log_open(STDERR_FILENO, s.log_level);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)prctl(PR_SET_DUMPABLE, 0);
		if (!bind_to_parent(&s)) {
			settings_free(&s);
			return 0;
		}
		set = template_set_new();
		rc = run(&s, set, &e);
		template_set_free(set);
		settings_free(&s);
	}
	if (rc == RC_OK) {
		log_info(LOG_MAIN, "the controller's connection ended");
		return 0;
	}
	log_error(LOG_MAIN, "ends rc=%s %s", rc_info(rc)->name,
	    e.msg[0] != '\0' ? e.msg : rc_info(rc)->text);
	return rc_info(rc)->exit_code;
}
