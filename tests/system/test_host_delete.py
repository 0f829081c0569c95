# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a host: typed, at once for everybody, to its end after a crash."""
import html
import os
import signal
import time

import lab as lab_module
from browser import Browser as Chromium
from lab import PASSWORD, ROOT, wait_for
from web import Browser
from test_streams import Stream as Follower

FAKE = ROOT / "tests/fake/restic"


def swept(console, host_id):
    return f"deleted host swept host={host_id}" in console.log.read_text()


def logs(console):
    return [p for p in (console.data / "spool/jobs").rglob("*")
            if p.is_file()]


def busy_host(lab, console, name="web-1"):
    """A host in the middle of a backup: agent and job."""
    source = lab.sources(f"src-{name}")
    agent = lab.host(console, name=name, restic=FAKE, paths=[source])
    assert console.wait_job(console.run_group(agent.host_id))[
        "status"] == "succeeded"
    (source / ".pretend").write_text("lines=40000 delay_ms=50")
    job = console.run_group(agent.host_id)
    wait_for("its lines", lambda: console.job(job)["log"]["lines"] > 5)
    return agent, job


def restic_runs(agent):
    """Whether a pretend restic of this agent is alive."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == agent.program.pid:
            return True
    return False


def test_the_name_must_be_typed(lab, console):
    """M-319, M-320, M-430: by form and by JSON; nothing happens before."""
    agent = lab.host(console, restic=FAKE)
    browser = Browser(console.port)
    browser.sign_in()
    path = f"/hosts/{agent.host_id}"
    page = html.unescape(browser.get(path + "/repo").text)
    assert "Delete this host" in page and "1 snapshots" not in page
    for typed in ("", "WEB-1", "web-2"):
        answer = browser.send(path + "/repo", path + "/delete", confirm=typed)
        assert answer.status == 422
        assert 'id="c-delete-error"' in answer.text
        assert f'value="{typed}"' in answer.text
        refused = console.client.request("DELETE", "/api" + path,
                                         {"confirm": typed})
        assert refused.status == 422
        assert refused.json()["code"] == "confirm_mismatch"
    assert console.client.request("DELETE", "/api" + path, {}).status == 422
    nobody = "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert console.client.request(
        "DELETE", nobody, {"confirm": "web-1"}).status == 404
    assert console.host(agent.host_id)["status"] == "online"
    answer = browser.send(path + "/repo", path + "/delete", confirm="web-1")
    assert answer.status == 303
    assert "Host deleted" in browser.get(answer.headers["Location"]).text
    again = browser.send("/", path + "/delete", confirm="web-1")
    assert again.status == 404
    gone = browser.get(path)
    assert gone.status == 404
    assert "Host web-1 was deleted on" in html.unescape(gone.text)
    assert "by admin" in gone.text
    assert (lab.path / "repo-web-1/config").exists()


def test_a_host_is_deleted_during_its_backup(lab, console):
    """M-319, M-523: the job is cancelled on the host, the agent is told why
    and turned away, and what it sends later changes nothing."""
    agent, job = busy_host(lab, console)
    assert restic_runs(agent)
    stream = Follower(console, f"/events?page=host&id={agent.host_id}")
    assert console.client.request("DELETE", f"/api/hosts/{agent.host_id}", {
        "confirm": "web-1"}).status == 204
    assert console.client.get(f"/api/hosts/{agent.host_id}").status == 404
    wait_for("the open page to be told", lambda: stream.of("reload"))
    stream.close()
    wait_for("restic to be ended", lambda: not restic_runs(agent))
    wait_for("the reason in its log", lambda: (
        "this host was deleted from the controller" in agent.log.read_text()))
    wait_for("the sweep", lambda: swept(console, agent.host_id))
    assert console.client.get(f"/api/jobs/{job}").status == 404
    assert logs(console) == []
    summary = console.client.ok("GET", "/api/fleet/summary")
    assert summary["hosts"]["total"] == summary["hosts"]["online"] == 0
    # it comes back with what it has not told yet
    agent.stop()
    agent.start()
    wait_for("its refusal", lambda: agent.log.read_text().count(
        "enrol") > 1 and "unauthorised" in agent.log.read_text())
    assert logs(console) == []
    assert console.client.get(f"/api/jobs/{job}").status == 404
    # the name is free
    console.mint("web-1", "/srv/repo")


def test_an_agent_that_was_away_is_turned_away(lab, console):
    """What it ran meanwhile is not taken, and it says what happened."""
    agent, job = busy_host(lab, console)
    agent.program.kill(signal.SIGSTOP)
    try:
        assert console.client.request(
            "DELETE", f"/api/hosts/{agent.host_id}",
            {"confirm": "web-1"}).status == 204
        wait_for("the sweep", lambda: swept(console, agent.host_id))
    finally:
        agent.program.kill(signal.SIGCONT)
    wait_for("its refusal", lambda: "deleted from" in agent.log.read_text())
    assert console.client.get(f"/api/jobs/{job}").status == 404
    assert logs(console) == []


def test_a_crash_in_the_middle_is_finished_after_the_restart(lab):
    """A host with a long history: others go on, kill -9 in the middle, and
    nothing of it is left in the end."""
    jobs = 12000
    console = lab.controller()
    counts, hosts = console.seed(hosts=3, jobs=2, snapshots=3000, logs=40,
                                 lines=10, history=jobs)
    assert counts["jobs"] > jobs
    console.start().bootstrap()
    victim, other = hosts[0], hosts[1]
    assert logs(console)

    def slowest(n):
        took = []
        for k in range(n):
            begin = time.monotonic()
            console.client.ok("PUT", f"/api/hosts/{other[0]}/tags",
                              {"tags": [f"t{k}"]})
            took.append(time.monotonic() - begin)
        return max(took)
    calm = slowest(20)
    assert console.client.request("DELETE", f"/api/hosts/{victim[0]}", {
        "confirm": victim[3]}).status == 204
    beside = slowest(10)
    assert not swept(console, victim[0]), "too few jobs to be in the middle"
    console.kill()
    assert beside < 2 + 4 * calm, (beside, calm)
    console.start().login()
    assert console.client.get(f"/api/hosts/{victim[0]}").status == 404
    names = {h["name"] for h in console.client.ok("GET", "/api/hosts")["items"]}
    assert names == {h[3] for h in hosts[1:]}
    wait_for("the sweep", lambda: swept(console, victim[0]), 60)
    left = console.client.ok("GET", f"/api/hosts/{other[0]}")
    assert left["tags"] == ["t9"]
    for path in ("", "/snapshots", "/jobs", "/source-groups"):
        assert console.client.get(
            f"/api/hosts/{victim[0]}{path}").status == 404
    console.stop()
    data = (console.data / "db/vault/data.mdb").read_bytes()
    assert data
    # a second start finds nothing left to do
    before = console.log.read_text().count("deleted host swept")
    console.start()
    time.sleep(1.5)
    assert console.log.read_text().count("deleted host swept") == before == 1


def test_two_are_deleted_one_after_the_other():
    """A second one waits for its turn, and a second click is a 404."""
    with lab_module.Lab() as lab:
        console = lab.controller()
        _, hosts = console.seed(hosts=4, jobs=20, snapshots=50, logs=10)
        console.start().bootstrap()
        for host in hosts[:2]:
            for status in (204, 404):
                assert console.client.request(
                    "DELETE", f"/api/hosts/{host[0]}",
                    {"confirm": host[3]}).status == status
        for host in hosts[:2]:
            wait_for("the sweep", lambda h=host: swept(console, h[0]))
        assert console.client.ok("GET", "/api/fleet/summary")[
            "hosts"]["total"] == 2


def test_an_open_page_says_that_it_was_deleted(lab, console):
    """The page of somebody else, without a click."""
    agent = lab.host(console, restic=FAKE)
    browser = Chromium(console.url)
    try:
        browser.open("/login")
        browser.fill("#login-username", "admin")
        browser.fill("#login-password", PASSWORD)
        browser.go('form[action="/login"] button[type="submit"]')
        browser.open(f"/hosts/{agent.host_id}/repo")
        browser.wait("the stream", lambda: "Live" in browser.text(".live"))
        assert console.client.request(
            "DELETE", f"/api/hosts/{agent.host_id}",
            {"confirm": "web-1"}).status == 204
        browser.wait("the news", lambda: "Host web-1 was deleted"
                     in browser.text("main"))
    finally:
        browser.close()
