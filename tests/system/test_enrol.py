# SPDX-License-Identifier: GPL-3.0-or-later
"""From the form "Add host", or a script, to an enrolled host."""
import base64
import datetime
import html
import re
import shlex

import pytest

from lab import Client
from web import Browser, error

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}")


@pytest.fixture(name="browser")
def fixture_browser(console):
    return Browser(console.port).sign_in()


def add_host(browser, **fields):
    fields = {"hostname": "web-1", "tags": "", "repo_url": "/srv/repo",
              "repo_username": "", "repo_password": "", "initial_paths": "",
              **fields}
    return browser.send("/hosts/new", "/hosts/new", **fields)


def pending(browser, **fields):
    """The address and the page that follow the form."""
    answer = add_host(browser, **fields)
    assert answer.status == 303, answer.text[:500]
    where = answer.headers["Location"]
    assert re.fullmatch(r"/hosts/pending/[0-9a-f]{64}", where)
    page = browser.get(where)
    assert page.status == 200
    return where, html.unescape(page.text)


def enrol(console, token, **more):
    return Client(console.port).post("/api/agents/enroll", {
        "token": token, "hostname": "web-1.lan", "os": "linux",
        "arch": "amd64", **more})


def test_a_minted_token_is_told_once_with_its_end(console):
    """M-066, M-069, M-412"""
    before = datetime.datetime.now(datetime.timezone.utc)
    answer = console.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": "/srv/repo", "repo_username": "",
        "repo_password": "typed by hand", "tags": ["prod", "web"]})
    assert TOKEN.fullmatch(answer["token"])
    ends = datetime.datetime.fromisoformat(
        answer["expires_at"].replace("Z", "+00:00"))
    assert 3590 < (ends - before).total_seconds() < 3620
    assert answer["repo_username"] == "web-1"
    assert answer["repo_password"] == "typed by hand"
    host = enrol(console, answer["token"]).json()["host_id"]
    shown = console.host(host)
    assert shown["tags"] == ["prod", "web"]
    assert (shown["repo_url"], shown["repo_username"]) == (
        "/srv/repo", "web-1")


def test_a_blank_password_is_made_and_told(console):
    """M-068: 24 random bytes, another one each time."""
    made = [console.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": "/srv/repo"})["repo_password"]
        for _ in range(2)]
    assert made[0] != made[1]
    assert [len(base64.urlsafe_b64decode(m)) for m in made] == [24, 24]


def test_the_pin_of_a_token_is_the_key_of_the_controller(console):
    """M-078: the same hash in the token and in the answer."""
    token = console.mint("web-1", "/srv/repo")
    answer = enrol(console, token).json()
    pin = base64.urlsafe_b64decode(token.split(".")[1] + "=").hex()
    assert answer["cert_pin_sha256"] == pin
    assert set(answer) == {"host_id", "agent_token", "cert_pin_sha256"}


def test_bad_wishes_are_refused_by_field(console):
    """M-066, M-208: nothing is minted, no secret comes back."""
    good = {"hostname": "web-1", "repo_url": "/srv/repo"}
    for bad, word in (
            ({"hostname": "a b"}, "hostname"), ({"hostname": "-x"}, "hostname"),
            ({"hostname": ""}, "hostname"), ({"repo_url": ""}, "repository"),
            ({"repo_url": "rest:https://u:hush@nas/x"}, "URL"),
            ({"tags": ["a b"]}, "tag 1"),
            ({"initial_paths": ["/etc", "home"]}, "path 2"),
            ({"repo_password": "a\nb"}, "password"),
            ({"repo_username": "a\nb"}, "user name"),
            ({"tags": "prod"}, "tags"), ({"hostname": 7}, "hostname")):
        message = error(console.client.post(
            "/api/enrollment-tokens", {**good, **bad}), 422, "invalid")
        assert word in message and "hush" not in message
    assert console.client.ok("GET", "/api/hosts")["items"] == []


def test_a_name_that_is_taken_needs_a_second_thought(console):
    """contract.md, Enrolment: 409 unless allow_duplicate is set."""
    enrol(console, console.mint("web-1", "/srv/repo"))
    body = {"hostname": "WEB-1", "repo_url": "/srv/repo"}
    error(console.client.post("/api/enrollment-tokens", body), 409,
          "duplicate_hostname")
    token = console.client.ok("POST", "/api/enrollment-tokens", {
        **body, "allow_duplicate": True})["token"]
    assert enrol(console, token).status == 200
    assert len(console.client.ok("GET", "/api/hosts")["items"]) == 2


