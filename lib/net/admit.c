/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/admit.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop_priv.h"
#include "lib/net/peer.h"

enum {
	GIVE_WAY_MS = 1000, /* longer than any round trip */
	STALE_MS = 3000,
	AGAIN_MS = 50,          /* looks again while nothing can begin */
	DEBT_MAX_MS = 10000,    /* what an address can owe */
	FORMER_PEERS_MAX = 8192 /* kept for what they owe */
};

struct admit_peer {
	struct list turn; /* of those with somebody waiting */
	struct list silent, waiting;
	unsigned n;       /* connections */
	unsigned busy;    /* of them shaking hands */
	size_t load;      /* bytes they hold */
	unsigned of_turn; /* of the loop, that `requests` counts in */
	unsigned requests;
	bool exempt;
	/* Its handshakes, kept as the time at which it has all of them
	 * again. */
	int64_t full_ms;
	struct peer_key key;
};

struct admit {
	struct loop *loop;
	struct admit_limits limits;
	struct admit_calls calls;
	void *ctx;
	struct map *peers;
	struct admit_peer exempt; /* all that are */
	struct list turns;
	struct list busy;   /* oldest first, as all lists here */
	struct list silent; /* of all peers */
	struct loop_task task;
	struct loop_timer *again;
	unsigned in_progress;
	unsigned turn; /* of the loop, that `begun` counts in */
	unsigned begun;
};

/* ------------------------------------------------------------------- peers */

static void
peer_init(struct admit_peer *p)
{
	list_init(&p->silent);
	list_init(&p->waiting);
}

static struct admit_peer *
peer_get(struct admit *a, const char *address)
{
	struct peer_key key = peer_key(address);
	struct admit_peer *p = map_get(a->peers, peer_key_str(&key));

	if (p != NULL)
		return p;
	p = MEM_NEW(struct admit_peer);
	peer_init(p);
	p->key = key;
	map_put(a->peers, peer_key_str(&p->key), p);
	return p;
}

static void
peer_drop(struct admit *a, struct admit_peer *p, int64_t now)
{
	if (p->exempt || p->n != 0 ||
	    (p->full_ms > now && map_count(a->peers) <= FORMER_PEERS_MAX))
		return;
	map_del(a->peers, peer_key_str(&p->key));
	mem_free(p);
}

void
admit_tick(struct admit *a)
{
	int64_t now = clock_mono_ms();
	struct str key;
	size_t pos = 0;
	void *value;

	while (map_next(a->peers, &pos, &key, &value))
		peer_drop(a, value, now);
}

static void
charge(struct admit *a, struct admit_peer *p, unsigned handshakes, int64_t now)
{
	int64_t most = now + DEBT_MAX_MS +
	               (int64_t)a->limits.per_address * a->limits.address_ms;

	if (p->exempt)
		return;
	if (p->full_ms < now)
		p->full_ms = now;
	p->full_ms += (int64_t)handshakes * a->limits.address_ms;
	if (p->full_ms > most)
		p->full_ms = most;
}

static bool
has_handshake(const struct admit *a, const struct admit_peer *p, int64_t now)
{
	int64_t all = (int64_t)a->limits.per_address * a->limits.address_ms;

	return p->exempt || p->full_ms + a->limits.address_ms <= now + all;
}

/* ------------------------------------------------------------------- steps */

/* Out of the step it is in. */
static void
step_out(struct admit *a, struct admit_conn *c)
{
	struct admit_peer *p = c->peer;

	list_del(&c->link);
	list_del(&c->silent);
	if (c->step == ADMIT_BUSY) {
		a->in_progress--;
		p->busy--;
	} else if (c->step == ADMIT_WAITS && list_empty(&p->waiting)) {
		list_del(&p->turn);
	}
}

static void
step_to(struct admit_conn *c, enum admit_step step, struct list *where)
{
	c->step = step;
	c->since_ms = clock_mono_ms();
	if (where != NULL)
		list_append(where, &c->link);
}

static void
give_way(struct admit *a, struct admit_conn *c, const char *why)
{
	step_out(a, c);
	step_to(c, ADMIT_GONE, NULL);
	c->peer->n--;
	a->calls.end(a->ctx, c, why);
}

static struct admit_conn *
old_enough(struct list *el, int64_t now)
{
	struct admit_conn *c;

	if (el == NULL)
		return NULL;
	c = LIST_ENTRY(el, struct admit_conn, link);
	return now - c->since_ms >= GIVE_WAY_MS ? c : NULL;
}

bool
admit_enter(struct admit *a, struct admit_conn *c, const char *address,
    bool exempt)
{
	struct admit_peer *p = exempt ? &a->exempt : peer_get(a, address);
	struct admit_conn *other;

	c->peer = p;
	p->n++;
	step_to(c, ADMIT_SILENT, &p->silent);
	list_append(&a->silent, &c->silent);
	if (exempt || p->n <= a->limits.per_address)
		return true;
	other = old_enough(list_first(&p->silent), c->since_ms);
	if (other == NULL)
		return false;
	give_way(a, other, "silent, and others of its address wait");
	return true;
}

bool
admit_make_room(struct admit *a)
{
	struct list *el = list_first(&a->silent);
	struct admit_conn *c;

	if (el == NULL)
		return false;
	c = LIST_ENTRY(el, struct admit_conn, silent);
	if (clock_mono_ms() - c->since_ms < GIVE_WAY_MS)
		return false;
	give_way(a, c, "silent, and others wait");
	return true;
}

void
admit_settled(struct admit *a, struct admit_conn *c)
{
	if (c->step == ADMIT_GONE)
		return;
	step_out(a, c);
	step_to(c, ADMIT_SETTLED, NULL);
	if (!list_empty(&a->turns))
		loop_task_next_turn(a->loop, &a->task);
}

