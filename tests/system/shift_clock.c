/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * LD_PRELOAD for a program under test: the wall clock runs ahead by as many
 * seconds as the file named by RM_CLOCK_AHEAD says.  Monotonic time is left
 * alone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long
ahead(void)
{
	const char *path = getenv("RM_CLOCK_AHEAD");
	char text[32] = "";
	int fd;

	if (path == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += ahead();
	return (int)rc;
}