def test_the_form_leads_to_a_page_that_can_be_kept(console, browser):
    """M-070 to M-075, M-413"""
    where, page = pending(browser, repo_username="bob", tags="prod, web",
                          initial_paths="/srv\r\n\r\n /opt \r\n")
    token = TOKEN.search(page).group()
    # No secret is anybody's argument.
    assert (f"echo {token} | sudo restic-manager-agent -enroll-server "
            f"{console.url} -enroll-token -") in page
    assert (f"RM_TOKEN={token} sudo --preserve-env=RM_SERVER,RM_TOKEN bash"
            in page)
    assert TOKEN.search(browser.get(where).text).group() == token
    fragment = browser.get(f"{where}/awaiting").text
    assert "Waiting for the host" in fragment and token not in fragment
    host = enrol(console, token).json()["host_id"]
    assert "Open host" in browser.get(f"{where}/awaiting").text
    # M-072 sends away at once; the page has more to tell until the end.
    page = browser.get(where)
    assert page.status == 200 and token not in page.text
    groups = console.client.ok(
        "GET", f"/api/hosts/{host}/source-groups")["items"]
    assert [g["includes"] for g in groups] == [["/srv", "/opt"]]


def test_the_snippet_makes_the_user_of_the_rest_server(browser):
    """M-068, M-069: a generated password is shown, a typed one is not."""
    _, page = pending(browser)
    made = re.search(r"echo '([^']+)' \| htpasswd -B -i \S+ \S+ (\S+?)<",
                     page)
    assert len(base64.urlsafe_b64decode(made.group(1))) == 24
    assert shlex.split(made.group(2)) == ["web-1"]
    _, page = pending(browser, hostname="web-2", repo_username="bob",
                      repo_password="typed by hand")
    assert "typed by hand" not in page
    assert re.search(r"htpasswd -B \S+ \S+ bob<", page)


def test_a_refused_form_keeps_what_was_typed(browser):
    """M-070: all but the password."""
    answer = add_host(browser, hostname="a b", repo_url="/srv/mine",
                      repo_password="hush-hush", initial_paths="/data")
    assert answer.status == 422
    for text in ('value="a b"', 'value="/srv/mine"', "/data",
                 'aria-invalid="true"'):
        assert text in answer.text
    assert "hush-hush" not in answer.text
    answer = add_host(browser, repo_url="rest:https://u:hush-hush@nas/x")
    assert answer.status == 422 and "hush-hush" not in answer.text
    assert 'value="rest:https://nas/x"' in answer.text


def test_a_raw_token_in_an_address_is_led_away_and_not_logged(
        console, browser):
    """contract.md, Enrolment; W-30."""
    token = console.mint("web-1", "/srv/repo")
    answer = browser.get(f"/hosts/pending/{token}")
    assert answer.status == 303 and token not in answer.headers["Location"]
    assert browser.get(answer.headers["Location"]).status == 200
    assert token.split(".")[0] not in console.log.read_text()
    anonymous = Browser(console.port).get(answer.headers["Location"])
    assert (anonymous.status, anonymous.headers["Location"]) == (
        303, "/login")


def test_after_a_restart_the_page_offers_another_command(console, browser):
    """Only its hash is stored: what was copied works, or a new one is made."""
    where, page = pending(browser)
    token = TOKEN.search(page).group()
    console.restart()
    page = html.unescape(browser.get(where).text)
    assert "not shown any more" in page and not TOKEN.search(page)
    assert enrol(console, token).status == 200
    where, page = pending(browser, hostname="web-2")
    old = TOKEN.search(page).group()
    console.restart()
    answer = browser.send(where, where.replace(
        "pending", "enrollment-tokens") + "/regenerate")
    assert answer.status == 303
    fresh = html.unescape(browser.get(answer.headers["Location"]).text)
    assert enrol(console, old).status == 401
    assert enrol(console, TOKEN.search(fresh).group()).status == 200


def test_unknown_enrolments_are_not_found(browser):
    for path in ("/hosts/pending/" + "0" * 64, "/hosts/pending/x",
                 "/hosts/pending/" + "0" * 64 + "/awaiting"):
        assert browser.get(path).status == 404
