/* SPDX-License-Identifier: GPL-3.0-or-later */
/* audit verify: by the controller, or on the data directory of one that does
 * not run. */
#include <stdint.h>
#include <unistd.h>

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/store/audit_check.h"
#include "lib/store/audit_store.h"
#include "lib/store/store.h"

enum {
	PATH_CAP = 1024,
	SLICE = 10000
};

static enum exit_code
tell(struct cli *c, struct str text, const struct json *doc)
{
	struct buf b;

	if (c->out.json) {
		print_doc(&c->out, text);
	} else {
		buf_init(&b, KIB(8));
		print_safe(&b, json_text(doc, "message"));
		print_line(&c->out, "%s", buf_text(&b));
		if (json_get(doc, "expected_found") != NULL &&
		    !json_flag(doc, "expected_found", true))
			print_line(&c->out,
			    "no entry has the hash that was expected");
		buf_fini(&b);
	}
	return json_flag(doc, "ok", false) ? END_OK : END_FAILED;
}

/* ------------------------------------------------------------------ online */

static enum exit_code
ask(struct cli *c, const char *expect)
{
	enum exit_code code = END_OK;
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	char path[128];
	enum rc rc;

	ASSERT(str_fmt(path, sizeof(path), "/api/audit/verify%s%s",
	    expect != NULL ? "?expect=" : "", expect != NULL ? expect : ""));
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = client_get(cl, path, &doc, &e);
	code = rc == RC_OK ? tell(c, client_text(cl), doc) : cli_fail(c, &e);
	json_free(doc);
	client_free(cl);
	return code;
}

/* ----------------------------------------------------------------- offline */

/* A key that is missing is not made here. */
static enum rc
read_key(struct cli *c, const char *dir, uint8_t key[CRYPT_KEY_SIZE],
    struct err *e)
{
	const char *given = args_value(&c->args, OPT_KEY_FILE);
	char path[PATH_CAP];

	if (given == NULL && !str_fmt(path, sizeof(path), "%s/secret.key", dir))
		return err_set(e, RC_LIMIT, "the path is too long");
	if (given == NULL)
		given = path;
	if (access(given, R_OK) != 0)
		return err_set(e, RC_NOTFOUND,
		    "%s cannot be read, and without that key the seal of the "
		    "log cannot be checked; --key-file names another",
		    given);
	return crypt_key_file(given, key, e);
}

static enum rc
open_state(struct cli *c, const char *dir, struct store **out, struct err *e)
{
	uint8_t key[CRYPT_KEY_SIZE];
	char path[PATH_CAP];
	enum rc rc;

	if (!str_fmt(path, sizeof(path), "%s/db/state", dir))
		return err_set(e, RC_LIMIT, "the path is too long");
	if (access(path, F_OK) != 0)
		return err_set(e, RC_NOTFOUND,
		    "%s is not there: is %s the data directory of a "
		    "controller?",
		    path, dir);
	if ((rc = read_key(c, dir, key, e)) != RC_OK)
		return rc;
	rc = store_open(STORE_STATE, STORE_OFFLINE, path, out, e);
	if (rc == RC_OK)
		audit_store_key(*out, key);
	mem_wipe(key, sizeof(key));
	return rc;
}

static enum rc
walk(struct store *s, struct audit_check *check, struct err *e)
{
	struct store_tx *tx;
	bool more = true;

	while (more) {
		tx = store_begin_read(s, NULL);
		more = audit_check_step(check, tx, SLICE);
		*e = *store_err(tx);
		store_abort(tx);
	}
	return e->rc;
}

static enum exit_code
look(struct cli *c, const char *dir, const uint8_t *expected)
{
	struct audit_check check;
	struct store *s = NULL;
	struct json *doc = NULL;
	enum exit_code code;
	struct json_out j;
	struct err e = { 0 };
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(8));
	json_out_init(&j, &b);
	audit_check_init(&check, expected);
	if ((rc = open_state(c, dir, &s, &e)) == RC_OK &&
	    (rc = walk(s, &check, &e)) == RC_OK) {
		audit_check_json(&check, &j);
		rc = json_parse(buf_str(&b), &doc, &e);
	}
	code = rc == RC_OK ? tell(c, buf_str(&b), doc) : cli_fail(c, &e);
	json_free(doc);
	store_close(s);
	buf_fini(&b);
	return code;
}

enum exit_code
verb_audit_verify(struct cli *c)
{
	const char *dir = args_value(&c->args, OPT_DATA_DIR);
	const char *expect = args_value(&c->args, OPT_EXPECT);
	uint8_t expected[CRYPT_HASH_SIZE];
	struct err e;

	if (expect != NULL &&
	    !str_unhex(str_of(expect), expected, sizeof(expected))) {
		(void)err_set(&e, RC_INVALID,
		    "--expect takes a hash of 64 hexadecimal digits, as the "
		    "controller logs it");
		return cli_fail(c, &e);
	}
	if (dir == NULL)
		return ask(c, expect);
	return look(c, dir, expect != NULL ? expected : NULL);
}
