/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restic-manager-controller: what it is made of, in order. */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <version.h>

#include "controller/agents.h"
#include "controller/announce.h"
#include "controller/asset.h"
#include "controller/audit.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/enrol.h"
#include "controller/forget.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/publish.h"
#include "controller/quota.h"
#include "controller/server.h"
#include "controller/shown.h"
#include "controller/sse.h"
#include "controller/takeover.h"
#include "controller/ticker.h"
#include "controller/tokens.h"
#include "controller/upkeep.h"
#include "controller/users.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/sandbox.h"
#include "lib/net/loop.h"
#include "lib/net/offence.h"
#include "lib/net/tls.h"
#include "lib/store/live.h"
#include "lib/store/store.h"

#define CONFIG_DEFAULT "/etc/restic-manager/controller.yaml"

static const char usage[] =
    "usage: restic-manager-controller [-config FILE]\n"
    "       restic-manager-controller -version | -print-config-sample | -h\n"
    "\n"
    "Runs in the foreground and logs to standard error.  FILE defaults to\n"
    "$RM_CONFIG, then " CONFIG_DEFAULT ".\n"
    "SIGHUP reads the certificate again; SIGTERM and SIGINT end it.\n";

enum action {
	RUN,
	SHOW_USAGE,
	SHOW_VERSION,
	SHOW_SAMPLE,
	BAD_USAGE
};

struct arguments {
	const char *config; /* NULL: the default, which may be absent */
	enum action action;
};

static struct arguments
parse(int argc, char **argv)
{
	struct arguments a = { getenv("RM_CONFIG"), RUN };
	int i;

	for (i = 1; i < argc; i++) {
		const char *name = argv[i];

		if (name[0] == '-' && name[1] == '-')
			name++;
		if (strcmp(name, "-config") == 0 && i + 1 < argc)
			a.config = argv[++i];
		else if (strcmp(name, "-version") == 0)
			a.action = SHOW_VERSION;
		else if (strcmp(name, "-print-config-sample") == 0)
			a.action = SHOW_SAMPLE;
		else if (strcmp(name, "-h") == 0 || strcmp(name, "-help") == 0)
			a.action = SHOW_USAGE;
		else
			a.action = BAD_USAGE;
		if (a.action == BAD_USAGE)
			break;
	}
	return a;
}

static void
print_sample(void)
{
	const struct conf_key *keys;
	struct buf b;
	size_t n;

	keys = settings_keys(&n);
	buf_init(&b, KIB(64));
	conf_sample(keys, n, &b);
	(void)fputs(buf_text(&b), stdout);
	buf_fini(&b);
}

/* As many descriptors as we may have: one a connection. */
static void
raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0)
		log_warn(LOG_MAIN, "the descriptor limit was not raised");
}

static const char *
metrics_gates(const struct settings *s)
{
	if (s->metrics_token != NULL)
		return s->metrics_cidr_count > 0 ? "token+networks" : "token";
	return s->metrics_cidr_count > 0 ? "networks" : "off";
}

static void
log_settings(const struct settings *s)
{
	char proxies[512] = "";
	size_t i, n;

	for (i = 0; i < s->trusted_proxy_text.n; i++) {
		n = strlen(proxies);
		if (!str_fmt(proxies + n, sizeof(proxies) - n, "%s%s",
		        i > 0 ? "," : "", s->trusted_proxy_text.v[i]))
			break;
	}
	log_info(LOG_CONF,
	    "config resolved listen=%s listen_plain=%s data_dir=%s "
	    "runtime_dir=%s base_url=%s trusted_proxies=%s timezone=%s "
	    "renderer=%s metrics=%s",
	    s->listen, s->listen_plain != NULL ? s->listen_plain : "-",
	    s->data_dir, s->runtime_dir,
	    s->base_url != NULL ? s->base_url : "-",
	    *proxies != '\0' ? proxies : "-", s->timezone,
	    s->render != NULL ? s->render : "-", metrics_gates(s));
}

/* The renderer and administrators reach what they may read through the
 * shared group; everybody else nothing. */
static enum rc
share(const struct settings *s, const char *dir, mode_t mode, struct err *e)
{
	struct group *g;

	if (s->group == NULL)
		return RC_OK;
	g = getgrnam(s->group);
	if (g == NULL)
		return err_set(e, RC_INVALID, "RM_GROUP: there is no group %s",
		    s->group);
	if (chown(dir, (uid_t)-1, g->gr_gid) != 0 || chmod(dir, mode) != 0)
		return err_set(e, RC_DENIED,
		    "%s: cannot be given to the group %s", dir, s->group);
	return RC_OK;
}

