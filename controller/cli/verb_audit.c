/* SPDX-License-Identifier: GPL-3.0-or-later */
/* audit verify: by the controller, or on the data directory of one that does
 * not run. */
#include <stdint.h>

#include "controller/cli/admin.h"
#include "controller/cli/ask.h"
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
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/audit/verify");
	if (expect != NULL)
		buf_printf(&a.path, "?expect=%s", expect);
	ask_get(&a);
	if (ask_ok(&a))
		a.code = tell(c, client_text(a.cl), a.doc);
	return ask_end(&a);
}

/* ----------------------------------------------------------------- offline */

static enum rc
open_state(struct cli *c, const char *dir, struct store **out, struct err *e)
{
	char path[ADMIN_PATH_CAP];
	uint8_t key[CRYPT_KEY_SIZE];
	enum rc rc;

	if ((rc = admin_become_owner(dir, e)) != RC_OK ||
	    (rc = admin_path(dir, "db/state", path, e)) != RC_OK ||
	    (rc = admin_key(c, dir, key, e)) != RC_OK)
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
