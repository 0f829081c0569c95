/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * render_page seed DIR | empty DIR     fills a data directory
 * render_page ask DIR page [name=value ...]
 *     asks the renderer that runs on DIR and writes the page to stdout;
 *     names with a dot in front set the request: .theme .fragment .role
 * render_page ids                      the ids of the made-up fleet
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/frame.h"
#include "lib/base/fsio.h"
#include "proto/render.pb-c.h"
#include "proto/store.pb-c.h"
#include "tests/fake/seed_plans.h"

enum {
	ARGS_MAX = 64,
	REPLY_MAX = 16777216
};

static int
fail(const char *what)
{
	fprintf(stderr, "render_page: %s\n", what);
	return 1;
}

static int
connect_to(const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !str_fmt(addr.sun_path, sizeof(addr.sun_path),
	                  "%s/run/render.sock", dir))
		return -1;
	if (connect(fd, (const struct sockaddr *)(const void *)&addr,
	        sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
send_request(int fd, const struct Ipc__RenderRequest *req)
{
	size_t n = ipc__render_request__get_packed_size(req);
	struct buf payload, frame;
	struct err e;
	char *room;
	int r = 1;

	buf_init(&payload, REPLY_MAX);
	buf_init(&frame, REPLY_MAX);
	room = buf_reserve(&payload, n);
	if (room != NULL) {
		ipc__render_request__pack(req, (uint8_t *)room);
		buf_added(&payload, n);
		frame_put(&frame, 1, buf_str(&payload));
		r = fsio_write_all(fd, buf_str(&frame), &e) != RC_OK;
	}
	buf_fini(&frame);
	buf_fini(&payload);
	return r;
}

static int
print_reply(struct str payload)
{
	struct Ipc__RenderReply *reply = ipc__render_reply__unpack(NULL,
	    payload.n, (const uint8_t *)payload.p);

	if (reply == NULL)
		return fail("the reply does not parse");
	fprintf(stderr, "status %d, %zu bytes %s\n", (int)reply->status,
	    reply->body.len, reply->error);
	fwrite(reply->body.data, 1, reply->body.len, stdout);
	ipc__render_reply__free_unpacked(reply, NULL);
	return 0;
}

static int
receive(int fd)
{
	struct str payload;
	struct buf in;
	uint8_t kind;
	size_t size;
	int r = 1;

	buf_init(&in, REPLY_MAX);
	for (;;) {
		char *room = buf_reserve(&in, 65536);
		ssize_t n = room == NULL ? 0 : read(fd, room, 65536);
		enum rc rc;

		if (n <= 0) {
			r = fail("the renderer closed the connection");
			break;
		}
		buf_added(&in, (size_t)n);
		rc =
		    frame_peek(buf_str(&in), REPLY_MAX, &kind, &payload, &size);
		if (rc == RC_BUSY)
			continue;
		r = rc == RC_OK ? print_reply(payload) : fail("bad frame");
		break;
	}
	buf_fini(&in);
	return r;
}

static int
ask(const char *dir, char *page, int argc, char **argv)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct Ipc__Viewer viewer = IPC__VIEWER__INIT;
	struct Ipc__Param params[ARGS_MAX], *list[ARGS_MAX];
	char user[] = "ops", csrf[] = "csrf-token", marker[] = "SECRET";
	char base[] = "https://backup.example.net", id[] = "01JD2K7Q9V";
	int i, fd, r;

	viewer.user_name = user;
	viewer.role = REC__ROLE__ROLE_OPERATOR;
	req.page = page;
	req.csrf = csrf;
	req.base_url = base;
	req.request_id = id;
	req.marker = marker;
	req.now_ms = SEED_NOW_MS;
	req.viewer = &viewer;
	req.params = list;
	for (i = 0; i < argc && i < ARGS_MAX; i++) {
		char *eq = strchr(argv[i], '=');

		if (eq == NULL)
			return fail("use name=value");
		*eq++ = '\0';
		if (strcmp(argv[i], ".theme") == 0) {
			req.theme = eq;
		} else if (strcmp(argv[i], ".fragment") == 0) {
			req.fragment = eq;
		} else if (strcmp(argv[i], ".role") == 0) {
			viewer.role = (int)strtol(eq, NULL, 10);
		} else {
			ipc__param__init(&params[req.n_params]);
			params[req.n_params].name = argv[i];
			params[req.n_params].value = eq;
			list[req.n_params] = &params[req.n_params];
			req.n_params++;
		}
	}
	fd = connect_to(dir);
	if (fd < 0)
		return fail("the renderer does not listen there");
	r = send_request(fd, &req) != 0 ? fail("cannot write") : receive(fd);
	close(fd);
	return r;
}

static int
ids(void)
{
	static const char *hosts[] = { "mail", "build", "db2", "fs", "db1",
		"app", "web", "new", "evil" };
	static const char *jobs[] = { "failed", "incomplete", "running", "ok",
		"queued", "cancelled", "expired" };
	char z[ULID_TEXT_CAP];
	struct ulid id;
	int i;

	for (i = 0; i < SEED_HOSTS; i++) {
		id = seed_host_id((enum seed_host)i);
		ulid_text(&id, z);
		printf("host_%s=%s\n", hosts[i], z);
	}
	for (i = 0; i <= (int)SEED_JOB_EXPIRED; i++) {
		id = seed_job_id((enum seed_job)i);
		ulid_text(&id, z);
		printf("job_%s=%s\n", jobs[i], z);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct err e = { .rc = RC_OK };
	bool fleet;

	if (argc == 2 && strcmp(argv[1], "ids") == 0)
		return ids();
	if (argc >= 4 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], argv[3], argc - 4, argv + 4);
	if (argc != 3)
		return fail("use seed DIR, empty DIR, ask DIR page, or ids");
	fleet = strcmp(argv[1], "seed") == 0;
	if (seed_store(argv[2], fleet, &e) != RC_OK ||
	    (fleet && seed_plans(argv[2], &e) != RC_OK))
		return fail(e.msg);
	return 0;
}
