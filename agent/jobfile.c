/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/jobfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

enum {
	JOBFILE_MAX = 100000, /* files in the directory */
	JOBFILE_BYTES = 65536
};

/* No path is longer: settings.c bounds state_dir. */
#define JOBFILE_PATH_CAP 3990

static bool
jobfile_path(char *dst, const char *dir, const struct ulid *id)
{
	char name[ULID_TEXT_CAP];

	ulid_text(id, name);
	return fsio_join(dst, JOBFILE_PATH_CAP, dir, name) == RC_OK;
}

static void
jobfile_spare_name(char dst[16], unsigned i)
{
	ASSERT(str_fmt(dst, 16, "spare-%u", i));
}

/* A spare file under the job's name, or the job's own one again. */
static bool
jobfile_take_room(const char *dir, const struct ulid *id)
{
	char name[ULID_TEXT_CAP], spare[16];
	int d = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	unsigned i;

	if (d < 0)
		return false;
	ulid_text(id, name);
	found = faccessat(d, name, F_OK, 0) == 0;
	for (i = 0; !found && i < JOBFILE_SPARES; i++) {
		jobfile_spare_name(spare, i);
		found = renameat(d, spare, d, name) == 0;
	}
	close(d);
	return found;
}

/* In place, where the blocks are.  Torn by a crash it counts as accepted and
 * not ended, which is true or harmless. */
static enum rc
jobfile_write_in_place(const char *dir, const char *path, struct str data,
    struct err *e)
{
	enum rc rc = RC_OK;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "cannot open %s", path);
	if (pwrite(fd, data.p, data.n, 0) != (ssize_t)data.n ||
	    ftruncate(fd, (off_t)data.n) != 0 || fsync(fd) != 0)
		rc = err_errno(e, errno, "cannot write %s", path);
	close(fd);
	return rc == RC_OK ? fsio_sync_dir(dir, e) : rc;
}

/* protobuf-c has no const; packing does not write. */
static ProtobufCBinaryData
jobfile_bytes(struct str s)
{
	return (ProtobufCBinaryData){ s.n, (uint8_t *)(uintptr_t)s.p };
}

enum rc
jobfile_write(const char *dir, const struct jobfile *f, struct err *e)
{
	Rec__AgentJob rec = REC__AGENT_JOB__INIT;
	char path[JOBFILE_PATH_CAP];
	uint8_t *bytes;
	struct str data;
	enum rc rc;

	if (!jobfile_path(path, dir, &f->id))
		return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
	rec.accepted_at_ms = f->accepted_ms;
	rec.ended = f->ended;
	rec.ended_at_ms = f->ended_ms;
	rec.began = jobfile_bytes(f->began);
	rec.end = jobfile_bytes(f->end);
	bytes = mem_alloc(rec__agent_job__get_packed_size(&rec) + 1);
	data = str_from(bytes, rec__agent_job__pack(&rec, bytes));
	rc = fsio_replace(path, data, 0600, e);
	if (rc == RC_FULL && jobfile_take_room(dir, &f->id)) {
		rec.began = (ProtobufCBinaryData){ 0 };
		if (rec__agent_job__get_packed_size(&rec) > JOBFILE_SPARE_BYTES)
			rec.end = rec.began;
		data = str_from(bytes, rec__agent_job__pack(&rec, bytes));
		rc = jobfile_write_in_place(dir, path, data, e);
	}
	mem_free(bytes);
	return rc;
}

/* False: there is no room. */
static bool
jobfile_make_spare(int dir, const char *name)
{
	int fd =
	    openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return errno == EEXIST;
	ok = posix_fallocate(fd, 0, JOBFILE_SPARE_BYTES) == 0;
	if (!ok)
		(void)unlinkat(dir, name, 0);
	close(fd);
	return ok;
}

void
jobfile_make_spares(const char *dir)
{
	int d = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[16];
	unsigned i;

	if (d < 0)
		return;
	for (i = 0; i < JOBFILE_SPARES; i++) {
		jobfile_spare_name(name, i);
		if (!jobfile_make_spare(d, name))
			break;
	}
	close(d);
}

/* -------------------------------------------------------------- loading */

struct jobfile_walk {
	const char *dir;
	int64_t since_ms;
	jobfile_fn *fn;
	void *ctx;
};

static void
jobfile_fill(const Rec__AgentJob *rec, struct jobfile *f)
{
	f->accepted_ms = rec->accepted_at_ms;
	f->ended = rec->ended;
	f->ended_ms = rec->ended_at_ms;
	f->began = str_from(rec->began.data, rec->began.len);
	f->end = str_from(rec->end.data, rec->end.len);
}

static enum rc
jobfile_read(const struct jobfile_walk *w, const char *path, struct jobfile *f,
    struct err *e)
{
	Rec__AgentJob *rec = NULL;
	enum rc rc = RC_OK;
	struct buf b;

	buf_init(&b, JOBFILE_BYTES);
	if (fsio_read(path, &b, NULL) == RC_OK)
		rec = rec__agent_job__unpack(NULL, b.len,
		    (const uint8_t *)buf_text(&b));
	if (rec != NULL)
		jobfile_fill(rec, f);
	if (f->ended && f->ended_ms < w->since_ms)
		rc = fsio_remove(path, e);
	else
		w->fn(w->ctx, f);
	if (rec != NULL)
		rec__agent_job__free_unpacked(rec, NULL);
	buf_fini(&b);
	return rc;
}

static enum rc
jobfile_load_one(void *ctx, const char *name, struct err *e)
{
	const struct jobfile_walk *w = ctx;
	struct jobfile f = { .ended = false };
	char path[JOBFILE_PATH_CAP];

	if (!ulid_parse(str_of(name), &f.id) ||
	    !jobfile_path(path, w->dir, &f.id))
		return RC_OK;
	return jobfile_read(w, path, &f, e);
}

enum rc
jobfile_get(const char *dir, const struct ulid *id, jobfile_fn *fn, void *ctx,
    struct err *e)
{
	struct jobfile_walk w = { dir, INT64_MIN, fn, ctx };
	struct jobfile f = { .id = *id };
	char path[JOBFILE_PATH_CAP];

	if (!jobfile_path(path, dir, id))
		return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
	if (access(path, F_OK) != 0)
		return err_errno(e, errno, "%s", path);
	return jobfile_read(&w, path, &f, e);
}

enum rc
jobfile_load(const char *dir, int64_t since_ms, jobfile_fn *fn, void *ctx,
    struct err *e)
{
	struct jobfile_walk w = { dir, since_ms, fn, ctx };

	return fsio_walk(dir, JOBFILE_MAX, jobfile_load_one, &w, e);
}
