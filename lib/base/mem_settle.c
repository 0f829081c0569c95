/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/mem.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Key agreement, certificates, JSON and start-up code are three quarters of
 * the pages of an agent, and an agent that waits needs none of them.
 * Figure: bench key agent-idle.
 */
static void
drop_pages(uintptr_t from, uintptr_t to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	from = (from + page - 1) / page * page;
	to = to / page * page;
	/* What the kernel will not drop stays: nothing depends on it. */
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

/* Only what is as it stands in its file: those pages come back from there.
 * Writable segments (relocated data too) are left alone. */
static int
drop_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	size_t i;

	(void)size;
	(void)ctx;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_W) == 0)
			drop_pages(at, at + p->p_memsz);
	}
	return 0;
}

enum {
	LARGE_BYTES = 256 * 1024
};

/* Figure: with 10,000 agents whose jobs print, five heaps of threads held
 * 115 MB of which 1 MB was in use (tests/soak/soak.py).  glibc would raise
 * the bound of what is large to 32 MB as it goes. */
void
mem_stay_small(void)
{
#ifdef M_ARENA_MAX
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#endif
}

void
mem_settle(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(drop_object, NULL);
}
