/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/run.h"

#include <string.h>

#include "lib/base/mem.h"

enum {
	RUN_PATHS_MAX = 10000,
	RUN_KIND_MAX = 32,
	RUN_TAG_MAX = 1024,
	/* The kernel takes 2 MiB of arguments, 128 KiB each; paths that are
	 * too much for that go another way, excludes cannot. */
	RUN_EXCLUDE_MAX = 65536,
	RUN_EXCLUDES_MAX = 1 << 20
};

static void *
run_copy_of(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = mem_alloc(n + 1); /* an empty one takes none */
	void *copy;

	protobuf_c_message_pack(m, bytes);
	copy = protobuf_c_message_unpack(m->descriptor, NULL, n, bytes);
	mem_wipe(bytes, n);
	mem_free(bytes);
	ASSERT(copy != NULL);
	return copy;
}

Wire__CommandRun *
run_copy(const Wire__CommandRun *cmd)
{
	return run_copy_of(&cmd->base);
}

Wire__OwnRun *
run_own_copy(const Wire__OwnRun *own)
{
	return run_copy_of(&own->base);
}

static void
run_wipe_text(char *z)
{
	mem_wipe(z, strlen(z));
}

void
run_wipe_slot(Wire__RepoSlot *slot)
{
	size_t i;

	if (slot == NULL)
		return;
	run_wipe_text(slot->url);
	run_wipe_text(slot->password);
	for (i = 0; i < slot->n_extra; i++)
		run_wipe_text(slot->extra[i]->value);
}

static void
run_wipe_body(ProtobufCBinaryData *body)
{
	if (body->len > 0)
		mem_wipe(body->data, body->len);
}

void
run_wipe_hooks(Wire__Hooks *hooks)
{
	if (hooks == NULL)
		return;
	run_wipe_body(&hooks->pre);
	run_wipe_body(&hooks->post);
}

void
run_wipe(Wire__CommandRun *cmd)
{
	run_wipe_slot(cmd->admin);
	run_wipe_hooks(cmd->hooks);
}

void
run_free(Wire__CommandRun *cmd)
{
	if (cmd == NULL)
		return;
	run_wipe(cmd);
	wire__command_run__free_unpacked(cmd, NULL);
}

/* ------------------------------------------------------ what can be done */

static bool
run_excludes_fit(const Wire__CommandRun *run)
{
	size_t i, n, total = 0;

	for (i = 0; i < run->n_excludes; i++) {
		n = strlen(run->excludes[i]);
		total += n + sizeof("--exclude=") + sizeof(char *);
		if (n > RUN_EXCLUDE_MAX || total > RUN_EXCLUDES_MAX)
			return false;
	}
	return true;
}

const char *
run_objection(const Wire__CommandRun *run)
{
	size_t i;

	if (run->n_includes > RUN_PATHS_MAX || run->n_excludes > RUN_PATHS_MAX)
		return "more than 10000 source paths or excludes";
	if (strlen(run->kind) > RUN_KIND_MAX)
		return "kind not implemented on this agent";
	if (strlen(run->tag) > RUN_TAG_MAX)
		return "the tag is longer than 1024 bytes";
	if (!run_excludes_fit(run))
		return "the excludes are longer than 1 MiB in all, or one "
		       "than 64 KiB";
	if (strcmp(run->kind, "backup") != 0)
		return NULL;
	if (run->n_includes == 0)
		return "no source paths";
	for (i = 0; i < run->n_includes; i++)
		if (run->includes[i][0] != '/')
			return "a source path is not absolute";
	return NULL;
}
