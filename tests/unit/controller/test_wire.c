/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names, numbers and types of agent.proto and store.proto, as pinned in
 * tests/data/wire: agents and files of earlier versions know them (M-458).
 * What was pinned stays; what is new gets a line of its own there.
 */
#include "tests/unit/read_file.h"

#include <protobuf-c/protobuf-c.h>

#include "lib/base/buf.h"
#include "proto/agent.pb-c.h"
#include "proto/store.pb-c.h"

enum {
	SEEN_MAX = 100
};

struct walk {
	const void *seen[SEEN_MAX];
	size_t n;
	struct buf lines;
};

static bool
walk_first_time(struct walk *w, const void *descriptor)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->seen[i] == descriptor)
			return false;
	assert_true(w->n < SEEN_MAX);
	w->seen[w->n++] = descriptor;
	return true;
}

static const char *
type_name(const ProtobufCFieldDescriptor *f)
{
	static const char *const names[] = {
		[PROTOBUF_C_TYPE_INT32] = "int32",
		[PROTOBUF_C_TYPE_SINT32] = "sint32",
		[PROTOBUF_C_TYPE_SFIXED32] = "sfixed32",
		[PROTOBUF_C_TYPE_INT64] = "int64",
		[PROTOBUF_C_TYPE_SINT64] = "sint64",
		[PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
		[PROTOBUF_C_TYPE_UINT32] = "uint32",
		[PROTOBUF_C_TYPE_FIXED32] = "fixed32",
		[PROTOBUF_C_TYPE_UINT64] = "uint64",
		[PROTOBUF_C_TYPE_FIXED64] = "fixed64",
		[PROTOBUF_C_TYPE_FLOAT] = "float",
		[PROTOBUF_C_TYPE_DOUBLE] = "double",
		[PROTOBUF_C_TYPE_BOOL] = "bool",
		[PROTOBUF_C_TYPE_STRING] = "string",
		[PROTOBUF_C_TYPE_BYTES] = "bytes",
	};

	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return ((const ProtobufCMessageDescriptor *)f->descriptor)
		    ->short_name;
	if (f->type == PROTOBUF_C_TYPE_ENUM)
		return ((const ProtobufCEnumDescriptor *)f->descriptor)
		    ->short_name;
	return names[f->type];
}

static void
walk_enum(struct walk *w, const ProtobufCEnumDescriptor *e)
{
	unsigned i;

	if (!walk_first_time(w, e))
		return;
	for (i = 0; i < e->n_values; i++)
		buf_printf(&w->lines, "%s.%s = %d\n", e->short_name,
		    e->values[i].name, e->values[i].value);
}

static void
walk_message(struct walk *w, const ProtobufCMessageDescriptor *m)
{
	unsigned i;

	if (!walk_first_time(w, m))
		return;
	for (i = 0; i < m->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->fields[i];
		bool many = f->label == PROTOBUF_C_LABEL_REPEATED;
		bool one = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;

		buf_printf(&w->lines, "%s.%s = %u %s%s%s\n", m->short_name,
		    f->name, f->id, type_name(f), many ? " repeated" : "",
		    one ? " oneof" : "");
	}
	for (i = 0; i < m->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->fields[i];

		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			walk_message(w, f->descriptor);
		else if (f->type == PROTOBUF_C_TYPE_ENUM)
			walk_enum(w, f->descriptor);
	}
}

static bool
has_line(const struct buf *text, struct str want)
{
	struct str rest = buf_str(text), line;

	while (str_next(&rest, '\n', &line))
		if (str_eq(line, want))
			return true;
	return false;
}

static unsigned
missing_lines(const struct buf *from, const struct buf *in, const char *what)
{
	struct str rest = buf_str(from), line;
	unsigned missing = 0;

	while (str_next(&rest, '\n', &line)) {
		if (line.n == 0 || line.p[0] == '#' || has_line(in, line))
			continue;
		print_error("%s: %.*s\n", what, STR_ARG(line));
		missing++;
	}
	return missing;
}

static void
compare(struct walk *w, const char *path)
{
	struct buf pins;
	unsigned bad;

	assert_rc(buf_rc(&w->lines), RC_OK);
	assert_true(w->lines.len > 0);
	read_file(path, &pins);
	bad = missing_lines(&pins, &w->lines, "pinned, but not there any more");
	bad += missing_lines(&w->lines, &pins, "new: pin it");
	if (bad > 0)
		fail_msg("%u differences from %s", bad, path);
	buf_fini(&pins);
	buf_fini(&w->lines);
}

static void
agents_of_earlier_versions_are_understood(void **state)
{
	const ProtobufCServiceDescriptor *service = &wire__agent__descriptor;
	struct walk w = { .n = 0 };
	unsigned i;

	(void)state;
	buf_init(&w.lines, MIB(1));
	for (i = 0; i < service->n_methods; i++) {
		const ProtobufCMethodDescriptor *m = &service->methods[i];

		buf_printf(&w.lines, "rpc %s.%s(%s) %s\n", service->short_name,
		    m->name, m->input->short_name, m->output->short_name);
		walk_message(&w, m->input);
		walk_message(&w, m->output);
	}
	compare(&w, "tests/data/wire/agent.txt");
}

static void
records_of_earlier_versions_are_understood(void **state)
{
	static const ProtobufCMessageDescriptor *const roots[] = {
		&rec__meta__descriptor,
		&rec__host__descriptor,
		&rec__job__descriptor,
		&rec__host_gone__descriptor,
		&rec__source_group__descriptor,
		&rec__schedule__descriptor,
		&rec__maintenance__descriptor,
		&rec__repo__descriptor,
		&rec__repo_day__descriptor,
		&rec__hooks__descriptor,
		&rec__agent_schedules__descriptor,
		&rec__day_outcome__descriptor,
		&rec__snapshot__descriptor,
		&rec__agent_cursor__descriptor,
		&rec__pending_host__descriptor,
		&rec__user__descriptor,
		&rec__api_token__descriptor,
		&rec__enrolment__descriptor,
		&rec__audit_entry__descriptor,
		&rec__durations__descriptor,
		&rec__audit_head__descriptor,
		&rec__session__descriptor,
		&rec__password__descriptor,
		&rec__enrol_token__descriptor,
		&rec__host_secrets__descriptor,
		&rec__presence__descriptor,
		&rec__live_progress__descriptor,
		&rec__agent_secrets__descriptor,
		&rec__agent_job__descriptor,
	};
	struct walk w = { .n = 0 };
	size_t i;

	(void)state;
	buf_init(&w.lines, MIB(1));
	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		walk_message(&w, roots[i]);
	compare(&w, "tests/data/wire/store.txt");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_of_earlier_versions_are_understood),
		cmocka_unit_test(records_of_earlier_versions_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