void
admit_leave(struct admit *a, struct admit_conn *c)
{
	struct admit_peer *p = c->peer;

	if (c->step != ADMIT_GONE) {
		step_out(a, c);
		c->step = ADMIT_GONE;
		p->n--;
	}
	if (!list_empty(&a->turns))
		loop_task_next_turn(a->loop, &a->task);
	p->load -= c->load;
	c->peer = NULL;
	peer_drop(a, p, clock_mono_ms());
}

void
admit_charge(struct admit *a, struct admit_conn *c, unsigned handshakes)
{
	if (c->peer != NULL)
		charge(a, c->peer, handshakes, clock_mono_ms());
}

bool
admit_load(struct admit *a, struct admit_conn *c, size_t bytes)
{
	struct admit_peer *p = c->peer;

	p->load += bytes - c->load;
	c->load = bytes;
	return p->exempt || p->load <= a->limits.address_bytes;
}

bool
admit_request(struct admit *a, struct admit_conn *c)
{
	struct admit_peer *p = c->peer;
	unsigned turn = loop_turn(a->loop);

	if (p->exempt)
		return true;
	if (p->of_turn != turn) {
		p->of_turn = turn;
		p->requests = 0;
	}
	return p->requests++ < a->limits.requests;
}

unsigned
admit_in_progress(const struct admit *a)
{
	return a->in_progress;
}

/* ------------------------------------------------------------------- turns */

/* When all places are taken: one that is held too long, seen from who
 * waits. */
static bool
find_place(struct admit *a, const struct admit_peer *p, int64_t now)
{
	struct admit_conn *c;
	struct list *it, *tmp;
	int64_t age;

	if (a->in_progress < a->limits.in_progress)
		return true;
	LIST_FOREACH(it, tmp, &a->busy)
	{
		c = LIST_ENTRY(it, struct admit_conn, link);
		age = now - c->since_ms;
		if (age < GIVE_WAY_MS)
			return false;
		if (age >= STALE_MS ||
		    (!c->peer->exempt && c->peer->busy > p->busy + 1)) {
			give_way(a, c, "slow, and others wait");
			return true;
		}
	}
	return false;
}

/* The next address that has a handshake and gets a place; the others stay
 * where they are. */
static struct admit_peer *
next_peer(struct admit *a, int64_t now)
{
	struct admit_conn *c;
	struct admit_peer *p;
	struct list *it, *tmp;

	LIST_FOREACH(it, tmp, &a->turns)
	{
		p = LIST_ENTRY(it, struct admit_peer, turn);
		if (has_handshake(a, p, now)) {
			if (find_place(a, p, now))
				return p;
			continue;
		}
		c = LIST_ENTRY(list_first(&p->waiting), struct admit_conn,
		    link);
		if (!c->delayed) {
			c->delayed = true;
			a->calls.offence(a->ctx, c, OFFENCE_RATE);
		}
	}
	return NULL;
}

static void
begin(struct admit *a, struct admit_peer *p, int64_t now)
{
	struct admit_conn *c =
	    LIST_ENTRY(list_first(&p->waiting), struct admit_conn, link);

	step_out(a, c);
	list_del(&p->turn);
	if (!list_empty(&p->waiting))
		list_append(&a->turns, &p->turn);
	step_to(c, ADMIT_BUSY, &a->busy);
	charge(a, p, 1, now);
	p->busy++;
	a->in_progress++;
	a->begun++;
	a->calls.begin(a->ctx, c);
}

static void
run(struct admit *a)
{
	int64_t now = clock_mono_ms();
	struct admit_peer *p;

	if (loop_turn(a->loop) != a->turn) {
		a->turn = loop_turn(a->loop);
		a->begun = 0;
	}
	while (a->begun < a->limits.per_turn && (p = next_peer(a, now)) != NULL)
		begin(a, p, now);
	if (list_empty(&a->turns))
		loop_timer_stop(a->again);
	else if (a->begun >= a->limits.per_turn)
		loop_task_next_turn(a->loop, &a->task);
	else
		loop_timer_start(a->again, AGAIN_MS, 0);
}

static void
admit_on_task(struct loop_task *t)
{
	run(CONTAINER_OF(t, struct admit, task));
}

static void
admit_on_again(void *ctx)
{
	run(ctx);
}

void
admit_asks(struct admit *a, struct admit_conn *c)
{
	struct admit_peer *p = c->peer;

	if (c->step != ADMIT_SILENT)
		return;
	step_out(a, c);
	step_to(c, ADMIT_WAITS, &p->waiting);
	if (!list_linked(&p->turn))
		list_append(&a->turns, &p->turn);
	loop_task_due(a->loop, &a->task);
}

/* -------------------------------------------------------------------- life */

struct admit *
admit_new(struct loop *loop, const struct admit_limits *l,
    const struct admit_calls *calls, void *ctx)
{
	struct admit *a = MEM_NEW(struct admit);

	a->loop = loop;
	a->limits = *l;
	a->calls = *calls;
	a->ctx = ctx;
	a->peers = map_new();
	a->exempt.exempt = true;
	peer_init(&a->exempt);
	list_init(&a->turns);
	list_init(&a->busy);
	list_init(&a->silent);
	a->task.fn = admit_on_task;
	a->again = loop_timer_new(loop, admit_on_again, a);
	return a;
}

void
admit_free(struct admit *a)
{
	if (a == NULL)
		return;
	map_free_all(a->peers);
	loop_task_cancel(&a->task);
	loop_timer_free(a->again);
	mem_free(a);
}
