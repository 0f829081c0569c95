# SPDX-License-Identifier: GPL-3.0-or-later
"""Enrolments once they are made: listed, revoked, made anew, and what their
page tells while the host comes up."""
import html
import re

import pytest

import lab as lab_module
from lab import ROOT, Client, wait_for
from web import Browser, error
from test_streams import Stream

FAKE = ROOT / "tests/fake/restic"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}")
API = "/api/enrollment-tokens"


@pytest.fixture(name="site", scope="module")
def fixture_site():
    with lab_module.Lab() as bench:
        console = bench.controller().start()
        console.bootstrap()
        console.bench = bench
        console.browser = Browser(console.port).sign_in()
        yield console


def mint(site, name, **more):
    return site.client.ok("POST", API, {
        "hostname": name, "repo_url": f"/srv/{name}", "tags": ["prod"],
        "initial_paths": ["/srv/mine"], **more})


def listed(site, token_id):
    rows = site.client.ok("GET", f"{API}?per_page=500")["items"]
    return next((r for r in rows if r["id"] == token_id), None)


def enrol(site, token, name="reported"):
    return Client(site.port).post("/api/agents/enroll", {
        "token": token, "hostname": name, "os": "linux", "arch": "amd64"})


def panel(site, token_id):
    return html.unescape(
        site.browser.get(f"/hosts/pending/{token_id}/awaiting").text)


def test_enrolments_are_listed_without_secrets(site):
    """M-076: over JSON, with what became of each."""
    made = mint(site, "list-1", repo_password="hush-hush")
    answer = site.client.get(API)
    assert "hush-hush" not in answer.text
    assert made["token"].split(".")[0] not in answer.text
    body = answer.json()
    assert set(body) == {"items", "total", "page", "per_page"}
    row = listed(site, made["id"])
    assert (row["hostname"], row["state"], row["tags"], row["created_by"],
            row["repo_url"], row["host_id"]) == (
                "list-1", "awaiting", ["prod"], "admin", "/srv/list-1", None)
    assert row["expires_at"] == made["expires_at"]
    host = enrol(site, made["token"]).json()["host_id"]
    row = listed(site, made["id"])
    assert (row["state"], row["host_id"]) == ("used", host)
    few = site.client.ok("GET", f"{API}?per_page=1&page=9999")
    assert few["items"] == [] and few["total"] >= 1


def test_a_revoked_token_is_refused(site):
    """M-076, audited; a second time changes nothing."""
    made = mint(site, "revoke-1")
    for _ in range(2):
        assert site.client.request(
            "DELETE", f"{API}/{made['id']}").status == 204
    assert enrol(site, made["token"]).status == 401
    assert listed(site, made["id"])["state"] == "revoked"
    answer = site.browser.get(f"/hosts/pending/{made['id']}")
    assert answer.status == 303
    page = site.browser.get(answer.headers["Location"]).text
    assert "The command for revoke-1 was revoked" in page
    error(site.client.post(f"{API}/{made['id']}/regenerate"), 410, "gone")
    error(site.client.request("DELETE", f"{API}/{'0' * 64}"), 404,
          "not_found")
    error(site.client.request("DELETE", f"{API}/x"), 404, "not_found")


def test_another_token_keeps_all_but_the_secret(site):
    """M-076: credentials, paths and tags are kept, the old hash is dead."""
    old = mint(site, "again-1", repo_username="bob")
    new = site.client.ok("POST", f"{API}/{old['id']}/regenerate", {})
    assert set(new) == {"id", "token", "expires_at"}
    assert enrol(site, old["token"]).status == 401
    assert listed(site, old["id"]) is None
    page = site.browser.get(f"/hosts/pending/{old['id']}")
    assert page.headers["Location"] == f"/hosts/pending/{new['id']}"
    page = html.unescape(site.browser.get(page.headers["Location"]).text)
    assert old["repo_password"] in page and "again-1" in page
    host = enrol(site, new["token"]).json()["host_id"]
    shown = site.host(host)
    assert (shown["name"], shown["tags"], shown["repo_username"]) == (
        "again-1", ["prod"], "bob")
    group = site.client.ok("GET", f"/api/hosts/{host}/source-groups")
    assert group["items"][0]["includes"] == ["/srv/mine"]
    assert site.client.ok("GET", f"/api/hosts/{host}/repo-credentials")[
        "has_password"]
    error(site.client.post(f"{API}/{new['id']}/regenerate"), 409,
          "token_used")
    error(site.client.request("DELETE", f"{API}/{new['id']}"), 409,
          "token_used")


