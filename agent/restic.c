/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/restic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/redact.h"
#include "agent/secrets.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum {
	RESTIC_VERSION_MS = 10000,
	RESTIC_HELP_CAP = 65536,
	RESTIC_PATHS_BYTES = 262144, /* more than that goes by input */
	RESTIC_PATH_BYTES = 4096
};

/* ------------------------------------------------------------- finding */

/* "0.18.0-dev" too: the number is what counts. */
static bool
restic_number(struct str version, unsigned *out)
{
	uint64_t part[3] = { 0, 0, 0 };
	struct str word, rest = version;
	size_t i;

	for (i = 0; i < 3 && str_next(&rest, '.', &word); i++) {
		size_t n = 0;

		while (n < word.n && word.p[n] >= '0' && word.p[n] <= '9')
			n++;
		if (n == 0 || !str_u64(str_sub(word, 0, n), 99, &part[i]))
			return false;
	}
	*out = (unsigned)(part[0] * 10000 + part[1] * 100 + part[2]);
	return i >= 2;
}

bool
restic_parse_version(struct str line, struct restic *out)
{
	struct str word, rest = line;
	unsigned number;

	if (!str_next(&rest, ' ', &word) || !str_eqz(word, "restic") ||
	    !str_next(&rest, ' ', &word) || !restic_number(word, &number) ||
	    !str_copy(out->version, sizeof(out->version), word))
		return false;
	out->number = number;
	return true;
}

static bool
restic_runnable(struct restic *r, struct str dir)
{
	char path[sizeof(r->path)];

	if (dir.n == 0 || dir.p[0] != '/' ||
	    !str_fmt(path, sizeof(path), "%.*s/restic", STR_ARG(dir)) ||
	    access(path, X_OK) != 0)
		return false;
	return str_copy(r->path, sizeof(r->path), str_of(path));
}

static enum rc
restic_find(struct restic *r, const char *override, struct err *e)
{
	struct str dir, rest;

	if (override != NULL) {
		if (access(override, X_OK) == 0 &&
		    str_copy(r->path, sizeof(r->path), str_of(override)))
			return RC_OK;
		return err_code(e, RC_NOTFOUND, "no_restic",
		    "restic_path %s cannot be run: %s", override,
		    strerror(errno));
	}
	rest = str_of(getenv("PATH"));
	while (str_next(&rest, ':', &dir))
		if (restic_runnable(r, dir))
			return RC_OK;
	rest = STR("/usr/bin:/usr/local/bin:/bin:/opt/restic/bin");
	while (str_next(&rest, ':', &dir))
		if (restic_runnable(r, dir))
			return RC_OK;
	return err_code(e, RC_NOTFOUND, "no_restic",
	    "restic was not found in PATH; install it, or set restic_path in "
	    "the agent's configuration");
}

/* Reads what the child prints until it ends or the time is over. */
static void
restic_collect(int fd, char *text, size_t cap)
{
	int64_t end = clock_mono_ms() + RESTIC_VERSION_MS, left;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	while ((left = end - clock_mono_ms()) > 0 && n + 1 < cap) {
		if (poll(&pfd, 1, (int)left) <= 0)
			break;
		got = read(fd, text + n, cap - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
}

/* Standard output of `restic <words>`, as far as it fits. */
static enum rc
restic_ask(const struct restic *r, char *const *argv, char *text, size_t cap,
    struct err *e)
{
	char *envp[] = { (char[]){ "HOME=/" }, NULL };
	posix_spawn_file_actions_t acts;
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(e, errno, "cannot make a pipe");
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&acts, fds[1], 1);
	posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(&pid, r->path, &acts, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&acts);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		return err_errno(e, rc, "cannot run %s", r->path);
	}
	restic_collect(fds[0], text, cap);
	close(fds[0]);
	kill(pid, SIGKILL); /* it has said all, or it is too slow */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return RC_OK;
}

