/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state: on the data directory of a controller that does not run. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/cli/admin.h"
#include "controller/cli/cli.h"
#include "controller/cli/prompt.h"
#include "controller/cli/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/fsio.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "lib/store/audit_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

enum {
	STATE_ARENA = 16 << 20,
	STATE_PASSWORD_MIN = 12,
	STATE_PASSWORD_MAX = 1024
};

/* -------------------------------------------------------------------- info */

/* Held while it is read: then nobody writes, and reading needs no lock of
 * the database's own and changes nothing. */
static enum rc
hold(const char *dir, int *fd, struct err *e)
{
	char path[ADMIN_PATH_CAP];
	enum rc rc;

	if ((rc = admin_become_owner(dir, e)) != RC_OK ||
	    (rc = admin_path(dir, "db/state", path, e)) != RC_OK ||
	    (rc = fsio_join(path, sizeof(path), dir, "db/state/owner.lock")) !=
	        RC_OK)
		return rc;
	rc = fsio_lock(path, fd, e);
	if (rc == RC_BUSY)
		return err_set(e, RC_BUSY,
		    "the controller runs: ask it by restic-manager hosts and "
		    "its /metrics, or stop it first");
	return rc;
}

static int64_t
file_size(const char *dir, const char *name)
{
	char path[ADMIN_PATH_CAP];
	struct stat st;

	if (fsio_join(path, sizeof(path), dir, name) != RC_OK ||
	    stat(path, &st) != 0)
		return 0;
	return (int64_t)st.st_size;
}

static uint64_t
count_jobs(struct store_tx *tx)
{
	static const Rec__JobState states[] = { REC__JOB_STATE__JOB_QUEUED,
		REC__JOB_STATE__JOB_RUNNING, REC__JOB_STATE__JOB_SUCCEEDED,
		REC__JOB_STATE__JOB_FAILED, REC__JOB_STATE__JOB_CANCELLED };
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(states); i++)
		n += job_store_count_in_state(tx, states[i]);
	return n;
}

static enum rc
read_info(const char *dir, struct json_out *j, struct err *e)
{
	char path[ADMIN_PATH_CAP], key[ADMIN_PATH_CAP];
	struct store_space space = { 0 };
	struct store *s = NULL;
	struct store_tx *tx;
	struct arena a;
	enum rc rc;

	if ((rc = admin_path(dir, "db/state", path, e)) != RC_OK ||
	    (rc = store_open(STORE_STATE, STORE_READER, path, &s, e)) != RC_OK)
		return rc;
	arena_init(&a, STATE_ARENA);
	tx = store_begin_read(s, &a);
	json_put(j, "data_dir", dir);
	json_put_int(j, "schema", STORE_SCHEMA);
	json_put_uint(j, "hosts", host_store_count(tx));
	json_put_uint(j, "jobs", count_jobs(tx));
	json_put_uint(j, "users", user_store_count(tx));
	json_put_uint(j, "audit_entries", audit_store_count(tx));
	rc = store_rc(tx);
	if (rc != RC_OK)
		*e = *store_err(tx);
	store_abort(tx);
	store_space(s, &space);
	json_put_int(j, "state_bytes", file_size(dir, "db/state/data.mdb"));
	json_put_uint(j, "state_used_bytes", space.used_bytes);
	json_put_int(j, "vault_bytes", file_size(dir, "db/vault/data.mdb"));
	json_put_bool(j, "secret_key",
	    admin_path(dir, "secret.key", key, NULL) == RC_OK);
	arena_fini(&a);
	store_close(s);
	return rc;
}

