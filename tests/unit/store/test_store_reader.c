/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/*
 * The renderer's way to read: another process, without locks and without
 * any right to write, under the pin of the process that writes.
 */
#include "tests/unit/store/store_fixture.h"

#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "lib/base/clock.h"

enum {
	HOSTS = 300,
	SECONDS = 2,
	NOBODY = 65534
};

/* What the reader answers. */
enum answer {
	ANSWER_OK = 1,
	ANSWER_OPEN,   /* could not open */
	ANSWER_READ,   /* a read failed */
	ANSWER_MIXED,  /* rows of two transactions */
	ANSWER_OLD,    /* older than the request */
	ANSWER_COUNT,  /* rows missing */
	ANSWER_RIGHTS, /* could have written */
};

struct scan {
	uint64_t value;
	unsigned n;
	bool mixed;
};

static bool
test_on_host(void *ctx, const struct Rec__Host *h)
{
	struct scan *s = ctx;

	if (s->n == 0)
		s->value = h->repo_size_bytes;
	s->mixed |=
	    h->repo_size_bytes != s->value || h->snapshot_count != s->value;
	/* Slow: several commits happen during one look. */
	if (++s->n % 50 == 0)
		usleep(1000);
	return true;
}

static enum answer
answer(struct store *s, uint64_t at_least)
{
	enum answer a = ANSWER_OK;
	struct scan scan = { 0 };
	struct store_tx *tx;
	struct arena arena;

	arena_init(&arena, MIB(16));
	tx = store_begin_read(s, &arena);
	host_store_each(tx, test_on_host, &scan);
	if (store_rc(tx) != RC_OK)
		a = ANSWER_READ;
	else if (scan.n != HOSTS)
		a = ANSWER_COUNT;
	else if (scan.mixed)
		a = ANSWER_MIXED;
	else if (scan.value < at_least)
		a = ANSWER_OLD;
	store_abort(tx);
	arena_fini(&arena);
	return a;
}

/* Anything below dir that is open for writing, or the lock file at all. */
static bool
has_rights(const char *dir)
{
	char path[64], target[512];
	ssize_t n;
	int fd;

	for (fd = 0; fd < 256; fd++) {
		if (!str_fmt(path, sizeof(path), "/proc/self/fd/%d", fd))
			return true;
		n = readlink(path, target, sizeof(target));
		if (n < 0 ||
		    !str_starts(str_from(target, (size_t)n), str_of(dir)))
			continue;
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY ||
		    str_contains(str_from(target, (size_t)n), STR("lock")))
			return true;
	}
	return false;
}

/* The reader process: a number comes in, an answer goes out. */
static void
read_for_ever(const char *dir, int in, int out)
{
	struct store *s = NULL;
	uint64_t at_least;
	int64_t end;
	uint8_t a;
	enum rc rc;

	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
	                          setuid(NOBODY) != 0))
		_exit(2);
	/* As the renderer does: for a moment a database in the making may
	 * show any face, such as a mode that is not widened yet. */
	end = clock_mono_ms() + 2000;
	while ((rc = store_open(STORE_STATE, STORE_READER, dir, &s, NULL)) !=
	           RC_OK &&
	       (rc == RC_BUSY || clock_mono_ms() < end))
		usleep(1000);
	while (read(in, &at_least, sizeof(at_least)) ==
	       (ssize_t)sizeof(at_least)) {
		if (rc != RC_OK)
			a = ANSWER_OPEN;
		else if (has_rights(dir))
			a = ANSWER_RIGHTS;
		else
			a = (uint8_t)answer(s, at_least);
		if (write(out, &a, 1) != 1)
			break;
	}
	store_close(s);
	_exit(0);
}

struct writer {
	struct store *store;
	struct arena arena;
	_Atomic uint64_t committed;
	atomic_bool stop;
	enum rc rc;
};

/* All rows to the next number; their size changes, so that pages split and
 * join. */
