/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/http.h"

#include <curl/curl.h>
#include <string.h>
#include <version.h>

#include "controller/cli/exit.h"
#include "lib/base/mem.h"

enum {
	HTTP_BODY_MAX = 64 << 20,
	HTTP_CONNECT_S = 15,
	HTTP_TIMEOUT_S = 60,
	HTTP_SILENCE_S = 60, /* the controller says something every 15 s */
	HTTP_POLL_MS = 1000
};

struct http {
	CURL *easy;
	CURLM *multi;
	char *server; /* without a slash at the end */
	char *token, *cookie;
	unsigned timeout_s;
	bool untrusted;
	bool has_ca; /* a file of our own */
	char why[CURL_ERROR_SIZE];
};

/* One exchange. */
struct exchange {
	struct http *h;
	const struct http_request *q;
	struct http_answer *out;
	struct curl_slist *fields;
	bool stopped; /* by on_data, or by wake_fd */
};

/* ---------------------------------------------------------------- opening */

static enum rc
set_trust(struct http *h, const struct http_opts *o, struct err *e)
{
	char text[STR_B64_CAP(32) + 16], b64[STR_B64_CAP(32)];
	uint8_t pin[32];

	h->has_ca = o->ca_file != NULL;
	if (h->has_ca)
		curl_easy_setopt(h->easy, CURLOPT_CAINFO, o->ca_file);
	if (o->pin == NULL)
		return RC_OK;
	if (!str_unhex(str_of(o->pin), pin, sizeof(pin)))
		return err_set(e, RC_INVALID, "the pin is not 64 hex digits");
	str_b64(pin, sizeof(pin), false, b64, sizeof(b64));
	ASSERT(str_fmt(text, sizeof(text), "sha256//%s", b64));
	curl_easy_setopt(h->easy, CURLOPT_PINNEDPUBLICKEY, text);
	/* The key decides, not who signed it, when and for which name. */
	if (o->ca_file == NULL) {
		curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return RC_OK;
}

enum rc
http_new(const struct http_opts *o, struct http **out, struct err *e)
{
	struct http *h = MEM_NEW(struct http);
	size_t n = strlen(o->server);
	enum rc rc;

	h->server = mem_strndup(o->server, n);
	if (n > 0 && h->server[n - 1] == '/')
		h->server[n - 1] = '\0';
	h->timeout_s = o->timeout_s > 0 ? o->timeout_s : HTTP_TIMEOUT_S;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	h->easy = curl_easy_init();
	h->multi = curl_multi_init();
	if (h->easy == NULL || h->multi == NULL)
		rc = err_set(e, RC_LIMIT, "no memory for a connection");
	else
		rc = set_trust(h, o, e);
	if (rc != RC_OK) {
		http_free(h);
		return rc;
	}
	http_set_token(h, o->token);
	curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->why);
	curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_S);
	curl_easy_setopt(h->easy, CURLOPT_USERAGENT,
	    "restic-manager/" RM_VERSION);
	*out = h;
	return RC_OK;
}

static void
forget(char **text)
{
	if (*text != NULL)
		mem_wipe(*text, strlen(*text));
	mem_free(*text);
	*text = NULL;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->easy);
	if (h->multi != NULL)
		curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	forget(&h->token);
	forget(&h->cookie);
	mem_free(h->server);
	mem_free(h);
}

void
http_set_cookie(struct http *h, const char *cookie)
{
	forget(&h->cookie);
	h->cookie = cookie == NULL ? NULL : mem_strdup(cookie);
}

void
http_set_token(struct http *h, const char *token)
{
	forget(&h->token);
	h->token = token == NULL ? NULL : mem_strdup(token);
}

bool
http_untrusted(const struct http *h)
{
	return h->untrusted;
}

/* ----------------------------------------------------------------- answer */

