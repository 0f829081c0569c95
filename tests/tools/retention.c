/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lib/base/keep decides, for comparison with restic:
 *   retention LAST HOURLY DAILY WEEKLY MONTHLY YEARLY <snapshots
 * A snapshot a line, "MILLISECONDS OFFSET_S ID"; prints "ID REASON..." of each
 * that stays, with restic's words for the reasons. */
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/keep.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	SNAPSHOTS_MAX = 10000,
	INPUT_MAX = 4 << 20,
	ID_CAP = 65
};

struct snapshots {
	struct keep_item items[SNAPSHOTS_MAX];
	char ids[SNAPSHOTS_MAX][ID_CAP];
	size_t n;
};

static bool
take(struct snapshots *s, struct str line)
{
	struct keep_item *it = &s->items[s->n];
	struct str time, offset, id;
	int64_t seconds;

	if (s->n == SNAPSHOTS_MAX || !str_cut(line, ' ', &time, &line) ||
	    !str_cut(line, ' ', &offset, &id) ||
	    !str_i64(time, 0, INT64_MAX, &it->time_ms) ||
	    !str_i64(offset, -86400, 86400, &seconds) ||
	    !str_copy(s->ids[s->n], ID_CAP, id))
		return false;
	it->utc_offset_s = (int32_t)seconds;
	it->id = s->ids[s->n++];
	return true;
}

static void
print(const struct keep_item *it)
{
	size_t i;

	if (it->reasons == 0)
		return;
	printf("%s", it->id);
	for (i = 0; i < KEEP_RULE_COUNT; i++)
		if ((it->reasons & 1U << i) != 0)
			printf("%s%s snapshot",
			    (it->oldest & 1U << i) != 0 ? "\toldest " : "\t",
			    keep_rule_name((enum keep_rule)i));
	printf("\n");
}

int
main(int argc, char **argv)
{
	struct keep_policy policy = { { 0 } };
	struct snapshots *s = MEM_NEW(struct snapshots);
	struct str rest, line;
	struct buf in;
	char *room;
	uint64_t n;
	size_t i;

	buf_init(&in, INPUT_MAX);
	room = buf_reserve(&in, INPUT_MAX - 1);
	if (argc != KEEP_RULE_COUNT + 1 || room == NULL)
		return 2;
	for (i = 0; i < KEEP_RULE_COUNT; i++) {
		if (!str_u64(str_of(argv[i + 1]), UINT32_MAX, &n))
			return 2;
		policy.n[i] = (uint32_t)n;
	}
	buf_added(&in, fread(room, 1, INPUT_MAX - 1, stdin));
	rest = buf_str(&in);
	while (str_next(&rest, '\n', &line))
		if (line.n > 0 && !take(s, line))
			return 2;
	(void)keep_apply(&policy, s->items, s->n);
	for (i = 0; i < s->n; i++)
		print(&s->items[i]);
	buf_fini(&in);
	mem_free(s);
	return 0;
}
