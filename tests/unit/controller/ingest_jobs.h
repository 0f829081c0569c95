/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_INGEST_JOBS_H
#define TESTS_UNIT_CONTROLLER_INGEST_JOBS_H
#include "tests/unit/controller/ingest_help.h"

#include <fcntl.h>

#include "controller/ingest_own.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

static const struct ulid group = { { 9, 9, 9 } };

/* A job as the controller queues it. */
static inline void
put_job(struct desk *d, const char *id, const struct ulid *host,
    Rec__JobKind kind, bool accepted)
{
	struct store_tx *tx = fixture_write(&d->f);
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j.id = id_bytes(&u);
	j.host_id = id_bytes(host);
	j.group_id = id_bytes(&group);
	j.group_name = text("default");
	j.kind = kind;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = j.sent_at_ms = 1;
	j.accepted_at_ms = accepted ? 1 : 0;
	job_store_put(tx, &j);
	fixture_commit(tx);
}

static inline void
put_group(struct desk *d)
{
	struct store_tx *tx = fixture_write(&d->f);
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;

	g.id = id_bytes(&group);
	g.host_id = id_bytes(&d->host);
	g.name = text("default");
	plan_store_put(tx, &g);
	fixture_commit(tx);
}

static inline void
hello(struct desk *d, uint64_t next, const char *running)
{
	uint64_t resume = 0;

	assert_rc(desk_hello(d, 1, next, running, &resume), RC_OK);
	assert_int_equal(resume, d->told.acked + 1);
}

static inline void
start_job(struct desk *d)
{
	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 2), RC_OK);
	desk_run_to(d, 2);
}
#endif
