/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads what restic said line by line, and what it should never say. */
#include "tests/unit/agent/restic_data.h"

#include "agent/outcome.h"
#include "agent/restic.h"

struct seen {
	struct restic_seen s;
	size_t count[RESTIC_SILENT + 1];
	Wire__JobProgress progress; /* the latest */
	int exit_code;
	struct buf words;
};

static void
feed(struct seen *seen, enum restic_step step, bool is_stderr, struct str text)
{
	struct str line;
	enum restic_line kind;

	while (str_next(&text, '\n', &line)) {
		wire__job_progress__init(&seen->progress);
		kind = restic_read_line(step, is_stderr, line, &seen->s,
		    &seen->progress, &seen->words);
		seen->count[kind]++;
		if (kind != RESTIC_PROGRESS && kind != RESTIC_SILENT)
			buf_putc(&seen->words, '\n');
	}
}

/* All that one recorded run said. */
static void
seen_load(struct seen *seen, enum restic_step step, const char *version,
    const char *name)
{
	struct buf b;
	uint64_t code = 99;

	*seen = (struct seen){ 0 };
	buf_init(&seen->words, KIB(64));
	restic_seen_init(&seen->s);
	buf_init(&b, MIB(1));
	data_read(version, name, "out", &b);
	feed(seen, step, false, buf_str(&b));
	buf_reset(&b);
	data_read(version, name, "err", &b);
	feed(seen, step, true, buf_str(&b));
	buf_reset(&b);
	data_read(version, name, "rc", &b);
	assert_true(str_u64(str_trim(buf_str(&b)), 255, &code));
	seen->exit_code = (int)code;
	buf_fini(&b);
}

/* How the run is judged when the new snapshot was listed. */
static void
judge(const struct seen *seen, struct outcome *out)
{
	struct err none = { 0 };
	struct restic_seen list;
	struct outcome_in in = { .start = &none,
		.exit_code = seen->exit_code,
		.seen = &seen->s,
		.list = &none,
		.list_seen = &list,
		.listed = true };

	restic_seen_init(&list);
	outcome_backup(&in, out);
}

struct verdict {
	const char *name;
	const char *status;
	const char *cause;
	uint64_t unread;
};

/* restic-facts.md 4.2 and 4.4, on the recorded runs. */
static void
backups_are_judged_alike_by_both_versions(void **state)
{
	static const struct verdict table[] = {
		{ "backup-first", "succeeded", "", 0 },
		{ "backup-unchanged", "succeeded", "", 0 },
		{ "rest-backup", "succeeded", "", 0 },
		{ "backup-unreadable", "succeeded", "unreadable", 2 },
		{ "backup-missing", "succeeded", "missing_path", 1 },
		{ "backup-all-missing", "failed", "missing_path", 0 },
		{ "backup-no-repository", "failed", "no_repository", 0 },
		{ "backup-wrong-password", "failed", "wrong_password", 0 },
		{ "backup-locked", "failed", "locked", 0 },
		{ "backup-sigint", "failed", "restic_failed", 0 },
		{ "rest-backup-refused", "failed", "access_denied", 0 },
		{ "rest-backup-server-down", "failed", "unreachable", 0 },
		{ "unknown-flag", "failed", "restic_failed", 0 },
		{ "no-password", "failed", "restic_failed", 0 },
	};
	struct outcome out;
	struct seen seen;
	size_t i, v;

	(void)state;
	for (v = 0; v < ARRAY_LEN(versions); v++) {
		for (i = 0; i < ARRAY_LEN(table); i++) {
			seen_load(&seen, RESTIC_BACKUP, versions[v],
			    table[i].name);
			judge(&seen, &out);
			print_message("%s %s: %s %s, %s\n", versions[v],
			    table[i].name, out.status, out.cause, out.error);
			assert_string_equal(out.status, table[i].status);
			assert_string_equal(out.cause, table[i].cause);
			assert_int_equal(out.unread, table[i].unread);
			assert_int_equal(out.incomplete, out.unread > 0);
			assert_true(
			    out.error[0] != '\0' || out.cause[0] == '\0');
			assert_false(
			    str_contains(str_of(out.error), STR("\n")));
			buf_fini(&seen.words);
		}
	}
}