static enum rc
write_all(struct writer *w, uint64_t value)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx;
	char name[32], pad[200];
	struct ulid id;
	uint32_t i;

	arena_reset(&w->arena);
	tx = store_begin_write(w->store, &w->arena);
	for (i = 0; i < HOSTS; i++) {
		id = id_n(1, i);
		memset(pad, 'p', sizeof(pad));
		pad[(value * 31 + i * 7) % (sizeof(pad) - 1)] = '\0';
		pad[sizeof(pad) - 1] = '\0';
		if (!str_fmt(name, sizeof(name), "host-%u", i))
			break;
		h.id = id_bytes(&id);
		h.name = name;
		h.os = pad;
		h.repo_size_bytes = h.snapshot_count = value;
		host_store_put(tx, &h);
	}
	return store_commit(tx, NULL);
}

static void *
test_on_writer_thread(void *arg)
{
	struct writer *w = arg;
	uint64_t value = atomic_load(&w->committed);

	while (!atomic_load(&w->stop) && w->rc == RC_OK) {
		w->rc = write_all(w, ++value);
		if (w->rc == RC_OK)
			atomic_store(&w->committed, value);
	}
	return NULL;
}

static enum answer
ask(struct writer *w, int out, int in)
{
	uint64_t at_least = atomic_load(&w->committed);
	uint8_t a = 0;

	assert_rc(store_pin(w->store), RC_OK);
	assert_int_equal(write(out, &at_least, sizeof(at_least)),
	    (int)sizeof(at_least));
	assert_int_equal(read(in, &a, 1), 1); /* 0: the reader has died */
	store_unpin(w->store);
	return (enum answer)a;
}

static pid_t
start_reader(struct fixture *f, int *to, int *from)
{
	int requests[2], answers[2];
	pid_t pid;

	assert_int_equal(pipe(requests), 0);
	assert_int_equal(pipe(answers), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(requests[1]);
		close(answers[0]);
		read_for_ever(f->state_dir, requests[0], answers[1]);
	}
	close(requests[0]);
	close(answers[1]);
	*to = requests[1];
	*from = answers[0];
	return pid;
}

/* The database as the renderer's group finds it. */
static void
make_database(struct fixture *f)
{
	assert_int_equal(chmod(f->dir, 0711), 0);
	assert_int_equal(mkdir(f->state_dir, 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(f->state_dir, 0, NOBODY), 0);
	assert_int_equal(chmod(f->state_dir, 02750), 0);
	fixture_open_one(STORE_STATE, f->state_dir, &f->state);
}

static void
a_reader_under_the_pin_never_fails(void **state)
{
	struct writer w = { 0 };
	struct fixture f = { 0 };
	pthread_t thread;
	int64_t end;
	unsigned looks = 0;
	int to, from, status;
	pid_t pid;

	(void)state;
	assert_rc(crypt_init(NULL), RC_OK);
	fixture_dir(&f);
	pid = start_reader(&f, &to, &from); /* before anything is open */
	make_database(&f);
	w.store = f.state;
	arena_init(&w.arena, MIB(16));
	assert_rc(write_all(&w, 1), RC_OK);
	atomic_store(&w.committed, 1);
	assert_int_equal(pthread_create(&thread, NULL, test_on_writer_thread,
	                     &w),
	    0);
	end = clock_mono_ms() + (int64_t)SECONDS * 1000;
	for (; clock_mono_ms() < end; looks++)
		assert_int_equal(ask(&w, to, from), ANSWER_OK);
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	assert_rc(w.rc, RC_OK);
	print_message("%u looks during %u commits\n", looks,
	    (unsigned)w.committed);
	assert_true(looks > 20 && w.committed > looks);

	close(to);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(from);
	fixture_close(&f);
	arena_fini(&w.arena);
	(void)nftw(f.dir, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_under_the_pin_never_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
