# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of answer carries so that browsers keep it to themselves:
policy, no sniffing, no frames, no cache, cookies that scripts and other sites
cannot use, a request id to ask about, and no way out to another site."""
import contextlib
import http.client
import os
import re
import signal
import urllib.parse

import pytest

import lab as lab_module
from lab import PASSWORD, Client, wait_for
from web import Browser, form_token
from test_roles import example, matrix

NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
POLICY = {
    "default-src": "'none'", "style-src": "'self'", "script-src": "'self'",
    "img-src": "'self'", "font-src": "'self'", "connect-src": "'self'",
    "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(name="console", scope="module")
def fixture_console():
    with lab_module.Lab() as lab:
        console = lab.controller().start()
        console.bootstrap()
        token = console.mint("web-1", "/srv/repo")
        console.host_id = console.client.ok("POST", "/api/agents/enroll", {
            "token": token, "hostname": "web-1", "os": "linux",
            "arch": "amd64"})["host_id"]
        yield console


@pytest.fixture(name="admin", scope="module")
def fixture_admin(console):
    browser = Browser(console.port)
    browser.sign_in()
    return browser


def guarded(answer):
    """What every answer carries, whatever it is."""
    h = answer.headers
    policy = dict(p.strip().split(" ", 1)
                  for p in h["Content-Security-Policy"].split(";"))
    assert policy == POLICY
    assert "unsafe" not in h["Content-Security-Policy"]
    assert h["X-Content-Type-Options"] == "nosniff"
    assert h["X-Frame-Options"] == "DENY"
    assert h["Referrer-Policy"] == "same-origin"
    assert h["Cross-Origin-Opener-Policy"] == "same-origin"
    assert h["Cross-Origin-Resource-Policy"] == "same-origin"
    assert h["Strict-Transport-Security"].startswith("max-age=")
    assert re.fullmatch(r"[0-9A-Z]{26}", h["X-Request-Id"])
    assert h["Server"] is None
    assert answer.status in (204, 303, 304) or h["Content-Type"]
    return answer


def private(answer):
    """Nothing of it stays with a proxy, nor with the next user."""
    value = guarded(answer).headers["Cache-Control"]
    assert value in ("no-store", "private, no-cache"), value
    return answer


def test_pages(console, admin):
    """M-459, M-464: every page of somebody who is signed in."""
    for path in ("/", "/hosts/new", f"/hosts/{console.host_id}",
                 f"/hosts/{console.host_id}/jobs", "/settings/users",
                 "/settings/users/new", "/settings/account", "/jobs"):
        answer = private(admin.get(path))
        assert answer.status == 200, path
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_every_address(console, admin):
    """Fail closed: an address that is new is as careful as the others, for
    people, for scripts and for strangers."""
    stranger = Client(console.port)
    for method, pattern, role in matrix():
        if method != "GET":
            continue
        for who, accept in ((admin, "text/html"),
                            (console.client, "application/json"),
                            (stranger, "application/json")):
            answer = guarded(who.get(example(pattern),
                                     headers={"Accept": accept}))
            if role != "public":
                private(answer)


def test_an_unchanged_page_is_private_too(admin):
    tag = admin.get("/").headers["ETag"]
    answer = admin.get("/", headers={"If-None-Match": tag})
    assert answer.status in (200, 304)  # the minute may have turned
    private(answer)
    stranger = Browser(admin.port)
    answer = stranger.get("/", headers={"If-None-Match": tag})
    assert answer.status == 303


def test_answers_before_there_is_a_session(console):
    stranger = Browser(console.port)
    for path, status in (("/", 303), ("/login", 200), ("/bootstrap", 303),
                         ("/setup?token=x", 410), ("/nothing", 404),
                         ("/api/hosts", 401), ("/healthz", 204),
                         ("/api/version", 200)):
        assert private(stranger.get(path)).status == status, path


def test_refusals(console, admin):
    """M-384: 403, 404, 405, 409, 410, 413, 415-like, 422, for people and
    for scripts."""
    page = "/settings/users/new"
    for answer, status in (
            (admin.get("/hosts/nowhere"), 404),
            (admin.get(f"/jobs/{NOBODY}"), 404),
            (admin.request("PUT", "/login"), 405),
            (admin.request("POST", page, "", {
                **FORM, "Content-Length": "9000"}), 413),
            (admin.request("POST", page, "csrf=stale", FORM), 403),
            (admin.send(page, page, username="admin", role="admin"), 409),
            (admin.send(page, page, username="a b", role="admin"), 422),
            (console.client.get("/api/hosts/nowhere"), 404),
            (console.client.request("DELETE", "/api/hosts"), 405),
            (console.client.post("/api/users", {"username": ""}), 422),
            (console.client.request("POST", "/api/users", "{", {
                "Content-Type": "application/json"}), 400),
            (console.client.get("/api/hosts?page=x"), 422),
            (Client(console.port).get("/api/hosts", headers={
                "Authorization": "Bearer rmt_none"}), 401)):
        private(answer)
        assert answer.status == status, answer.body[:200]


def test_what_is_refused_before_it_is_read(console, admin):
    """M-032: a form that is not allowed gets the page that says so, not a
    word about its length; what is far too long gets a bare one."""
    path = "/settings/users/new"
    made = console.client.ok("POST", "/api/users", {
        "username": "reader", "role": "viewer"})
    token = made["setup_url"].partition("token=")[2]
    viewer = Browser(console.port)
    assert viewer.send(f"/setup?token={token}", "/setup", token=token,
                       password=PASSWORD).status == 303
    answer = private(viewer.send("/settings/account", path, username="x",
                                 role="viewer"))
    assert answer.status == 403 and "needs <b>admin</b>" in answer.text
    stranger = Browser(console.port)
    answer = stranger.request("POST", path, "csrf=x&username=y", FORM)
    assert (answer.status, answer.headers["Location"]) == (
        303, "/login?ended=1")
    answer = admin.request("POST", path, "", {
        **FORM, "Content-Length": "600000"})
    assert answer.status == 413
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_error_pages_name_the_request(admin):
    """The id is on the page, in the answer's head, and in the log."""
    for answer in (admin.get("/nothing"), admin.get("/hosts/nowhere")):
        assert answer.headers["X-Request-Id"] in answer.text
        assert "nowhere" not in re.sub(r"<[^>]*>", "", answer.text)


