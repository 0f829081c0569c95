/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/access.h"

#include <stdlib.h>

#include "agent/proc.h"
#include "agent/redact.h"
#include "agent/restic.h"
#include "agent/secrets.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

/* What a child may know of the agent's own environment. */
static const char *const access_pass[] = { "PATH", "LANG", "LC_ALL", "TZ",
	"TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY",
	"NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSH_AUTH_SOCK" };

enum {
	ACCESS_ENV_OWN = 8,
	ACCESS_ENV_TEXT_MAX = 65536
};

static void
access_env(struct access *a, const char *name, struct str value)
{
	struct buf b;

	buf_init(&b, ACCESS_ENV_TEXT_MAX);
	buf_puts(&b, name);
	buf_putc(&b, '=');
	buf_put_str(&b, value);
	if (buf_rc(&b) == RC_OK)
		a->env[a->n_env++] = mem_strndup(b.data, b.len);
	buf_wipe_fini(&b);
}

/* rest:https://host/ -> rest:https://user:password@host/, for restic before
 * 0.16.1, which does not know RESTIC_REST_USERNAME. */
static void
access_merge_url(struct str url, struct str user, struct str password,
    struct buf *out)
{
	struct str scheme, rest;
	size_t i;

	for (i = 0; i + 3 <= url.n; i++)
		if (str_starts(str_sub(url, i, 3), STR("://")))
			break;
	scheme = str_sub(url, 0, i + 3);
	rest = str_sub(url, i + 3, url.n);
	buf_put_str(out, scheme);
	if (rest.n > 0) {
		buf_put_percent(out, user, "");
		buf_putc(out, ':');
		buf_put_percent(out, password, "");
		buf_putc(out, '@');
	}
	buf_put_str(out, rest);
}

static bool
access_has_userinfo(struct str url)
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

/* What is given beside by that name, else what is there anyway. */
static struct str
access_or(const struct secrets_repo *repo, const char *name,
    const struct secret *dflt)
{
	size_t i;

	for (i = 0; i < repo->n_extra; i++)
		if (str_eqz(str_of(repo->extra[i].what->name), name))
			return secret_str(&repo->extra[i].value);
	return secret_str(dflt);
}

static bool
access_is_rest_login(const struct repo_env *v)
{
	return str_starts(str_of(v->name), STR("RESTIC_REST_"));
}

static void
access_repo(struct access *a, const struct restic *r,
    const struct secrets_repo *repo)
{
	struct str url = secret_str(&repo->url);
	struct str user =
	    access_or(repo, "RESTIC_REST_USERNAME", &repo->username);
	struct str password =
	    access_or(repo, "RESTIC_REST_PASSWORD", &repo->password);
	bool rest = repo_env_backend(url) == REPO_REST && user.n > 0 &&
	            !access_has_userinfo(url);
	struct buf merged;

	buf_init(&merged, ACCESS_ENV_TEXT_MAX);
	if (rest && r->number < 1601) {
		access_merge_url(url, user, password, &merged);
		url = buf_str(&merged);
	} else if (rest) {
		access_env(a, "RESTIC_REST_USERNAME", user);
		access_env(a, "RESTIC_REST_PASSWORD", password);
	}
	access_env(a, "RESTIC_REPOSITORY", url);
	access_env(a, "RESTIC_PASSWORD", secret_str(&repo->password));
	buf_wipe_fini(&merged);
}

/* A file becomes the child's next descriptor, and its name the option's or
 * the variable's value. */
static void
access_file(struct access *a, const struct secrets_extra *x)
{
	char name[ACCESS_OPTION_CAP];
	struct str text = secret_str(&x->value);

	if (a->n_files == ACCESS_FILES_MAX ||
	    !str_fmt(name, sizeof(name), PROC_FILE,
	        a->n_files + PROC_FIRST_FILE))
		return;
	if (repo_env_suits(x->what, REPO_SFTP))
		name[0] = '\0'; /* named by access_sftp() */
	else if (x->what->option == NULL)
		access_env(a, x->what->name, str_of(name));
	else if (!str_fmt(a->options[a->n_options++], ACCESS_OPTION_CAP,
	             "%s=%s", x->what->option, name))
		a->n_options--;
	a->files[a->n_files++] = str_from(mem_strndup(text.p, text.n), text.n);
}