def test_a_name_taken_meanwhile_stops_another_token(site):
    first, second = mint(site, "taken-1"), mint(site, "taken-1")
    assert enrol(site, first["token"]).status == 200
    error(site.client.post(f"{API}/{second['id']}/regenerate"), 409,
          "duplicate_hostname")


def test_the_page_lists_and_changes_them_without_scripts(site):
    """M-076, M-414: forms on /hosts/new; a second click says what happened."""
    made = mint(site, "form-1")
    page = site.browser.get("/hosts/new").text
    assert f"/hosts/enrollment-tokens/{made['id']}/regenerate" in page
    answer = site.browser.send(
        "/hosts/new", f"/hosts/enrollment-tokens/{made['id']}/regenerate")
    assert answer.status == 303
    fresh = answer.headers["Location"]
    assert TOKEN.search(site.browser.get(fresh).text)
    again = site.browser.send(
        "/hosts/new", f"/hosts/enrollment-tokens/{made['id']}/regenerate")
    assert again.status == 410
    answer = site.browser.send(
        "/hosts/new", fresh.replace("pending", "enrollment-tokens")
        + "/revoke")
    assert (answer.status, answer.headers["Location"]) == (303, "/hosts/new")


def test_the_panel_tells_each_step_and_its_failure(site):
    """M-073, M-237: used, connected, initialising, failed because, ready."""
    source = site.bench.sources("step-src")
    wrong = site.bench.path / "not-a-folder"
    wrong.write_text("a file where the repository should be")
    made = site.client.ok("POST", API, {
        "hostname": "step-1", "repo_url": str(wrong / "repo"),
        "initial_paths": [str(source)]})
    assert "The token was not used yet" in panel(site, made["id"])
    agent = site.bench.agent(site, name="step-1")
    agent.enrol(made["token"])
    text = panel(site, made["id"])
    assert "Token used" in text and "from 127.0.0.1" in text
    assert "Waiting for the agent to connect" in text
    agent.start()
    wait_for("the failure", lambda: (
        "could not be prepared" in panel(site, made["id"])), 60)
    text = panel(site, made["id"])
    assert "Agent connected" in text
    log = re.search(r'href="(/jobs/[0-9A-Z]{26})"', text).group(1)
    assert site.browser.get(log).status == 200
    page = site.browser.get(f"/hosts/pending/{made['id']}")
    assert page.status == 200  # nothing is ready: nowhere to go yet
    assert made["repo_password"] in html.unescape(page.text)
    site.client.ok("PUT", f"/api/hosts/{agent.host_id}/repo-credentials",
                   {"repo_url": str(site.bench.path / "repo-step")})
    site.wait_ready(agent.host_id)
    assert "Repository is ready" in panel(site, made["id"])
    page = site.browser.get(f"/hosts/pending/{made['id']}")
    assert (page.status, page.headers["Location"]) == (
        303, f"/hosts/{agent.host_id}")
    agent.stop()


def test_the_panel_lives_by_the_event_stream(site):
    """ui/design.md, 8: a fragment each step, and no secret in any."""
    made = mint(site, "live-1")
    stream = Stream(site, f"/events?page=pending&hash={made['id']}")

    def told(words):
        return any(words in html.unescape(data)
                   for _, data, _ in stream.of("fragment"))

    wait_for("the first fragment", lambda: told("not used yet"))
    host = enrol(site, made["token"]).json()["host_id"]
    wait_for("the use", lambda: told("Token used"))
    assert any(f"/hosts/{host}" in d for _, d, _ in stream.of("fragment"))
    everything = "".join(d for _, d, _ in stream.of("fragment"))
    assert stream.of("reload") == []
    for secret in (made["token"].split(".")[0], made["repo_password"]):
        assert secret not in everything
    stream.close()
    made = mint(site, "live-2")
    stream = Stream(site, f"/events?page=pending&hash={made['id']}")
    wait_for("the first fragment", lambda: told("not used yet"))
    site.client.ok("POST", f"{API}/{made['id']}/regenerate", {})
    wait_for("the replacement", lambda: told("Another token was made"))
    stream.close()


def test_views_and_changes_are_in_the_audit_log_without_secrets(site):
    """W-30: whoever saw the password or changed a token is on record."""
    made = mint(site, "audit-1")
    site.browser.get(f"/hosts/pending/{made['id']}")
    new = site.client.ok("POST", f"{API}/{made['id']}/regenerate", {})
    site.client.request("DELETE", f"{API}/{new['id']}")
    state = (site.data / "db/state/data.mdb").read_bytes()
    for action in ("created", "viewed", "regenerated", "revoked"):
        assert f"enrollment_token.{action}".encode() in state
    for secret in (made["token"], new["token"], made["repo_password"]):
        assert secret.split(".")[0].encode() not in state
