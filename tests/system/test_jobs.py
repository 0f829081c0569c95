# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of jobs: queued, cancelled, interrupted, delivered late; their
logs afterwards.  Agents and controller are real, restic is pretended."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from lab import PASSWORD, ROOT, TOOLS, Client, wait_for
from stream import Stream, lines

FAKE = ROOT / "tests/fake/restic"
NEWER = TOOLS / "restic018/usr/bin/restic"
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Host:
    """A host with one source folder that says how its backup goes."""

    def __init__(self, lab, console, name="web-1", **kw):
        self.console = console
        self.source = lab.sources(f"talk-{name}")
        self.repo = lab.path / f"repo-{name}"
        self.agent = lab.host(console, name=name, repo=self.repo,
                              restic=FAKE, paths=[self.source], **kw)
        self.id = self.agent.host_id

    def wish(self, **words):
        (self.source / ".pretend").write_text(
            " ".join(f"{k}={v}" for k, v in words.items()))

    def run(self, **words):
        self.wish(**words)
        return self.console.run_group(self.id)

    def started(self, job):
        wait_for("lines of the job", lambda: self.console.job(job)[
            "log"]["lines"] > 2)
        return job

    def runs(self):
        return (self.repo / "runs").stat().st_size


@pytest.fixture(name="host")
def fixture_host(lab, console):
    return Host(lab, console)


def printed(console, job):
    """The numbers of the pretend lines in the stored log."""
    return [int(row["payload"].split()[-1])
            for row in console.log_lines(job)
            if row["payload"].startswith("pretend line ")]


def cancel(console, job):
    return console.client.post(f"/api/jobs/{job}/cancel").status


# ----------------------------------------------------------------- queueing


def test_one_job_runs_per_host_and_others_wait(console, host):
    """M-131, X-04; visibly, in order, at most one of a kind."""
    first = host.started(host.run(lines=30, delay_ms=300))
    path = f"/api/hosts/{host.id}/jobs"
    waiting = []
    for body in ({"kind": "init"}, {"kind": "backup", "args": ["default"]}):
        answer = console.client.post(path, body)
        assert answer.status == 202
        job = answer.json()["job_id"]
        assert answer.json()["job_url"] == f"/jobs/{job}"
        answer = console.client.post(path, body)
        assert (answer.status, answer.json()["job_id"]) == (200, job)
        assert console.job(job)["status"] == "queued"
        waiting.append(job)
    order = [first, *waiting]
    ends = [console.wait_job(job) for job in order]
    assert {end["status"] for end in ends} == {"succeeded"}
    for before, after in zip(ends, ends[1:]):
        assert before["finished_at"] <= after["started_at"]
    assert host.runs() == 2


def test_what_an_offline_host_is_asked_for_waits(console, host):
    """M-105, M-132; what ran there stays "running", never a guess, what is
    asked for meanwhile waits once, can be cancelled, and runs in the end."""
    job = host.started(host.run(lines=1000, delay_ms=200))
    host.agent.kill()
    wait_for("offline", lambda: console.host(host.id)["status"] == "offline",
             110)
    assert console.job(job)["status"] == "running"
    assert "unreachable" in console.client.get(f"/jobs/{job}").text
    assert cancel(console, job) == 503
    groups = console.client.ok(
        "GET", f"/api/hosts/{host.id}/source-groups")["items"]
    run = f"/api/hosts/{host.id}/source-groups/{groups[0]['id']}/run"
    first = console.client.post(run)
    assert first.status == 202
    again = console.client.post(run)
    assert (again.status, again.json()) == (
        200, {**first.json(), "other_limits": False})
    waits = console.job(first.json()["job_id"])
    assert waits["status"] == "queued" and waits["expires_at"]
    assert cancel(console, waits["id"]) == 202
    assert console.job(waits["id"])["status"] == "cancelled"
    host.wish(lines=5)
    waits = console.client.ok("POST", run)["job_id"]
    host.agent.start()
    wait_for("online", lambda: console.host(host.id)["status"] == "online")
    assert console.wait_job(job)["cause"] == "agent_restarted"
    assert console.wait_job(waits)["status"] == "succeeded"


