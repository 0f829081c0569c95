/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DOCTOR_H
#define AGENT_DOCTOR_H
/*
 * restic-manager-agent doctor: why does this host not back up, or not show?
 * Looks at the configuration, the way to the controller, the bearer, restic,
 * the credentials, the plan and the queue.  Changes nothing, and leaves a running agent
 * and its connection alone.
 */
#include <stdbool.h>

#include "lib/base/rc.h"

struct checkup;
struct facts;
struct secrets;
struct settings;

struct doctor_opts {
	const char *config;   /* NULL: as settings_load() */
	const char *cert_pin; /* NULL: the file's */
	bool json;
};

/* Prints to standard output; the program's exit code. */
int doctor_run(const struct doctor_opts *o);

/* What an agent asks the controller, with calls that change nothing
 * (doctor_talk.c): checks bearer, session, poll, identity, clock.  box NULL: the
 * secrets do not open.  f NULL: which installation this is cannot be told. */
MUST_USE enum rc doctor_talk(struct checkup *sheet, const struct settings *s,
    struct secrets *box, const struct facts *f, struct err *e);
/* Which schedules are in force and when the next one begins; box NULL: the
 * secrets do not open. */
void doctor_plan(struct checkup *sheet, const struct settings *s,
    struct secrets *box);
/* "not reached" for each of them. */
void doctor_talk_skip(struct checkup *sheet);
#endif
