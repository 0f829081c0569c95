/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/asset.h"
#include "controller/controller.h"
#include "controller/req.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json_doc.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	FILE_BYTES_MAX = 64 << 20,
	LOADING_MAX = 8, /* a file each, in the pool */
	PLACES_MAX = 3,
	PATH_CAP = 1200,
	NAME_CAP = 64,
	WORD_MAX = 16,
	HEX_CAP = 2 * CRYPT_HASH_SIZE + 1,
	NOT_FOUND = 404
};

/* Which file it is, so that a replaced one is noticed. */
struct identity {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

/* A file in memory; it goes with its last reader. */
struct file {
	struct publish *owner;
	struct identity id;
	struct buf body;
	char name[NAME_CAP];
	char sha256[HEX_CAP];
	unsigned readers;
};

struct publish {
	struct map *files; /* name -> the newest struct file */
	unsigned loading;
};

/* request -> pool: find, compare, read -> answer */
struct fetch {
	struct req *req;
	bool checksum; /* asked for its hash alone */
	char name[NAME_CAP];
	char paths[PLACES_MAX][PATH_CAP];
	struct file *known; /* held, or NULL */
	/* the pool's */
	bool same; /* known is what is on disk */
	struct identity id;
	struct buf body;
	char sha256[HEX_CAP];
	struct err err;
};

struct publish *
publish_new(void)
{
	struct publish *p = MEM_NEW(struct publish);

	p->files = map_new();
	return p;
}

void
publish_free(struct publish *p)
{
	if (p == NULL)
		return;
	ASSERT(map_count(p->files) == 0); /* the listeners went before */
	map_free(p->files);
	mem_free(p);
}

static void
publish_on_sent(void *ctx)
{
	struct file *f = ctx;

	if (--f->readers > 0)
		return;
	if (map_get(f->owner->files, str_of(f->name)) == f)
		(void)map_del(f->owner->files, str_of(f->name));
	buf_fini(&f->body);
	mem_free(f);
}

/* ---------------------------------------------------------------- the pool */

static struct identity
identity_of(const struct stat *st)
{
	return (struct identity){ st->st_dev, st->st_ino, st->st_size,
		st->st_mtim };
}

static bool
identity_eq(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The first of the places that has it; -1: none, and err says why. */
static int
open_first(struct fetch *f, struct stat *st)
{
	size_t i;
	int fd;

	for (i = 0; i < PLACES_MAX && f->paths[i][0] != '\0'; i++) {
		fd = open(f->paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0) {
			(void)err_errno(&f->err, errno, "cannot open %s",
			    f->paths[i]);
			return -1;
		}
		if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
			return fd;
		(void)close(fd);
	}
	(void)err_set(&f->err, RC_NOTFOUND, "%s is not published here",
	    f->name);
	return -1;
}

static void
read_all(struct fetch *f, int fd)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	ssize_t n = 1;
	char *room;

	if (f->id.size > FILE_BYTES_MAX) {
		(void)err_set(&f->err, RC_LIMIT, "%s is larger than %d bytes",
		    f->name, FILE_BYTES_MAX);
		return;
	}
	while (n > 0 && (room = buf_reserve(&f->body, KIB(256))) != NULL) {
		n = read(fd, room, KIB(256));
		if (n > 0)
			buf_added(&f->body, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		(void)err_errno(&f->err, errno, "cannot read %s", f->name);
	else if (buf_rc(&f->body) != RC_OK)
		(void)err_set(&f->err, RC_LIMIT, "%s grew while it was read",
		    f->name);
	crypt_sha256(buf_str(&f->body), hash);
	str_hex(hash, sizeof(hash), f->sha256, sizeof(f->sha256));
}

static void
publish_on_load(void *ctx)
{
	struct fetch *f = ctx;
	struct stat st;
	int fd = open_first(f, &st);

	if (fd < 0)
		return;
	f->id = identity_of(&st);
	f->same = f->known != NULL && identity_eq(&f->known->id, &f->id);
	if (!f->same)
		read_all(f, fd);
	(void)close(fd);
}

/* ---------------------------------------------------------------- the loop */

/* Both forms of an error: scripts for the predecessor look at "error". */
static void
fail(struct req *r, const struct err *e)
{
	struct json_doc doc;

	if (e->rc != RC_NOTFOUND) {
		req_fail(r, e);
		return;
	}
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "error", "binary_not_published");
	json_put(&doc.j, "code", "binary_not_published");
	json_put(&doc.j, "message", e->msg);
	req_doc(r, NOT_FOUND, &doc);
	json_doc_fini(&doc);
}

/* What was read becomes the file that others share. */
static struct file *
keep(struct fetch *f)
{
	struct publish *p = f->req->ctl->publish;
	struct file *file = MEM_NEW(struct file);

	file->owner = p;
	file->id = f->id;
	file->body = f->body;
	file->readers = 1;
	buf_init(&f->body, FILE_BYTES_MAX);
	memcpy(file->name, f->name, sizeof(file->name));
	memcpy(file->sha256, f->sha256, sizeof(file->sha256));
	(void)map_put(p->files, str_of(file->name), file);
	return file;
}

static const char *
type_of(struct str name)
{
	return str_ends(name, STR(".sh")) || str_ends(name, STR(".ps1")) ||
	               str_ends(name, STR(".service"))
	           ? "text/plain; charset=utf-8"
	           : "application/octet-stream";
}

static void
answer_checksum(struct fetch *f, struct file *file)
{
	req_text(f->req, 200, "text/plain; charset=utf-8",
	    str_of(arena_printf(&f->req->arena, "%s  %s\n", file->sha256,
	        file->name)));
	publish_on_sent(file);
}

static void
answer(struct fetch *f, struct file *file)
{
	struct req *r = f->req;
	const char *etag = arena_printf(&r->arena, "\"%s\"", file->sha256);

	req_add_field(r, "etag", etag);
	req_add_field(r, "x-content-sha256", file->sha256);
	req_add_field(r, "cache-control", "public, no-cache");
	if (asset_etag_matches(exch_field(r->x, "if-none-match"),
	        str_of(etag))) {
		req_empty(r, 304);
		publish_on_sent(file);
		return;
	}
	req_lent(r, 200, type_of(str_of(file->name)), buf_str(&file->body),
	    publish_on_sent, file);
}

static void
publish_on_loaded(void *ctx)
{
	struct fetch *f = ctx;
	struct req *r = f->req;
	struct file *file = f->known;

	r->ctl->publish->loading--;
	if (f->err.rc == RC_OK && !f->same) {
		if (f->known != NULL)
			publish_on_sent(f->known);
		file = keep(f);
	}
	if (r->x == NULL || f->err.rc != RC_OK) {
		if (file != NULL)
			publish_on_sent(file);
		if (r->x != NULL)
			fail(r, &f->err);
	} else if (f->checksum) {
		answer_checksum(f, file);
	} else {
		answer(f, file);
	}
	buf_fini(&f->body);
	mem_free(f);
	req_release(r);
}

/* Names are ours or a few plain characters: none leads out of a folder. */
static bool
plain(struct str s, size_t max)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (i == 0 || (c != '-' && c != '.' && c != '_')))
			return false;
	}
	return s.n > 0 && s.n <= max;
}

