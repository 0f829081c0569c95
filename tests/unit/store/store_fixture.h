/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_STORE_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_STORE_FIXTURE_H
/*
 * State, vault and live in a directory of their own that goes with the
 * test, and records to put into them.
 */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"

struct fixture {
	char dir[256];
	char state_dir[300], vault_dir[300], live_dir[300];
	struct store *state, *vault, *live;
	struct arena arena;
	struct store_tx *tx; /* of a test that is one long write, or NULL */
};

static inline ProtobufCBinaryData
bytes_of(const void *p, size_t n)
{
	union {
		const void *from;
		void *to;
	} u = { .from = p };

	return (ProtobufCBinaryData){ n, u.to };
}

static inline ProtobufCBinaryData
id_bytes(const struct ulid *id)
{
	return bytes_of(id->b, sizeof(id->b));
}

/* A text field of a record, which is not const. */
static inline char *
text(const char *z)
{
	union {
		const char *from;
		char *to;
	} u = { .from = z };

	return u.to;
}

/* An id that is the same in each run; n orders them. */
static inline struct ulid
id_n(uint8_t kind, uint32_t n)
{
	struct ulid id = { { 0 } };

	id.b[0] = kind;
	id.b[4] = (uint8_t)(n >> 24);
	id.b[5] = (uint8_t)(n >> 16);
	id.b[6] = (uint8_t)(n >> 8);
	id.b[7] = (uint8_t)n;
	return id;
}

static inline void
fixture_open_one(enum store_env env, const char *dir, struct store **out)
{
	struct err e = { 0 };

	if (store_open(env, STORE_WRITER, dir, out, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
fixture_open(struct fixture *f)
{
	fixture_open_one(STORE_STATE, f->state_dir, &f->state);
	fixture_open_one(STORE_VAULT, f->vault_dir, &f->vault);
	fixture_open_one(STORE_LIVE, f->live_dir, &f->live);
}

static inline void
fixture_close(struct fixture *f)
{
	store_close(f->state);
	store_close(f->vault);
	store_close(f->live);
	f->state = f->vault = f->live = NULL;
}

static inline void
fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static inline void
fixture_dir(struct fixture *f)
{
	f->tx = NULL;
	assert_true(
	    str_fmt(f->dir, sizeof(f->dir), "%s", "/tmp/rm-store-XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	assert_true(
	    str_fmt(f->state_dir, sizeof(f->state_dir), "%s/state", f->dir));
	assert_true(
	    str_fmt(f->vault_dir, sizeof(f->vault_dir), "%s/vault", f->dir));
	assert_true(
	    str_fmt(f->live_dir, sizeof(f->live_dir), "%s/live", f->dir));
}

/* The same sequence in each run: splitmix64. */
static inline uint64_t
rng_next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static inline uint32_t
rng_below(uint64_t *s, uint32_t limit)
{
	return (uint32_t)(rng_next(s) % limit);
}

/* Everything is open and empty. */
static inline void
fixture_init(struct fixture *f)
{
	assert_rc(crypt_init(NULL), RC_OK);
	fixture_dir(f);
	fixture_open(f);
	arena_init(&f->arena, MIB(64));
}

/* Whether its stores are open or not. */
static inline void
fixture_fini(struct fixture *f)
{
	if (f->tx != NULL)
		store_abort(f->tx);
	fixture_close(f);
	arena_fini(&f->arena);
	(void)nftw(f->dir, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int
fixture_setup(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);

	fixture_init(f);
	*state = f;
	return 0;
}

/* Of a fixture, or of what a test made with one as its first member. */
static inline int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_fini(f);
	mem_free(f);
	return 0;
}

static inline struct store_tx *
fixture_read(struct fixture *f)
{
	arena_reset(&f->arena);
	return store_begin_read(f->state, &f->arena);
}

static inline struct store_tx *
fixture_write(struct fixture *f)
{
	arena_reset(&f->arena);
	return store_begin_write(f->state, &f->arena);
}

static inline struct store_tx *
fixture_write_vault(struct fixture *f)
{
	arena_reset(&f->arena);
	return store_begin_write(f->vault, &f->arena);
}

static inline struct store_tx *
fixture_read_vault(struct fixture *f)
{
	arena_reset(&f->arena);
	return store_begin_read(f->vault, &f->arena);
}

/* Ends a read that is expected to have worked. */
static inline void
fixture_end(struct store_tx *tx)
{
	if (store_rc(tx) != RC_OK)
		fail_msg("%s", store_err(tx)->msg);
	store_abort(tx);
}

static inline void
fixture_commit(struct store_tx *tx)
{
	struct err e = { 0 };

	if (store_commit(tx, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
put_host(struct store_tx *tx, const struct ulid *id, const char *name)
{
	struct Rec__Host h = REC__HOST__INIT;

	h.id = id_bytes(id);
	h.name = text(name);
	host_store_put(tx, &h);
}

static inline void
fixture_host(struct fixture *f, const char *name, struct ulid *out)
{
	struct store_tx *tx = fixture_write(f);

	ulid_new(out);
	put_host(tx, out, name);
	fixture_commit(tx);
}

static inline uint64_t
fixture_hosts(struct fixture *f)
{
	struct store_tx *tx = fixture_read(f);
	uint64_t n = host_store_count(tx);

	fixture_end(tx);
	return n;
}

#define store_test(f) \
	cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
#endif