static enum rc
make_directories(const struct settings *s, struct err *e)
{
	/* The renderer makes its socket in the runtime directory and must
	 * not touch what else lies there: sticky. */
	const struct {
		const char *path;
		mode_t mode, shared; /* shared 0: with nobody */
	} dirs[] = {
		{ s->data_dir, 0750, 0750 },
		{ s->tls_dir, 0700, 0 },
		{ s->spool_dir, 0750, 0750 },
		{ s->runtime_dir, 0750, 0770 | S_ISVTX },
		{ s->state_dir, 0750, 0750 },
	};
	size_t i;
	enum rc rc = RC_OK;

	for (i = 0; i < ARRAY_LEN(dirs) && rc == RC_OK; i++) {
		rc = fsio_mkdirs(dirs[i].path, dirs[i].mode, e);
		/* Set-group-ID, so that what is made below is shared too. */
		if (rc == RC_OK && dirs[i].shared != 0)
			rc =
			    share(s, dirs[i].path, dirs[i].shared | S_ISGID, e);
	}
	return rc;
}

static enum rc
open_stores(struct controller *c, struct err *e)
{
	const struct settings *s = &c->settings;
	struct store_tx *tx;
	enum rc rc;

	rc = store_open(STORE_STATE, STORE_WRITER, s->state_dir, &c->state, e);
	if (rc == RC_OK)
		rc = store_open(STORE_VAULT, STORE_WRITER, s->vault_dir,
		    &c->vault, e);
	if (rc == RC_OK)
		rc = store_open(STORE_LIVE, STORE_WRITER, s->live_dir, &c->live,
		    e);
	if (rc != RC_OK)
		return rc;
	tx = store_begin_write(c->live, NULL);
	live_clear(tx);
	return store_commit(tx, e);
}

static void
main_on_closed(void *ctx)
{
	struct controller *c = ctx;

	loop_stop(c->loop);
}

static void
main_on_end(void *ctx, int signum)
{
	struct controller *c = ctx;
	struct server *s = c->server;

	if (s == NULL)
		return;
	log_info(LOG_MAIN, "ending signal=%d", signum);
	c->server = NULL;
	sse_end_all(c->sse);
	server_close(s, main_on_closed, c);
}

static void
main_on_reload(void *ctx, int signum)
{
	struct controller *c = ctx;
	struct err e;

	(void)signum;
	if (c->server == NULL)
		return;
	if (server_reload(c->server, &e) == RC_OK)
		log_info(LOG_MAIN, "certificate read again");
	else
		log_error(LOG_MAIN, "the old certificate stays: %s", e.msg);
}

static enum rc
watch_signals(struct controller *c, struct err *e)
{
	enum rc rc;

	(void)signal(SIGPIPE, SIG_IGN);
	rc = loop_signal(c->loop, SIGTERM, main_on_end, c, e);
	if (rc == RC_OK)
		rc = loop_signal(c->loop, SIGINT, main_on_end, c, e);
	if (rc == RC_OK)
		rc = loop_signal(c->loop, SIGHUP, main_on_reload, c, e);
	return rc;
}

/* Without exec there is nothing to start a renderer with. */
static enum rc
give_up_rights(const struct controller *c, struct err *e)
{
	const struct sandbox_opts o = {
		.profile = SANDBOX_CONTROLLER,
		.mode = SANDBOX_ERRNO,
	};

	if (c->settings.render != NULL)
		return RC_OK;
	return sandbox_enter(&o, NULL, e);
}

