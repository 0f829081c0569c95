/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/announce.h"
#include "agent/command.h"
#include "agent/doctor.h"
#include "agent/enrol.h"
#include "agent/events.h"
#include "agent/schedule.h"
#include "agent/secrets.h"
#include "agent/settle.h"
#include "agent/uplink.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "spool/queue.h"
#include "version.h"

enum {
	MAIN_STOP_MS = 30000,
	TOKEN_LINE_CAP = 256
};

struct args {
	const char *config;
	const char *enroll_server;
	const char *enroll_token;
	const char *cert_pin;
	const char *verb;
	bool json;
};

/* What stopping needs beside the agent itself. */
struct stopping {
	struct agent *agent;
	struct loop_timer *limit;
	bool asked;
	bool gave_up;
};

static const char usage[] =
    "usage: restic-manager-agent [-config FILE] [-cert-pin HEX] [run]\n"
    "       restic-manager-agent [-config FILE] -enroll-server URL "
    "-enroll-token TOKEN\n"
    "       restic-manager-agent [-config FILE] [-cert-pin HEX] "
    "-enroll-server URL [run]\n"
    "       restic-manager-agent [-config FILE] [-json] doctor\n"
    "       restic-manager-agent -version\n";

/* ------------------------------------------------------------ arguments */

/* What Linux has instead of a verb of Windows; NULL: it is none. */
static const char *
main_instead_of(const char *verb)
{
	static const char *const verbs[][2] = {
		{ "install", "enable --now" },
		{ "uninstall", "disable --now" },
		{ "start", "start" },
		{ "stop", "stop" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verb, verbs[i][0]) == 0)
			return verbs[i][1];
	return NULL;
}

static bool
main_is_doctor(const struct args *a)
{
	return a->verb != NULL && strcmp(a->verb, "doctor") == 0;
}

static enum rc
main_check_args(const struct args *a, struct err *e)
{
	if (a->verb != NULL && main_instead_of(a->verb) != NULL)
		return err_set(e, RC_INVALID,
		    "'%s' is Windows-only; here: "
		    "systemctl %s restic-manager-agent",
		    a->verb, main_instead_of(a->verb));
	if (a->verb != NULL && strcmp(a->verb, "run") != 0 &&
	    !main_is_doctor(a))
		return err_set(e, RC_INVALID, "unknown verb '%s'", a->verb);
	if (a->enroll_token != NULL && a->enroll_server == NULL)
		return err_set(e, RC_INVALID,
		    "-enroll-token needs -enroll-server");
	return RC_OK;
}

static enum rc
main_parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "enroll-server", required_argument, NULL, 's' },
		{ "enroll-token", required_argument, NULL, 't' },
		{ "cert-pin", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long_only(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			a->config = optarg;
			break;
		case 's':
			a->enroll_server = optarg;
			break;
		case 't':
			a->enroll_token = optarg;
			break;
		case 'p':
			a->cert_pin = optarg;
			break;
		case 'j':
			a->json = true;
			break;
		case 'v':
			(void)
			    printf("restic-manager-agent %s (commit %s, built "
			           "%s)\n",
			        RM_VERSION, RM_COMMIT, RM_BUILD_DATE);
			exit(0);
		case 'h':
			(void)fputs(usage, stdout);
			exit(0);
		default:
			(void)fputs(usage, stderr);
			exit(rc_info(RC_INVALID)->exit_code);
		}
	}
	if (optind < argc)
		a->verb = argv[optind++];
	if (optind < argc)
		return err_set(e, RC_INVALID, "too many arguments");
	return main_check_args(a, e);
}

/* The token must not stay where every user can read it. */
static char *
main_take_token(struct args *a)
{
	char *copy = mem_strdup(a->enroll_token);
	char *seen = (char *)(uintptr_t)a->enroll_token;

	memset(seen, '*', strlen(seen));
	a->enroll_token = copy;
	return copy;
}

/* "-": its first line comes by standard input. */
static char *
main_read_token(struct args *a, struct err *e)
{
	char line[TOKEN_LINE_CAP] = "";

	if (strcmp(a->enroll_token, "-") != 0)
		return main_take_token(a);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		(void)err_set(e, RC_INVALID,
		    "-enroll-token -: standard input holds no token");
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	a->enroll_token = mem_strdup(line);
	mem_wipe(line, sizeof(line));
	return (char *)(uintptr_t)a->enroll_token;
}

/* -------------------------------------------------------------- opening */

