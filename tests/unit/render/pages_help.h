/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_RENDER_PAGES_HELP_H
#define TESTS_UNIT_RENDER_PAGES_HELP_H
/*
 * A page asked for over the made-up fleet of tests/fake/seed.h, as the
 * renderer answers it, and what has to be in it.
 */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/store.h"
#include "proto/render.pb-c.h"
#include "render/answer.h"
#include "render/pages.h"
#include "render/template.h"
#include "tests/fake/seed_plans.h"

#define MARKER "MARK9f2c"

enum {
	PARAMS = 24,
	DIR_CAP = 256
};

enum {
	NOBODY = REC__ROLE__ROLE_NONE, /* not signed in */
	VIEWER = REC__ROLE__ROLE_VIEWER,
	OPERATOR = REC__ROLE__ROLE_OPERATOR,
	ADMIN = REC__ROLE__ROLE_ADMIN
};

struct site {
	void *dir;
	char spool[DIR_CAP + 16];
	struct answer answer;
	struct template_set *templates;
	struct arena arena;
	struct buf body;
	int status;
	struct err err;
};

static inline void
open_site(struct site *s, bool fleet)
{
	char path[DIR_CAP + 16];

	memset(s, 0, sizeof(*s));
	assert_int_equal(unit_folder_make(&s->dir), 0);
	if (seed_store(s->dir, fleet, &s->err) != RC_OK)
		fail_msg("seed: %s", s->err.msg);
	(void)snprintf(s->spool, sizeof(s->spool), "%s/spool",
	    (const char *)s->dir);
	(void)snprintf(path, sizeof(path), "%s/db/state", (const char *)s->dir);
	assert_int_equal(store_open(STORE_STATE, STORE_READER, path,
	                     &s->answer.state, &s->err),
	    RC_OK);
	(void)snprintf(path, sizeof(path), "%s/run/live", (const char *)s->dir);
	assert_int_equal(store_open(STORE_LIVE, STORE_READER, path,
	                     &s->answer.live, &s->err),
	    RC_OK);
	s->templates = template_set_new();
	if (template_load(s->templates, "www/templates", &s->err) != RC_OK)
		fail_msg("templates: %s", s->err.msg);
	s->answer.templates = s->templates;
	s->answer.spool = s->spool;
	s->answer.zone = "UTC";
	assert_int_equal(answer_asset(&s->answer, "www/static", &s->err),
	    RC_OK);
	assert_int_equal(answer_check(&s->answer, &s->err), RC_OK);
	arena_init(&s->arena, ANSWER_ARENA_MAX);
	buf_init(&s->body, PAGES_REPLY_MAX);
}

static inline int
setup_site(void **state, bool fleet)
{
	struct site *s = test_malloc(sizeof(*s));

	open_site(s, fleet);
	*state = s;
	return 0;
}

static inline int
setup_fleet(void **state)
{
	return setup_site(state, true);
}

static inline int
setup_empty(void **state)
{
	return setup_site(state, false);
}

/* With schedules, retention, hooks and the state of their repositories. */
static inline int
setup_plans(void **state)
{
	struct site *s;

	if (setup_fleet(state) != 0)
		return -1;
	s = *state;
	if (seed_plans(s->dir, &s->err) != RC_OK)
		fail_msg("plans: %s", s->err.msg);
	return 0;
}

static inline int
teardown(void **state)
{
	struct site *s = *state;

	buf_fini(&s->body);
	arena_fini(&s->arena);
	template_set_free(s->templates);
	store_close(s->answer.live);
	store_close(s->answer.state);
	assert_int_equal(unit_folder_remove(&s->dir), 0);
	test_free(s);
	return 0;
}

/* A request is made of words: page, then name, value, ... NULL. */
struct ask {
	const char *page;
	const char *fragment;
	int role;
	const char *params[2 * PARAMS];
};

/* The state as the controller would change it; edit_done() afterwards. */
static inline struct store_tx *
edit_site(struct site *s, struct store **writer)
{
	char path[DIR_CAP + 16];

	store_close(s->answer.state);
	(void)snprintf(path, sizeof(path), "%s/db/state", (const char *)s->dir);
	assert_rc(store_open(STORE_STATE, STORE_WRITER, path, writer, &s->err),
	    RC_OK);
	return store_begin_write(*writer, &s->arena);
}

static inline void
edit_done(struct site *s, struct store_tx *tx, struct store *writer)
{
	char path[DIR_CAP + 16];

	assert_rc(store_commit(tx, &s->err), RC_OK);
	store_close(writer);
	(void)snprintf(path, sizeof(path), "%s/db/state", (const char *)s->dir);
	assert_rc(store_open(STORE_STATE, STORE_READER, path, &s->answer.state,
	              &s->err),
	    RC_OK);
}

