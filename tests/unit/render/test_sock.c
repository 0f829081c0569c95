/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The socket's end of a conversation: a child serves, the test speaks. */
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/frame.h"
#include "lib/base/fsio.h"
#include "lib/store/store.h"
#include "proto/render.pb-c.h"
#include "render/answer.h"
#include "render/pages.h"
#include "render/sock.h"
#include "render/template.h"
#include "tests/fake/seed.h"

enum {
	PATH_LEN = 256,
	REPLY_ROOM = 1048576
};

struct talk {
	const char *dir;
	pid_t pid;
	int fd;
	struct buf in;
};

static enum rc
serve(const char *dir, int fd)
{
	struct answer a = { .zone = "UTC", .spool = dir };
	struct template_set *set = template_set_new();
	char path[PATH_LEN];
	struct err e;
	enum rc rc;

	a.templates = set;
	rc = template_load(set, "www/templates", &e);
	(void)snprintf(path, sizeof(path), "%s/db/state", dir);
	if (rc == RC_OK)
		rc = store_open(STORE_STATE, STORE_READER, path, &a.state, &e);
	(void)snprintf(path, sizeof(path), "%s/run/live", dir);
	if (rc == RC_OK)
		rc = store_open(STORE_LIVE, STORE_READER, path, &a.live, &e);
	if (rc == RC_OK)
		rc = sock_serve(fd, &a, &e);
	store_close(a.live);
	store_close(a.state);
	template_set_free(set);
	return rc;
}

static void
begin(struct talk *t, const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct err e = { .rc = RC_OK };
	int fd = -1;

	memset(t, 0, sizeof(*t));
	t->dir = dir;
	buf_init(&t->in, REPLY_ROOM);
	if (seed_store(dir, true, &e) != RC_OK)
		fail_msg("%s", e.msg);
	assert_true(
	    str_fmt(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir));
	assert_rc(sock_listen(addr.sun_path, &fd, &e), RC_OK);
	t->pid = fork();
	if (t->pid == 0)
		_exit((int)serve(dir, fd));
	close(fd);
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(t->fd,
	                     (const struct sockaddr *)(const void *)&addr,
	                     sizeof(addr)),
	    0);
}

/* Closes our end and gives how the server ended. */
static enum rc
end(struct talk *t)
{
	int status = 0;

	close(t->fd);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	buf_fini(&t->in);
	assert_true(WIFEXITED(status));
	return (enum rc)WEXITSTATUS(status);
}

static void
say(struct talk *t, struct str bytes)
{
	assert_rc(fsio_write_all(t->fd, bytes, NULL), RC_OK);
}

static void
put_request(struct buf *out, const char *page)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	char name[64];
	uint8_t packed[256];
	size_t n;

	assert_true(str_copy(name, sizeof(name), str_of(page)));
	req.page = name;
	req.now_ms = SEED_NOW_MS;
	n = ipc__render_request__get_packed_size(&req);
	assert_true(n <= sizeof(packed));
	ipc__render_request__pack(&req, packed);
	frame_put(out, SOCK_KIND_REQUEST, str_from(packed, n));
}

/* Waits for one reply and gives its status. */
static int
hear(struct talk *t)
{
	struct Ipc__RenderReply *reply;
	struct str payload;
	uint8_t kind = 0;
	size_t size = 0;
	int status;

	while (frame_peek(buf_str(&t->in), REPLY_ROOM, &kind, &payload,
	           &size) == RC_BUSY) {
		char *room = buf_reserve(&t->in, 65536);
		ssize_t n;

		assert_non_null(room);
		n = read(t->fd, room, 65536);
		if (n <= 0)
			return -1;
		buf_added(&t->in, (size_t)n);
	}
	assert_int_equal(kind, SOCK_KIND_REPLY);
	reply = ipc__render_reply__unpack(NULL, payload.n,
	    (const uint8_t *)payload.p);
	assert_non_null(reply);
	status = reply->status;
	ipc__render_reply__free_unpacked(reply, NULL);
	buf_drop(&t->in, size);
	return status;
}

static void
requests_are_answered_in_order_and_the_end_ends_it(void **state)
{
	struct talk t;
	struct buf out;
	size_t i;

	begin(&t, *state);
	buf_init(&out, KIB(64));
	put_request(&out, "dashboard");
	put_request(&out, "no such page");
	put_request(&out, "login");
	/* One byte at a time, then all at once. */
	for (i = 0; i < out.len; i++)
		say(&t, str_from(out.data + i, 1));
	say(&t, buf_str(&out));
	for (i = 0; i < 2; i++) {
		assert_int_equal(hear(&t), 200);
		assert_int_equal(hear(&t), 400);
		assert_int_equal(hear(&t), 200);
	}
	buf_fini(&out);
	assert_rc(end(&t), RC_OK);
}

static void
a_malformed_frame_drops_the_connection(void **state)
{
	static const struct str rows[] = {
		{ "\0\0\0\0", 4 },               /* no kind */
		{ "\x7f\xff\xff\xff\x01", 5 },   /* too long */
		{ "\0\0\0\x01\x02", 5 },         /* a reply, not a request */
		{ "\0\0\0\x03\x01\xff\xff", 7 }, /* not a message */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk t;

		begin(&t, *state);
		say(&t, rows[i]);
		assert_int_equal(hear(&t), -1);
		assert_rc(end(&t), RC_PROTO);
		assert_int_equal(nftw(*state, unit_remove_one, 16,
		                     FTW_DEPTH | FTW_PHYS),
		    0);
		assert_int_equal(mkdir(*state, 0700), 0);
	}
}

static void
half_a_frame_and_then_nothing_is_an_end(void **state)
{
	struct talk t;

	begin(&t, *state);
	say(&t, STR("\0\0\1"));
	assert_rc(end(&t), RC_OK);
}

static void
the_socket_is_for_owner_and_group_and_replaces_a_stale_one(void **state)
{
	char path[PATH_LEN];
	struct stat st;
	struct err e;
	int fd = -1, again = -1;

	(void)snprintf(path, sizeof(path), "%s/s", (const char *)*state);
	assert_rc(sock_listen(path, &fd, &e), RC_OK);
	assert_rc(sock_listen(path, &again, &e), RC_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	close(fd);
	close(again);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_rc(sock_listen(path, &fd, &e), RC_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(
		    requests_are_answered_in_order_and_the_end_ends_it),
		unit_test_in_folder(a_malformed_frame_drops_the_connection),
		unit_test_in_folder(half_a_frame_and_then_nothing_is_an_end),
		unit_test_in_folder(
		    the_socket_is_for_owner_and_group_and_replaces_a_stale_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
