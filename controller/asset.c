/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/asset.h"

#include <sys/stat.h>

#include "controller/controller.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"

enum {
	FILES_MAX = 500,
	FILE_BYTES_MAX = 4 << 20,
	TOTAL_BYTES_MAX = 32 << 20,
	DEPTH_MAX = 3,
	PATH_CAP = 1024,
	ETAG_CAP = 36
};

struct asset {
	struct buf body;
	const char *type;
	char etag[ETAG_CAP];
};

struct asset_set {
	struct map *by_path; /* below www/static, "fonts/inter.woff2" */
	size_t bytes;
};

/* clang-format off */
static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".css",   "text/css; charset=utf-8" },
	{ ".js",    "text/javascript; charset=utf-8" },
	{ ".svg",   "image/svg+xml" },
	{ ".png",   "image/png" },
	{ ".ico",   "image/x-icon" },
	{ ".woff2", "font/woff2" },
	{ ".txt",   "text/plain; charset=utf-8" },
	{ ".webmanifest", "application/manifest+json" },
};
/* clang-format on */

/* Files of other kinds (sources, notes) are not served. */
static const char *
type_of(struct str name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		if (str_ends(name, str_of(types[i].suffix)))
			return types[i].type;
	}
	return NULL;
}

struct walk {
	struct asset_set *set;
	const char *dir; /* on disk */
	const char *sub; /* below www/static, "" or "fonts/" */
	unsigned depth;
};

static void
asset_free(struct asset *a)
{
	buf_fini(&a->body);
	mem_free(a);
}

static enum rc
add_file(struct asset_set *s, const char *path, const char *key, struct err *e)
{
	const char *type = type_of(str_of(key));
	struct asset *a;
	uint8_t hash[CRYPT_HASH_SIZE];
	char hex[33];
	enum rc rc;

	if (type == NULL)
		return RC_OK;
	a = MEM_NEW(struct asset);
	a->type = type;
	buf_init(&a->body, FILE_BYTES_MAX);
	rc = fsio_read(path, &a->body, e);
	if (rc == RC_OK && (s->bytes + a->body.len > TOTAL_BYTES_MAX ||
	                       map_count(s->by_path) >= FILES_MAX))
		rc = err_set(e, RC_LIMIT, "%s: too many static files", path);
	if (rc != RC_OK) {
		asset_free(a);
		return rc;
	}
	s->bytes += a->body.len;
	crypt_sha256(buf_str(&a->body), hash);
	str_hex(hash, 16, hex, sizeof(hex));
	ASSERT(str_fmt(a->etag, sizeof(a->etag), "\"%s\"", hex));
	map_put(s->by_path, str_of(key), a);
	return RC_OK;
}

static enum rc
asset_on_name(void *ctx, const char *name, struct err *e)
{
	const struct walk *w = ctx;
	char path[PATH_CAP], key[PATH_CAP];
	struct walk below = { w->set, path, key, w->depth + 1 };
	struct stat st;

	if (name[0] == '.')
		return RC_OK;
	if (fsio_join(path, sizeof(path), w->dir, name) != RC_OK ||
	    !str_fmt(key, sizeof(key), "%s%s", w->sub, name))
		return err_set(e, RC_LIMIT, "%s: the path is too long", name);
	if (stat(path, &st) != 0)
		return RC_OK;
	if (S_ISREG(st.st_mode))
		return add_file(w->set, path, key, e);
	if (!S_ISDIR(st.st_mode) || below.depth > DEPTH_MAX)
		return RC_OK;
	if (!str_fmt(key, sizeof(key), "%s%s/", w->sub, name))
		return err_set(e, RC_LIMIT, "%s: the path is too long", name);
	return fsio_walk(path, FILES_MAX, asset_on_name, &below, e);
}

enum rc
asset_set_new(const char *assets_dir, struct asset_set **out, struct err *e)
{
	struct asset_set *s = MEM_NEW(struct asset_set);
	char dir[PATH_CAP];
	struct walk w = { s, dir, "", 0 };
	enum rc rc;

	s->by_path = map_new();
	rc = fsio_join(dir, sizeof(dir), assets_dir, "www/static");
	if (rc != RC_OK)
		(void)err_set(e, rc, "RM_BUNDLED_ASSETS_DIR is too long");
	else if ((rc = fsio_walk(dir, FILES_MAX, asset_on_name, &w, e)) !=
	         RC_OK)
		(void)err_wrap(e, "static files (RM_BUNDLED_ASSETS_DIR)");
	if (rc != RC_OK) {
		asset_set_free(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

void
asset_set_free(struct asset_set *s)
{
	size_t pos = 0;
	struct str key;
	void *value;

	if (s == NULL)
		return;
	while (map_next(s->by_path, &pos, &key, &value))
		asset_free(value);
	map_free(s->by_path);
	mem_free(s);
}

static struct str
opaque(struct str tag)
{
	tag = str_trim(tag);
	return str_starts(tag, STR("W/")) ? str_sub(tag, 2, tag.n) : tag;
}

bool
asset_etag_matches(struct str if_none_match, struct str etag)
{
	struct str tag;

	while (str_next(&if_none_match, ',', &tag)) {
		if (str_eq(opaque(tag), opaque(etag)) ||
		    str_eqz(str_trim(tag), "*"))
			return true;
	}
	return false;
}

static void
asset_on_sent(void *ctx)
{
	(void)ctx; /* the set outlives the listeners */
}

void
asset_get(struct req *r)
{
	const struct asset *a = map_get(r->ctl->assets->by_path, r->vars[0]);
	struct err e;

	if (a == NULL) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such file");
		req_fail(r, &e);
		return;
	}
	req_add_field(r, "etag", a->etag);
	req_add_field(r, "cache-control", "public, no-cache");
	if (asset_etag_matches(exch_field(r->x, "if-none-match"),
	        str_of(a->etag)))
		req_empty(r, 304);
	else
		req_lent(r, 200, a->type, buf_str(&a->body), asset_on_sent,
		    NULL);
}
