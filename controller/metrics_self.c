/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The controller itself: its queues, its disk, its process. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "controller/metrics_own.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/latency.h"
#include "lib/base/str.h"
#include "lib/store/store.h"

enum {
	PROC_TEXT = 1024,
	STAT_START = 22 /* field of /proc/self/stat, from 1 */
};
static const double us_per_s = 1000000;

static void
put_one(struct buf *b, enum metric m, double value)
{
	metric_head(b, m);
	metric_put(b, m, NULL, value);
}

/* One label, one value of it. */
static void
put_part(struct buf *b, enum metric m, const char *label, double value)
{
	const struct metric_labels l = {
		{ { metric_info(m)->labels, label } }
	};

	metric_put(b, m, &l, value);
}

static void
put_latency(struct buf *b, enum metric m, const struct latency *l)
{
	double bounds[LATENCY_BOUNDS];
	const struct metric_histogram h = { bounds, l->bucket, LATENCY_BOUNDS,
		(double)l->sum_us / us_per_s };
	size_t i;

	for (i = 0; i < LATENCY_BOUNDS; i++)
		bounds[i] = (double)latency_bounds_us[i] / us_per_s;
	metric_head(b, m);
	metric_put_histogram(b, m, NULL, &h);
}

static void
put_network(struct buf *b, const struct metrics_now *n)
{
	unsigned kind;

	metric_head(b, M_STREAMS);
	put_part(b, M_STREAMS, "session", n->agents.sessions);
	put_part(b, M_STREAMS, "poll", n->agents.polls);
	metric_head(b, M_BROWSERS);
	put_part(b, M_BROWSERS, "log", n->sse.logs);
	put_part(b, M_BROWSERS, "page", n->sse.pages);
	put_one(b, M_CONNECTIONS, n->net.open);
	put_one(b, M_ACCEPTED, (double)n->net.accepted);
	metric_head(b, M_REFUSED);
	put_part(b, M_REFUSED, "all", (double)n->net.refused_limit);
	put_part(b, M_REFUSED, "address", (double)n->net.refused_address);
	metric_head(b, M_HANDSHAKES);
	put_part(b, M_HANDSHAKES, "done", (double)n->net.tls_done);
	put_part(b, M_HANDSHAKES, "failed", (double)n->net.tls_failed);
	put_one(b, M_HANDSHAKING, n->net.handshaking);
	put_one(b, M_LOOP_LONGEST, (double)n->loop_longest_us / us_per_s);
	put_one(b, M_LOOP_STORE, (double)n->loop_store_us / us_per_s);
	metric_head(b, M_ABUSE);
	for (kind = 0; kind < OFFENCE_KINDS; kind++)
		put_part(b, M_ABUSE, offence_name(kind),
		    (double)n->abuse[kind]);
}

void
metrics_write_now(struct buf *b, const struct metrics_now *n)
{
	put_network(b, n);
	put_one(b, M_EVENTS, (double)n->ingest.events);
	put_one(b, M_LINES, (double)n->ingest.lines);
	put_one(b, M_LOG_BYTES, (double)n->ingest.log_bytes);
	put_one(b, M_INGEST_WAITING, (double)n->ingest.waiting_bytes);
	put_latency(b, M_LOG_SYNC, &n->ingest.sync);
	put_one(b, M_QUEUE, n->ops.queued);
	put_one(b, M_COMMITS, (double)n->ops.commits);
	put_one(b, M_CHANGES, (double)n->ops.ops);
	put_one(b, M_CHANGES_FAILED, (double)n->ops.failed);
	put_latency(b, M_COMMIT, &n->ops.commit);
	put_one(b, M_HEALTHY, n->healthy);
	put_one(b, M_SPOOL, (double)n->spool_bytes);
	put_one(b, M_RENDERER, n->pages_ready);
	put_one(b, M_RENDER_QUEUE, n->pages_waiting);
}

void
metrics_write_sizes(struct buf *b, struct store *state, struct store *vault,
    struct store *live)
{
	static const char *const names[] = { "state", "vault", "live" };
	struct store *const stores[] = { state, vault, live };
	const double page = (double)sysconf(_SC_PAGESIZE);
	struct store_space space[ARRAY_LEN(names)];
	size_t i;

	metric_head(b, M_STORE_SIZE);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		store_space(stores[i], &space[i]);
		put_part(b, M_STORE_SIZE, names[i],
		    (double)space[i].used_bytes);
	}
	metric_head(b, M_STORE_FREE);
	for (i = 0; i < ARRAY_LEN(names); i++)
		put_part(b, M_STORE_FREE, names[i],
		    (double)space[i].free_pages * page);
}

/* ----------------------------------------------------------------- process */

static bool
read_proc(const char *path, char *dst, size_t cap)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(dst, 1, cap - 1, f);
	dst[n] = '\0';
	(void)fclose(f);
	return n > 0;
}

static void
put_cpu(struct buf *b)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) == 0)
		put_one(b, M_CPU,
		    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		        (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) /
		            us_per_s);
}

/* "total resident ..." in pages. */
static void
put_memory(struct buf *b)
{
	const double page = (double)sysconf(_SC_PAGESIZE);
	struct str rest, total, resident;
	char text[PROC_TEXT];
	uint64_t n;

	if (!read_proc("/proc/self/statm", text, sizeof(text)))
		return;
	rest = str_of(text);
	if (!str_next(&rest, ' ', &total) || !str_next(&rest, ' ', &resident))
		return;
	if (str_u64(resident, UINT64_MAX, &n))
		put_one(b, M_RSS, (double)n * page);
	if (str_u64(total, UINT64_MAX, &n))
		put_one(b, M_VIRTUAL, (double)n * page);
}

static void
put_descriptors(struct buf *b)
{
	struct dirent *en;
	struct rlimit l;
	uint64_t n = 0;
	DIR *d;

	d = opendir("/proc/self/fd");
	if (d != NULL) {
		while ((en = readdir(d)) != NULL)
			n += en->d_name[0] != '.';
		(void)closedir(d);
		put_one(b, M_FDS, (double)(n - 1)); /* less the folder's own */
	}
	if (getrlimit(RLIMIT_NOFILE, &l) == 0)
		put_one(b, M_MAX_FDS, (double)l.rlim_cur);
}

/* Field 22 of stat, behind the name, which may hold anything: ticks since
 * the boot. */
static void
put_start(struct buf *b)
{
	const double tick = (double)sysconf(_SC_CLK_TCK);
	struct timespec wall, boot;
	struct str rest, word;
	char text[PROC_TEXT];
	uint64_t ticks;
	char *at;
	int i;

	if (!read_proc("/proc/self/stat", text, sizeof(text)) ||
	    (at = strrchr(text, ')')) == NULL || at[1] == '\0')
		return;
	rest = str_of(at + 2);
	for (i = 2; i < STAT_START; i++)
		if (!str_next(&rest, ' ', &word))
			return;
	if (!str_u64(word, UINT64_MAX, &ticks) ||
	    clock_gettime(CLOCK_REALTIME, &wall) != 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return;
	put_one(b, M_START,
	    (double)(wall.tv_sec - boot.tv_sec) + (double)ticks / tick);
}

void
metrics_write_process(struct buf *b)
{
	put_cpu(b);
	put_memory(b);
	put_descriptors(b);
	put_start(b);
}
