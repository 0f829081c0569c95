/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who counts as present; the calls themselves are played by the test. */
#include "tests/unit/store/store_fixture.h"

#include "controller/agents.h"
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/net/grpc.h"
#include "lib/net/loop.h"
#include "lib/store/live.h"
#include "proto/agent.pb-c.h"

struct room {
	struct fixture f;
	struct controller c;
	struct ulid host;
	struct call call;
};

/* What agents.c asked of its neighbours. */
static struct {
	const struct call *failed;
	enum rc why;
	size_t offline;
} asked;

struct grpc_server *
agents_serve(struct agents *a, struct loop *l)
{
	(void)a;
	(void)l;
	return NULL;
}

void
call_fail(struct call *c, const struct err *e)
{
	asked.failed = c;
	asked.why = e->rc;
	c->peer->call = NULL;
	c->peer = NULL;
	c->finished = true;
}

enum rc
call_send(struct call *c, const struct Wire__ControllerMessage *m)
{
	(void)c;
	(void)m;
	return RC_OK;
}

void
call_poll_reply(struct call *c, const struct Wire__ControllerMessage *m)
{
	(void)c;
	(void)m;
}

void
agents_store_offline(struct agents *a, const struct ulid *hosts, size_t n)
{
	(void)a;
	(void)hosts;
	asked.offline += n;
}

struct Wire__Config *
agents_config(struct agents *a, const struct ulid *host)
{
	(void)a;
	(void)host;
	return NULL;
}

bool
agents_config_version(struct agents *a, const struct ulid *host, uint64_t *out)
{
	(void)a;
	(void)host;
	*out = 0;
	return false;
}

void
agents_config_wipe(struct Wire__Config *c)
{
	(void)c;
}

static int
setup(void **state)
{
	struct room *r = MEM_NEW(struct room);

	fixture_init(&r->f);
	fixture_host(&r->f, "web-1", &r->host);
	r->c.state = r->f.state;
	r->c.live = r->f.live;
	assert_rc(loop_new(&r->c.loop, NULL), RC_OK);
	r->c.agents = agents_new(&r->c);
	memset(&asked, 0, sizeof(asked));
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct room *r = *state;

	agents_free(r->c.agents);
	loop_free(r->c.loop);
	fixture_fini(&r->f);
	mem_free(r);
	return 0;
}

/* A Session that was heard of that long ago. */
static struct peer *
present(struct room *r, int64_t silent_ms)
{
	struct peer *p = peer_get(r->c.agents, &r->host);

	p->online = true;
	p->call = &r->call;
	p->seen_ms = clock_mono_ms() - silent_ms;
	r->call.peer = p;
	r->c.agents->online = 1;
	return p;
}

static void
an_agent_that_speaks_stays(void **state)
{
	struct room *r = *state;

	present(r, RULES_ONLINE_MS / 2);
	agents_tick(r->c.agents);
	assert_null(asked.failed);
	assert_int_equal(asked.offline, 0);
	assert_true(agents_online(r->c.agents, &r->host));
}

/* Only a hello brings a host back: a stream left open would keep an agent
 * that was asleep behind a proxy from ever giving one. */
static void
a_silent_agent_is_offline_and_loses_its_stream(void **state)
{
	struct room *r = *state;

	present(r, RULES_ONLINE_MS + 1);
	agents_tick(r->c.agents);
	assert_false(agents_online(r->c.agents, &r->host));
	assert_int_equal(agents_count(r->c.agents), 0);
	assert_int_equal(asked.offline, 1);
	assert_ptr_equal(asked.failed, &r->call);
	assert_int_equal(asked.why, RC_TIMEOUT);
}

enum {
	CROWD = 1000 /* more than are written in three turns of the loop */
};

static unsigned
written(struct room *r)
{
	struct store_tx *tx = store_begin_read(r->f.live, &r->f.arena);
	unsigned k, n = 0;
	struct ulid id;

	for (k = 0; k < CROWD; k++) {
		id = id_n(7, k);
		n += live_find_presence(tx, &id) != NULL;
	}
	store_abort(tx);
	return n;
}

/* A turn writes some of them, the next ones the others. */
static void
a_crowd_is_written_in_slices(void **state)
{
	struct room *r = *state;
	struct ulid id;
	unsigned k;

	for (k = 0; k < CROWD; k++) {
		id = id_n(7, k);
		peer_seen(r->c.agents, peer_get(r->c.agents, &id));
	}
	agents_tick(r->c.agents);
	assert_in_range(written(r), 1, CROWD / 3);
	loop_run(r->c.loop);
	assert_int_equal(written(r), CROWD);
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOM(an_agent_that_speaks_stays),
		IN_ROOM(a_silent_agent_is_offline_and_loses_its_stream),
		IN_ROOM(a_crowd_is_written_in_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