static inline char *
mut(const char *z)
{
	return (char *)(uintptr_t)z;
}

static inline enum rc
ask_raw(struct site *s, const struct ask *q, const char *marker)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct Ipc__Viewer viewer = IPC__VIEWER__INIT;
	struct Ipc__Param params[PARAMS], *list[PARAMS];
	size_t i;

	viewer.user_name = mut("ops");
	viewer.role = q->role;
	req.viewer = &viewer;
	req.page = mut(q->page);
	req.fragment = mut(q->fragment == NULL ? "" : q->fragment);
	req.csrf = mut("CSRF-TOKEN");
	req.base_url = mut("https://backup.example.net");
	req.request_id = mut("01REQUEST");
	req.now_ms = SEED_NOW_MS;
	req.marker = mut(marker);
	req.params = list;
	for (i = 0; i < PARAMS && q->params[2 * i] != NULL; i++) {
		ipc__param__init(&params[i]);
		params[i].name = mut(q->params[2 * i]);
		params[i].value = mut(q->params[2 * i + 1]);
		list[i] = &params[i];
	}
	req.n_params = i;
	arena_reset(&s->arena);
	buf_reset(&s->body);
	return answer_page(&s->answer, &req, &s->arena, &s->body, &s->status,
	    &s->err);
}

static inline bool
has(const struct site *s, const char *part)
{
	return strstr(buf_text(&s->body), part) != NULL;
}

static inline void
must(const struct site *s, const char *part)
{
	if (!has(s, part))
		fail_msg("missing: %s", part);
}

static inline void
must_not(const struct site *s, const char *part)
{
	if (has(s, part))
		fail_msg("must not be there: %s", part);
}

/* Nothing inline, no outside text as markup, every form with its token. */
static inline void
check_safe(const struct site *s)
{
	const char *at = buf_text(&s->body);
	size_t forms = 0, tokens = 0;

	must_not(s, "<img src=x");
	must_not(s, "style=\"");
	must_not(s, " onclick");
	must_not(s, "javascript:");
	must_not(s, "{{");
	must_not(s, "<script>");
	while ((at = strstr(at, "method=\"post\"")) != NULL) {
		forms++;
		at++;
	}
	at = buf_text(&s->body);
	while (
	    (at = strstr(at, "name=\"csrf\" value=\"CSRF-TOKEN\"")) != NULL) {
		tokens++;
		at++;
	}
	assert_int_equal(forms, tokens);
}

/* Whatever a page tells and whoever asks, it is safe. */
static inline void
ask(struct site *s, const struct ask *q, int status)
{
	if (ask_raw(s, q, MARKER) != RC_OK)
		fail_msg("page %s: %s", q->page, s->err.msg);
	assert_int_equal(s->status, status);
	check_safe(s);
}

static inline void
show_list(struct site *s, struct ask *q, va_list words)
{
	size_t n = 0;

	while ((q->params[n] = va_arg(words, const char *)) != NULL)
		assert_true(++n < ARRAY_LEN(q->params));
	assert_int_equal(n % 2, 0);
	ask(s, q, 200);
}

/* A page as somebody of that role sees it; then name, value, ... NULL. */
__attribute__((sentinel)) static inline void
show(struct site *s, const char *page, int role, ...)
{
	struct ask q = { .page = page, .role = role };
	va_list words;

	va_start(words, role);
	show_list(s, &q, words);
	va_end(words);
}

/* The same of one region of the page. */
__attribute__((sentinel)) static inline void
show_part(struct site *s, const char *page, const char *region, int role, ...)
{
	struct ask q = { .page = page, .fragment = region, .role = role };
	va_list words;

	va_start(words, role);
	show_list(s, &q, words);
	va_end(words);
}

static inline const char *
host_text(enum seed_host h)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_host_id(h);

	ulid_text(&id, z);
	return z;
}

static inline const char *
job_text(enum seed_job j)
{
	static char z[ULID_TEXT_CAP];
	struct ulid id = seed_job_id(j);

	ulid_text(&id, z);
	return z;
}

static inline void
show_host(struct site *s, const char *page, int role, enum seed_host h)
{
	show(s, page, role, "id", host_text(h), NULL);
}

static inline void
show_job(struct site *s, int role, enum seed_job j)
{
	show(s, "job", role, "id", job_text(j), NULL);
}

#define FLEET(f) cmocka_unit_test_setup_teardown(f, setup_fleet, teardown)
#define EMPTY(f) cmocka_unit_test_setup_teardown(f, setup_empty, teardown)
#define PLANS(f) cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
#endif
