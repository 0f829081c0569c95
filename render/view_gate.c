/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pages of forms, and what stands before and beside them: first run, sign
 * in, the form that adds a host, errors. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/ulid.h"
#include "lib/store/gone_store.h"
#include "lib/store/store.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	FINGERPRINT_LEN = 64,
	BLOCK_LEN = 4
};

struct error_words {
	int status;
	const char *title;
	const char *text;
};

/* clang-format off */
static const struct error_words errors[] = {
	{ 400, "That request cannot be read",
	  "The address or the form is malformed. Nothing was changed." },
	{ 403, "You cannot do this",
	  "Your role does not allow it. Nothing was changed." },
	{ 404, "Nothing here",
	  "There is no page or object at this address. A host may have been "
	  "renamed or removed." },
	{ 409, "It is different by now",
	  "Somebody or something was faster. Load the page again and look." },
	{ 410, "Gone",
	  "It was used already, or it has expired." },
	{ 413, "Too large",
	  "What was sent is larger than this server accepts. Nothing was "
	  "changed." },
	{ 422, "That value is not allowed",
	  "Go back, correct it, and send it again. Nothing was changed." },
	{ 429, "Too many attempts",
	  "Wait a few minutes, then try again." },
	{ 503, "Not available at the moment",
	  "The server is busy or the host is not connected. Try again "
	  "shortly." },
	{ 500, "Something went wrong here",
	  "The server's log has the details under the request number below." },
};
/* clang-format on */

/* 64 hex digits in blocks of four, as the installer prints them. */
static void
put_fingerprint(struct value *root, struct str hex)
{
	struct buf b;
	size_t i;

	if (hex.n != FINGERPRINT_LEN) {
		value_bool(root, "fingerprint", false);
		return;
	}
	buf_init(&b, KIB(1));
	for (i = 0; i < hex.n; i += BLOCK_LEN) {
		if (i > 0)
			buf_putc(&b, ' ');
		buf_put_str(&b, str_sub(hex, i, BLOCK_LEN));
	}
	value_copy(root, "fingerprint", buf_str(&b));
	buf_fini(&b);
}

enum rc
view_bootstrap(struct view *v, struct value *root)
{
	static const char *const fields[] = { "token", "username", "password",
		NULL };

	view_fields(v, root, fields);
	value_bool(root, "need_token", view_param_is(v, "need_token", "1"));
	put_fingerprint(root, view_param(v, "fingerprint"));
	return RC_OK;
}

enum rc
view_login(struct view *v, struct value *root)
{
	static const char *const fields[] = { "username", "password", NULL };

	view_fields(v, root, fields);
	value_bool(root, "ended", view_param_is(v, "ended", "1"));
	value_text(root, "base_url", v->req->base_url);
	return RC_OK;
}

enum rc
view_host_new(struct view *v, struct value *root)
{
	static const char *const fields[] = { "hostname", "tags", "repo_url",
		"repo_username", "repo_password", "initial_paths", NULL };

	view_fields(v, root, fields);
	value_bool(root, "duplicate", view_param_is(v, "duplicate", "1"));
	value_bool(root, "allow_duplicate",
	    view_param_is(v, "allow_duplicate", "1"));
	value_bool(root, "nav_hosts", true);
	view_enrolments(v, root);
	view_tokenless(v, root);
	return RC_OK;
}

static const struct error_words *
words_for(int status)
{
	size_t i;

	for (i = 0; i + 1 < ARRAY_LEN(errors); i++) {
		if (errors[i].status == status)
			break;
	}
	return &errors[i];
}

/* Only a path on this server may become a link. */
static struct str
own_path(struct str path)
{
	if (path.n < 1 || path.p[0] != '/')
		return str_of("");
	if (path.n > 1 && (path.p[1] == '/' || path.p[1] == '\\'))
		return str_of("");
	return path;
}

/* Instead of "nothing here", for a week. */
static const char *
what_became(struct view *v)
{
	const struct Rec__HostGone *g;
	struct ulid id;

	if (!view_param_id(v, "id", &id))
		return "";
	g = gone_store_find(v->state, &id);
	if (g == NULL)
		return "";
	return arena_printf(v->arena,
	    "Host %s was deleted on %s by %s. Its backups are still in its "
	    "repository.",
	    g->name, text_when(v->arena, &v->clock, g->deleted_at_ms),
	    g->deleted_by);
}

enum rc
view_error(struct view *v, struct value *root)
{
	const int not_found = 404;
	uint64_t asked = view_param_number(v, "status", 0);
	const struct error_words *w;
	struct str message;

	/* A view that found nothing has set the status already. */
	if (v->status != not_found)
		v->status = (int)asked;
	w = words_for(v->status);
	v->status = w->status;
	value_printf(root, "status", "%d", w->status);
	value_text(root, "title",
	    view_param_is(v, "code", "stale_form") ? "This form is out of date"
	                                           : w->title);
	value_text(root, "text", w->text);
	message = view_param(v, "message");
	if (v->status == not_found && message.n == 0)
		message = str_of(what_became(v));
	value_lend(root, "message", view_sentence(v, message));
	value_lend(root, "needs", view_param(v, "needs"));
	value_lend(root, "back", own_path(view_param(v, "back")));
	value_bool(root, "nav_hosts", false);
	return RC_OK;
}
