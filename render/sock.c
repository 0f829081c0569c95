/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/frame.h"
#include "lib/base/log.h"
#include "lib/store/message.h"
#include "proto/render.pb-c.h"
#include "render/answer.h"
#include "render/pages.h"

enum {
	READ_SIZE = 65536,
	WRITE_WAIT_MS = 10000, /* the controller gave up long before */
	INTERNAL_ERROR = 500,
	BAD_REQUEST = 400
};

struct conn {
	int fd;
	const struct answer *answer;
	struct buf in;
	struct buf out;
	struct buf body;
	struct arena arena;
};

enum rc
sock_listen(const char *path, int *out_fd, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, bad;

	if (!str_copy(addr.sun_path, sizeof(addr.sun_path), str_of(path)))
		return err_set(e, RC_LIMIT,
		    "%s: the path of a socket has at most %zu bytes", path,
		    sizeof(addr.sun_path) - 1);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_errno(e, errno, "%s: cannot be removed", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, errno, "%s: no socket", path);
	mask = umask(S_IXUSR | S_IXGRP | S_IRWXO);
	bad = bind(fd, (const struct sockaddr *)(const void *)&addr,
	    sizeof(addr));
	umask(mask);
	if (bad != 0 || listen(fd, 1) != 0) {
		bad = errno;
		close(fd);
		return err_errno(e, bad, "%s: cannot listen", path);
	}
	*out_fd = fd;
	return RC_OK;
}

static enum rc
wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return RC_TIMEOUT;
	return n < 0 ? RC_IO : RC_OK;
}

static enum rc
write_out(struct conn *c, struct err *e)
{
	size_t done = 0;

	while (done < c->out.len) {
		ssize_t n;

		if (wait_for(c->fd, POLLOUT, WRITE_WAIT_MS) != RC_OK)
			return err_set(e, RC_TIMEOUT,
			    "render.sock: the reply was not taken in %d ms",
			    WRITE_WAIT_MS);
		n = send(c->fd, c->out.data + done, c->out.len - done,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_errno(e, errno, "render.sock: write");
		if (n > 0)
			done += (size_t)n;
	}
	return RC_OK;
}

static enum rc
put_reply(struct conn *c, const struct Ipc__RenderReply *reply, struct err *e)
{
	size_t n = ipc__render_reply__get_packed_size(reply);
	char *room;

	buf_reset(&c->out);
	buf_put_u32(&c->out, (uint32_t)n + 1);
	buf_put_u8(&c->out, SOCK_KIND_REPLY);
	room = buf_reserve(&c->out, n);
	if (room == NULL)
		return err_set(e, RC_LIMIT, "render.sock: reply of %zu bytes",
		    n);
	ipc__render_reply__pack(reply, (uint8_t *)room);
	buf_added(&c->out, n);
	return write_out(c, e);
}

static enum rc
answer_one(struct conn *c, const struct Ipc__RenderRequest *req, struct err *e)
{
	struct Ipc__RenderReply reply = IPC__RENDER_REPLY__INIT;
	struct err why = { .rc = RC_OK };
	int64_t since = clock_mono_ms();
	int status = INTERNAL_ERROR;
	enum rc rc;

	buf_reset(&c->body);
	rc = answer_page(c->answer, req, &c->arena, &c->body, &status, &why);
	reply.status = status;
	if (rc != RC_OK) {
		reply.status = rc == RC_INVALID ? BAD_REQUEST : INTERNAL_ERROR;
		reply.error = why.msg[0] != '\0'
		                  ? why.msg
		                  : (char *)(uintptr_t)rc_info(rc)->text;
		buf_reset(&c->body);
	}
	reply.body.data = (uint8_t *)c->body.data;
	reply.body.len = c->body.len;
	log_debug(LOG_PAGE, "page page=%s status=%d bytes=%zu ms=%lld",
	    log_safe(str_of(req->page)), (int)reply.status, c->body.len,
	    (long long)(clock_mono_ms() - since));
	return put_reply(c, &reply, e);
}

static enum rc
serve_frame(struct conn *c, uint8_t kind, struct str payload, struct err *e)
{
	const struct Ipc__RenderRequest *req;

	if (kind != SOCK_KIND_REQUEST)
		return err_set(e, RC_PROTO, "render.sock: frame of kind %d",
		    kind);
	arena_reset(&c->arena);
	req = message_unpack(&c->arena, payload,
	    &ipc__render_request__descriptor);
	if (req == NULL)
		return err_set(e, RC_PROTO,
		    "render.sock: a request of %zu bytes does not parse",
		    payload.n);
	return answer_one(c, req, e);
}

/* Whole frames that are in; RC_BUSY: the next one is not complete. */
static enum rc
serve_frames(struct conn *c, struct err *e)
{
	struct str payload;
	uint8_t kind;
	size_t size;
	enum rc rc;

	for (;;) {
		rc = frame_peek(buf_str(&c->in), PAGES_REQUEST_MAX, &kind,
		    &payload, &size);
		if (rc == RC_BUSY)
			return rc;
		if (rc != RC_OK)
			return err_set(e, RC_PROTO,
			    "render.sock: the frame's length is not allowed");
		rc = serve_frame(c, kind, payload, e);
		if (rc != RC_OK)
			return rc;
		buf_drop(&c->in, size);
	}
}

static enum rc
read_some(struct conn *c, bool *out_ended, struct err *e)
{
	char *room = buf_reserve(&c->in, READ_SIZE);
	ssize_t n;

	if (room == NULL)
		return err_set(e, RC_PROTO, "render.sock: too much at once");
	do
		n = recv(c->fd, room, READ_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return err_errno(e, errno, "render.sock: read");
	*out_ended = n <= 0;
	buf_added(&c->in, n > 0 ? (size_t)n : 0);
	return RC_OK;
}

static enum rc
serve(struct conn *c, struct err *e)
{
	bool ended = false;
	enum rc rc;

	for (;;) {
		rc = read_some(c, &ended, e);
		if (rc != RC_OK || ended)
			return rc;
		rc = serve_frames(c, e);
		if (rc != RC_BUSY)
			return rc;
	}
}

enum rc
sock_serve(int fd, const struct answer *a, struct err *e)
{
	struct conn c = { .answer = a };
	enum rc rc;

	do
		c.fd = accept(fd, NULL, NULL);
	while (c.fd < 0 && errno == EINTR);
	if (c.fd < 0) {
		rc = err_errno(e, errno, "render.sock: accept");
		close(fd);
		return rc;
	}
	buf_init(&c.in, PAGES_REQUEST_MAX + FRAME_HEAD + READ_SIZE);
	buf_init(&c.out, PAGES_REPLY_MAX + (size_t)READ_SIZE);
	buf_init(&c.body, PAGES_REPLY_MAX);
	arena_init(&c.arena, ANSWER_ARENA_MAX);
	rc = serve(&c, e);
	arena_fini(&c.arena);
	buf_fini(&c.body);
	buf_fini(&c.out);
	buf_fini(&c.in);
	close(c.fd);
	close(fd);
	return rc;
}