/* ssh closes what it inherits, and restic starts it; by the shell's parent the
 * files can be opened all the same. */
static void
access_sftp(struct access *a, const struct secrets_repo *repo)
{
	char key[64] = "", hosts[128] = "", user[80] = "";
	struct repo_sftp to;
	size_t i, fd = PROC_FIRST_FILE;
	bool fits = true;

	if (!repo_sftp_parse(secret_str(&repo->url), &to))
		return;
	for (i = 0; i < repo->n_extra; i++) {
		if (repo->extra[i].what->form != REPO_ENV_FILE)
			continue;
		if (repo->extra[i].what->secret)
			fits = fits && str_fmt(key, sizeof(key),
			                   " -i /proc/$PPID/fd/%zu -o "
			                   "IdentitiesOnly=yes",
			                   fd);
		else
			fits = fits && str_fmt(hosts, sizeof(hosts),
			                   " -o UserKnownHostsFile=/proc/$PPID/"
			                   "fd/%zu -o StrictHostKeyChecking="
			                   "yes",
			                   fd);
		fd++;
	}
	if (to.user.n > 0)
		fits = fits && str_fmt(user, sizeof(user), " -l %.*s",
		                   STR_ARG(to.user));
	if (fits && fd > PROC_FIRST_FILE &&
	    str_fmt(a->options[a->n_options], ACCESS_OPTION_CAP,
	        "--option=sftp.command=/bin/sh -c 'exec ssh -o BatchMode=yes "
	        "-o ServerAliveInterval=60%s%s -p %u%s -s -- %.*s sftp'",
	        key, hosts, to.port, user, STR_ARG(to.host)))
		a->n_options++;
}

static void
access_extra(struct access *a, const struct secrets_repo *repo)
{
	const struct secrets_extra *x;
	size_t i;

	for (i = 0; i < repo->n_extra; i++) {
		x = &repo->extra[i];
		if (x->what->form == REPO_ENV_FILE)
			access_file(a, x);
		else if (!access_is_rest_login(x->what))
			access_env(a, x->what->name, secret_str(&x->value));
	}
}

static void
access_teach(const struct secrets_repo *repo, struct redact *redact)
{
	size_t i;

	redact_secret(redact, secret_str(&repo->password));
	redact_url(redact, secret_str(&repo->url));
	for (i = 0; i < repo->n_extra; i++)
		if (repo->extra[i].what->secret)
			redact_document(redact,
			    secret_str(&repo->extra[i].value));
}

struct access *
access_new(const struct restic *r, const struct secrets_repo *repo,
    const char *state_dir, struct redact *redact)
{
	struct access *a = MEM_NEW(struct access);
	size_t i;

	a->env = mem_array(ACCESS_ENV_OWN + ARRAY_LEN(access_pass) +
	                       REPO_ENV_MAX + 1,
	    sizeof(*a->env));
	for (i = 0; i < ARRAY_LEN(access_pass); i++)
		if (getenv(access_pass[i]) != NULL)
			access_env(a, access_pass[i],
			    str_of(getenv(access_pass[i])));
	access_env(a, "HOME", str_of(state_dir));
	access_env(a, "XDG_CACHE_HOME", str_of(state_dir));
	access_env(a, "RESTIC_PROGRESS_FPS", STR("1"));
	access_repo(a, r, repo);
	access_extra(a, repo);
	access_sftp(a, repo);
	if (redact != NULL)
		access_teach(repo, redact);
	return a;
}

void
access_free(struct access *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->n_env; i++) {
		mem_wipe(a->env[i], str_of(a->env[i]).n);
		mem_free(a->env[i]);
	}
	for (i = 0; i < a->n_files; i++) {
		mem_wipe((char *)(uintptr_t)a->files[i].p, a->files[i].n);
		mem_free((char *)(uintptr_t)a->files[i].p);
	}
	mem_free(a->env);
	mem_free(a);
}

void
access_give(const struct access *a, struct proc_opts *o)
{
	o->envp = a->env;
	o->files = a->files;
	o->n_files = a->n_files;
}