struct place {
	const char *dir, *sub;
};

static void
start(struct req *r, const char *name, const struct place *places,
    bool checksum)
{
	struct publish *p = r->ctl->publish;
	struct fetch *f = MEM_NEW(struct fetch);
	size_t i;

	ASSERT(str_fmt(f->name, sizeof(f->name), "%s", name));
	for (i = 0; i < PLACES_MAX && places[i].dir != NULL; i++)
		if (!str_fmt(f->paths[i], PATH_CAP, "%s/%s/%s", places[i].dir,
		        places[i].sub, name))
			f->paths[i][0] = '\0';
	f->req = r;
	f->checksum = checksum;
	buf_init(&f->body, FILE_BYTES_MAX);
	f->known = map_get(p->files, str_of(f->name));
	if (f->known != NULL)
		f->known->readers++;
	p->loading++;
	req_hold(r);
	loop_work(r->ctl->loop, publish_on_load, publish_on_loaded, f);
}

static bool
admitted(struct req *r)
{
	struct err e;

	if (r->ctl->publish->loading < LOADING_MAX)
		return true;
	(void)err_set(&e, RC_BUSY, "too many downloads begin at once");
	req_add_field(r, "retry-after", "2");
	req_fail(r, &e);
	return false;
}

static void
not_published(struct req *r)
{
	struct err e;

	(void)err_set(&e, RC_NOTFOUND, "nothing of that name is published");
	fail(r, &e);
}

void
publish_install(struct req *r)
{
	static const char unit[] = "restic-manager-agent.service";
	const struct settings *s = &r->ctl->settings;
	bool is_unit = str_eqz(r->vars[0], unit);
	const struct place places[PLACES_MAX] = {
		{ s->data_dir, "install" },
		{ s->assets_dir, "install" },
		{ is_unit ? s->assets_dir : NULL, "systemd" },
	};

	if (!plain(r->vars[0], NAME_CAP - 1))
		not_published(r);
	else if (admitted(r))
		start(r, arena_str(&r->arena, r->vars[0]), places, false);
}

static void
binary(struct req *r, bool checksum)
{
	const struct settings *s = &r->ctl->settings;
	const struct place places[PLACES_MAX] = {
		{ s->data_dir, "agent-binaries" },
		{ s->assets_dir, "agent-binaries" },
	};
	struct str os = req_query(r, "os"), arch = req_query(r, "arch");

	if (!plain(os, WORD_MAX) || !plain(arch, WORD_MAX))
		not_published(r);
	else if (admitted(r))
		start(r,
		    arena_printf(&r->arena, "restic-manager-agent-%.*s-%.*s%s",
		        STR_ARG(os), STR_ARG(arch),
		        str_eqz(os, "windows") ? ".exe" : ""),
		    places, checksum);
}

void
publish_binary(struct req *r)
{
	binary(r, false);
}

void
publish_checksum(struct req *r)
{
	binary(r, true);
}