def test_unknown_kinds_and_jobs_are_refused(console, host):
    """M-126, M-133."""
    path = f"/api/hosts/{host.id}/jobs"
    assert console.client.post(path, {"kind": "dance"}).status == 422
    # Known, but not without the right to delete (M-216).
    assert console.client.post(path, {"kind": "prune"}).status == 409
    assert console.client.post(path, {"kind": 1}).status == 422
    assert cancel(console, ULID) == 404
    for form in ("log.txt", "log.ndjson", "stream"):
        assert console.client.get(f"/api/jobs/{ULID}/{form}").status == 404
    anonymous = Client(console.port)
    job = host.run(lines=1)
    assert anonymous.get(f"/api/jobs/{job}/log.txt").status == 401
    console.wait_job(job)


# ------------------------------------------------------------------- cancel


def test_cancelling_a_queued_job_is_immediate(console, host):
    running = host.started(host.run(lines=20, delay_ms=500))
    queued = console.client.ok("POST", f"/api/hosts/{host.id}/jobs",
                               {"kind": "init"})["job_id"]
    assert cancel(console, queued) == 202
    assert console.job(queued)["status"] == "cancelled"
    assert cancel(console, queued) == 409
    # One cancel never touches another job (M-135).
    assert console.wait_job(running)["status"] == "succeeded"
    assert printed(console, running) == list(range(1, 21))


def test_cancelling_a_running_job_interrupts_restic(console, host):
    """M-134: SIGINT, so that restic removes its lock."""
    job = host.started(host.run(lines=1000, delay_ms=200))
    begin = time.monotonic()
    assert cancel(console, job) == 202
    end = console.wait_job(job)
    assert time.monotonic() - begin < 10  # when SIGTERM would come
    assert (end["status"], end["exit_code"]) == ("cancelled", 130)
    assert not end["error"]
    rows = [row["payload"] for row in console.log_lines(job)]
    assert any("signal interrupt received" in row for row in rows)
    numbers = printed(console, job)
    assert numbers == list(range(1, len(numbers) + 1))
    assert cancel(console, job) == 409
    assert console.wait_job(host.run(lines=2))["status"] == "succeeded"


def test_a_deaf_child_is_killed_in_the_end(console, host):
    """contract.md, Jobs: SIGINT, after 10 s SIGTERM, after 5 s SIGKILL."""
    job = host.started(host.run(lines=10, hang=600, deaf=1))
    begin = time.monotonic()
    assert cancel(console, job) == 202
    end = console.wait_job(job)
    assert 14 < time.monotonic() - begin < 40
    assert end["status"] == "cancelled"
    rows = [row["payload"] for row in console.log_lines(job)]
    heard = [row for row in rows if re.match(r"pretend: signal \d+ ign", row)]
    assert heard == ["pretend: signal 2 ignored", "pretend: signal 15 ignored"]
    assert not children_of(host.agent.program.pid)


def test_a_cancel_reaches_an_agent_that_was_away(lab, console):
    """The request is repeated until an end is known."""
    proxy = lab.proxy(console.port)
    host = Host(lab, console, port=proxy.port)
    job = host.started(host.run(lines=1000, delay_ms=300))
    proxy.block()
    status = cancel(console, job)
    assert status in (202, 503)
    proxy.block(False)
    wait_for("online", lambda: console.host(host.id)["status"] == "online")
    if status == 503:
        assert cancel(console, job) == 202
    assert console.wait_job(job)["status"] == "cancelled"


# ------------------------------------------------------- ends that come late


def children_of(pid):
    out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True,
                         text=True, check=False).stdout
    return [int(p) for p in out.split()]


def test_an_agent_that_dies_takes_its_child_along(console, host):
    """contract.md, Jobs: ends failed, "agent stopped during the run"."""
    job = host.started(host.run(lines=1000, delay_ms=200))
    children = children_of(host.agent.program.pid)
    assert children
    host.agent.kill()
    wait_for("the child's end", lambda: not any(
        os.path.exists(f"/proc/{pid}/cwd") for pid in children))
    assert console.job(job)["status"] == "running"  # never a guess
    host.agent.start()
    end = console.wait_job(job)
    assert (end["status"], end["cause"]) == ("failed", "agent_restarted")
    assert "agent stopped during the run" in end["error"]
    numbers = printed(console, job)
    assert numbers == list(range(1, len(numbers) + 1)) and numbers
    assert console.wait_job(host.run(lines=3))["status"] == "succeeded"
    assert host.runs() == 2


