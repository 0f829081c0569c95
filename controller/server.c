/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/server.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <version.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/req.h"
#include "lib/base/fsio.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

enum {
	PATH_CAP = 4096,
	GRACE_MS = 3000,
	/* Longer than an agent's heartbeat: who beats is not asked, and an
	 * idle agent sleeps. */
	SERVER_PING_MS = 40000
};

struct server {
	struct controller *ctl;
	char cert[PATH_CAP], key[PATH_CAP], tickets[PATH_CAP];
	struct listener *tls;
	struct listener *plain; /* NULL: none */
	unsigned closing;
	server_done_fn *done;
	void *done_ctx;
};

/* ------------------------------------------------------------ certificate */

/* The host of a URL such as https://name:port/path. */
static void
url_host(const char *url, char *dst, size_t cap)
{
	struct str s = str_of(url), scheme, rest, host;

	dst[0] = '\0';
	if (s.p == NULL || !str_cut(s, '/', &scheme, &rest))
		return;
	str_cut(str_sub(rest, 1, rest.n), '/', &host, &rest);
	if (str_starts(host, STR("[")))
		str_cut(str_sub(host, 1, host.n), ']', &host, &rest);
	else
		str_cut(host, ':', &host, &rest);
	if (!str_copy(dst, cap, host))
		dst[0] = '\0';
}

static enum rc
self_signed(const struct server *s, struct err *e)
{
	char machine[HOST_NAME_MAX + 1] = "", base[256];
	const char *names[6] = { "localhost", "127.0.0.1", "::1" };
	size_t n = 3;

	url_host(s->ctl->settings.base_url, base, sizeof(base));
	if (gethostname(machine, sizeof(machine) - 1) == 0 &&
	    machine[0] != '\0' && strcmp(machine, "localhost") != 0)
		names[n++] = machine;
	if (base[0] != '\0' && strcmp(base, machine) != 0 &&
	    strcmp(base, "localhost") != 0)
		names[n++] = base;
	return tls_self_signed(s->cert, s->key, "restic-manager", names, e);
}

static enum rc
choose_files(struct server *s, struct err *e)
{
	const struct settings *set = &s->ctl->settings;
	bool own = set->tls_cert == NULL;
	bool fits;

	fits = str_fmt(s->tickets, PATH_CAP, "%s/tickets.key", set->tls_dir);
	if (own) {
		fits &= str_fmt(s->cert, PATH_CAP, "%s/cert.pem", set->tls_dir);
		fits &= str_fmt(s->key, PATH_CAP, "%s/key.pem", set->tls_dir);
	} else {
		fits &= str_copy(s->cert, PATH_CAP, str_of(set->tls_cert));
		fits &= str_copy(s->key, PATH_CAP, str_of(set->tls_key));
	}
	if (!fits)
		return err_set(e, RC_LIMIT,
		    "a path in RM_DATA_DIR or "
		    "RM_TLS_CERT is too long");
	return own ? self_signed(s, e) : RC_OK;
}

static enum rc
load_certificate(struct server *s, struct tls_ctx **out, struct err *e)
{
	const struct tls_server_opts o = { s->cert, s->key, s->tickets };
	char hex[2 * TLS_PIN_SIZE + 1];
	uint8_t pin[TLS_PIN_SIZE];
	enum rc rc;

	if ((rc = tls_file_pin(s->cert, pin, e)) != RC_OK)
		return rc;
	if ((rc = tls_server_new(&o, out, e)) != RC_OK)
		return rc;
	memcpy(s->ctl->pin, pin, sizeof(pin));
	str_hex(pin, sizeof(pin), hex, sizeof(hex));
	log_info(LOG_NET, "certificate pin=%s", hex);
	return RC_OK;
}

enum rc
server_reload(struct server *s, struct err *e)
{
	struct tls_ctx *tls = NULL;
	enum rc rc;

	if ((rc = load_certificate(s, &tls, e)) != RC_OK)
		return rc;
	listen_set_tls(s->tls, tls);
	tls_ctx_unref(tls);
	return RC_OK;
}

/* -------------------------------------------------------------- listeners */

static bool
server_on_exempt(void *ctx, const char *peer)
{
	const struct server *s = ctx;

	return settings_trusted(&s->ctl->settings, peer);
}

