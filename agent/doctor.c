/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/facts.h"
#include "agent/restic.h"
#include "agent/secrets.h"
#include "agent/settings.h"
#include "lib/base/buf.h"
#include "lib/base/checkup.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/checkup_net.h"
#include "lib/net/url.h"

enum {
	DOCTOR_ROOM = 64 << 20, /* below it restic runs without its cache */
	DOCTOR_LOCKS_MAX = 4 << 20
};

struct doctor {
	struct checkup *sheet;
	struct settings settings;
	struct facts facts;
	bool has_facts;
};

/* ----------------------------------------------------------- configuration */

static bool
look_at_config(struct doctor *d, const struct doctor_opts *o)
{
	struct settings *s = &d->settings;
	struct err e = { 0 };

	if (settings_load(s, o->config, &e) != RC_OK) {
		checkup_fail(d->sheet, "config",
		    "run it as root (the file holds the host's identity), and "
		    "correct what it says",
		    "%s", e.msg);
		return false;
	}
	if (o->cert_pin != NULL)
		settings_set(&s->cert_pin_sha256, o->cert_pin);
	if (s->server == NULL || s->host_id == NULL || s->agent_token == NULL) {
		checkup_fail(d->sheet, "config",
		    "run the command that Add host, on the controller's page, "
		    "shows",
		    "%s: this host is not enrolled", s->path);
		return false;
	}
	if (settings_server_ok(s->server, &e) != RC_OK) {
		checkup_fail(d->sheet, "config", "correct the key server", "%s",
		    e.msg);
		return false;
	}
	checkup_ok(d->sheet, "config", "%s: host %s, %s, %s", s->path,
	    s->host_id, s->server,
	    s->cert_pin_sha256 != NULL ? "pinned" : "by authority");
	return true;
}

static enum rc
open_secrets(const struct settings *s, struct secrets **out, struct err *e)
{
	uint8_t key[CRYPT_KEY_SIZE];
	size_t n = 0;
	enum rc rc;

	if (s->secrets_key == NULL)
		return err_set(e, RC_NOTFOUND, "%s has no secrets_key",
		    s->path);
	if (!str_unb64(str_of(s->secrets_key), false, key, sizeof(key), &n) ||
	    n != sizeof(key))
		return err_set(e, RC_INVALID,
		    "secrets_key in %s is not base64 of 32 bytes", s->path);
	rc = secrets_open(s->secrets_file, key, out, e);
	mem_wipe(key, sizeof(key));
	return rc;
}

/* -------------------------------------------------------------- controller */

static void
talk(struct doctor *d)
{
	struct secrets *box = NULL;
	struct err e = { 0 };

	/* What is wrong with them is said by look_at_secrets(). */
	if (open_secrets(&d->settings, &box, &e) != RC_OK)
		box = NULL;
	if (doctor_talk(d->sheet, &d->settings, box,
	        d->has_facts ? &d->facts : NULL, &e) != RC_OK)
		checkup_fail(d->sheet, "bearer", "", "not tried: %s", e.msg);
	secrets_close(box);
}

static void
look_at_controller(struct doctor *d)
{
	const struct settings *s = &d->settings;
	struct checkup_net o = { .pin = s->cert_pin_sha256 };
	unsigned before = d->sheet->failed;
	struct err e = { 0 };
	struct url u;

	o.to = &u;
	o.pin_hint = "if the controller's key was changed on purpose, enrol "
	             "again or correct cert_pin_sha256; if not, somebody is "
	             "between";
	if (url_parse(s->server, &u, &e) != RC_OK) {
		checkup_fail(d->sheet, "dns", "correct the key server", "%s",
		    e.msg);
		doctor_talk_skip(d->sheet);
		return;
	}
	if (!checkup_net(d->sheet, &o) || d->sheet->failed > before)
		doctor_talk_skip(d->sheet);
	else
		talk(d);
}

/* -------------------------------------------------------------------- host */

static void
look_at_restic(struct doctor *d)
{
	struct restic *r = MEM_NEW(struct restic);
	struct err e = { 0 };

	if (restic_locate(r, d->settings.restic_path, &e) == RC_OK)
		checkup_ok(d->sheet, "restic", "%s, version %s", r->path,
		    r->version);
	else
		checkup_fail(d->sheet, "restic",
		    "install restic 0.14 or newer, or set restic_path", "%s",
		    e.msg);
	mem_free(r);
}

