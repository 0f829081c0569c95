/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/copy_mark.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/json.h"

enum {
	PATH_CAP = 3072,
	TEXT_MAX = 4096
};

static enum rc
mark_path(const char *dir, char path[PATH_CAP], struct err *e)
{
	if (fsio_join(path, PATH_CAP, dir, "copy.json") != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
	return RC_OK;
}

enum rc
copy_mark_read(const char *dir, struct copy_mark *out, struct err *e)
{
	struct json *doc = NULL;
	char path[PATH_CAP];
	struct str at;
	struct buf b;
	enum rc rc;

	*out = (struct copy_mark){ 0 };
	if ((rc = mark_path(dir, path, e)) != RC_OK)
		return rc;
	buf_init(&b, TEXT_MAX);
	rc = fsio_read(path, &b, e);
	if (rc == RC_OK && (rc = json_parse(buf_str(&b), &doc, e)) != RC_OK)
		rc = err_wrap(e, "%s", path);
	if (rc == RC_OK) {
		at = json_text(doc, "copied_at");
		if (at.n > 0 && !clock_parse(at, &out->copied_at_ms))
			rc = err_set(e, RC_CORRUPT, "%s: copied_at is no time",
			    path);
	}
	json_free(doc);
	buf_fini(&b);
	return rc;
}

enum rc
copy_mark_write(const char *dir, const struct copy_mark *m, struct err *e)
{
	char path[PATH_CAP];
	struct json_out j;
	struct buf b;
	enum rc rc;

	if ((rc = mark_path(dir, path, e)) != RC_OK)
		return rc;
	buf_init(&b, TEXT_MAX);
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put_time(&j, "copied_at", m->copied_at_ms);
	json_obj_end(&j);
	buf_puts(&b, "\n");
	rc = fsio_replace(path, buf_str(&b), 0640, e);
	buf_fini(&b);
	return rc;
}

enum rc
copy_mark_remove(const char *dir, struct err *e)
{
	char path[PATH_CAP];
	enum rc rc;

	rc = mark_path(dir, path, e);
	return rc == RC_OK ? fsio_remove(path, e) : rc;
}
