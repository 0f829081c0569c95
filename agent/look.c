/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/look.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/agent.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	LOOK_MS = 60000,
	LOOK_STUCK_MAX = 2, /* of the pool's four threads */
	LOOK_CACHE_ROOM = 64 << 20
};

/* look_start -> (pool) -> look_on_back; the limit or look_leave() in between
 * end it for its owner, and look_on_back only frees. */
struct look {
	struct agent *agent;
	struct loop_timer *limit;
	struct restic known; /* by an earlier look */
	char *restic_path;
	char *state_dir;
	char **paths;
	size_t n;
	atomic_size_t at; /* the path being looked at */
	struct look_seen seen;
	struct err err;
	bool stuck;         /* counted in agent.stuck */
	look_done_fn *done; /* NULL: told, or nobody wants to know */
	void *ctx;
};

static void
look_tell(struct look *k, const struct err *e)
{
	look_done_fn *done = k->done;

	k->done = NULL;
	if (done != NULL)
		done(k->ctx, &k->seen, e);
}

static void
look_free(struct look *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		mem_free(k->paths[i]);
	mem_free(k->paths);
	mem_free(k->restic_path);
	mem_free(k->state_dir);
	loop_timer_free(k->limit);
	mem_free(k);
}

/* ------------------------------------------------------------- the pool */

/* restic gives up when its cache cannot be written; without one it is slower
 * and needs no room. */
static bool
look_lacks_room(const char *dir)
{
	struct statvfs fs;

	return statvfs(dir, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize < LOOK_CACHE_ROOM;
}

static void
look_work(void *ctx)
{
	struct look *k = ctx;
	struct stat st;
	size_t i;

	if (restic_locate_again(&k->known, &k->seen.restic, k->restic_path,
	        &k->err) != RC_OK)
		return;
	k->seen.restic.no_cache = look_lacks_room(k->state_dir);
	for (i = 0; i < k->n; i++) {
		atomic_store(&k->at, i);
		if (lstat(k->paths[i], &st) != 0)
			k->seen.missing++;
	}
}

/* ------------------------------------------------------------- the loop */

static void
look_on_back(void *ctx)
{
	struct look *k = ctx;

	if (k->stuck)
		k->agent->stuck--;
	loop_timer_stop(k->limit);
	look_tell(k, &k->err);
	look_free(k);
}

static void
look_give_up(struct look *k)
{
	k->stuck = true;
	k->agent->stuck++;
	loop_timer_stop(k->limit);
}

static void
look_on_limit(void *ctx)
{
	struct look *k = ctx;
	struct err e = { 0 };

	if (k->n > 0)
		err_code(&e, RC_TIMEOUT, "path_blocked",
		    "source path %.120s does not answer; is it on a network "
		    "mount that is gone?",
		    k->paths[atomic_load(&k->at)]);
	else
		err_code(&e, RC_TIMEOUT, "no_restic",
		    "restic could not be looked for in time");
	look_give_up(k);
	look_tell(k, &e);
}

static void
look_on_refused(void *ctx)
{
	struct look *k = ctx;

	look_tell(k, &k->err);
	look_free(k);
}

void
look_leave(struct look *k)
{
	k->done = NULL;
	if (k->limit != NULL) /* else the pool never had it */
		look_give_up(k);
}

struct look *
look_start(struct agent *a, char *const *paths, size_t n, look_done_fn *done,
    void *ctx)
{
	struct look *k = MEM_NEW(struct look);
	size_t i;

	k->agent = a;
	k->done = done;
	k->ctx = ctx;
	if (a->stuck >= LOOK_STUCK_MAX) {
		err_code(&k->err, RC_BUSY, "path_blocked",
		    "source paths of earlier runs still do not answer; mend "
		    "or unmount the network mounts they are on");
		loop_defer(a->loop, look_on_refused, k);
		return k;
	}
	k->known = a->restic;
	k->state_dir = mem_strdup(a->settings.state_dir);
	if (a->settings.restic_path != NULL)
		k->restic_path = mem_strdup(a->settings.restic_path);
	k->n = n;
	k->paths = mem_array(n, sizeof(*k->paths));
	for (i = 0; i < n; i++)
		k->paths[i] = mem_strdup(paths[i]);
	k->limit = loop_timer_new(a->loop, look_on_limit, k);
	loop_timer_start(k->limit, LOOK_MS, 0);
	loop_work(a->loop, look_work, look_on_back, k);
	return k;
}
