/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hooks.h"

#include <string.h>

#include "controller/hooks_own.h"
#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

void
hooks_ad(const struct ulid *host, const struct ulid *group, bool post,
    char ad[HOOKS_AD_CAP])
{
	char h[ULID_TEXT_CAP], g[ULID_TEXT_CAP];

	ulid_text(host, h);
	if (group != NULL)
		ulid_text(group, g);
	ASSERT(str_fmt(ad, HOOKS_AD_CAP, "host:%s:hook:%s:%s", h,
	    group != NULL ? g : "default", post ? "post" : "pre"));
}

/* One body on its way. */
struct body {
	const struct ulid *host;
	const struct ulid *group; /* NULL: the host's default */
	bool post;
	ProtobufCBinaryData *out;
};

static enum rc
open_body(const struct hooks_from *from, const struct body *b)
{
	const struct Rec__Hooks *stored =
	    vault_find_hooks(from->vault, b->host, b->group);
	const ProtobufCBinaryData *sealed;
	char ad[HOOKS_AD_CAP];
	struct buf plain;
	enum rc rc;

	if (stored == NULL)
		return RC_NOTFOUND;
	sealed = b->post ? &stored->sealed_post : &stored->sealed_pre;
	hooks_ad(b->host, b->group, b->post, ad);
	buf_init(&plain, HOOKS_BODY_MAX);
	rc = crypt_open(from->key, str_of(ad),
	    str_from(sealed->data, sealed->len), &plain);
	if (rc == RC_OK) {
		b->out->data =
		    (uint8_t *)(void *)arena_str(from->arena, buf_str(&plain));
		b->out->len = plain.len;
		rc = arena_rc(from->arena);
	}
	buf_wipe_fini(&plain);
	return rc;
}

static void
take_body(const struct hooks_from *from, const struct body *b,
    const char *group_name, Wire__Hooks *w)
{
	if (open_body(from, b) == RC_OK)
		return;
	w->unreadable = arena_printf(from->arena,
	    "the %s of %s%s cannot be opened by the controller: enter it anew",
	    b->post ? "post_hook" : "pre_hook",
	    b->group != NULL ? "source group " : "the host's defaults",
	    b->group != NULL ? group_name : "");
}

struct Wire__Hooks *
hooks_resolve(const struct hooks_from *from, const struct Rec__Host *h,
    const struct Rec__SourceGroup *g)
{
	Wire__Hooks *w = arena_alloc(from->arena, sizeof(*w));
	struct ulid host, group;
	struct body pre, post;

	if (w == NULL || !pb_id_get(&h->id, &host) ||
	    !pb_id_get(&g->id, &group))
		return NULL;
	wire__hooks__init(w);
	pre = (struct body){ &host, g->has_pre_hook ? &group : NULL, false,
		&w->pre };
	post = (struct body){ &host, g->has_post_hook ? &group : NULL, true,
		&w->post };
	if (g->has_pre_hook || h->has_pre_hook)
		take_body(from, &pre, g->name, w);
	if (g->has_post_hook || h->has_post_hook)
		take_body(from, &post, g->name, w);
	w->limit_s = g->hook_limit_s > 0   ? g->hook_limit_s
	             : h->hook_limit_s > 0 ? h->hook_limit_s
	                                   : (uint32_t)HOOKS_LIMIT_S;
	return w->pre.len > 0 || w->post.len > 0 || w->unreadable[0] != '\0'
	           ? w
	           : NULL;
}

static void
wipe(ProtobufCBinaryData *b)
{
	if (b->len > 0)
		mem_wipe(b->data, b->len);
}

void
hooks_wipe(struct Wire__Hooks *w)
{
	if (w == NULL)
		return;
	wipe(&w->pre);
	wipe(&w->post);
}
