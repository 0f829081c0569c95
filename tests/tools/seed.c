/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/str.h"
#include "tests/tools/fleet.h"

static const char usage[] =
    "usage: seed [options] DIR\n"
    "Fills DIR, the data directory of a controller that is stopped, with a\n"
    "made-up fleet: hosts in every state, tags, source groups, 30 days of\n"
    "outcomes, jobs with logs, snapshots.  The same options give the same "
    "fleet.\n"
    "  --hosts N       how many hosts (14)\n"
    "  --jobs N        ended jobs of each host, at most 1000 (6)\n"
    "  --snapshots N   of each host, at most 100000 (10)\n"
    "  --logs N        job logs in all, newest jobs of the first hosts (20)\n"
    "  --lines N       lines of each log, at most 1000000 (40)\n"
    "  --history N     more ended jobs of the first host, at most 2000000 "
    "(0)\n"
    "  --past N        older jobs of each host, at most 100000 (0)\n"
    "  --days N        over so many days before those 30, at most 3650 (90)\n"
    "  --audit N       entries of the audit log, over 90 days (0)\n"
    "  --seed N        another fleet (1)\n"
    "  --now MS        what time it is, in ms since 1970 (the clock)\n"
    "  --live          progress of running jobs in DIR/run/live: for a\n"
    "                  renderer alone, a controller empties it at its start\n"
    "  --list          a line for each host: id, state, online or offline, "
    "name\n"
    "  --bearers FILE  a line for each host: id, bearer that lets an agent "
    "in\n"
    "Prints one line of JSON with the counts.\n";

static bool
number(const char *text, uint64_t max, uint64_t *out)
{
	if (text != NULL && str_u64(str_of(text), max, out))
		return true;
	fprintf(stderr, "seed: '%s' is no whole number up to %" PRIu64 "\n",
	    text, max);
	return false;
}

static bool
option(struct fleet_opts *o, int opt)
{
	uint64_t now = 0;

	switch (opt) {
	case 'h':
		return number(optarg, 100000, &o->hosts);
	case 'j':
		return number(optarg, 1000, &o->jobs);
	case 's':
		return number(optarg, 100000, &o->snapshots);
	case 'l':
		return number(optarg, 100000, &o->logs);
	case 'n':
		return number(optarg, 1000000, &o->lines);
	case 'y':
		return number(optarg, 2000000, &o->history);
	case 'o':
		return number(optarg, 100000, &o->past);
	case 'd':
		return number(optarg, 3650, &o->days) && o->days > 0;
	case 'a':
		return number(optarg, 10000000, &o->audit);
	case 'r':
		return number(optarg, UINT64_MAX, &o->seed);
	case 't':
		if (!number(optarg, INT64_MAX, &now))
			return false;
		o->now_ms = (int64_t)now;
		return true;
	case 'v':
		o->live = true;
		return true;
	case 'p':
		o->list = stdout;
		return true;
	case 'b':
		o->bearers = optarg;
		return true;
	default:
		fputs(usage, stderr);
		return false;
	}
}

static bool
parse(int argc, char **argv, struct fleet_opts *o)
{
	static const struct option options[] = {
		{ "hosts", required_argument, NULL, 'h' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "snapshots", required_argument, NULL, 's' },
		{ "logs", required_argument, NULL, 'l' },
		{ "lines", required_argument, NULL, 'n' },
		{ "history", required_argument, NULL, 'y' },
		{ "past", required_argument, NULL, 'o' },
		{ "days", required_argument, NULL, 'd' },
		{ "audit", required_argument, NULL, 'a' },
		{ "seed", required_argument, NULL, 'r' },
		{ "now", required_argument, NULL, 't' },
		{ "live", no_argument, NULL, 'v' },
		{ "list", no_argument, NULL, 'p' },
		{ "bearers", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, '?' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!option(o, opt))
			return false;
	}
	if (optind + 1 == argc) {
		o->dir = argv[optind];
		return true;
	}
	fputs(usage, stderr);
	return false;
}

static void
report(const struct fleet_opts *o, const struct fleet_result *r)
{
	int i;

	printf("{\"hosts\": %" PRIu64 ", \"offline\": %" PRIu64
	       ", \"jobs\": %" PRIu64 ", \"snapshots\": %" PRIu64
	       ", \"logs\": %" PRIu64,
	    o->hosts, r->offline, r->jobs, r->snapshots, r->logs);
	for (i = 0; i < FLEET_STATES; i++)
		printf(", \"%s\": %" PRIu64,
		    fleet_state_name((enum fleet_state)i), r->states[i]);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	struct fleet_opts o = { .hosts = 14,
		.jobs = 6,
		.snapshots = 10,
		.logs = 20,
		.lines = 40,
		.days = 90,
		.seed = 1 };
	struct fleet_result r = { .offline = 0 };
	struct err e;

	if (!parse(argc, argv, &o))
		return 2;
	if (crypt_init(&e) != RC_OK) {
		fprintf(stderr, "seed: %s\n", e.msg);
		return 1;
	}
	if (o.now_ms == 0)
		o.now_ms = clock_now_ms();
	if (fleet_put(&o, &r, &e) != RC_OK ||
	    fleet_put_audit(&o, &e) != RC_OK ||
	    fleet_put_bearers(&o, &e) != RC_OK) {
		fprintf(stderr, "seed: %s\n", e.msg);
		return rc_info(e.rc)->exit_code;
	}
	report(&o, &r);
	return 0;
}