def test_json_and_downloads(console):
    for path in ("/api/hosts", "/api/users", "/api/tokens", "/api/account",
                 "/api/fleet/summary", f"/api/hosts/{console.host_id}"):
        answer = private(console.client.get(path))
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"


def test_event_streams(console):
    conn = http.client.HTTPSConnection(
        "127.0.0.1", console.port, context=console.client.tls, timeout=20)
    conn.request("GET", "/events?page=dashboard",
                 headers={"Cookie": console.client.cookie})
    response = conn.getresponse()
    answer = lab_module.Answer(response, b"")
    conn.close()
    assert private(answer).status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")


def test_assets(admin):
    """These are everybody's, and no page of somebody's."""
    page = admin.get("/login").text + admin.get("/").text
    paths = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page))
    assert len(paths) >= 3
    for path in paths:
        answer = guarded(admin.get(path))
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers


def test_cookies(console):
    """M-016: no script reads them, no other site sends them."""
    stranger = Browser(console.port)
    answer = stranger.get("/login")
    cookies = answer.headers.get_all("Set-Cookie")
    answer = stranger.request("POST", "/login", urllib.parse.urlencode({
        "csrf": form_token(answer), "username": "admin",
        "password": PASSWORD}), FORM)
    cookies += answer.headers.get_all("Set-Cookie")
    answer = stranger.send("/settings/account", "/logout")
    cookies += answer.headers.get_all("Set-Cookie")
    assert {c.split("=")[0] for c in cookies} == {"rm_session", "rm_csrf"}
    for cookie in cookies:
        words = [w.strip() for w in cookie.split(";")[1:]]
        assert {"HttpOnly", "Secure", "SameSite=Lax",
                "Path=/"} <= set(words), cookie
        assert not [w for w in words if w.startswith("Domain")]


def test_redirects_stay_here(console):
    """No address, field or header leads to another site."""
    evil = ("//evil.example", "https://evil.example/", "/\\evil.example")
    for word in evil:
        query = urllib.parse.urlencode({k: word for k in (
            "next", "return", "return_to", "url", "back", "redirect")})
        stranger = Browser(console.port)
        page = stranger.get(f"/login?{query}")
        assert "evil" not in page.text
        fields = {"csrf": form_token(page), "username": "admin",
                  "password": PASSWORD, "next": word, "back": word}
        answer = stranger.request(
            "POST", f"/login?{query}", urllib.parse.urlencode(fields),
            {**FORM, "Referer": "https://evil.example/"})
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        answer = stranger.get(f"/hosts/nowhere?{query}",
                              headers={"Referer": "https://evil.example/"})
        assert "evil" not in answer.text
    for path in ("//evil.example/", "/%2F%2Fevil.example", "/settings"):
        answer = Browser(console.port).get(path, headers={
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "http"})
        where = answer.headers["Location"]
        assert where is None or re.match(r"/[^/\\]", where), where


def test_links_have_our_own_name(console):
    """M-463: a link that is handed over is not made from what a stranger
    sent along."""
    made = console.client.request("POST", "/api/users", {
        "username": "link-test", "role": "viewer"}, {
        "Host": f"evil.example:{console.port}",
        "X-Forwarded-Host": "evil.example",
        "Content-Type": "application/json"})
    assert made.status == 201
    assert made.json()["setup_url"].startswith(console.url + "/setup?")


def test_without_the_renderer(console, admin):
    """The notice that stands in for pages is as careful as they are."""
    pid = console.renderer_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = private(admin.get("/settings/users"))
        assert answer.status == 503
        assert answer.headers["X-Request-Id"] in answer.text
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)  # unless it was replaced by now
    wait_for("pages again", lambda: admin.get("/").status == 200)
