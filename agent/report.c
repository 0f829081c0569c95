/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/report.h"

#include <string.h>

#include "agent/events.h"
#include "agent/restic.h"
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"

enum {
	REPORT_ARENA_MAX = 512 << 20,
	REPORT_PART_BYTES = 48 * 1024,  /* an event holds 64 KiB */
	REPORT_TEXTS_BYTES = 16 * 1024, /* paths or tags of one snapshot */
	REPORT_NAME_BYTES = 255
};

/* The whole list is read before anything is sent: half a list must not
 * replace a good one. */
struct report {
	struct arena arena;
	struct report_list *list;
	Wire__Snapshot **all;
	size_t n, cap;
};

/* Drops what is too much for one event from the end of the texts. */
static void
report_fit(size_t *n, char **texts)
{
	size_t i, bytes = 0;

	for (i = 0; i < *n; i++) {
		bytes += strlen(texts[i]) + 4;
		if (bytes > REPORT_TEXTS_BYTES)
			break;
	}
	*n = i;
}

/* Cuts behind a whole character. */
static void
report_cut(char *text, size_t max)
{
	size_t i = 0, n;

	while (text[i] != '\0') {
		n = str_utf8_len(str_of(text + i));
		if (n == 0 || i + n > max)
			break;
		i += n;
	}
	text[i] = '\0';
}

static void
report_on_snapshot(void *ctx, const Wire__Snapshot *s)
{
	struct report *r = ctx;
	size_t looked = strlen(r->list->looked_for);
	Wire__Snapshot *copy = arena_alloc(&r->arena, sizeof(*copy));

	if (looked >= 8 && strncmp(s->id, r->list->looked_for, looked) == 0) {
		r->list->found = true;
		memcpy(r->list->full_id, s->id, sizeof(r->list->full_id));
	}
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : r->cap * 2;
		r->all = mem_realloc(r->all, r->cap * sizeof(*r->all));
	}
	if (copy == NULL)
		return; /* the arena's own error stops the walk */
	*copy = *s;
	report_cut(copy->hostname, REPORT_NAME_BYTES);
	report_cut(copy->short_id, 8);
	report_fit(&copy->n_paths, copy->paths);
	report_fit(&copy->n_tags, copy->tags);
	r->all[r->n++] = copy;
}

static void
report_send(struct events *ev, struct report *r)
{
	Wire__SnapshotsPart part = WIRE__SNAPSHOTS_PART__INIT;
	Wire__Event event = WIRE__EVENT__INIT;
	char id_text[ULID_TEXT_CAP];
	size_t from = 0, n, bytes;
	struct ulid id;

	ulid_new(&id);
	ulid_text(&id, id_text);
	event.body_case = WIRE__EVENT__BODY_SNAPSHOTS;
	event.snapshots = &part;
	part.report_id = id_text;
	do {
		for (n = 0, bytes = 0; from + n < r->n; n++) {
			bytes += 8 + wire__snapshot__get_packed_size(
			                 r->all[from + n]);
			if (n > 0 && bytes > REPORT_PART_BYTES)
				break;
		}
		part.snapshots = r->all == NULL ? NULL : r->all + from;
		part.n_snapshots = n;
		from += n;
		part.last = from == r->n;
		events_put(ev, &event, false);
		part.n++;
	} while (!part.last);
}

enum rc
report_snapshots(struct events *ev, struct str document,
    struct report_list *list, struct err *e)
{
	struct report r = { .list = list };
	enum rc rc;

	arena_init(&r.arena, REPORT_ARENA_MAX);
	rc = restic_read_snapshots(document, &r.arena, report_on_snapshot, &r,
	    e);
	if (rc == RC_OK) {
		list->count = r.n;
		report_send(ev, &r);
	}
	mem_free(r.all);
	arena_fini(&r.arena);
	return rc;
}

void
report_stats(struct events *ev, struct Wire__RepoStats *stats)
{
	Wire__Event event = WIRE__EVENT__INIT;

	event.body_case = WIRE__EVENT__BODY_REPO_STATS;
	event.repo_stats = stats;
	events_put(ev, &event, false);
}