static enum rc
open_one(struct server *s, const char *address, struct tls_ctx *tls,
    struct listener **out, struct err *e)
{
	const struct listen_opts o = {
		.loop = s->ctl->loop,
		.address = address,
		.tls = tls,
		.limits.ping_ms = SERVER_PING_MS,
		.http = &req_handler,
		.http_ctx = s->ctl,
		.grpc = agents_grpc(s->ctl->agents),
		.exempt = server_on_exempt,
		.exempt_ctx = s,
		.offences = s->ctl->offences,
	};

	if (listen_open(&o, out, e) != RC_OK)
		return e->rc;
	log_info(LOG_NET, "listening address=%s port=%u tls=%s", address,
	    (unsigned)listen_port(*out), tls != NULL ? "yes" : "no");
	return RC_OK;
}

static void
server_on_failed_closed(void *ctx)
{
	mem_free(ctx);
}

enum rc
server_open(struct controller *c, struct server **out, struct err *e)
{
	struct server *s = MEM_NEW(struct server);
	struct tls_ctx *tls = NULL;
	enum rc rc;

	s->ctl = c;
	if ((rc = choose_files(s, e)) != RC_OK)
		goto out;
	if ((rc = load_certificate(s, &tls, e)) != RC_OK)
		goto out;
	rc = open_one(s, c->settings.listen, tls, &s->tls, e);
	if (rc == RC_OK && c->settings.listen_plain != NULL)
		rc = open_one(s, c->settings.listen_plain, NULL, &s->plain, e);
	if (rc == RC_OK)
		*out = s;
out:
	tls_ctx_unref(tls);
	if (rc != RC_OK && s->tls != NULL)
		listen_close(s->tls, 0, server_on_failed_closed, s);
	else if (rc != RC_OK)
		mem_free(s);
	return rc;
}

static void
server_on_closed(void *ctx)
{
	struct server *s = ctx;
	server_done_fn *done = s->done;
	void *done_ctx = s->done_ctx;

	if (--s->closing > 0)
		return;
	mem_free(s);
	done(done_ctx);
}

void
server_close(struct server *s, server_done_fn *done, void *ctx)
{
	s->done = done;
	s->done_ctx = ctx;
	s->closing = s->plain != NULL ? 2 : 1;
	if (s->plain != NULL)
		listen_close(s->plain, GRACE_MS, server_on_closed, s);
	listen_close(s->tls, GRACE_MS, server_on_closed, s);
}

static void
add_stats(struct listen_stats *sum, const struct listener *l)
{
	struct listen_stats one;

	listen_stats(l, &one);
	sum->accepted += one.accepted;
	sum->refused_limit += one.refused_limit;
	sum->refused_address += one.refused_address;
	sum->tls_done += one.tls_done;
	sum->tls_failed += one.tls_failed;
	sum->h1_bad += one.h1_bad;
	sum->h2_bad += one.h2_bad;
	sum->open += one.open;
	sum->handshaking += one.handshaking;
}

void
server_stats(const struct server *s, struct listen_stats *out)
{
	*out = (struct listen_stats){ .open = 0 };
	if (s != NULL && s->tls != NULL)
		add_stats(out, s->tls);
	if (s != NULL && s->plain != NULL)
		add_stats(out, s->plain);
}

/* ----------------------------------------------------------------- routes */

void
server_health(struct req *r)
{
	struct op_stats stats;
	const char *why;
	struct err e;

	op_queue_stats(r->ctl->ops, &stats);
	if (stats.unhealthy)
		(void)err_code(&e, RC_BUSY, "store_unhealthy",
		    "the last commit failed; see the log, and the space left "
		    "on the disk");
	else if (ingest_unhealthy(r->ctl->ingest, &why))
		(void)err_code(&e, RC_BUSY, "spool_unhealthy",
		    "job logs cannot be written; see the log, and the space "
		    "left on the disk");
	else
		e.rc = RC_OK;
	if (e.rc == RC_OK)
		req_empty(r, 204);
	else
		req_fail(r, &e);
}

void
server_version(struct req *r)
{
	struct json_doc doc;

	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "version", RM_VERSION);
	json_put(&doc.j, "commit", RM_COMMIT);
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}