static void
keep_field(char dst[HTTP_FIELD_CAP], struct str value)
{
	if (!str_copy(dst, HTTP_FIELD_CAP,
	        str_sub(value, 0, HTTP_FIELD_CAP - 1)))
		dst[0] = '\0';
}

static void
take_cookie(struct http_answer *a, struct str value)
{
	struct str pair, rest;

	str_cut(value, ';', &pair, &rest);
	if (str_starts(pair, STR("rm_session=")))
		keep_field(a->cookie, pair);
}

static void
take_field(struct http_answer *a, struct str name, struct str value)
{
	char date[64];

	if (str_case_eq(name, STR("server")))
		keep_field(a->server, value);
	else if (str_case_eq(name, STR("via")))
		keep_field(a->via, value);
	else if (str_case_eq(name, STR("content-type")))
		keep_field(a->type, value);
	else if (str_case_eq(name, STR("set-cookie")))
		take_cookie(a, value);
	else if (str_case_eq(name, STR("date")) &&
	         str_copy(date, sizeof(date), value))
		a->date_ms = (int64_t)curl_getdate(date, NULL) * 1000;
	else if (str_case_eq(name, STR("retry-after")) &&
	         !str_i64(value, 0, 86400, &a->retry_after_s))
		a->retry_after_s = 0;
}

static size_t
http_on_header(char *p, size_t one, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	struct str line = str_trim(str_from(p, n)), name, value;

	(void)one;
	if (str_cut(line, ':', &name, &value))
		take_field(x->out, name, str_trim(value));
	return n;
}

static size_t
http_on_body(char *p, size_t one, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	long status = 0;

	(void)one;
	curl_easy_getinfo(x->h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (x->q->on_data != NULL && status >= 200 && status < 300) {
		x->stopped = !x->q->on_data(x->q->ctx, str_from(p, n));
		return x->stopped ? 0 : n;
	}
	buf_put(&x->out->body, p, n);
	return buf_rc(&x->out->body) == RC_OK ? n : 0;
}

/* ---------------------------------------------------------------- request */

static void
add_field(struct exchange *x, const char *name, const char *value)
{
	struct buf b;

	buf_init(&b, KIB(8));
	buf_printf(&b, "%s: %s", name, value);
	x->fields = curl_slist_append(x->fields, buf_text(&b));
	buf_wipe_fini(&b);
}

static void
add_fields(struct exchange *x)
{
	const struct http *h = x->h;
	char id[24];

	add_field(x, "Accept",
	    x->q->accept != NULL ? x->q->accept : "application/json");
	add_field(x, "Expect", ""); /* no 100-continue */
	if (x->q->body.p != NULL)
		add_field(x, "Content-Type", "application/json");
	if (h->cookie != NULL)
		add_field(x, "Cookie", h->cookie);
	else if (h->token != NULL) {
		char *value = mem_alloc(strlen(h->token) + 8);

		ASSERT(str_fmt(value, strlen(h->token) + 8, "Bearer %s",
		    h->token));
		add_field(x, "Authorization", value);
		forget(&value);
	}
	if (x->q->resume > 0) {
		ASSERT(str_fmt(id, sizeof(id), "%llu",
		    (unsigned long long)x->q->resume));
		add_field(x, "Last-Event-ID", id);
	}
}

static void
drop_fields(struct exchange *x)
{
	struct curl_slist *f;

	for (f = x->fields; f != NULL; f = f->next)
		mem_wipe(f->data, strlen(f->data));
	curl_slist_free_all(x->fields);
}

static void
set_up(struct exchange *x, const char *url)
{
	const struct http_request *q = x->q;
	CURL *c = x->h->easy;
	bool live = q->on_data != NULL;

	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	if (q->body.p != NULL) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body.p);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)q->body.n);
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->fields);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, http_on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_TIMEOUT,
	    live ? (long)q->patience_s : (long)x->h->timeout_s);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, live ? 1L : 0L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
	    live ? (long)HTTP_SILENCE_S : 0L);
}

