/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A writer process is killed at random instants; what it had said was
 * committed is there, and nothing is there by half.
 */
#include "tests/unit/store/store_fixture.h"

#include "lib/store/audit_store.h"
#include "lib/store/job_store.h"

enum {
	ROUNDS = 100,
	HOSTS = 7
};

/* Transaction k: a job, an audit entry, a host and the cursor that counts
 * them, the second half in a child. */
static enum rc
commit_one(struct store *s, struct arena *a, uint32_t k)
{
	struct Rec__AuditEntry entry = REC__AUDIT_ENTRY__INIT;
	struct Rec__Job j = REC__JOB__INIT;
	struct store_tx *tx, *child;
	struct Rec__AgentCursor *c;
	struct ulid id = id_n(2, k), host = id_n(1, k % HOSTS);
	struct ulid first = id_n(1, 0);
	char name[32];

	arena_reset(a);
	tx = store_begin_write(s, a);
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&host);
	j.state = REC__JOB_STATE__JOB_QUEUED;
	job_store_put(tx, &j);
	entry.action = text("test");
	audit_store_add(tx, &entry);
	child = store_begin_child(tx, a);
	if (!str_fmt(name, sizeof(name), "host-%u", k))
		store_fail(child, RC_LIMIT, "name");
	put_host(child, &host, name);
	c = host_store_cursor(child, &first);
	if (c != NULL) {
		c->last_seq = k;
		host_store_put_cursor(child, &first, c);
	}
	if (store_commit(child, NULL) != RC_OK)
		store_fail(tx, RC_IO, "child");
	return store_commit(tx, NULL);
}

static uint32_t
last_committed(struct store *s, struct arena *a)
{
	struct ulid first = id_n(1, 0);
	struct Rec__AgentCursor *c;
	struct store_tx *tx;
	uint32_t k = 0;

	arena_reset(a);
	tx = store_begin_read(s, a);
	c = host_store_cursor(tx, &first);
	if (c != NULL)
		k = (uint32_t)c->last_seq;
	store_abort(tx);
	return k;
}

/* The process that dies: says each number after its commit. */
static void
write_until_killed(const char *dir, int out)
{
	struct store *s = NULL;
	struct arena a;
	uint32_t k;

	arena_init(&a, MIB(8));
	if (store_open(STORE_STATE, STORE_WRITER, dir, &s, NULL) != RC_OK)
		_exit(3);
	for (k = last_committed(s, &a) + 1;; k++)
		if (commit_one(s, &a, k) != RC_OK ||
		    write(out, &k, sizeof(k)) != (ssize_t)sizeof(k))
			_exit(4);
}

/* Kills the writer after so many commits and microseconds; returns the last
 * number it said (0: none). */
static uint32_t
run_and_kill(const char *dir, unsigned commits, unsigned extra_us)
{
	uint32_t k = 0, said = 0;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		write_until_killed(dir, fds[1]);
	}
	close(fds[1]);
	while (
	    commits-- > 0 && read(fds[0], &k, sizeof(k)) == (ssize_t)sizeof(k))
		said = k;
	usleep(extra_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(fds[0], &k, sizeof(k)) == (ssize_t)sizeof(k))
		said = k;
	close(fds[0]);
	return said;
}

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	uint32_t *n = ctx;

	assert_int_equal(j->state, REC__JOB_STATE__JOB_QUEUED);
	++*n;
	return true;
}

/* Everything of transactions 1..k and nothing of k + 1. */
static void
verify(struct fixture *f, uint32_t k)
{
	struct store_tx *tx = fixture_read(f);
	uint64_t entries, of_hosts = 0;
	uint32_t i, queued = 0, open_logs = 0;
	struct Rec__Host *h;
	struct ulid bad, id;
	char name[32];

	assert_rc(audit_store_verify(tx, &bad, &entries), RC_OK);
	assert_true(ulid_is_zero(&bad));
	assert_int_equal(entries, k);
	for (i = 0; i < HOSTS; i++) {
		id = id_n(1, i);
		of_hosts += job_store_count_of_host(tx, &id);
	}
	assert_int_equal(of_hosts, k);
	job_store_in_state(tx, REC__JOB_STATE__JOB_QUEUED, test_on_job,
	    &queued);
	assert_int_equal(queued, k);
	job_store_open_logs(tx, test_on_job, &open_logs);
	assert_int_equal(open_logs, k);
	for (i = k; i > 0 && i + HOSTS > k; i--) {
		assert_true(str_fmt(name, sizeof(name), "host-%u", i));
		h = host_store_find_name(tx, str_of(name));
		assert_non_null(h);
		id = id_n(1, i % HOSTS);
		assert_memory_equal(h->id.data, id.b, 16);
	}
	assert_int_equal(host_store_count(tx), k < HOSTS ? k : HOSTS);
	fixture_end(tx);
}

static void
nothing_said_is_lost_and_nothing_is_half_there(void **state)
{
	struct fixture *f = *state;
	uint64_t rng = 4711;
	uint32_t said = 0, now, k = 0;
	unsigned round, commits;

	for (round = 0; round < ROUNDS; round++) {
		fixture_close(f); /* no fork with an environment open */
		commits = rng_below(&rng, 4) == 0 ? 0 : rng_below(&rng, 12);
		now =
		    run_and_kill(f->state_dir, commits, rng_below(&rng, 3000));
		if (now != 0)
			said = now;
		fixture_open(f);
		k = last_committed(f->state, &f->arena);
		/* One commit may have been done and not yet said. */
		assert_in_range(k, said, said + 1);
		said = k;
		verify(f, k);
	}
	print_message("%u kills, %u transactions\n", round, k);
	assert_true(k > ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(nothing_said_is_lost_and_nothing_is_half_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
