# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance of repositories: every kind of it from the API to the
repository, with real restic and a real rest-server; two hosts with one
repository; a host away over its windows; a controller killed while work on a
shared repository was under way."""
import json
import os
import subprocess

import pytest

import lab as lab_module
from lab import TOOLS, RestServer, clean_env, wait_for

RESTIC = TOOLS / "restic018/usr/bin/restic"
SECRET = "one repository for two"


class Pair:
    """Hosts a and b with one repository between them."""

    def __init__(self, lab, console):
        self.lab, self.console, self.client = lab, console, console.client
        self.server = RestServer(lab, append_only=False)
        self.url = self.server.user("both", SECRET)
        self.server.start()
        self.agents = {}
        for name in "ab":
            source = lab.sources(f"src-{name}")
            (source / "big").write_bytes(os.urandom(1 << 20))
            self.agents[name] = lab.host(
                console, name=name, repo=self.url, paths=[source],
                restic=RESTIC, repo_username="both", repo_password=SECRET)
        self.a, self.b = (f"/api/hosts/{self.agents[n].host_id}"
                          for n in "ab")

    def restic(self, *args):
        host = self.url.split("//")[1]
        done = subprocess.run(
            [RESTIC, "--json", "--no-cache", *args], capture_output=True,
            text=True, timeout=120, check=True, env=clean_env(
                RESTIC_REPOSITORY=f"rest:http://both:{SECRET.replace(' ', '%20')}@{host}",
                RESTIC_PASSWORD=SECRET))
        return done.stdout

    def snapshots(self, host):
        return [s["id"] for s in json.loads(self.restic("snapshots"))
                if s["hostname"] == host]

    def group(self, host):
        return self.client.ok("GET", host + "/source-groups")["items"][0]

    def keep(self, host, **policy):
        self.client.ok("PUT", f"{host}/source-groups/{self.group(host)['id']}",
                       {"retention_policy": policy})

    def backup(self, host, **limits):
        return self.client.ok(
            "POST", f"{host}/source-groups/{self.group(host)['id']}/run",
            limits)["job_id"]

    def start(self, host, what):
        answer = self.client.post(f"{host}/repo/{what}")
        assert answer.status == 202, answer.text
        return answer.json()["job_id"]

    def done(self, job):
        job = self.console.wait_job(job)
        assert job["status"] == "succeeded", job
        return job

    def stats(self, host):
        return self.client.ok("GET", host + "/repo-stats")


@pytest.fixture(name="pair", scope="module")
def fixture_pair():
    with lab_module.Lab() as lab:
        console = lab.controller().start()
        console.bootstrap()
        yield Pair(lab, console)


def test_every_kind_reaches_the_repository(pair):
    """M-149 to M-154, M-216, M-220: judged by looking into it."""
    a, b = pair.a, pair.b
    for host in (a, a, b):
        pair.done(pair.backup(host))
    ids = {host: pair.stats(host)["repo_id"] for host in (a, b)}
    assert ids[a] and ids[a] == ids[b]
    assert pair.stats(a)["shared_with"] == [pair.agents["b"].host_id]
    name = pair.agents["a"].dir.name and pair.console.host(
        pair.agents["a"].host_id)["reported_name"]
    before = pair.snapshots(name)
    assert len(before) == 3  # one machine under two names

    refused = pair.client.post(a + "/repo/forget")
    assert (refused.status, refused.json()["code"]) == (409, "no_retention")
    # B's snapshots bear the same machine's name and tag as A's.
    pair.keep(a, keep_last=1)
    refused = pair.client.post(a + "/repo/forget")
    assert (refused.status, refused.json()["code"]) == (409, "shared_name")
    assert "rename one of the groups" in refused.json()["message"]
    assert pair.snapshots(name) == before
    pair.client.ok("PUT", f"{a}/source-groups/{pair.group(a)['id']}",
                   {"name": "mine"})
    made = [pair.done(pair.backup(a))["stats"]["snapshot_id"]
            for _ in range(2)]
    job = pair.done(pair.start(a, "forget"))
    assert job["forgot"] == [{"tag": "mine", "kept": 1, "removed": 1}]
    assert pair.snapshots(name) == before + made[1:]

    refused = pair.client.post(a + "/repo/prune")
    assert (refused.status, refused.json()["code"]) == (
        409, "admin_creds_required")
    pair.client.ok("PUT", a + "/admin-credentials", {"repo_password": SECRET})
    pair.done(pair.start(a, "prune"))
    assert pair.stats(b)["last_prune_at"]  # the repository's, not the host's
    assert pair.stats(a)["size_bytes"] > 0

    # Parts take turns over the repository, whichever host reads them.
    first = pair.done(pair.start(a, "check?subset=50"))
    second = pair.done(pair.start(b, "check?subset=50"))
    assert [(j["check_part"], j["check_of"]) for j in (first, second)] == [
        (1, 2), (2, 2)]
    assert pair.stats(a)["last_check_status"] == "succeeded"
    assert pair.stats(a)["lock_present"] is False
    history = pair.client.ok("GET", a + "/repo-history")["items"]
    assert len(history) in (1, 2) and history[-1]["size_bytes"] > 0
    assert any(day["pruned"] for day in history)


def test_a_stale_lock_is_shown_and_unlocked(pair):
    """M-152, M-154, M-217"""
    url = pair.url.replace("//", f"//both:{SECRET.replace(' ', '%20')}@")
    dead = subprocess.Popen(
        [RESTIC, "--no-cache", "backup", "--stdin"], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=clean_env(RESTIC_REPOSITORY=url, RESTIC_PASSWORD=SECRET))
    wait_for("its lock", lambda: pair.restic("list", "locks",
                                             "--no-lock").strip())
    dead.kill()
    dead.wait()
    dead.stdin.close()
    job = pair.console.wait_job(pair.start(pair.b, "check?subset=0"))
    assert (job["status"], job["cause"]) == ("failed", "locked")
    shown = pair.stats(pair.b)
    assert shown["lock_present"] and shown["locks"]["count"] == 1
    assert shown["locks"]["holder"] and shown["lease"] is None
    pair.done(pair.start(pair.b, "unlock"))
    assert pair.stats(pair.b)["lock_present"] is False
    assert not pair.restic("list", "locks", "--no-lock").strip()


def test_work_on_one_repository_takes_turns(pair):
    """Exclusive work waits for what runs on another host, also when the
    controller is killed meanwhile; it says so, and what is not in its way
    goes on."""
    console, client = pair.console, pair.client
    (pair.lab.path / "src-a/more").write_bytes(os.urandom(2 << 20))
    slow = pair.backup(pair.a, bandwidth_up_kbps=300)
    wait_for("a slow backup", lambda: console.job(slow)["status"] ==
             "running")
    check = pair.start(pair.b, "check?subset=0")
    wait_for("its reason", lambda: console.job(check)["blocked"] ==
             "repository_busy")
    # Behind it, but not in anybody's way.
    pair.done(pair.backup(pair.b))
    assert console.job(slow)["status"] == "running"
    assert console.job(check)["status"] == "queued"
    begun = pair.done(slow)
    assert pair.done(check)["started_at"] >= begun["finished_at"]
    assert console.job(check)["blocked"] == ""

    # The lease outlives the controller.
    client.ok("PUT", pair.a + "/bandwidth", {"bandwidth_down_kbps": 600})
    check = pair.start(pair.a, "check?subset=100")
    wait_for("a slow check", lambda: console.job(check)["status"] ==
             "running")
    assert pair.stats(pair.b)["lease"]["job_id"] == check
    console.kill()
    console.start()
    waits = pair.backup(pair.b)
    wait_for("its reason", lambda: console.job(waits)["blocked"] ==
             "repository_busy")
    done = pair.done(check)
    assert pair.done(waits)["started_at"] >= done["finished_at"]
    assert pair.stats(pair.b)["lease"] is None


def test_damage_fails_the_check(pair):
    """M-153, restic-facts 4.4: data is read back, and errors are no tick."""
    packs = [p for p in (pair.server.path / "both/data").rglob("*")
             if p.is_file()]
    worst = max(packs, key=lambda p: p.stat().st_size)
    worst.chmod(0o600)
    data = bytearray(worst.read_bytes())
    data[100] ^= 0xff
    worst.write_bytes(data)
    job = pair.console.wait_job(pair.start(pair.b, "check?subset=100"))
    assert job["status"] == "failed" and job["check_errors"] > 0, job
    assert pair.stats(pair.b)["last_check_status"] == "failed"


def test_a_host_away_over_its_windows_is_maintained_once(lab, ahead):
    """W-16, W-17, M-212 to M-215: nothing is skipped silently, nothing runs
    twice."""
    env, move = ahead
    timers = lab.path / "timers"
    timers.write_text("0")
    console = lab.controller(RM_TIMERS_AHEAD=timers, **env).start()
    console.bootstrap()
    agent = lab.host(console, restic=RESTIC)
    host = f"/api/hosts/{agent.host_id}"
    group = console.client.ok("GET", host + "/source-groups")["items"][0]
    console.client.ok("PUT", f"{host}/source-groups/{group['id']}", {
        "retention_policy": {"keep_daily": 7}})
    assert console.wait_job(console.run_group(agent.host_id))[
        "status"] == "succeeded"

    def work(kind):
        return console.client.ok("GET", host + "/repo-maintenance")[kind]

    def runs(kind):
        return [j for j in console.client.ok("GET", host + "/jobs")["items"]
                if j["kind"] == kind]

    assert work("forget")["due_at"] and not work("forget")["waiting"]
    agent.stop()
    lab_module.replace_text(timers, "100")
    wait_for("offline", lambda: console.host(agent.host_id)["status"] ==
             "offline")
    for days in (1, 8):
        move(days * 86400)
        console.login()
        wait_for("what is due", lambda: work("forget")["waiting"] ==
                 "offline")
    wait_for("prune", lambda: work("prune")["waiting"] == "no_admin")
    assert runs("forget") == [] and runs("prune") == []
    since = work("forget")["due_at"]
    agent.start()
    wait_for("online", lambda: console.host(agent.host_id)["status"] ==
             "online")
    move(8 * 86400 + 120)
    job = wait_for("the forget", lambda: runs("forget"))[0]
    assert job["actor_kind"] == "system"
    assert console.wait_job(job["id"])["status"] == "succeeded"
    now = work("forget")
    assert now["waiting"] == "" and now["due_at"] > since
    assert now["last_status"] == "succeeded" and now["last_job_id"] == job[
        "id"]
    move(8 * 86400 + 1200)
    console.restart()
    assert len(runs("forget")) == 1 and runs("prune") == []
    assert work("forget")["due_at"] == now["due_at"]

    # A clock that was a year ahead for a while puts nothing off for a year.
    move(400 * 86400)
    console.login()
    wait_for("the forget of a year ahead", lambda: [
        j for j in runs("forget") if j["finished_at"]][1:])
    move(8 * 86400 + 1300)
    console.login()
    wait_for("its time to be set right", lambda: work("forget")[
        "due_at"] == now["due_at"])
    move(9 * 86400 + 7200)
    console.login()
    wait_for("the next forget", lambda: runs("forget")[2:])


@pytest.mark.parametrize("body, field", [
    ({"prune_cadence": "61 4 * * *"}, "prune_cadence"),
    ({"check_cadence": "0 0 30 2 *"}, "check_cadence"),
    ({"forget_cadence": ""}, "forget_cadence"),
    ({"forget_cadence": "x" * 300}, "forget_cadence"),
    ({"check_subset_pct": 101}, "check_subset_pct"),
    ({"prune_enabled": "yes"}, "prune_enabled"),
])
def test_what_is_no_cadence_is_refused_and_changes_nothing(pair, body, field):
    """M-213: the message names the member."""
    path = pair.a + "/repo-maintenance"
    before = pair.client.ok("GET", path)
    answer = pair.client.request("PUT", path, {
        "forget_cadence": "1 1 * * *", **body})
    assert answer.status == 422, answer.text
    assert field in answer.json()["message"]
    assert pair.client.ok("GET", path) == before


def test_a_change_begins_anew(pair):
    """M-213, M-419: only what is given changes, and a kind can be off."""
    path = pair.b + "/repo-maintenance"
    before = pair.client.ok("GET", path)
    after = pair.client.ok("PUT", path, {
        "prune_enabled": False, "check_cadence": "@weekly",
        "check_subset_pct": 100})
    assert after["forget"] == before["forget"]
    assert after["prune"]["due_at"] is None and not after["prune_enabled"]
    assert after["check"]["due_at"] and after["check_subset_pct"] == 100
    assert after["check_cadence"] == "@weekly" and after["enabled"]
    off = pair.client.ok("PUT", path, {"enabled": False})
    assert not any(off[f"{k}_enabled"] for k in ("forget", "prune", "check"))
    for days in (7, 0, "x"):
        answer = pair.client.get(f"{pair.b}/repo-history?days={days}")
        assert answer.status == 422