static void
init_knows_what_is_there(void **state)
{
	static const struct {
		const char *name;
		bool exists, refused;
	} table[] = {
		{ "init", false, false },
		{ "rest-init", false, false },
		{ "init-again", true, false },
		{ "init-again-wrong-password", true, false },
		{ "rest-init-again", true, false },
		{ "rest-init-refused", false, true },
	};
	struct seen seen;
	size_t i, v;

	(void)state;
	for (v = 0; v < ARRAY_LEN(versions); v++) {
		for (i = 0; i < ARRAY_LEN(table); i++) {
			seen_load(&seen, RESTIC_INIT, versions[v],
			    table[i].name);
			assert_int_equal(seen.s.exists_already,
			    table[i].exists);
			assert_int_equal(seen.s.refused, table[i].refused);
			assert_false(seen.s.no_repository);
			buf_fini(&seen.words);
		}
	}
}

static void
a_summary_becomes_words_and_figures(void **state)
{
	struct seen seen;
	size_t v;

	(void)state;
	for (v = 0; v < ARRAY_LEN(versions); v++) {
		seen_load(&seen, RESTIC_BACKUP, versions[v], "backup-first");
		assert_true(seen.s.has_summary);
		assert_int_equal(seen.count[RESTIC_SUMMARY], 1);
		assert_int_equal(seen.count[RESTIC_TEXT], 0);
		assert_int_equal(seen.s.summary.files_new, 5);
		assert_int_equal(seen.s.summary.dirs_new, 4);
		assert_int_equal(seen.s.summary.total_bytes_processed, 90101);
		assert_true(seen.s.summary.data_added > 90000);
		/* 0.14 tells 8 characters of the id and no packed size. */
		assert_int_equal(strlen(seen.s.snapshot_id), v == 0 ? 8 : 64);
		assert_int_equal(seen.s.summary.data_added_packed > 0, v == 1);
		assert_true(str_starts(buf_str(&seen.words),
		    STR("5 files, 87.99 KiB processed: 5 new, 0 changed, 0 "
		        "unmodified; ")));
		assert_true(str_contains(buf_str(&seen.words),
		    STR(" added; snapshot ")));
		buf_fini(&seen.words);
	}
}

static void
errors_of_items_are_told_in_words(void **state)
{
	struct seen seen;

	(void)state;
	/* 0.14 loses some texts and prints errno for others. */
	seen_load(&seen, RESTIC_BACKUP, "0.14.0", "backup-unreadable");
	assert_true(str_contains(buf_str(&seen.words),
	    STR("/tmp/rm-restic/src/secret: open: Permission denied (during "
	        "archival)\n")));
	assert_true(str_contains(buf_str(&seen.words),
	    STR("/tmp/rm-restic/src/closed: could not be read (during scan)")));
	assert_int_equal(seen.s.errors, 2);
	assert_int_equal(seen.s.scan_errors, 1);
	buf_fini(&seen.words);
	seen_load(&seen, RESTIC_BACKUP, "0.18.0", "backup-unreadable");
	assert_true(str_contains(buf_str(&seen.words),
	    STR("/tmp/rm-restic/src/secret: open /tmp/rm-restic/src/secret: "
	        "permission denied (during archival)\n")));
	assert_int_equal(restic_unread(&seen.s), 2);
	buf_fini(&seen.words);
}

static enum restic_line
one_line(bool is_stderr, const char *line, struct seen *seen)
{
	*seen = (struct seen){ 0 };
	buf_init(&seen->words, KIB(64));
	restic_seen_init(&seen->s);
	wire__job_progress__init(&seen->progress);
	return restic_read_line(RESTIC_BACKUP, is_stderr, str_of(line),
	    &seen->s, &seen->progress, &seen->words);
}

