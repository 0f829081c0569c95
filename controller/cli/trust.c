/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/trust.h"

#include <unistd.h>

#include "controller/cli/config.h"
#include "controller/cli/exit.h"
#include "controller/cli/prompt.h"
#include "lib/net/probe.h"

enum {
	TRUST_PROBE_MS = 15000
};

static enum rc
look(const struct config *cfg, struct probe *out, struct err *e)
{
	struct url u;
	enum rc rc;

	if ((rc = url_parse(cfg->server, &u, e)) != RC_OK ||
	    (rc = probe_run(&u, NULL, TRUST_PROBE_MS, out, e)) != RC_OK)
		return rc;
	if (out->failed != PROBE_DONE || !out->tls.any)
		return err_code(e, RC_AUTH, EXIT_UNREACHABLE_CODE,
		    "%s: its certificate cannot be read: %s", cfg->server,
		    out->err.msg);
	return RC_OK;
}

enum rc
trust_ask(struct config *cfg, struct err *e)
{
	char pin[2 * 32 + 1], question[512];
	struct probe p;
	bool yes = false;
	enum rc rc;

	if ((rc = look(cfg, &p, e)) != RC_OK)
		return rc;
	str_hex(p.tls.pin, sizeof(p.tls.pin), pin, sizeof(pin));
	ASSERT(str_fmt(question, sizeof(question),
	    "%.100s: no authority known here vouches for this controller.\n"
	    "SHA-256 of its public key:\n    %s\n"
	    "The controller's log shows it at its start as pin=.\n"
	    "Trust this key from now on? (yes or no) ",
	    cfg->server, pin));
	if (prompt_yes(question, &yes, e) != RC_OK)
		return err_code(e, RC_AUTH, EXIT_UNREACHABLE_CODE,
		    "%.80s: its certificate is not trusted. If its key is %s: "
		    "--pin with that",
		    cfg->server, pin);
	if (!yes)
		return err_code(e, RC_AUTH, EXIT_UNREACHABLE_CODE,
		    "%s: its key is not trusted", cfg->server);
	config_set(&cfg->pin, pin);
	return RC_OK;
}