def test_an_agent_that_is_stopped_in_order_says_so(console, host):
    job = host.started(host.run(lines=1000, delay_ms=200))
    host.agent.stop()
    host.agent.start()
    end = console.wait_job(job)
    assert end["status"] in ("failed", "cancelled"), end
    assert end["cause"] == "agent_restarted" or end["error"]


def test_a_job_outlives_the_controller(console, host):
    """X-01, X-02: its log and result come complete afterwards."""
    job = host.started(host.run(lines=60, delay_ms=250))
    console.kill()
    wait_for("the end at the agent", lambda: re.search(
        f"job finished job={job}", host.agent.log.read_text()))
    console.start()
    end = console.wait_job(job, 60)
    assert end["status"] == "succeeded"
    assert printed(console, job) == list(range(1, 61))
    assert end["stats"]["snapshot_id"]
    assert host.runs() == 1
    assert console.host(host.id)["last_backup_status"] == "succeeded"


def test_a_job_the_agent_has_lost_ends(console, host, lab):
    """X-03; contract.md, Wire: neither run nor queued there: lost."""
    job = host.started(host.run(lines=1000, delay_ms=200))
    host.agent.kill()
    state = host.agent.dir
    for folder in ("queue", "jobs"):
        os.rename(state / folder, lab.path / f"lost-{folder}")
    host.agent.start()
    # The lost queue's instance is live for up to 90 s.
    end = console.wait_job(job, 240)
    assert (end["status"], end["cause"]) == ("failed", "lost"), end
    assert "lost by the agent" in end["error"]


# -------------------------------------------------------------- afterwards


def test_a_finished_log_is_compressed_and_readable(console, host):
    """architecture.md 2: admins read it with tail, grep, zstdgrep."""
    job = host.started(host.run(lines=200, delay_ms=50))
    plain, = console.data.glob(f"spool/jobs/*/*/*/*/{job}.log")
    assert re.search(r"^\S+Z out  pretend line 1$", plain.read_text(), re.M)
    console.wait_job(job)
    packed = plain.with_suffix(".log.zst")
    wait_for("compression", lambda: packed.exists() and not plain.exists())
    out = subprocess.run(["zstdgrep", "-c", "pretend line", packed],
                         capture_output=True, text=True, check=True)
    assert out.stdout.split(":")[-1].strip() == "200"
    text = subprocess.run(["zstdcat", packed], capture_output=True, text=True,
                          check=True).stdout.splitlines()
    assert job in text[0] and "succeeded" in text[-1]
    assert printed(console, job) == list(range(1, 201))


def test_every_event_says_where_to_go_on(console, host):
    """A stream that is cut at any event is resumed without a double."""
    job = host.run(lines=30)
    console.wait_job(job)
    path = f"/api/jobs/{job}/stream"
    whole = Stream(console.client, path).job()
    resumed_at = [ident for name, ident, _ in whole
                  if name == "log.stream"][10]
    rest = Stream(console.client, path, last_id=resumed_at).job()
    assert rest[0][:2] == ("job.started", resumed_at)
    assert [d["seq"] for d in lines(rest)] == [
        d["seq"] for d in lines(whole)][11:]
    beyond = Stream(console.client, path, last_id=10**12).job()
    assert [name for name, _, _ in beyond] == ["job.started", "job.finished"]
    assert beyond[0][1] == whole[-1][1]


def test_downloads_are_for_people_and_for_tools(console, host):
    """M-144."""
    job = host.run(lines=30)
    console.wait_job(job)
    answer = console.client.get(f"/api/jobs/{job}/log.txt")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert job in answer.headers["Content-Disposition"]
    head, _, body = answer.text.partition("\n\n")
    assert job in head and all(l.startswith("#") for l in head.splitlines())
    rows = console.log_lines(job)
    lines = body.splitlines()
    assert len(lines) == len(rows)
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3}  (OUT|ERR|EVT|SYS|HOOK) ", l)
               for l in lines)
    assert set(rows[0]) == {"seq", "ts", "stream", "payload"}
    assert {row["stream"] for row in rows} <= {"stdout", "stderr", "event",
                                               "sys"}