static enum rc
main_open_secrets(struct agent *a, struct err *e)
{
	uint8_t key[CRYPT_KEY_SIZE];
	size_t n = 0;
	enum rc rc;

	if ((rc = settings_mint_key(&a->settings, e)) != RC_OK)
		return rc;
	if (!str_unb64(str_of(a->settings.secrets_key), false, key, sizeof(key),
	        &n) ||
	    n != sizeof(key))
		return err_set(e, RC_INVALID,
		    "secrets_key in %s is not base64 of 32 bytes",
		    a->settings.path);
	rc = secrets_open(a->settings.secrets_file, key, &a->secrets, e);
	mem_wipe(key, sizeof(key));
	return rc;
}

static enum rc
main_open_queue(struct agent *a, struct err *e)
{
	struct queue_opts o = { 0 };
	bool fresh = false;
	enum rc rc;

	o.dir = a->settings.queue_dir;
	o.max_bytes = (uint64_t)a->settings.queue_max_bytes;
	o.gap = events_gap;
	if ((rc = queue_open(&o, &a->queue, &fresh, e)) != RC_OK)
		return rc;
	if (fresh)
		log_info(LOG_SPOOL, "event queue begins a new epoch dir=%s",
		    a->settings.queue_dir);
	return RC_OK;
}

static enum rc
main_open(struct agent *a, struct err *e)
{
	struct settings *s = &a->settings;
	struct err restic = { 0 };
	enum rc rc;

	if ((rc = fsio_mkdirs(s->queue_dir, 0700, e)) != RC_OK ||
	    (rc = fsio_mkdirs(s->jobs_dir, 0700, e)) != RC_OK ||
	    (rc = facts_read(&a->facts, s->queue_dir, e)) != RC_OK ||
	    (rc = main_open_secrets(a, e)) != RC_OK ||
	    (rc = main_open_queue(a, e)) != RC_OK)
		return rc;
	if (restic_locate(&a->restic, s->restic_path, &restic) != RC_OK)
		log_warn(LOG_MAIN, "no usable restic error=%s", restic.msg);
	else
		a->no_ownership = restic_restores_without_owner(&a->restic);
	a->settle = settle_new(a->loop);
	a->events = events_new(a->loop, a->queue);
	if ((rc = schedule_new(a, &a->schedule, e)) != RC_OK ||
	    (rc = uplink_new(a, &a->uplink, e)) != RC_OK ||
	    (rc = command_new(a, &a->command, e)) != RC_OK)
		return rc;
	schedule_begin(a->schedule);
	log_info(LOG_MAIN,
	    "agent started version=%s host=%s server=%s "
	    "restic=%s no_ownership=%s",
	    RM_VERSION, s->host_id, s->server,
	    a->restic.version[0] != '\0' ? a->restic.version : "none",
	    a->no_ownership ? "yes" : "no");
	return RC_OK;
}

static void
main_close(struct agent *a)
{
	uplink_free(a->uplink);
	command_free(a->command);
	schedule_free(a->schedule);
	events_free(a->events);
	settle_free(a->settle);
	queue_close(a->queue);
	secrets_close(a->secrets);
}

/* ------------------------------------------------------------- stopping */

/* signal -> job ended -> delivered as far as it goes -> on disk -> end. */
static void
main_on_synced(void *ctx)
{
	struct stopping *st = ctx;

	loop_timer_stop(st->limit);
	loop_stop(st->agent->loop);
}

static void
main_on_drained(void *ctx)
{
	struct stopping *st = ctx;

	uplink_free(st->agent->uplink);
	st->agent->uplink = NULL;
	events_when_synced(st->agent->events, main_on_synced, st);
}

static void
main_on_idle(void *ctx)
{
	struct stopping *st = ctx;

	uplink_drain(st->agent->uplink, main_on_drained, st);
}

static void
main_on_stop_limit(void *ctx)
{
	struct stopping *st = ctx;

	log_error(LOG_MAIN, "stopping takes too long, giving up");
	st->gave_up = true;
	loop_stop(st->agent->loop);
}

static void
main_on_signal(void *ctx, int signum)
{
	struct stopping *st = ctx;

	if (st->asked) {
		log_warn(LOG_MAIN, "asked to stop again, stopping at once");
		st->gave_up = true;
		loop_stop(st->agent->loop);
		return;
	}
	st->asked = true;
	log_info(LOG_MAIN, "stopping signal=%d", signum);
	loop_timer_start(st->limit, MAIN_STOP_MS, 0);
	schedule_stop(st->agent->schedule);
	command_stop(st->agent->command, main_on_idle, st);
}

