/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/template_set.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"

enum {
	PATH_CAP = 4096
};

struct entry {
	struct template t;
	char *name;
	char *source;
};

struct template_set {
	struct entry entries[TEMPLATE_COUNT];
	size_t count;
};

struct load {
	struct template_set *set;
	const char *dir;
};

struct template_set *
template_set_new(void)
{
	return MEM_NEW(struct template_set);
}

static void
entry_fini(struct entry *en)
{
	mem_free(en->t.nodes);
	mem_free(en->name);
	mem_free(en->source);
	memset(en, 0, sizeof(*en));
}

void
template_set_free(struct template_set *set)
{
	size_t i;

	if (set == NULL)
		return;
	for (i = 0; i < set->count; i++)
		entry_fini(&set->entries[i]);
	mem_free(set);
}

enum rc
template_add(struct template_set *set, const char *name, struct str source,
    struct err *e)
{
	struct entry *en = &set->entries[set->count];
	enum rc rc;

	if (set->count == TEMPLATE_COUNT)
		return err_set(e, RC_LIMIT, "template %s: more than %d of them",
		    name, TEMPLATE_COUNT);
	if (template_find(set, str_of(name)) != NULL)
		return err_set(e, RC_CONFLICT, "template %s: exists twice",
		    name);
	en->name = mem_strdup(name);
	en->source = mem_alloc(source.n + 1);
	if (source.n > 0)
		memcpy(en->source, source.p, source.n);
	en->t.name = str_of(en->name);
	rc = template_parse(&en->t, str_from(en->source, source.n), e);
	if (rc == RC_OK)
		set->count++;
	else
		entry_fini(en);
	return rc;
}

static enum rc
link_one(const struct template_set *set, struct template *t, bool strict,
    struct err *e)
{
	size_t i;

	for (i = 0; i < t->count; i++) {
		struct template_node *n = &t->nodes[i];

		if (n->dynamic ||
		    (n->op != TEMPLATE_PARTIAL && n->op != TEMPLATE_PARENT))
			continue;
		n->target = template_find(set, n->name);
		if (n->target == NULL && strict)
			return err_set(e, RC_NOTFOUND,
			    "template %.*s: there is no template %.*s",
			    STR_ARG(t->name), STR_ARG(n->name));
	}
	return RC_OK;
}

enum rc
template_link(struct template_set *set, bool strict, struct err *e)
{
	enum rc rc;
	size_t i;

	for (i = 0; i < set->count; i++) {
		rc = link_one(set, &set->entries[i].t, strict, e);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc
load_file(void *ctx, const char *file, struct err *e)
{
	const struct load *l = ctx;
	char path[PATH_CAP], name[256];
	const struct str suffix = STR(".mustache");
	struct str stem = str_of(file);
	struct buf source;
	enum rc rc;

	if (!str_ends(stem, suffix))
		return RC_OK;
	stem.n -= suffix.n;
	if (!str_copy(name, sizeof(name), stem))
		return err_set(e, RC_LIMIT, "%s: the name is too long", file);
	rc = fsio_join(path, sizeof(path), l->dir, file);
	if (rc != RC_OK)
		return err_set(e, rc, "%s/%s: the path is too long", l->dir,
		    file);
	buf_init(&source, TEMPLATE_MAX);
	rc = fsio_read(path, &source, e);
	if (rc == RC_OK)
		rc = template_add(l->set, name, buf_str(&source), e);
	buf_fini(&source);
	return rc;
}

enum rc
template_load(struct template_set *set, const char *dir, struct err *e)
{
	struct load l = { set, dir };
	enum rc rc =
	    fsio_walk(dir, (size_t)4 * TEMPLATE_COUNT, load_file, &l, e);

	return rc != RC_OK ? rc : template_link(set, true, e);
}

const struct template *
template_find(const struct template_set *set, struct str name)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (str_eq(set->entries[i].t.name, name))
			return &set->entries[i].t;
	}
	return NULL;
}