static void
progress_is_read_and_nonsense_clamped(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(
	    one_line(false,
	        "{\"message_type\":\"status\",\"seconds_elapsed\":4,"
	        "\"seconds_remaining\":12,\"percent_done\":0.25,"
	        "\"total_files\":9,\"files_done\":2,\"total_bytes\":4000,"
	        "\"bytes_done\":1000,\"current_files\":[\"/a\"]}",
	        &s),
	    RESTIC_PROGRESS);
	assert_true(
	    s.progress.percent_done > 0.249 && s.progress.percent_done < 0.251);
	assert_int_equal(s.progress.files_done, 2);
	assert_int_equal(s.progress.total_files, 9);
	assert_int_equal(s.progress.bytes_done, 1000);
	assert_int_equal(s.progress.total_bytes, 4000);
	assert_int_equal(s.progress.eta_seconds, 12);
	assert_int_equal(s.progress.throughput_bps, 250);
	assert_int_equal(s.words.len, 0);
	buf_fini(&s.words);
	/* 0.18 with --stdin; omitted figures are 0. */
	assert_int_equal(one_line(false,
	                     "{\"message_type\":\"status\",\"seconds_remaining"
	                     "\":266646551273768,\"percent_done\":7.5,"
	                     "\"bytes_done\":-3}",
	                     &s),
	    RESTIC_PROGRESS);
	assert_int_equal(s.progress.eta_seconds, 0);
	assert_int_equal(s.progress.bytes_done, 0);
	assert_true(
	    s.progress.percent_done > 0.99 && s.progress.percent_done < 1.01);
	buf_fini(&s.words);
}

static void
a_skipped_snapshot_has_no_id(void **state)
{
	struct outcome out;
	struct seen s;

	(void)state;
	/* 0.18 --skip-if-unchanged: restic-facts.md 4.4, 3. */
	assert_int_equal(one_line(false,
	                     "{\"message_type\":\"summary\",\"files_new\":-1,"
	                     "\"total_duration\":-9223372036.85,"
	                     "\"backup_end\":\"0001-01-01T00:00:00Z\"}",
	                     &s),
	    RESTIC_SUMMARY);
	assert_int_equal(s.s.summary.files_new, 0);
	judge(&s, &out);
	assert_string_equal(out.cause, "no_snapshot");
	assert_string_equal(out.status, "failed");
	buf_fini(&s.words);
}

static void
unknown_and_broken_lines_are_kept_as_text(void **state)
{
	static const char *const lines[] = {
		"{\"message_type\":\"something_new\",\"x\":1}",
		"{\"message_type\":",
		"{not json}",
		"plain words",
		"[1,2]",
		"{}",
	};
	struct seen s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(one_line(true, lines[i], &s), RESTIC_TEXT);
		assert_str(buf_str(&s.words), lines[i]);
		assert_int_equal(s.s.errors, 0);
		buf_fini(&s.words);
	}
	assert_int_equal(one_line(true, "  \t", &s), RESTIC_SILENT);
	buf_fini(&s.words);
	assert_int_equal(one_line(false,
	                     "{\"message_type\":\"verbose_status\"}", &s),
	    RESTIC_SILENT);
	buf_fini(&s.words);
}

static void
text_before_json_and_screen_codes_do_no_harm(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(one_line(true,
	                     "\033[2Ksignal interrupt received, cleaning up",
	                     &s),
	    RESTIC_TEXT);
	assert_str(buf_str(&s.words), "signal interrupt received, cleaning up");
	buf_fini(&s.words);
	assert_int_equal(one_line(true, "error: read /x: input/output error",
	                     &s),
	    RESTIC_ERROR);
	assert_int_equal(s.s.errors, 1);
	assert_string_equal(s.s.first_error, "read /x: input/output error");
	buf_fini(&s.words);
}

/* What a file is called must not look like the state of the repository. */
static void
item_names_decide_nothing(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(
	    one_line(true,
	        "{\"message_type\":\"error\",\"error\":{\"message\":\"x\"},"
	        "\"during\":\"archival\",\"item\":\"/a/already locked/401 "
	        "Unauthorized\"}",
	        &s),
	    RESTIC_ERROR);
	assert_false(s.s.locked);
	assert_false(s.s.refused);
	buf_fini(&s.words);
	/* M-152: a benign line with the word in it. */
	assert_int_equal(one_line(true, "locked-file skipped", &s),
	    RESTIC_TEXT);
	assert_false(s.s.locked);
	buf_fini(&s.words);
}