static enum rc
start(struct controller *c, struct err *e)
{
	const struct settings *s = &c->settings;
	enum rc rc;

	umask(S_IRWXO);
	raise_descriptors();
	if ((rc = make_directories(s, e)) != RC_OK)
		return rc;
	if ((rc = takeover_check(c, e)) != RC_OK)
		return rc;
	if ((rc = open_stores(c, e)) != RC_OK)
		return rc;
	if ((rc = crypt_key_file(s->secret_key_file, c->key, e)) != RC_OK)
		return rc;
	if ((rc = audit_start(c, e)) != RC_OK)
		return rc;
	if ((rc = takeover_note(c, e)) != RC_OK)
		return rc;
	if ((rc = asset_set_new(s->assets_dir, &c->assets, e)) != RC_OK)
		return rc;
	if ((rc = tls_init(e)) != RC_OK)
		return rc;
	if ((rc = loop_new(&c->loop, e)) != RC_OK)
		return rc;
	if ((rc = watch_signals(c, e)) != RC_OK)
		return rc;
	store_watch(c->state, loop_note_store, c->loop);
	store_watch(c->vault, loop_note_store, c->loop);
	store_watch(c->live, loop_note_store, c->loop);
	c->offences = offences_new(c->loop);
	c->quota = quota_new(c->loop);
	rc = op_queue_new(c->loop, c->state, c->vault, &c->ops, e);
	if (rc != RC_OK)
		return rc;
	if ((rc = page_client_new(c, &c->pages, e)) != RC_OK)
		return rc;
	c->sse = sse_new(c);
	c->announce = announce_new(c);
	c->agents = agents_new(c);
	c->courier = courier_new(c);
	c->ingest = ingest_new(c);
	if ((rc = ingest_recover(c, e)) != RC_OK)
		return rc;
	c->tokens = tokens_new(c);
	c->shown = shown_new();
	if ((rc = server_open(c, &c->server, e)) != RC_OK)
		return rc;
	c->users = users_new(c);
	c->forget = forget_new(c);
	c->upkeep = upkeep_new(c);
	c->ticker = ticker_new(c);
	c->publish = publish_new();
	c->enrol = enrol_new(c);
	enrol_mend(c);
	return give_up_rights(c, e);
}

/* The reverse of start(), from wherever it got to. */
static void
stop(struct controller *c)
{
	op_queue_free(c->ops); /* whose dones may still need the others */
	ticker_free(c->ticker);
	upkeep_free(c->upkeep);
	forget_free(c->forget);
	page_client_free(c->pages);
	sse_free(c->sse);
	ingest_free(c->ingest);
	courier_free(c->courier);
	agents_free(c->agents);
	announce_free(c->announce);
	enrol_free(c->enrol);
	users_free(c->users);
	tokens_free(c->tokens);
	shown_free(c->shown);
	quota_free(c->quota);
	offences_free(c->offences);
	loop_free(c->loop);
	publish_free(c->publish);
	asset_set_free(c->assets);
	store_close(c->live);
	store_close(c->vault);
	store_close(c->state);
	mem_wipe(c->key, sizeof(c->key));
	settings_free(&c->settings);
}

static enum rc
run(const char *config, struct err *e)
{
	static struct controller c;
	enum log_level level = LOG_INFO;
	enum rc rc;

	rc = settings_load(&c.settings,
	    config != NULL ? config : CONFIG_DEFAULT, config != NULL, e);
	if (rc != RC_OK)
		return rc;
	if (log_level_parse(str_of(c.settings.log_level), &level))
		log_open(STDERR_FILENO, level);
	log_info(LOG_MAIN, "starting version=%s commit=%s", RM_VERSION,
	    RM_COMMIT);
	log_settings(&c.settings);
	rc = start(&c, e);
	if (rc == RC_OK) {
		log_info(LOG_MAIN, "ready");
		loop_run(c.loop);
	} else if (c.server != NULL) {
		main_on_end(&c, 0);
		loop_run(c.loop);
	}
	stop(&c);
	return rc;
}

int
main(int argc, char **argv)
{
	struct arguments a = parse(argc, argv);
	struct err e = { .rc = RC_OK };

	mem_stay_small();
	log_open(STDERR_FILENO, LOG_INFO);
	switch (a.action) {
	case SHOW_USAGE:
		(void)fputs(usage, stdout);
		return 0;
	case SHOW_VERSION:
		(void)printf("restic-manager-controller %s (commit %s, built "
		             "%s)\n",
		    RM_VERSION, RM_COMMIT, RM_BUILD_DATE);
		return 0;
	case SHOW_SAMPLE:
		print_sample();
		return 0;
	case BAD_USAGE:
		(void)fputs(usage, stderr);
		return 2;
	case RUN:
		break;
	}
	if (crypt_init(&e) == RC_OK && run(a.config, &e) == RC_OK) {
		log_info(LOG_MAIN, "ended");
		return 0;
	}
	log_error(LOG_MAIN, "not started rc=%s: %s", rc_info(e.rc)->name,
	    e.msg);
	return rc_info(e.rc)->exit_code;
}