static enum rc
restic_ask_version(struct restic *r, struct err *e)
{
	char *argv[] = { r->path, (char[]){ "version" }, NULL };
	char text[512];
	enum rc rc;

	if ((rc = restic_ask(r, argv, text, sizeof(text), e)) != RC_OK)
		return rc;
	if (!restic_parse_version(str_of(text), r))
		return err_code(e, RC_VERSION, "no_restic",
		    "%s did not tell its version", r->path);
	if (r->number < RESTIC_OLDEST)
		return err_code(e, RC_VERSION, "restic_too_old",
		    "restic %s is too old; 0.14 or newer is needed",
		    r->version);
	return RC_OK;
}

bool
restic_restores_without_owner(const struct restic *r)
{
	struct restic copy = *r; /* argv is not const */
	char *argv[] = { copy.path, (char[]){ "restore" }, (char[]){ "--help" },
		NULL };
	char *text = mem_alloc(RESTIC_HELP_CAP);
	bool known;

	known = restic_ask(r, argv, text, RESTIC_HELP_CAP, NULL) == RC_OK &&
	        str_contains(str_of(text), STR("--no-ownership"));
	mem_free(text);
	return known;
}

static bool
restic_is_program(const char *path)
{
	static const char magic[] = { '\177', 'E', 'L', 'F' };
	char head[sizeof(magic)] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	          memcmp(head, magic, sizeof(magic)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* A replaced file has another inode, a rewritten one another ctime. */
static void
restic_put_stamp(struct restic *r)
{
	struct stat st;

	r->stamp = (struct restic_stamp){ 0 };
	if (restic_is_program(r->path) && stat(r->path, &st) == 0)
		r->stamp = (struct restic_stamp){ st.st_dev, st.st_ino,
			(uint64_t)st.st_size, st.st_ctim.tv_sec,
			st.st_ctim.tv_nsec };
}

static bool
restic_is_known(const struct restic *known, const struct restic *r)
{
	return known != NULL && r->stamp.ino != 0 &&
	       known->stamp.dev == r->stamp.dev &&
	       known->stamp.ino == r->stamp.ino &&
	       known->stamp.bytes == r->stamp.bytes &&
	       known->stamp.changed_s == r->stamp.changed_s &&
	       known->stamp.changed_ns == r->stamp.changed_ns &&
	       strcmp(known->path, r->path) == 0;
}

/* `restic version` is a start of 40 MB of Go: 1 % of a small backup.
 * Figure: bench key backup-overhead. */
enum rc
restic_locate_again(const struct restic *known, struct restic *out,
    const char *override, struct err *e)
{
	enum rc rc;

	*out = (struct restic){ 0 };
	if ((rc = restic_find(out, override, e)) != RC_OK)
		return rc;
	restic_put_stamp(out);
	if (!restic_is_known(known, out))
		return restic_ask_version(out, e);
	memcpy(out->version, known->version, sizeof(out->version));
	out->number = known->number;
	return RC_OK;
}

enum rc
restic_locate(struct restic *out, const char *override, struct err *e)
{
	return restic_locate_again(NULL, out, override, e);
}

/* ----------------------------------------------------------- arguments */

struct restic_args {
	struct arena *a;
	char **v;
	size_t n;
	size_t cap;
};

static void
restic_arg(struct restic_args *args, const char *z)
{
	if (args->n + 1 < args->cap)
		args->v[args->n++] = arena_dup(args->a, z);
}

static void
restic_arg_u32(struct restic_args *args, const char *flag, uint32_t value)
{
	restic_arg(args, flag);
	args->v[args->n++] = arena_printf(args->a, "%u", value);
}

/* --flag=value as one word: a value cannot become a flag. */
static void
restic_arg_pair(struct restic_args *args, const char *flag, const char *value)
{
	if (args->n + 1 < args->cap)
		args->v[args->n++] =
		    arena_printf(args->a, "%s=%s", flag, value);
}

static bool
restic_by_input(const Wire__CommandRun *cmd)
{
	size_t i, n, total = 0;

	for (i = 0; i < cmd->n_includes; i++) {
		n = strlen(cmd->includes[i]) + 1 + sizeof(char *);
		total += n;
		if (n > RESTIC_PATH_BYTES || total > RESTIC_PATHS_BYTES)
			return true;
	}
	return false;
}

void
restic_input(enum restic_step step, const Wire__CommandRun *cmd,
    struct buf *out)
{
	size_t i;

	if (step != RESTIC_BACKUP || !restic_by_input(cmd))
		return;
	for (i = 0; i < cmd->n_includes; i++)
		buf_put(out, cmd->includes[i], strlen(cmd->includes[i]) + 1);
}

static void
restic_backup_args(struct restic_args *args, const Wire__CommandRun *cmd,
    const char *hostname)
{
	size_t i;

	restic_arg(args, "backup");
	restic_arg(args, "--json");
	restic_arg_pair(args, "--host", hostname);
	if (cmd->tag[0] != '\0')
		restic_arg_pair(args, "--tag", cmd->tag);
	for (i = 0; i < cmd->n_excludes; i++)
		restic_arg_pair(args, "--exclude", cmd->excludes[i]);
	if (restic_by_input(cmd)) {
		restic_arg_pair(args, "--files-from-raw", "-");
		return;
	}
	restic_arg(args, "--");
	for (i = 0; i < cmd->n_includes; i++)
		restic_arg(args, cmd->includes[i]);
}

static void
restic_step_args(struct restic_args *args, const struct restic *r,
    enum restic_step step, const Wire__CommandRun *cmd, const char *hostname)
{
	switch (step) {
	case RESTIC_INIT:
		restic_arg(args, "init");
		break;
	case RESTIC_BACKUP:
		ASSERT(cmd != NULL);
		restic_backup_args(args, cmd, hostname);
		break;
	case RESTIC_SNAPSHOTS:
		restic_arg(args, "snapshots");
		restic_arg(args, "--json");
		/* Reading takes no part in locking: a check elsewhere must
		 * not turn a finished backup into one not verified. */
		restic_arg(args, "--no-lock");
		break;
	case RESTIC_STATS:
		restic_arg(args, "stats");
		restic_arg(args, "--json");
		restic_arg(args, "--no-lock");
		restic_arg_pair(args, "--mode", "raw-data");
		break;
	case RESTIC_UNLOCK:
		restic_arg(args, "unlock");
		break;
	}
	(void)r;
}

char **
restic_argv(const struct restic *r, enum restic_step step,
    const Wire__CommandRun *cmd, const struct secrets_config *caps,
    const char *hostname, struct arena *a)
{
	struct restic_args args = { .a = a, .cap = 16 };
	uint32_t up = caps->up_kbps, down = caps->down_kbps;

	if (cmd != NULL) {
		args.cap += cmd->n_includes + cmd->n_excludes;
		if (cmd->bandwidth_up_kbps > 0)
			up = cmd->bandwidth_up_kbps;
		if (cmd->bandwidth_down_kbps > 0)
			down = cmd->bandwidth_down_kbps;
	}
	args.v = arena_array(a, args.cap, sizeof(*args.v));
	if (args.v == NULL)
		return NULL;
	restic_arg(&args, r->path);
	if (r->no_cache)
		restic_arg(&args, "--no-cache");
	if (up > 0)
		restic_arg_u32(&args, "--limit-upload", up);
	if (down > 0)
		restic_arg_u32(&args, "--limit-download", down);
	restic_step_args(&args, r, step, cmd, hostname);
	return arena_rc(a) == RC_OK ? args.v : NULL;
}

/* --------------------------------------------------------- environment */

/* What a child may know of the agent's own environment. */
static const char *const restic_pass[] = { "PATH", "LANG", "LC_ALL", "TZ",
	"TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY",
	"NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSH_AUTH_SOCK" };

enum {
	RESTIC_ENV_OWN = 8,
	RESTIC_ENV_TEXT_MAX = 65536
};

static void
restic_env_add(char **env, size_t *n, const char *name, struct str value)
{
	struct buf b;

	buf_init(&b, RESTIC_ENV_TEXT_MAX);
	buf_puts(&b, name);
	buf_putc(&b, '=');
	buf_put_str(&b, value);
	if (buf_rc(&b) == RC_OK)
		env[(*n)++] = mem_strndup(b.data, b.len);
	buf_wipe_fini(&b);
}

/* rest:https://host/ -> rest:https://user:password@host/, for restic before
 * 0.16.1, which does not know RESTIC_REST_USERNAME. */
static void
restic_merged_url(const struct secrets_repo *repo, struct buf *out)
{
	struct str url = secret_str(&repo->url), scheme, rest;
	size_t i;

	for (i = 0; i + 3 <= url.n; i++)
		if (str_starts(str_sub(url, i, 3), STR("://")))
			break;
	scheme = str_sub(url, 0, i + 3);
	rest = str_sub(url, i + 3, url.n);
	buf_put_str(out, scheme);
	if (rest.n > 0) {
		redact_percent(secret_str(&repo->username), out);
		buf_putc(out, ':');
		redact_percent(secret_str(&repo->password), out);
		buf_putc(out, '@');
	}
	buf_put_str(out, rest);
}

static bool
restic_has_userinfo(struct str url)
{
	struct str head, rest, authority;

	if (!str_cut(url, '@', &head, &rest))
		return false;
	/* user@ stands between "//" and the next "/". */
	for (authority = head; authority.n > 1;
	     authority = str_sub(authority, 1, authority.n))
		if (str_starts(authority, STR("//")))
			return !str_contains(str_sub(authority, 2, authority.n),
			    STR("/"));
	return false;
}

static void
restic_env_repo(const struct restic *r, const struct secrets_repo *repo,
    char **env, size_t *n)
{
	struct str url = secret_str(&repo->url);
	bool rest = str_starts(url, STR("rest:")) && repo->username.n > 0 &&
	            !restic_has_userinfo(url);
	struct buf merged;

	buf_init(&merged, RESTIC_ENV_TEXT_MAX);
	if (rest && r->number < 1601) {
		restic_merged_url(repo, &merged);
		url = buf_str(&merged);
	} else if (rest) {
		restic_env_add(env, n, "RESTIC_REST_USERNAME",
		    secret_str(&repo->username));
		restic_env_add(env, n, "RESTIC_REST_PASSWORD",
		    secret_str(&repo->password));
	}
	restic_env_add(env, n, "RESTIC_REPOSITORY", url);
	restic_env_add(env, n, "RESTIC_PASSWORD", secret_str(&repo->password));
	buf_wipe_fini(&merged);
}

char **
restic_env(const struct restic *r, const struct secrets_repo *repo,
    const char *state_dir)
{
	char **env = mem_array(RESTIC_ENV_OWN + ARRAY_LEN(restic_pass) + 1,
	    sizeof(*env));
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(restic_pass); i++)
		if (getenv(restic_pass[i]) != NULL)
			restic_env_add(env, &n, restic_pass[i],
			    str_of(getenv(restic_pass[i])));
	restic_env_add(env, &n, "HOME", str_of(state_dir));
	restic_env_add(env, &n, "XDG_CACHE_HOME", str_of(state_dir));
	restic_env_add(env, &n, "RESTIC_PROGRESS_FPS", STR("1"));
	restic_env_repo(r, repo, env, &n);
	return env;
}

void
restic_env_free(char **env)
{
	size_t i;

	for (i = 0; env != NULL && env[i] != NULL; i++) {
		mem_wipe(env[i], strlen(env[i]));
		mem_free(env[i]);
	}
	mem_free(env);
}
