/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/tzif.h"

enum {
	NAME_CAP = 64,
	CACHE_ZONES = 64
};

struct zone {
	char name[NAME_CAP]; /* "" while the place is free */
	struct tzif data;
};

/* Zones are the machine's, not a program's part: one cache, and the oldest
 * entry makes room. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone cache[CACHE_ZONES];
static unsigned next_place;

static bool
is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' ||
	       c == '/';
}

/* Words of an IANA name; without dots no path can leave the folder. */
static bool
name_ok(struct str name)
{
	size_t i;

	if (name.n == 0 || name.n >= NAME_CAP || name.p[0] == '/')
		return false;
	for (i = 0; i < name.n; i++)
		if (!is_name_char(name.p[i]))
			return false;
	return true;
}

static bool
read_whole(int fd, struct buf *out)
{
	ssize_t n;
	char *p;

	while ((p = buf_reserve(out, KIB(4))) != NULL) {
		n = read(fd, p, KIB(4));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		buf_added(out, n < 0 ? 0 : (size_t)n);
	}
	return false;
}

static bool
load(const char *name, struct tzif *out)
{
	char path[sizeof("/usr/share/zoneinfo/") + NAME_CAP];
	struct buf file;
	bool ok;
	int fd;

	if (!str_fmt(path, sizeof(path), "/usr/share/zoneinfo/%s", name))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return false;
	buf_init(&file, TZIF_MAX_BYTES + KIB(4));
	ok = read_whole(fd, &file) && tzif_parse(buf_str(&file), out);
	buf_fini(&file);
	close(fd);
	return ok;
}

/* The cached zone, read on first use; NULL when there is none. */
static const struct zone *
zone_of(const char *name)
{
	struct zone *z;
	struct tzif data;
	size_t i;

	for (i = 0; i < CACHE_ZONES; i++)
		if (str_eqz(str_of(cache[i].name), name))
			return &cache[i];
	if (!load(name, &data))
		return NULL;
	z = &cache[next_place++ % CACHE_ZONES];
	tzif_fini(&z->data);
	z->data = data;
	ASSERT(str_copy(z->name, sizeof(z->name), str_of(name)));
	return z;
}

/* Locks the cache until zone_leave(); NULL (not locked): no such zone. */
static const struct zone *
zone_enter(const char *name)
{
	const struct zone *z;

	if (!name_ok(str_of(name)))
		return NULL;
	ASSERT(pthread_mutex_lock(&lock) == 0);
	z = zone_of(name);
	if (z == NULL)
		ASSERT(pthread_mutex_unlock(&lock) == 0);
	return z;
}

static void
zone_leave(void)
{
	ASSERT(pthread_mutex_unlock(&lock) == 0);
}

bool
clock_zone_offset(const char *zone, int64_t ms, int32_t *out_offset_s)
{
	int64_t unix_s = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
	const struct zone *z;

	if (str_eqz(str_of(zone), "UTC")) {
		*out_offset_s = 0;
		return true;
	}
	z = zone_enter(zone);
	if (z == NULL)
		return false;
	*out_offset_s = tzif_offset(&z->data, unix_s);
	zone_leave();
	return true;
}

bool
clock_zone_span(const char *zone, int64_t unix_s, struct tzif_span *out)
{
	const struct zone *z;

	if (str_eqz(str_of(zone), "UTC")) {
		*out = (struct tzif_span){ INT64_MIN, INT64_MAX, 0, 0, 0 };
		return true;
	}
	z = zone_enter(zone);
	if (z == NULL)
		return false;
	tzif_span(&z->data, unix_s, out);
	zone_leave();
	return true;
}
