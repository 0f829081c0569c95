/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lines as a restic might print them: first byte the step and the stream,
 * then the output of a whole run.  Counters only grow, words are short, and
 * whatever was said is judged: green only with a snapshot and no complaint.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "agent/outcome.h"
#include "agent/restic.h"
#include "lib/base/buf.h"

enum {
	INPUT_MAX = 1 << 17,
	WORDS_MAX = 20000
};

static void
check_kept(const struct restic_seen *s)
{
	ASSERT(memchr(s->fatal, '\0', sizeof(s->fatal)) != NULL);
	ASSERT(memchr(s->reason, '\0', sizeof(s->reason)) != NULL);
	ASSERT(memchr(s->first_error, '\0', sizeof(s->first_error)) != NULL);
	ASSERT(memchr(s->snapshot_id, '\0', sizeof(s->snapshot_id)) != NULL);
	ASSERT(restic_unread(s) >= s->missing);
}

static void
check_progress(const Wire__JobProgress *p)
{
	ASSERT(p->percent_done >= 0 && p->percent_done <= 1);
	ASSERT(p->eta_seconds < 366 * 86400);
}

static void
judge(const struct restic_seen *seen, int exit_code)
{
	struct err none = { 0 };
	struct restic_seen list;
	struct outcome_in in = { .start = &none,
		.exit_code = exit_code,
		.seen = seen,
		.list = &none,
		.list_seen = &list,
		.listed = true };
	struct outcome out;

	restic_seen_init(&list);
	outcome_backup(&in, &out);
	if (strcmp(out.status, "succeeded") == 0 && !out.incomplete)
		ASSERT(exit_code == 0 && seen->snapshot_id[0] != '\0' &&
		       restic_unread(seen) == 0);
	ASSERT(memchr(out.error, '\0', sizeof(out.error)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest, line;
	struct restic_seen seen;
	Wire__JobProgress p;
	enum restic_line kind;
	struct buf words;

	if (n == 0 || n > INPUT_MAX)
		return 0;
	restic_seen_init(&seen);
	buf_init(&words, KIB(64));
	rest = str_from(data + 1, n - 1);
	while (str_next(&rest, '\n', &line)) {
		uint64_t errors = seen.errors + seen.scan_errors;

		wire__job_progress__init(&p);
		buf_reset(&words);
		kind = restic_read_line((enum restic_step)(
		                            data[0] % (RESTIC_UNLOCK + 1)),
		    (data[0] & 128) != 0, line, &seen, &p, &words);
		ASSERT(buf_rc(&words) == RC_OK && words.len <= WORDS_MAX);
		ASSERT((kind == RESTIC_ERROR) ==
		       (seen.errors + seen.scan_errors > errors));
		if (kind == RESTIC_PROGRESS)
			check_progress(&p);
		check_kept(&seen);
	}
	judge(&seen, data[0] & 15);
	buf_fini(&words);
	return 0;
}
