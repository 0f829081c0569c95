/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * restic's documents: `snapshots --json`, `stats --json` and the version
 * line.  Every snapshot that is let through has a full id and texts that may
 * travel in a protobuf string, and all of them fit into events.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "agent/events.h"
#include "agent/report.h"
#include "agent/restic.h"
#include "spool/queue.h"

enum {
	INPUT_MAX = 1 << 18,
	EVENT_ROOM = 128 /* number and time, put in front by the queue */
};

struct parts {
	size_t n, snapshots;
	bool last;
};

static void
check_text(const char *z)
{
	ASSERT(str_utf8_ok(str_of(z)));
}

static void
check_snapshot(const Wire__Snapshot *s)
{
	size_t i;

	ASSERT(strlen(s->id) == 64);
	ASSERT(strlen(s->short_id) <= 64);
	check_text(s->id);
	check_text(s->hostname);
	for (i = 0; i < s->n_paths; i++)
		check_text(s->paths[i]);
	for (i = 0; i < s->n_tags; i++)
		check_text(s->tags[i]);
}

/* Linked instead of the agent's: what is reported ends here. */
void
events_put(struct events *ev, const Wire__Event *e, bool now)
{
	struct parts *p = (struct parts *)(void *)ev;
	size_t i;

	(void)now;
	ASSERT(
	    wire__event__get_packed_size(e) + EVENT_ROOM <= QUEUE_RECORD_MAX);
	if (e->body_case != WIRE__EVENT__BODY_SNAPSHOTS)
		return;
	ASSERT(!p->last);
	ASSERT(e->snapshots->n == p->n++);
	p->last = e->snapshots->last;
	p->snapshots += e->snapshots->n_snapshots;
	for (i = 0; i < e->snapshots->n_snapshots; i++)
		check_snapshot(e->snapshots->snapshots[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct report_list list = { .looked_for = "01234567" };
	struct str text = str_from(data, n);
	struct parts parts = { 0 };
	Wire__RepoStats stats = WIRE__REPO_STATS__INIT;
	struct restic_lock lock;
	struct restic r = { 0 };
	struct err e = { 0 };
	char id[65];
	enum rc rc;

	if (n > INPUT_MAX)
		return 0;
	rc = report_snapshots((struct events *)(void *)&parts, text, &list, &e);
	ASSERT(rc == RC_OK || (e.rc == rc && e.msg[0] != '\0'));
	ASSERT(rc == RC_OK ? parts.last && parts.snapshots == list.count
	                   : parts.n == 0);
	ASSERT(!list.found || strlen(list.full_id) == 64);
	e = (struct err){ 0 };
	rc = restic_read_stats(text, &stats, &e);
	ASSERT(rc == RC_OK || (e.rc == rc && e.msg[0] != '\0'));
	rc = restic_read_lock(text, &lock, &e);
	ASSERT(rc != RC_OK || lock.time_ms >= 0);
	rc = restic_read_config(text, id, &e);
	ASSERT(rc != RC_OK || strlen(id) == 64);
	if (restic_parse_version(text, &r))
		ASSERT(r.number < 1000000 && r.version[0] != '\0');
	return 0;
}
