/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/account.h"

#include "controller/cli/client.h"
#include "controller/cli/config.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"

static const char *const members[] = { "user_id", "username", "role",
	"must_change_password", "sessions" };

/* NULL: it is not among them. */
static const struct json *
find(const struct json *tokens, const char *id)
{
	const struct json *items = json_get(tokens, "items");
	size_t i;

	for (i = 0; id != NULL && i < json_len(items); i++)
		if (str_eqz(json_text(json_at(items, i), "id"), id))
			return json_at(items, i);
	return NULL;
}

enum rc
account_read(struct client *cl, const struct config *cfg, struct buf *text,
    struct json **doc, struct err *e)
{
	struct json *account = NULL, *tokens = NULL;
	struct json_out j;
	size_t i;
	enum rc rc;

	if ((rc = client_get(cl, "/api/account", &account, e)) != RC_OK)
		return rc;
	if (cfg->token_id != NULL)
		rc = client_list(cl, "/api/tokens", 0, &tokens, e);
	json_out_init(&j, text);
	json_obj(&j, NULL);
	for (i = 0; i < ARRAY_LEN(members); i++)
		json_put_json(&j, members[i], json_get(account, members[i]));
	json_put_json(&j, "token", find(tokens, cfg->token_id));
	json_obj_end(&j);
	json_free(account);
	json_free(tokens);
	return rc == RC_OK ? json_parse(buf_str(text), doc, e) : rc;
}