enum exit_code
verb_state_info(struct cli *c)
{
	/* clang-format off */
	static const struct print_column cols[] = {
		{ "Directory",     "data_dir",         PRINT_TEXT },
		{ "Schema",        "schema",           PRINT_COUNT },
		{ "Hosts",         "hosts",            PRINT_COUNT },
		{ "Jobs",          "jobs",             PRINT_COUNT },
		{ "Users",         "users",            PRINT_COUNT },
		{ "Audit entries", "audit_entries",    PRINT_COUNT },
		{ "State",         "state_bytes",      PRINT_SIZE },
		{ "  in use",      "state_used_bytes", PRINT_SIZE },
		{ "Vault",         "vault_bytes",      PRINT_SIZE },
		{ "secret.key",    "secret_key",       PRINT_YES },
	};
	/* clang-format on */
	const char *dir = admin_dir(c);
	struct json *doc = NULL;
	struct json_doc info;
	struct err e = { 0 };
	struct str text;
	int lock = -1;
	enum rc rc;

	json_doc_init(&info, KIB(64));
	if ((rc = hold(dir, &lock, &e)) == RC_OK)
		rc = read_info(dir, &info.j, &e);
	text = str_of(json_doc_end(&info));
	if (rc == RC_OK && (rc = json_parse(text, &doc, &e)) == RC_OK) {
		if (c->out.json)
			print_doc(&c->out, text);
		else
			print_record(&c->out, cols, ARRAY_LEN(cols), doc);
	}
	if (lock >= 0)
		(void)close(lock);
	json_free(doc);
	json_doc_fini(&info);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

/* ---------------------------------------------------------- reset-password */

struct reset {
	struct cli *c;
	const char *dir, *name;
	struct store *state, *vault;
	struct secret password;
	char stored[CRYPT_PASSWORD_CAP];
	struct ulid user;
	uint32_t number; /* of the new password */
};

/* Both under the controller's own locks: RC_BUSY while it runs. */
static enum rc
open_both(struct reset *r, struct err *e)
{
	char state[ADMIN_PATH_CAP], vault[ADMIN_PATH_CAP];
	uint8_t key[CRYPT_KEY_SIZE];
	enum rc rc;

	if ((rc = admin_become_owner(r->dir, e)) != RC_OK ||
	    (rc = admin_path(r->dir, "db/state", state, e)) != RC_OK ||
	    (rc = admin_path(r->dir, "db/vault", vault, e)) != RC_OK ||
	    (rc = admin_key(r->c, r->dir, key, e)) != RC_OK)
		return rc;
	rc = store_open(STORE_STATE, STORE_OFFLINE, state, &r->state, e);
	if (rc == RC_OK)
		rc =
		    store_open(STORE_VAULT, STORE_OFFLINE, vault, &r->vault, e);
	if (rc == RC_OK)
		audit_store_key(r->state, key);
	mem_wipe(key, sizeof(key));
	if (rc == RC_BUSY)
		return err_set(e, RC_BUSY,
		    "the controller runs: stop it first (systemctl stop "
		    "restic-manager-controller), or have an admin send a link "
		    "(restic-manager users link)");
	return rc;
}

static enum rc
find_user(struct reset *r, struct err *e)
{
	const struct Rec__User *u;
	struct store_tx *tx;
	struct arena a;
	enum rc rc = RC_OK;

	arena_init(&a, STATE_ARENA);
	tx = store_begin_read(r->state, &a);
	u = user_store_find_name(tx, str_of(r->name));
	if (store_rc(tx) != RC_OK) {
		*e = *store_err(tx);
		rc = e->rc;
	} else if (u == NULL || u->id.len != sizeof(r->user.b)) {
		rc = err_set(e, RC_NOTFOUND, "there is no user '%.80s'",
		    r->name);
	} else if (u->disabled_at_ms != 0) {
		rc = err_set(e, RC_CONFLICT,
		    "%.80s is disabled: another admin must enable the user "
		    "first",
		    r->name);
	} else {
		memcpy(r->user.b, u->id.data, sizeof(r->user.b));
	}
	store_abort(tx);
	arena_fini(&a);
	return rc;
}

static enum rc
ask_password(struct reset *r, struct err *e)
{
	struct secret again = { 0 };
	enum rc rc;

	if (args_has(&r->c->args, OPT_PASSWORD_STDIN)) {
		rc = prompt_stdin("the new password", &r->password, e);
	} else {
		rc = prompt_line("New password: ", false, &r->password, e);
		if (rc == RC_OK)
			rc = prompt_line("Again: ", false, &again, e);
		if (rc == RC_OK &&
		    !str_eq(secret_str(&r->password), secret_str(&again)))
			rc = err_set(e, RC_INVALID, "the two differ");
	}
	secret_fini(&again);
	if (rc != RC_OK)
		return rc;
	if (!str_utf8_ok(secret_str(&r->password)) ||
	    print_width(secret_str(&r->password)) < STATE_PASSWORD_MIN ||
	    r->password.n > STATE_PASSWORD_MAX)
		return err_set(e, RC_INVALID,
		    "a password has %d characters or more (at most %d bytes)",
		    (int)STATE_PASSWORD_MIN, (int)STATE_PASSWORD_MAX);
	rc = crypt_password_hash(secret_str(&r->password), r->stored);
	return rc == RC_OK ? RC_OK
	                   : err_set(e, rc, "no memory to hash a password");
}

/* The vault first: without the second commit the next start of the controller
 * puts the former password back, which is said. */
static enum rc
write_vault(struct reset *r, struct err *e)
{
	Rec__Password p = REC__PASSWORD__INIT;
	struct store_tx *tx;
	struct arena a;
	enum rc rc;

	arena_init(&a, STATE_ARENA);
	tx = store_begin_write(r->vault, &a);
	p.argon2id = r->stored;
	r->number = vault_put_password(tx, &r->user, &p);
	(void)vault_end_sessions(tx, &r->user, NULL);
	vault_del_ticket(tx, VAULT_SETUP, &r->user);
	rc = store_commit(tx, e);
	arena_fini(&a);
	return rc;
}

static void
put_audit(struct reset *r, struct store_tx *tx)
{
	Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;
	char actor[] = "system", action[] = "user.password_reset";
	char kind[] = "user", payload[64];
	char *name = mem_strdup(r->name);

	ASSERT(str_fmt(payload, sizeof(payload),
	    "{\"by\":\"restic-manager state\",\"uid\":%lld}",
	    (long long)getuid()));
	a.actor_name = actor;
	a.action = action;
	a.target_kind = kind;
	a.target_id.data = r->user.b;
	a.target_id.len = sizeof(r->user.b);
	a.target_name = name;
	a.payload = payload;
	audit_store_add(tx, &a);
	mem_free(name);
}

static enum rc
write_state(struct reset *r, struct err *e)
{
	struct store_tx *tx;
	struct Rec__User *u;
	struct arena a;
	enum rc rc;

	arena_init(&a, STATE_ARENA);
	tx = store_begin_write(r->state, &a);
	u = user_store_get(tx, &r->user);
	if (u != NULL) {
		u->setup_pending = false;
		u->setup_expires_at_ms = 0;
		u->must_change_password = false;
		u->password_number = r->number;
		user_store_put(tx, u);
		put_audit(r, tx);
	}
	rc = store_commit(tx, e);
	arena_fini(&a);
	return rc == RC_OK ? RC_OK
	                   : err_wrap(e, "the password stays as it was");
}

enum exit_code
verb_state_reset_password(struct cli *c)
{
	struct reset r = { .c = c, .dir = admin_dir(c), .name = c->word[0] };
	struct err e = { 0 };
	enum rc rc;

	if ((rc = open_both(&r, &e)) == RC_OK &&
	    (rc = find_user(&r, &e)) == RC_OK &&
	    (rc = ask_password(&r, &e)) == RC_OK &&
	    (rc = write_vault(&r, &e)) == RC_OK)
		rc = write_state(&r, &e);
	store_close(r.vault);
	store_close(r.state);
	secret_fini(&r.password);
	mem_wipe(r.stored, sizeof(r.stored));
	if (rc != RC_OK)
		return cli_fail(c, &e);
	if (c->out.json)
		print_doc(&c->out, STR("{\"ok\":true}"));
	else
		print_line(&c->out,
		    "the password is set, every session has ended; start the "
		    "controller again");
	return END_OK;
}