/* A line of a megabyte is still an error line, and its words are short. */
static void
very_long_lines_are_counted_and_cut(void **state)
{
	struct buf b;
	struct seen s;
	size_t i;

	(void)state;
	buf_init(&b, MIB(2));
	buf_puts(&b, "{\"message_type\":\"error\",\"error\":{\"message\":\"");
	for (i = 0; i < MIB(1); i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\"},\"during\":\"archival\",\"item\":\"/a\"}");
	assert_int_equal(one_line(true, buf_text(&b), &s), RESTIC_ERROR);
	assert_int_equal(s.s.errors, 1);
	assert_rc(buf_rc(&s.words), RC_OK);
	assert_true(s.words.len > 1000 && s.words.len <= KIB(33));
	buf_fini(&s.words);
	buf_reset(&b);
	for (i = 0; i < MIB(1); i++)
		buf_putc(&b, 'y');
	assert_int_equal(one_line(true, buf_text(&b), &s), RESTIC_TEXT);
	assert_true(s.words.len > 1000 && s.words.len <= KIB(33));
	buf_fini(&s.words);
	buf_fini(&b);
}

static enum restic_line
read_one(enum restic_step step, bool is_stderr, const char *line,
    struct restic_seen *seen)
{
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	enum restic_line kind;
	struct buf words;

	buf_init(&words, KIB(64));
	kind =
	    restic_read_line(step, is_stderr, str_of(line), seen, &p, &words);
	buf_fini(&words);
	return kind;
}

/* The two versions say it differently; a lock that stays is no refusal. */
static void
a_server_that_removes_nothing_is_known_by_its_word(void **state)
{
	static const struct {
		const char *line;
		bool kept, refused;
	} rows[] = {
		{ "Remove(<snapshot/162fa40c89>) returned error, retrying "
		  "after 552ms: blob not removed, server response: 403 "
		  "Forbidden (403)",
		    true, false },
		{ "Remove(<data/162fa40c89>) failed: unexpected HTTP response "
		  "(403): 403 Forbidden",
		    true, false },
		{ "Remove(<lock/162fa40c89>) failed: unexpected HTTP response "
		  "(403): 403 Forbidden",
		    false, true },
		{ "Load(<key/1>) returned error: 403 Forbidden", false, true },
		{ "Remove(<snapshot/1>) returned error: timeout", false,
		    false },
	};
	struct restic_seen seen;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		restic_seen_init(&seen);
		read_one(RESTIC_FORGET, true, rows[i].line, &seen);
		assert_int_equal(seen.kept_by_server, rows[i].kept);
		assert_int_equal(seen.refused, rows[i].refused);
	}
}

static void
progress_of_text_is_told_from_text(void **state)
{
	static const struct {
		const char *line;
		enum restic_line kind;
	} rows[] = {
		{ "[0:05] 12.50%  1 / 8 packs", RESTIC_PROGRESS },
		{ "[1:00:05] 99.99%  7 / 8 packs", RESTIC_PROGRESS },
		{ "[0:05] 100.00%  8 / 8 packs", RESTIC_TEXT },
		{ "[0:05] 8 files", RESTIC_TEXT },
		{ "[0:05] 12.5%  1 / 8", RESTIC_TEXT },
		{ "[0:05] 999.00%", RESTIC_TEXT },
		{ "[x] 12.50%", RESTIC_TEXT },
		{ "[", RESTIC_TEXT },
	};
	struct restic_seen seen;
	size_t i;

	(void)state;
	restic_seen_init(&seen);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(read_one(RESTIC_PRUNE, false, rows[i].line,
		                     &seen),
		    rows[i].kind);
	assert_int_equal(read_one(RESTIC_PRUNE, true, rows[0].line, &seen),
	    RESTIC_TEXT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backups_are_judged_alike_by_both_versions),
		cmocka_unit_test(init_knows_what_is_there),
		cmocka_unit_test(a_summary_becomes_words_and_figures),
		cmocka_unit_test(errors_of_items_are_told_in_words),
		cmocka_unit_test(progress_is_read_and_nonsense_clamped),
		cmocka_unit_test(a_skipped_snapshot_has_no_id),
		cmocka_unit_test(unknown_and_broken_lines_are_kept_as_text),
		cmocka_unit_test(text_before_json_and_screen_codes_do_no_harm),
		cmocka_unit_test(item_names_decide_nothing),
		cmocka_unit_test(very_long_lines_are_counted_and_cut),
		cmocka_unit_test(
		    a_server_that_removes_nothing_is_known_by_its_word),
		cmocka_unit_test(progress_of_text_is_told_from_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