static void
look_at_secrets(struct doctor *d)
{
	struct secrets_repo repo = { 0 };
	struct secrets *box = NULL;
	struct err e = { 0 };
	enum rc rc = open_secrets(&d->settings, &box, &e);

	if (rc == RC_OK)
		rc = secrets_get(box, SECRETS_REPO, &repo, &e);
	if (rc == RC_OK)
		checkup_ok(d->sheet, "secrets",
		    "the repository's credentials can be read");
	else
		checkup_fail(d->sheet, "secrets",
		    "save the repository on the host's page again, with the "
		    "agent running",
		    "%s", e.msg);
	secrets_repo_fini(&repo);
	doctor_plan(d->sheet, &d->settings, box);
	secrets_close(box);
}

static void
look_at_queue(struct doctor *d)
{
	const char *dir = d->settings.queue_dir;
	struct statvfs v;
	unsigned long long room;

	if (statvfs(dir, &v) != 0) {
		checkup_fail(d->sheet, "queue",
		    "start the agent once, it makes the directory", "%s: %s",
		    dir, strerror(errno));
		return;
	}
	room = (unsigned long long)v.f_bavail * v.f_frsize;
	if (access(dir, W_OK | X_OK) != 0 || (v.f_flag & ST_RDONLY) != 0)
		checkup_fail(d->sheet, "queue",
		    "make the directory writable for the agent",
		    "%s cannot be written", dir);
	else if (room < DOCTOR_ROOM)
		checkup_fail(d->sheet, "queue",
		    "make room: log lines are lost, and restic runs without "
		    "its cache",
		    "%s: only %llu MiB are free", dir, room >> 20);
	else
		checkup_ok(d->sheet, "queue", "%s, %llu MiB free", dir,
		    room >> 20);
}

/* Whether some process holds the lock, by the kernel's list: trying to take
 * it would disturb an agent that starts just now. */
static bool
lock_held(const struct stat *st, struct buf *locks)
{
	char inode[32];
	struct str rest, line;

	if (fsio_read("/proc/locks", locks, NULL) != RC_OK)
		return false;
	ASSERT(str_fmt(inode, sizeof(inode), ":%llu ",
	    (unsigned long long)st->st_ino));
	rest = buf_str(locks);
	while (str_next(&rest, '\n', &line))
		if (str_contains(line, STR("FLOCK")) &&
		    str_contains(line, str_of(inode)))
			return true;
	return false;
}

static void
look_at_agent(struct doctor *d)
{
	char path[4096];
	struct buf locks, pid;
	struct stat st;

	if (fsio_join(path, sizeof(path), d->settings.queue_dir, "lock") !=
	        RC_OK ||
	    stat(path, &st) != 0) {
		checkup_fail(d->sheet, "agent",
		    "systemctl enable --now restic-manager-agent",
		    "it has never run here");
		return;
	}
	buf_init(&locks, DOCTOR_LOCKS_MAX);
	buf_init(&pid, 64);
	if (!lock_held(&st, &locks))
		checkup_fail(d->sheet, "agent",
		    "systemctl start restic-manager-agent; its log: "
		    "journalctl -u restic-manager-agent",
		    "it does not run");
	else if (fsio_read(path, &pid, NULL) == RC_OK)
		checkup_ok(d->sheet, "agent", "it runs as process %.*s",
		    STR_ARG(str_trim(buf_str(&pid))));
	else
		checkup_ok(d->sheet, "agent", "it runs");
	buf_fini(&pid);
	buf_fini(&locks);
}

/* --------------------------------------------------------------------- all */

static void
print_sheet(const struct checkup *sheet, bool json)
{
	struct buf b;

	buf_init(&b, MIB(1));
	if (json)
		checkup_json(sheet, &b);
	else
		checkup_text(sheet, &b, false);
	(void)fputs(buf_text(&b), stdout);
	buf_fini(&b);
}

int
doctor_run(const struct doctor_opts *o)
{
	struct doctor d = { .sheet = MEM_NEW(struct checkup) };
	struct err e = { 0 };
	int code;

	log_open(STDERR_FILENO, LOG_ERROR);
	if (crypt_init(&e) != RC_OK) {
		checkup_fail(d.sheet, "config", "", "%s", e.msg);
	} else if (look_at_config(&d, o)) {
		d.has_facts =
		    facts_read(&d.facts, d.settings.queue_dir, &e) == RC_OK;
		look_at_controller(&d);
		look_at_agent(&d);
		look_at_restic(&d);
		look_at_secrets(&d);
		look_at_queue(&d);
	}
	print_sheet(d.sheet, o->json);
	code = d.sheet->failed == 0 ? 0 : 1;
	settings_free(&d.settings);
	mem_free(d.sheet);
	return code;
}