def test_a_restart_keeps_sessions_hosts_and_logs(console, host):
    job = host.run(lines=40)
    console.wait_job(job)
    before = console.log_lines(job)
    console.restart()
    assert console.client.get("/").status == 200  # the same cookie
    assert console.log_lines(job) == before
    assert console.job(job)["status"] == "succeeded"
    wait_for("online", lambda: console.host(host.id)["status"] == "online")
    assert console.wait_job(host.run(lines=1))["status"] == "succeeded"


def test_two_browsers_press_the_button_at_once(console, host):
    running = host.started(host.run(lines=20, delay_ms=1000))
    other = Client(console.port)
    other.ok("POST", "/api/auth/login",
             {"username": "admin", "password": PASSWORD})
    groups = console.client.ok(
        "GET", f"/api/hosts/{host.id}/source-groups")["items"]
    path = f"/api/hosts/{host.id}/source-groups/{groups[0]['id']}/run"
    seen = []
    threads = [threading.Thread(target=lambda c=c: seen.append(
        c.post(path))) for c in (console.client, other) * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(a.status for a in seen) == [200] * 7 + [202]
    job, = {a.json()["job_id"] for a in seen}
    assert job != running
    host.wish(lines=1)
    console.wait_job(job)
    assert host.runs() == 2


def test_a_killed_renderer_costs_pages_not_backups(console, host):
    job = host.started(host.run(lines=20, delay_ms=400))
    os.kill(console.renderer_pid(), signal.SIGKILL)
    assert console.client.get(f"/api/jobs/{job}").status == 200
    wait_for("the page", lambda: console.client.get(
        f"/jobs/{job}").status == 200, 10)
    assert console.wait_job(job)["status"] == "succeeded"


def held_by(pid):
    """Descriptors and memory (kB) of a process."""
    with open(f"/proc/{pid}/statm") as f:
        pages = int(f.read().split()[1])
    return len(os.listdir(f"/proc/{pid}/fd")), pages * 4


def test_fifty_jobs_leave_nothing_behind(console, host):
    """Descriptors are given back, memory does not grow with the jobs."""
    pids = {"controller": console.program.pid,
            "renderer": console.renderer_pid(),
            "agent": host.agent.program.pid}

    def play(n):
        for _ in range(n):
            job = host.run(lines=50)
            Stream(console.client, f"/api/jobs/{job}/stream").job()
            console.wait_job(job)
            for path in (f"/jobs/{job}", f"/hosts/{host.id}", "/",
                         f"/api/jobs/{job}/log.txt"):
                assert console.client.get(path).status == 200

    play(10)
    before = {name: held_by(pid) for name, pid in pids.items()}
    play(50)

    def grown():
        now = {name: held_by(pid) for name, pid in pids.items()}
        return [(name, now[name], was) for name, was in before.items()
                if now[name][0] > was[0] + 2 or now[name][1] >= was[1] + 4096]
    end = time.monotonic() + 20
    while grown() and time.monotonic() < end:
        time.sleep(0.2)
    assert grown() == []


@pytest.mark.skipif(not NEWER.exists(),
                    reason="tools/get-test-tools was not run")
def test_real_restic_leaves_no_lock_when_cancelled(lab, console):
    source = lab.sources()
    with open(source / "big", "wb") as f:
        for _ in range(100):
            f.write(os.urandom(1 << 20))
    agent = lab.host(console, restic=NEWER, repo=lab.path / "repo",
                     paths=[source])
    job = console.run_group(agent.host_id)
    locks = lab.path / "repo/locks"
    wait_for("the lock", lambda: list(locks.iterdir()), step=0.005)
    assert cancel(console, job) == 202
    end = console.wait_job(job)
    assert end["status"] == "cancelled", end
    assert not list(locks.iterdir())
