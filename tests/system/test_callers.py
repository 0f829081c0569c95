# SPDX-License-Identifier: GPL-3.0-or-later
"""One address, two kinds of callers: browsers send forms and are led on,
scripts send JSON and get JSON (M-385)."""
import re

import pytest

import foreign
from web import Browser, error, form_token

HTML = "text/html; charset=utf-8"


@pytest.fixture(name="browser")
def fixture_browser(console):
    return Browser(console.port).sign_in()


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    """Online by Poll, with a repository; runs what it is polled for."""
    with foreign.enrolled(lab, console) as agent:
        agent.polls_until_ready(console)
        yield agent


@pytest.fixture(name="run")
def fixture_run(console, agent):
    """The address that runs the only group, without its prefix."""
    group = console.client.ok(
        "GET", f"/api/hosts/{agent.host_id}/source-groups")["items"][0]
    return f"/hosts/{agent.host_id}/source-groups/{group['id']}/run"


def test_a_form_leads_to_the_job(console, browser, run):
    """M-167, M-385, M-423: the page has the button and its form."""
    host = run.split("/source-groups/")[0]
    assert f'action="{run}"' in browser.get(host).text
    answer = browser.send(host, run, bandwidth_up_kbps="100",
                          bandwidth_down_kbps="")
    assert answer.status == 303
    where = answer.headers["Location"]
    assert re.fullmatch(r"/jobs/[0-9A-Z]{26}", where)
    assert browser.get(where).status == 200
    # The second click shows the job that waits, and that it keeps its limits.
    again = browser.send(host, run, bandwidth_up_kbps="100")
    assert again.headers["Location"] == where
    other = browser.send(host, run, bandwidth_up_kbps="200")
    assert other.headers["Location"] == f"{where}?saved=waits"
    assert console.job(where.split("/")[2])["actor_kind"] == "user"


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_json_gets_the_job(console, run, prefix):
    """M-385, M-423"""
    first = console.client.post(prefix + run, {})
    again = console.client.post(prefix + run, {})
    assert (first.status, again.status) == (202, 200)
    assert again.json() == {**first.json(), "other_limits": False}
    assert first.json()["job_url"] == f"/jobs/{first.json()['job_id']}"


def test_a_form_cancels_a_job_that_waits(console, browser, run):
    """M-133, M-411"""
    job = console.client.ok("POST", f"/api{run}", {})["job_id"]
    answer = browser.send(f"/jobs/{job}", f"/jobs/{job}/cancel")
    assert (answer.status, answer.headers["Location"]) == (303, f"/jobs/{job}")


def test_wrong_figures_are_refused_to_both(console, browser, run):
    host = run.split("/source-groups/")[0]
    error(console.client.post(f"/api{run}", {"bandwidth_up_kbps": -1}), 422,
          "invalid")
    error(console.client.post(f"/api{run}", {"bandwidth_up_kbps": "1"}), 422,
          "invalid")
    for value in ("-1", "1.5", "x", "99999999999"):
        answer = browser.send(host, run, bandwidth_up_kbps=value)
        assert answer.status == 422 and answer.headers["Content-Type"] == HTML
    assert len(console.client.ok("GET", f"/api{host}/jobs")["items"]) == 1


def test_a_form_needs_its_token_and_json_does_not(console, browser, run):
    """W-14"""
    host = run.split("/source-groups/")[0]
    assert form_token(browser.get(host))
    answer = browser.send(host, run, csrf="stale")
    assert answer.status == 403 and answer.headers["Content-Type"] == HTML
    assert len(console.client.ok("GET", f"/api{host}/jobs")["items"]) == 1


def test_strangers_are_led_to_the_door_or_told(controller, run):
    """M-024"""
    stranger = Browser(controller.port)
    for path in ("/", run.split("/source-groups/")[0], "/hosts/new"):
        answer = stranger.get(path)
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
    error(stranger.get("/api/hosts"), 401, "unauthorised")
    error(stranger.request("GET", "/", headers={
        "Accept": "application/json"}), 401, "unauthorised")


def test_what_is_gone_says_so_to_both(console, browser, agent):
    """M-159, M-425"""
    host = f"/hosts/{agent.host_id}"
    for name in ("run-backup", "init-repo"):
        error(console.client.post(f"{host}/{name}"), 410, "gone")
        answer = browser.send(host, f"{host}/{name}")
        assert answer.status == 410
        assert answer.headers["Content-Type"] == HTML