/* Waits for the network and for wake_fd. */
static CURLcode
drive(struct exchange *x)
{
	struct curl_waitfd wake = { .events = CURL_WAIT_POLLIN };
	unsigned extra = x->q->on_data != NULL && x->q->wake_fd >= 0 ? 1 : 0;
	CURLM *m = x->h->multi;
	const CURLMsg *msg;
	CURLcode code = CURLE_OK;
	int running = 1, left;

	wake.fd = x->q->wake_fd;
	while (running > 0 && !x->stopped) {
		if (curl_multi_perform(m, &running) != CURLM_OK)
			return CURLE_FAILED_INIT;
		if (running > 0 && curl_multi_poll(m, &wake, extra,
		                       HTTP_POLL_MS, NULL) != CURLM_OK)
			return CURLE_FAILED_INIT;
		if (extra > 0 && (wake.revents & CURL_WAIT_POLLIN) != 0)
			x->stopped = true;
	}
	while ((msg = curl_multi_info_read(m, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	return code;
}

static enum rc
failed(struct exchange *x, CURLcode code, struct err *e)
{
	const char *why =
	    x->h->why[0] != '\0' ? x->h->why : curl_easy_strerror(code);

	if (x->stopped)
		return err_set(e, RC_CANCELLED, "interrupted");
	if (buf_rc(&x->out->body) != RC_OK)
		return err_set(e, RC_LIMIT, "the answer is larger than %d MiB",
		    HTTP_BODY_MAX >> 20);
	if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return err_code(e, RC_AUTH, EXIT_UNREACHABLE_CODE,
		    "%s: its key is not the pinned one. Is this the right "
		    "server? If its key was changed, sign in again",
		    x->h->server);
	/* The second: this machine has no authorities at all. */
	x->h->untrusted = code == CURLE_PEER_FAILED_VERIFICATION ||
	                  (code == CURLE_SSL_CACERT_BADFILE && !x->h->has_ca);
	if (x->h->untrusted)
		return err_code(e, RC_AUTH, EXIT_UNREACHABLE_CODE,
		    "%s: its certificate is not trusted: %s. Give its "
		    "authority by --ca-file, or its key by --pin",
		    x->h->server, why);
	return err_code(e,
	    code == CURLE_OPERATION_TIMEDOUT ? RC_TIMEOUT : RC_IO,
	    EXIT_UNREACHABLE_CODE,
	    "cannot reach %s: %s. restic-manager doctor finds out more",
	    x->h->server, why);
}

static void
read_info(struct exchange *x)
{
	long status = 0, version = 0;
	CURL *c = x->h->easy;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c, CURLINFO_HTTP_VERSION, &version);
	x->out->status = (int)status;
	if (version == CURL_HTTP_VERSION_2_0)
		x->out->version = 20;
	else
		x->out->version = version == CURL_HTTP_VERSION_1_0 ? 10 : 11;
}

enum rc
http_do(struct http *h, const struct http_request *q, struct http_answer *out,
    struct err *e)
{
	struct exchange x = { .h = h, .q = q, .out = out };
	struct buf url;
	CURLcode code;

	memset(out, 0, sizeof(*out));
	buf_init(&out->body, HTTP_BODY_MAX);
	buf_init(&url, KIB(16));
	buf_puts(&url, h->server);
	buf_puts(&url, q->path);
	h->why[0] = '\0';
	h->untrusted = false;
	add_fields(&x);
	set_up(&x, buf_text(&url));
	curl_multi_add_handle(h->multi, h->easy);
	code = drive(&x);
	curl_multi_remove_handle(h->multi, h->easy);
	read_info(&x);
	drop_fields(&x);
	buf_fini(&url);
	if (code != CURLE_OK || x.stopped)
		return failed(&x, code, e);
	return RC_OK;
}

void
http_answer_fini(struct http_answer *a)
{
	mem_wipe(a->cookie, sizeof(a->cookie));
	buf_wipe_fini(&a->body);
}
