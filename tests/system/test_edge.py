# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's edge over real TLS: refusals, pages, files and JSON, and
event streams."""
from lab import PASSWORD, ROOT, Client, wait_for
from web import FORM, Browser, error, open_stream


def test_errors_are_pages_for_browsers_and_json_for_scripts(console):
    """M-032, M-384"""
    browser = Browser(console.port)
    browser.jar["rm_session"] = console.client.cookie.partition("=")[2]
    ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for path in ("/nowhere", "/hosts/nonsense", f"/hosts/{ulid}",
                 f"/jobs/{ulid}", "/static/none.css", "/static/../etc/passwd",
                 "/static/%2e%2e/%2e%2e/etc/passwd"):
        page = browser.get(path)
        assert page.status == 404, path
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["X-Request-Id"] in page.text
        assert "root:" not in page.text
    for path in ("/api/nowhere", "/api/hosts/nonsense", f"/api/hosts/{ulid}",
                 f"/api/hosts/{ulid}/snapshots",
                 f"/api/hosts/{ulid}/source-groups",
                 f"/api/jobs/{ulid}/stream"):
        error(console.client.get(path), 404, "not_found")
    answer = console.client.request("DELETE", "/api/hosts")
    assert answer.headers["Allow"] == "GET"
    error(answer, 405, "method_not_allowed")
    assert browser.request("PUT", "/login").status == 405
    error(console.client.get("/api/hosts/%zz"), 400, "malformed")
    assert browser.get("/hosts/%00").status == 400


def test_bodies_are_checked_before_they_are_used(console):
    client = Client(console.port)
    path = "/api/auth/login"

    def send(body, kind="application/json"):
        headers = {"Content-Type": kind} if kind else {}
        return client.request("POST", path, body, headers)

    good = '{"username": "admin", "password": "x"}'
    error(send(good, FORM), 400, "content_type")
    error(send(good, "text/plain"), 400, "content_type")
    error(send(good, None), 400, "content_type")
    assert send(good, "application/json; charset=utf-8").status == 401
    error(send("{"), 400, "malformed")
    error(send('{"username": "a", "username": "b", "password": "x"}'), 400,
          "malformed")
    error(send(b'{"username": "\xff", "password": "x"}'), 400, "malformed")
    error(send("[1]"), 422, "invalid")
    error(send('{"username": 1, "password": "x"}'), 422, "invalid")
    error(send('{"username": "a"}'), 422, "invalid")
    error(send("x" * 10000), 413, "too_large")
    page = Browser(console.port).request(
        "POST", "/login", "a=%zz", {"Content-Type": FORM})
    assert page.status == 400


def test_a_wild_host_is_refused(console):
    answer = Client(console.port).get(
        "/login", headers={"Host": 'x"><script>alert(1)</script>'})
    assert answer.status == 400 and "<script>alert" not in answer.text


def test_every_answer_is_hardened(console):
    for path in ("/", "/login", "/nowhere", "/healthz", "/api/hosts",
                 "/static/style.css"):
        headers = console.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Strict-Transport-Security"]
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'",
                     "form-action 'self'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"]
    assert console.client.get("/api/hosts").headers["Cache-Control"] == \
        "no-store"


def test_unchanged_pages_cost_a_304(console):
    first = console.client.get("/")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    # The tag changes with the minute: two tries at its edge.
    assert 304 in [console.client.get("/", headers={
        "If-None-Match": console.client.get("/").headers["ETag"]}).status
        for _ in range(2)]
    other = Client(console.port)
    other.post("/api/auth/login", {"username": "admin", "password": PASSWORD})
    assert other.get("/", headers={"If-None-Match": tag}).status == 200


def test_static_files_have_strong_tags(controller):
    """M-400"""
    client = Client(controller.port)
    for name, kind in (("style.css", "text/css; charset=utf-8"),
                       ("app.js", "text/javascript; charset=utf-8"),
                       ("sprite.svg", "image/svg+xml")):
        answer = client.get(f"/static/{name}")
        assert answer.body == (ROOT / "www/static" / name).read_bytes()
        assert answer.headers["Content-Type"] == kind
        tag = answer.headers["ETag"]
        assert tag.startswith('"')
        again = client.get(f"/static/{name}", headers={"If-None-Match": tag})
        assert again.status == 304 and again.body == b""


def test_head_has_no_body(console):
    answer = console.client.request("HEAD", "/")
    assert answer.status == 200 and answer.body == b""


def test_json_of_an_empty_fleet(console):
    """M-313, M-404, M-405"""
    assert console.client.ok("GET", "/api/hosts")["items"] == []
    summary = console.client.ok("GET", "/api/fleet/summary")
    assert summary["hosts"]["total"] == 0
    assert summary["jobs_24h"]["failed"] == 0
    assert set(console.client.ok("GET", "/api/version")) == {"version",
                                                             "commit"}


def test_event_streams_are_limited_per_session(console):
    streams = [open_stream(console, "/events?page=dashboard")
               for _ in range(12)]
    assert {r.status for _, r in streams} == {200}
    assert streams[0][1].headers["Content-Type"] == "text/event-stream"
    assert streams[0][1].readline() == b"retry: 2000\n"
    conn, refused = open_stream(console, "/events?page=dashboard")
    assert refused.status == 429
    conn.close()
    for conn, _ in streams:
        conn.close()
    wait_for("room again", lambda: open_stream(
        console, "/events?page=dashboard")[1].status == 200)


def test_event_streams_need_a_subject(console):
    ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for query in ("", "page=none", "page=host", f"page=host&id={ulid}",
                  f"page=job&id={ulid}", "page=pending&hash=xy"):
        conn, answer = open_stream(console, f"/events?{query}")
        assert answer.status == 404, query
        conn.close()
    anonymous = Client(console.port).get(
        "/events?page=dashboard", headers={"Accept": "text/event-stream"})
    error(anonymous, 401, "unauthorised")
