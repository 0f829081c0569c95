# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's edge over real TLS: first run, sign-in, refusals, pages
and JSON, certificates, event streams, an orderly end."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest

from lab import (BIN, PASSWORD, ROOT, Client, clean_env, free_port,
                 wait_for)

FORM = "application/x-www-form-urlencoded"


def error(answer, status, code):
    """A refusal as the API words it."""
    assert answer.status == status, (answer.status, answer.body[:300])
    body = answer.json()
    assert set(body) - {"field"} == {"code", "message"}
    assert body["code"] == code and body["message"]
    return body["message"]


def form_token(answer):
    return re.search(r'name="csrf" value="([^"]+)"', answer.text).group(1)


class Browser(Client):
    """Keeps every cookie and sends forms."""

    def __init__(self, port):
        super().__init__(port)
        self.jar = {}

    def request(self, method, path, body=None, headers=None):
        headers = {"Accept": "text/html,*/*;q=0.8", **(headers or {})}
        if self.jar:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.jar.items())
        answer = super().request(method, path, body, headers)
        for value in answer.headers.get_all("Set-Cookie") or []:
            name, _, text = value.split(";")[0].partition("=")
            self.jar[name] = text
        return answer

    def send(self, page, path, **fields):
        """Loads the page, fills its form in and posts it."""
        fields.setdefault("csrf", form_token(self.get(page)))
        return self.request("POST", path, urllib.parse.urlencode(fields),
                            {"Content-Type": FORM, "Origin":
                             f"https://127.0.0.1:{self.port}"})

    def sign_in(self):
        answer = self.send("/login", "/login", username="admin",
                           password=PASSWORD)
        assert answer.status == 303, answer.status
        return self


# ------------------------------------------------------------- first run


def test_banner_shows_the_token_once(controller):
    """M-001 to M-004"""
    text = controller.log.read_text()
    rule = "=" * 64
    begin = text.index(rule)
    banner = text[begin:text.index(rule, begin + 64)].splitlines()
    assert banner[1] == " FIRST RUN — no admin user exists yet."
    assert f" {controller.url}/bootstrap" in banner
    at = next(i for i, l in enumerate(banner) if "bootstrap token" in l)
    shown = [l.strip() for l in banner[at + 1:at + 3]
             if re.fullmatch(r"\s+[a-zA-Z0-9_-]{40,}", l)]
    assert shown == [controller.bootstrap_token()]
    assert (controller.run / "bootstrap-token").stat().st_mode & 0o777 == 0o600
    before = controller.bootstrap_token()
    controller.restart()
    assert controller.bootstrap_token() != before


def test_anonymous_visitors_are_led_to_the_first_run(controller):
    """M-007"""
    browser = Browser(controller.port)
    for path, to in (("/", "/login"), ("/login", "/bootstrap")):
        answer = browser.get(path)
        assert (answer.status, answer.headers["Location"]) == (303, to)
    page = browser.get("/bootstrap")
    assert page.status == 200
    assert "12 characters" in page.text


