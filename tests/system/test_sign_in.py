# SPDX-License-Identifier: GPL-3.0-or-later
"""First run, sign-in and where requests come from, over real TLS."""
import re
import threading
import time

import pytest

from lab import PASSWORD, Client, wait_for
from web import Browser, error, form_token


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