static enum rc
main_run(struct agent *a, struct err *e)
{
	struct stopping st = { .agent = a };
	enum rc rc;

	if (a->settings.host_id == NULL || a->settings.agent_token == NULL ||
	    a->settings.server == NULL)
		return err_set(e, RC_INVALID,
		    "not enrolled: %s has no host_id "
		    "and agent_token; run restic-manager-agent -enroll-server "
		    "URL [-enroll-token TOKEN] first",
		    a->settings.path);
	if ((rc = main_open(a, e)) != RC_OK)
		return rc;
	st.limit = loop_timer_new(a->loop, main_on_stop_limit, &st);
	if ((rc = loop_signal(a->loop, SIGTERM, main_on_signal, &st, e)) ==
	        RC_OK &&
	    (rc = loop_signal(a->loop, SIGINT, main_on_signal, &st, e)) ==
	        RC_OK)
		loop_run(a->loop);
	loop_timer_free(st.limit);
	if (st.gave_up) /* restic ends with us; its job is told later */
		_exit(rc_info(RC_TIMEOUT)->exit_code);
	log_info(LOG_MAIN, "agent stopped");
	return rc;
}

static enum rc
main_enrol(struct agent *a, const struct args *args, struct err *e)
{
	enum rc rc = enrol_run(&a->settings, a->loop, args->enroll_server,
	    args->enroll_token, e);

	if (rc == RC_OK)
		printf("enrolled as host %s; configuration in %s\n",
		    a->settings.host_id, a->settings.path);
	return rc;
}

/* Who is a host already stays it: the command may be given at each start. */
static enum rc
main_is_enrolled(const struct settings *s, const char *server, struct err *e)
{
	if (s->server != NULL && strcmp(s->server, server) == 0)
		return RC_OK;
	return err_set(e, RC_CONFLICT,
	    "this is host %s of %s already; to announce it elsewhere, remove "
	    "host_id and agent_token from %s first",
	    s->host_id, s->server != NULL ? s->server : "another server",
	    s->path);
}

/* Announces this host, unless it is one.  Ends then, as an installer needs
 * it; with the verb run it goes on as an agent (M-096). */
static enum rc
main_announce(struct agent *a, const struct args *args, struct err *e)
{
	struct settings *s = &a->settings;
	bool before = s->host_id != NULL && s->agent_token != NULL;
	enum rc rc;

	rc = before ? main_is_enrolled(s, args->enroll_server, e)
	            : announce_run(s, a->loop, args->enroll_server, e);
	if (rc != RC_OK)
		return rc;
	printf("%s as host %s; configuration in %s\n",
	    before ? "enrolled already" : "accepted", s->host_id, s->path);
	(void)fflush(stdout);
	return args->verb != NULL ? main_run(a, e) : RC_OK;
}

static enum rc
main_start(struct agent *a, struct args *args, struct err *e)
{
	enum log_level level = LOG_INFO;
	enum rc rc;

	if ((rc = crypt_init(e)) != RC_OK ||
	    (rc = settings_load(&a->settings, args->config, e)) != RC_OK)
		return rc;
	if (a->settings.log_level != NULL &&
	    !log_level_parse(str_of(a->settings.log_level), &level))
		return err_set(e, RC_INVALID,
		    "log_level %s is not error, warn, info or debug",
		    a->settings.log_level);
	log_open(STDERR_FILENO, level);
	if (args->cert_pin != NULL)
		settings_set(&a->settings.cert_pin_sha256, args->cert_pin);
	if ((rc = tls_init(e)) != RC_OK ||
	    (rc = loop_new(&a->loop, e)) != RC_OK)
		return rc;
	if (args->enroll_token != NULL)
		return main_enrol(a, args, e);
	return args->enroll_server != NULL ? main_announce(a, args, e)
	                                   : main_run(a, e);
}

int
main(int argc, char **argv)
{
	struct agent a = { 0 };
	struct args args = { 0 };
	struct err e = { 0 };
	char *token = NULL;
	enum rc rc;

	umask(077);
	rc = main_parse(argc, argv, &args, &e);
	if (rc == RC_OK && main_is_doctor(&args))
		return doctor_run(&(struct doctor_opts){ args.config,
		    args.cert_pin, args.json });
	if (rc == RC_OK && args.enroll_token != NULL) {
		token = main_read_token(&args, &e);
		rc = token != NULL ? RC_OK : e.rc;
	}
	if (rc == RC_OK)
		rc = main_start(&a, &args, &e);
	main_close(&a);
	if (a.stuck > 0) /* a dead mount holds a thread: it cannot be joined */
		_exit(rc_info(rc)->exit_code);
	loop_free(a.loop);
	settings_free(&a.settings);
	if (token != NULL)
		mem_wipe(token, strlen(token));
	mem_free(token);
	if (rc != RC_OK)
		(void)fprintf(stderr, "restic-manager-agent: %s\n", e.msg);
	return rc_info(rc)->exit_code;
}