def test_bootstrap_by_form_signs_in(controller):
    """M-006, M-008, M-009: a loopback peer needs no token."""
    browser = Browser(controller.port)
    assert 'name="token"' not in browser.get("/bootstrap").text
    answer = browser.send("/bootstrap", "/bootstrap", username="Ann",
                          password=PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    dashboard = browser.get("/")
    assert dashboard.status == 200 and "ann" in dashboard.text
    assert browser.get("/bootstrap").status == 303
    wait_for("the token file to go", lambda: not (
        controller.run / "bootstrap-token").exists())


def test_bootstrap_from_elsewhere_needs_the_token(controller):
    """W-12: anything forwarded is elsewhere."""
    client = Client(controller.port)
    body = {"username": "ann", "password": PASSWORD}
    for headers in ({"X-Forwarded-For": "203.0.113.9"},
                    {"Forwarded": "for=203.0.113.9"},
                    {"Host": "console.example"}):
        error(client.post("/api/bootstrap", body, headers=headers), 401,
              "bootstrap_token")
    error(client.post("/api/bootstrap", {**body, "token": "wrong"}), 401,
          "bootstrap_token")
    page = client.get("/bootstrap", headers={"X-Forwarded-For": "1.2.3.4"})
    assert 'name="token"' in page.text
    done = client.post("/api/bootstrap", {
        **body, "token": controller.bootstrap_token()},
        headers={"X-Forwarded-For": "203.0.113.9"})
    assert done.status == 200 and done.json()["role"] == "admin"


def test_bootstrap_happens_once(controller):
    """M-005: many at once make one user."""
    token = controller.bootstrap_token()
    seen = []

    def attempt(i):
        seen.append(Client(controller.port).post("/api/bootstrap", {
            "token": token, "username": f"user{i}",
            "password": PASSWORD}).status)

    threads = [threading.Thread(target=attempt, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == [200] + [409] * 5
    controller.restart()
    error(Client(controller.port).post("/api/bootstrap", {
        "token": token, "username": "late", "password": PASSWORD}), 409,
        "conflict")


def test_bootstrap_checks_its_fields(controller):
    """M-010, M-320"""
    client = Client(controller.port)
    error(client.post("/api/bootstrap", {"username": "ann",
                                         "password": "short"}), 422, "invalid")
    error(client.post("/api/bootstrap", {"username": "a b",
                                         "password": PASSWORD}), 422,
          "invalid")
    error(client.post("/api/bootstrap", {"username": "ann"}), 422, "invalid")
    browser = Browser(controller.port)
    answer = browser.send("/bootstrap", "/bootstrap", username="typed-in",
                          password="short")
    assert answer.status == 422
    assert 'value="typed-in"' in answer.text
    assert "at least 12 characters" in answer.text


# --------------------------------------------------------------- sign-in


def test_login_sets_a_strict_cookie(console):
    """M-016, M-018, M-020"""
    answer = Client(console.port).post("/api/auth/login", {
        "username": "ADMIN", "password": PASSWORD})
    assert answer.status == 200 and set(answer.json()) == {"user_id", "role"}
    cookie = answer.headers["Set-Cookie"]
    assert re.match(r"rm_session=[A-Za-z0-9_-]{43}; ", cookie)
    for word in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/",
                 "Max-Age=86400"):
        assert word in cookie
    token = cookie.split(";")[0].partition("=")[2].encode()
    files = [p for p in console.data.rglob("*") if p.is_file()]
    assert not [p for p in files if token in p.read_bytes()]


def test_unknown_users_and_wrong_passwords_look_alike(console):
    """M-019"""
    answers = [Client(console.port).post("/api/auth/login", {
        "username": name, "password": "wrong password"})
        for name in ("admin", "nobody", "../etc", "")]
    assert {a.status for a in answers} == {401}
    assert len({a.body for a in answers}) == 1


def test_logout_ends_the_session(console):
    """M-025"""
    cookie = console.client.cookie
    assert console.client.post("/api/auth/logout").status == 204
    again = Client(console.port)
    again.cookie = cookie
    error(again.get("/api/hosts"), 401, "unauthorised")


def test_form_login_and_logout(console):
    """M-392"""
    browser = Browser(console.port)
    answer = browser.send("/login", "/login", username="admin",
                          password="wrong password")
    assert answer.status == 401 and "wrong" in answer.text
    answer = browser.send("/login", "/login", username="admin",
                          password=PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    answer = browser.send("/", "/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert browser.get("/").headers["Location"] == "/login"


def test_sessions_outlive_a_restart_and_a_kill(console):
    console.restart()
    assert console.client.get("/api/hosts").status == 200
    console.kill()
    console.start()
    assert console.client.get("/api/hosts").status == 200


def test_failures_are_throttled_but_nothing_is_locked(lab):
    """W-01"""
    console = lab.controller(RM_TRUSTED_PROXY="127.0.0.1").start()
    # A trusted proxy's word decides whose failures are counted.
    stranger = {"X-Forwarded-For": "203.0.113.7"}
    owner = {"X-Forwarded-For": "198.51.100.4"}
    client = Client(console.port)
    assert client.post("/api/bootstrap", {
        "username": "admin", "password": PASSWORD,
        "token": console.bootstrap_token()}).status == 200
    good = {"username": "admin", "password": PASSWORD}
    assert client.post("/api/auth/login", good, headers=owner).status == 200
    bad = {"username": "admin", "password": "wrong password"}
    statuses = [client.post("/api/auth/login", bad, headers=stranger).status
                for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    refused = client.post("/api/auth/login", good, headers=stranger)
    assert "seconds" in error(refused, 429, "rate_limited")
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= 2
    # The owner's own address is not held up by a stranger's guesses.
    assert client.post("/api/auth/login", good, headers=owner).status == 200
    time.sleep(wait)
    assert client.post("/api/auth/login", good,
                       headers=stranger).status == 200


# -------------------------------------------------- where requests come from


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_foreign_pages_change_nothing(console, headers):
    """W-14"""
    error(console.client.post("/api/auth/logout", headers=headers), 403,
          "foreign_origin")
    assert console.client.get("/api/hosts").status == 200


def test_forms_need_their_token(console):
    browser = Browser(console.port)
    browser.get("/login")
    fields = {"username": "admin", "password": PASSWORD}
    for csrf in ("", "x" * 43, "A" * 43):
        answer = browser.send("/login", "/login", csrf=csrf, **fields)
        assert answer.status == 403 and "out of date" in answer.text
    other = Browser(console.port)
    stolen = form_token(other.get("/login"))
    assert browser.send("/login", "/login", csrf=stolen,
                        **fields).status == 403


def test_forwarded_fields_count_from_trusted_proxies_only(lab):
    """M-376, M-463"""
    forwarded = {"X-Forwarded-For": "192.0.2.1, 203.0.113.7",
                 "X-Forwarded-Proto": "http"}
    plain = lab.controller(name="distrustful", RM_BASE_URL=None).start()
    answer = Client(plain.port).get("/api/version", headers=forwarded)
    assert "Strict-Transport-Security" in answer.headers
    assert "address=127.0.0.1 " in plain.log.read_text()
    assert "203.0.113.7" not in plain.log.read_text()
    proxied = lab.controller(name="trusting", RM_BASE_URL=None,
                             RM_TRUSTED_PROXY="127.0.0.0/8,10.0.0.1").start()
    answer = Client(proxied.port).get("/api/version", headers=forwarded)
    assert "Strict-Transport-Security" not in answer.headers
    wait_for("the log line", lambda: "address=203.0.113.7 " in
             proxied.log.read_text())
    assert "trusted_proxies=127.0.0.0/8,10.0.0.1" in proxied.log.read_text()


# ------------------------------------------------------------- bad requests


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


# ----------------------------------------------------------- pages and files


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


def test_pages_say_503_while_nobody_draws_them(lab):
    controller = lab.controller(render=False).start()
    client = Client(controller.port)
    wait_for("the notice", lambda: client.get("/bootstrap").status == 503)
    page = client.get("/bootstrap")
    assert "Retry-After" in page.headers and "again" in page.text
    assert client.get("/nowhere").status == 404
    assert client.get("/api/version").status == 200
    assert client.post("/api/bootstrap", {
        "username": "ann", "password": PASSWORD}).status == 200


def test_the_renderer_is_started_again(console):
    pid = console.renderer_pid()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for("another renderer", lambda: console.renderer_pid() not in
             (None, pid))
    wait_for("a page", lambda: console.client.get("/").status == 200)


def test_a_stuck_renderer_costs_one_page(console):
    pid = console.renderer_pid()
    subprocess.run(["kill", "-STOP", str(pid)], check=True)
    begin = time.monotonic()
    assert console.client.get("/").status == 503
    assert time.monotonic() - begin < 20
    wait_for("a page", lambda: console.client.get("/").status == 200)
    assert console.renderer_pid() != pid


def test_no_renderer_is_left_behind(lab):
    """Killed at any moment, also before the renderer has begun to watch."""
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.3):
        controller = lab.controller(name=f"c{delay}")
        controller.start(wait=False)
        time.sleep(delay)
        children = subprocess.run(
            ["pgrep", "-P", str(controller.program.pid)], check=False,
            capture_output=True, text=True).stdout.split()
        controller.kill()
        for pid in children:
            wait_for(f"the end of {pid}", lambda p=pid: not
                     pathlib.Path(f"/proc/{p}").exists())


def test_an_orphaned_renderer_ends_at_once(lab):
    done = subprocess.run(
        [BIN / "restic-manager-render"], check=False, timeout=10,
        env=clean_env(RM_DATA_DIR=lab.path, RM_RUNTIME_DIR=lab.path,
                      RM_BUNDLED_ASSETS_DIR=ROOT, RM_DIE_WITH_PARENT="1"))
    assert done.returncode == 0


def test_json_of_an_empty_fleet(console):
    """M-313, M-404, M-405"""
    assert console.client.ok("GET", "/api/hosts")["items"] == []
    summary = console.client.ok("GET", "/api/fleet/summary")
    assert summary["hosts"]["total"] == 0
    assert summary["jobs_24h"]["failed"] == 0
    assert set(console.client.ok("GET", "/api/version")) == {"version",
                                                             "commit"}


# ------------------------------------------------------------ event streams


def open_stream(console, path):
    conn = http.client.HTTPSConnection("127.0.0.1", console.port, timeout=10,
                                       context=console.client.tls)
    conn.request("GET", path, headers={"Cookie": console.client.cookie,
                                       "Accept": "text/event-stream"})
    return conn, conn.getresponse()


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


# ------------------------------------------------------- certificates, ends


def peer_certificate(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        with context.wrap_socket(s) as tls:
            return tls.getpeercert(True)


def test_sighup_reads_the_certificate_again(lab):
    """M-380: RM_TLS_CERT and RM_TLS_KEY, without dropping a stream."""
    donors = [lab.controller(name=f"donor{i}", render=False).start()
              for i in (1, 2)]
    for donor in donors:
        donor.stop()
    cert, key = lab.path / "cert.pem", lab.path / "key.pem"

    def install(donor):
        cert.write_bytes((donor.data / "tls/cert.pem").read_bytes())
        key.write_bytes((donor.data / "tls/key.pem").read_bytes())

    install(donors[0])
    controller = lab.controller(RM_TLS_CERT=cert, RM_TLS_KEY=key).start()
    controller.bootstrap()
    before = peer_certificate(controller.port)
    stream = open_stream(controller, "/events?page=dashboard")
    assert stream[1].status == 200
    install(donors[1])
    controller.program.kill(signal.SIGHUP)
    wait_for("the new certificate", lambda: peer_certificate(
        controller.port) != before)
    after = peer_certificate(controller.port)
    key.write_text("damaged")
    controller.program.kill(signal.SIGHUP)
    wait_for("the complaint", lambda: "the old certificate stays" in
             controller.log.read_text())
    assert peer_certificate(controller.port) == after
    assert stream[1].readline() == b"retry: 2000\n"
    stream[0].close()


def test_sigterm_ends_it_in_order(console):
    """M-382: open streams do not hold it up."""
    streams = [open_stream(console, "/events?page=dashboard")
               for _ in range(3)]
    renderer = console.renderer_pid()
    begin = time.monotonic()
    assert console.stop() == 0
    assert time.monotonic() - begin < 20
    assert " main ended" in console.log.read_text()
    wait_for("the renderer's end", lambda: subprocess.run(
        ["kill", "-0", str(renderer)], check=False,
        stderr=subprocess.DEVNULL).returncode != 0)
    for conn, _ in streams:
        conn.close()


def test_a_second_controller_on_the_same_data_is_refused(console, lab):
    other = lab.controller(name="other")
    other.env["RM_DATA_DIR"] = console.data
    other.start(wait=False)
    assert other.program.wait(10) != 0
    assert "not started" in other.log.read_text()
    assert console.client.get("/api/hosts").status == 200


@pytest.mark.parametrize("text, words", [
    ("lisen: ':1'\n", "lisen"),
    ("listen: [1, 2]\n", "listen"),
    ("timezone: Mars/Olympus\n", "RM_TIMEZONE"),
    ("trusted_proxies: [10.0.0.0/99]\n", "RM_TRUSTED_PROXY")])
def test_bad_configuration_is_explained(lab, text, words):
    path = lab.path / "controller.yaml"
    path.write_text(text)
    done = subprocess.run(
        [BIN / "restic-manager-controller", "-config", path],
        env=clean_env(RM_DATA_DIR=lab.path / "d"), capture_output=True,
        text=True, timeout=10, check=False)
    assert done.returncode not in (0, -6, -11)
    assert words in done.stderr


def test_no_secret_reaches_logs_or_disk(lab, canary):
    """M-464"""
    controller = lab.controller().start()
    password = canary.make("password")
    wrong = canary.make("wrong")
    client = Client(controller.port)
    assert client.post("/api/bootstrap", {
        "username": "admin", "password": password}).status == 200
    client.post("/api/auth/login", {"username": "admin", "password": wrong})
    client.post("/api/auth/login", {"username": wrong, "password": wrong})
    client.get(f"/login?password={wrong}")
    token = canary.make("t").ljust(43, "x")[:43]
    client.get(f"/hosts/pending/{token}.{'y' * 43}")
    canary.texts.append(token)
    controller.stop()
    assert canary.found(lab.path) == []


# ------------------------------------------------------------------- limits


def connect_from(address, port):
    s = socket.socket()
    s.settimeout(5)
    s.bind((address, 0))
    s.connect(("127.0.0.1", port))
    return s


def test_without_descriptors_open_work_goes_on(lab):
    """More connections than descriptors: the surplus is turned away, what
    is open and what the controller itself needs is not."""
    controller = lab.controller()
    controller.program = lab.start(
        ["/bin/sh", "-c", "ulimit -n 300; exec \"$0\"",
         BIN / "restic-manager-controller"],
        clean_env(**controller.env), controller.log)
    wait_for("the controller", controller.healthy)
    controller.bootstrap()
    kept = http.client.HTTPSConnection("127.0.0.1", controller.port,
                                       context=controller.client.tls)
    cookie = {"Cookie": controller.client.cookie}
    kept.request("GET", "/api/hosts", headers=cookie)
    assert json.loads(kept.getresponse().read())["items"] == []
    crowd = []
    try:
        for i in range(200):
            crowd.append(connect_from(f"127.0.1.{i // 50 + 1}",
                                      controller.port))
    except OSError:
        pass
    assert len(crowd) > 100
    for s in crowd[-5:]:
        s.settimeout(0.2)
        try:
            assert s.recv(1) == b""
        except (ConnectionError, TimeoutError):
            pass
    for path in ("/api/hosts", "/", "/static/app.js", "/nowhere"):
        kept.request("GET", path, headers=cookie)
        answer = kept.getresponse()
        answer.read()
        assert answer.status == (404 if path == "/nowhere" else 200), path
    kept.request("POST", "/api/auth/login", '{"username": "admin", '
                 f'"password": "{PASSWORD}"}}',
                 {"Content-Type": "application/json"})
    answer = kept.getresponse()
    answer.read()
    assert answer.status == 200
    for s in crowd:
        s.close()
    wait_for("room again", lambda: controller.client.get(
        "/api/hosts").status == 200)
    assert controller.program.running()


def test_many_clients_at_once_are_all_answered(console):
    """64 pages wait; the rest are told to come back, nothing breaks."""
    seen = []

    def ask():
        client = Client(console.port, 30)
        client.cookie = console.client.cookie
        seen.append(client.get("/").status)

    threads = [threading.Thread(target=ask) for _ in range(120)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(seen) == 120
    assert set(seen) <= {200, 503}
    assert seen.count(200) >= 64
    assert console.client.get("/").status == 200


def test_half_requests_are_not_waited_for_forever(controller):
    """A head that does not end is given up after ten seconds."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", controller.port), 60) as raw:
        with context.wrap_socket(raw) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            begin = time.monotonic()
            answer = tls.recv(4096)
            assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
            assert 5 < time.monotonic() - begin < 40


def test_the_renderer_as_a_service_of_its_own(lab):
    """Started elsewhere: the controller gives up the right to start anything
    and waits for it, as often as it goes."""
    controller = lab.controller(render=False).start()
    status = pathlib.Path(f"/proc/{controller.program.pid}/status")
    assert re.search(r"^Seccomp:\s+2$", status.read_text(), re.M)
    env = clean_env(**{k: v for k, v in controller.env.items()
                       if k != "RM_RENDER"}, RM_SANDBOX_KILL="true")

    def start_renderer():
        return lab.start([BIN / "restic-manager-render"], env,
                         lab.path / "render.log")

    renderer = start_renderer()
    controller.bootstrap()
    for _ in range(2):
        wait_for("a page", lambda: controller.client.get("/").status == 200)
        renderer.kill()
        renderer.wait()
        wait_for("the notice", lambda: controller.client.get(
            "/").status == 503)
        assert controller.client.get("/api/hosts").status == 200
        renderer = start_renderer()
    wait_for("a page", lambda: controller.client.get("/").status == 200)
    assert controller.stop() == 0
    assert renderer.wait(10) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")
def test_two_users_share_what_they_must(lab):
    """As the units run them: the renderer reads state and spool through the
    shared group, and can neither read secrets nor move what lies beside its
    socket."""
    lab.path.chmod(0o755)
    for name in ("restic-manager-controller", "restic-manager-render"):
        shutil.copy(BIN / name, lab.path / name)
    shutil.copytree(ROOT / "www", lab.path / "www")
    data, run = lab.path / "data", lab.path / "run"
    for folder in (data, run):
        folder.mkdir()
        shutil.chown(folder, "daemon", "daemon")
    port = free_port()
    env = clean_env(RM_DATA_DIR=data, RM_RUNTIME_DIR=run, RM_GROUP="games",
                    RM_LISTEN=f"127.0.0.1:{port}",
                    RM_BUNDLED_ASSETS_DIR=lab.path)
    controller = lab.start(
        ["setpriv", "--reuid=daemon", "--regid=daemon", "--groups=games",
         lab.path / "restic-manager-controller"], env, lab.path / "c.log")
    wait_for("the controller", lambda: "main ready" in controller.text())
    aside = ["setpriv", "--reuid=nobody", "--regid=games", "--clear-groups"]
    renderer = lab.start([*aside, lab.path / "restic-manager-render"],
                         {**env, "RM_SANDBOX_KILL": "true"},
                         lab.path / "r.log")
    client = Client(port)
    wait_for("a page", lambda: client.get("/bootstrap").status == 200)
    assert client.post("/api/bootstrap", {
        "username": "ann", "password": PASSWORD}).status == 200
    assert client.get("/").status == 200
    for what in (f"cat {data}/secret.key", f"ls {data}/db/vault",
                 f"cat {data}/tls/key.pem", f"cat {data}/db/state/lock.mdb",
                 f"mv {run}/live {run}/away", f"rm -r {run}/live",
                 f"touch {data}/db/state/x", f"touch {data}/spool/x",
                 f"sh -c ': >> {data}/db/state/data.mdb'"):
        done = subprocess.run([*aside, "sh", "-c", what], check=False,
                              capture_output=True)
        assert done.returncode != 0, what
    assert renderer.running() and controller.stop() == 0
