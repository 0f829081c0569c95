/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_SEED_H
#define TESTS_FAKE_SEED_H
/*
 * A made-up fleet in a real store and spool: every state a page can show.
 * Times hang on one instant, so that pages come out the same.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

/* 2026-11-19T14:18:00Z, a Thursday. */
#define SEED_NOW_MS INT64_C(1795097880000)

enum seed_host {
	SEED_MAIL,  /* stale, offline */
	SEED_BUILD, /* never */
	SEED_DB2,   /* failed, with a log of 1,200 lines */
	SEED_FS,    /* incomplete */
	SEED_DB1,   /* running */
	SEED_APP,   /* ok, 120 snapshots, two groups */
	SEED_WEB,   /* ok */
	SEED_NEW,   /* enrolled just now */
	SEED_EVIL   /* ok, hostile words everywhere */
};
enum {
	SEED_HOSTS = 9
};

enum seed_job {
	SEED_JOB_FAILED,
	SEED_JOB_INCOMPLETE,
	SEED_JOB_RUNNING,
	SEED_JOB_OK,
	SEED_JOB_QUEUED,
	SEED_JOB_CANCELLED,
	SEED_JOB_EXPIRED
};

/* Enrolments; the hash of each is its number in every byte. */
enum seed_token {
	SEED_TOKEN_AWAITING = 1, /* for "app-03", password made */
	SEED_TOKEN_USED,         /* by SEED_NEW: repository not known yet */
	SEED_TOKEN_READY,        /* by SEED_WEB */
	SEED_TOKEN_EXPIRED,
	SEED_TOKEN_REVOKED,
	SEED_TOKEN_REPLACED,
	SEED_TOKEN_REMOVED, /* by a host that is gone */
	SEED_TOKEN_FAILED,  /* by SEED_BUILD */
	SEED_TOKEN_EVIL     /* awaiting, hostile words */
};

enum seed_user {
	SEED_USER_OPS = 1, /* operator, with two API tokens */
	SEED_USER_ADMIN,
	SEED_USER_INVITED, /* its setup link is out */
	SEED_USER_LATE,    /* its setup link is over */
	SEED_USER_GONE,    /* disabled */
	SEED_USER_EVIL     /* hostile words */
};

/* Below dir: db/state, spool, run/live.  fleet false: an empty store. */
MUST_USE enum rc seed_store(const char *dir, bool fleet, struct err *e);
/* The same in every run. */
struct ulid seed_host_id(enum seed_host h);
struct ulid seed_job_id(enum seed_job j);
struct ulid seed_user_id(enum seed_user u);
struct ulid seed_api_token_id(int n); /* 1, or 2, which has expired */
struct ulid seed_group_id(enum seed_host h);
#endif
