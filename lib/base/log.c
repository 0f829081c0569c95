/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum {
	LINE_MAX_BYTES = 2048, /* below PIPE_BUF: a line stays whole */
	SAFE_MAX_BYTES = 200,
	SAFE_BUFFERS = 8
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
_Static_assert(ARRAY_LEN(level_names) == LOG_DEBUG + 1, "a name per level");

static const char *const area_names[] = {
	[LOG_MAIN] = "main",
	[LOG_CONF] = "conf",
	[LOG_NET] = "net",
	[LOG_HTTP] = "http",
	[LOG_AGENT] = "agent",
	[LOG_JOB] = "job",
	[LOG_STORE] = "store",
	[LOG_SPOOL] = "spool",
	[LOG_PAGE] = "page",
	[LOG_AUTH] = "auth",
};
_Static_assert(ARRAY_LEN(area_names) == LOG_AUTH + 1, "a name per area");

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_max_level = LOG_INFO;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;

void
log_open(int fd, enum log_level level)
{
	atomic_store(&log_fd, fd);
	atomic_store(&log_max_level, (int)level);
}

bool
log_level_parse(struct str s, enum log_level *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(level_names); i++) {
		if (!str_eqz(s, level_names[i]))
			continue;
		*out = (enum log_level)i;
		return true;
	}
	return false;
}

bool
log_enabled(enum log_level level)
{
	return (int)level <=
	       atomic_load_explicit(&log_max_level, memory_order_relaxed);
}

/* A record is one line whatever it was given. */
static void
flatten(char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = ' ';
}

static void
write_line(const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		w = write(atomic_load(&log_fd), p, n);
		if (w < 0 && errno == EINTR)
			continue;
		/* Nobody is left to be told. */
		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

void
log_write(enum log_level level, enum log_area area, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES], when[CLOCK_TEXT_CAP];
	size_t len;
	va_list ap;
	int n, saved = errno;

	if (!log_enabled(level))
		return;
	clock_text(clock_now_ms(), when);
	n = snprintf(line, sizeof(line), "%s %-5s %-4s ", when,
	    level_names[level], area_names[area]);
	ASSERT(n > 0 && (size_t)n < sizeof(line));
	len = (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len >= sizeof(line)) {
		len = sizeof(line) - 1;
		memcpy(line + len - 3, "...", 3);
	}
	flatten(line, len);
	line[len] = '\n';
	write_line(line, len + 1);
	errno = saved;
}

bool
log_allow(struct log_limit *l, unsigned burst, unsigned period_s)
{
	long long now = clock_mono_ms();
	unsigned dropped = 0;
	bool allowed;

	ASSERT(pthread_mutex_lock(&limit_lock) == 0);
	if (l->count == 0 || now - l->window_ms >= period_s * 1000LL) {
		dropped = l->dropped;
		*l = (struct log_limit){ .window_ms = now };
	}
	allowed = l->count < burst;
	if (allowed || l->count == 0)
		l->count++;
	if (!allowed && l->dropped < UINT32_MAX)
		l->dropped++;
	ASSERT(pthread_mutex_unlock(&limit_lock) == 0);
	if (dropped != 0)
		log_warn(LOG_MAIN, "similar records left out count=%u",
		    dropped);
	return allowed;
}

/* C1 controls, line separators and changes of writing direction: printable
 * to a validator, not to a reader's terminal. */
static bool
is_deceptive(const char *p, size_t n)
{
	const uint8_t *u = (const uint8_t *)p;

	if (n == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (n != 3 || u[0] != 0xe2)
		return false;
	return (u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae) ||
	       (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
}

/* Length of the character at the start when it may stand as it is. */
static size_t
plain_len(struct str s)
{
	size_t n = str_utf8_len(s);

	if (n == 0 || (n == 1 && (unsigned char)s.p[0] < ' '))
		return 0;
	if (n == 1 && strchr("\"'`\\\x7f", s.p[0]) != NULL)
		return 0;
	return is_deceptive(s.p, n) ? 0 : n;
}

/* Appends one character or one \xHH; 0 when it does not fit. */
static size_t
safe_step(char *out, size_t *len, struct str s)
{
	size_t n = plain_len(s), room = SAFE_MAX_BYTES - *len;
	char hex[3];

	if (n > room || (n == 0 && room < 4))
		return 0;
	if (n > 0) {
		memcpy(out + *len, s.p, n);
		*len += n;
		return n;
	}
	str_hex(s.p, 1, hex, sizeof(hex));
	memcpy(out + *len, "\\x", 2);
	memcpy(out + *len + 2, hex, 2);
	*len += 4;
	return 1;
}

const char *
log_safe(struct str s)
{
	static _Thread_local char buffers[SAFE_BUFFERS][SAFE_MAX_BYTES + 8];
	static _Thread_local unsigned turn;
	char *start = buffers[turn++ % SAFE_BUFFERS], *out = start + 1;
	bool quoted = s.n == 0 || memchr(s.p, ' ', s.n) != NULL;
	size_t at = 0, len = 0, step;

	while (at < s.n) {
		step = safe_step(out, &len, str_sub(s, at, s.n));
		if (step == 0)
			break;
		at += step;
	}
	if (at < s.n) {
		memcpy(out + len, "...", 3);
		len += 3;
	}
	if (quoted)
		start[0] = out[len++] = '"';
	out[len] = '\0';
	return quoted ? start : out;
}
