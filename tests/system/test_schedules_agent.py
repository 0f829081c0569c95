# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled backups are the agent's own: they begin by themselves, without
the controller, once, and are told afterwards as a whole.

Both programs' clock is set so that the minute that is waited for is near.
"""
import datetime
import json
import subprocess
import time

import pytest

from lab import BIN, ROOT, TOOLS, clean_env, wait_for

FAKE = ROOT / "tests/fake/restic"
NEWER = TOOLS / "restic018/usr/bin/restic"
SOON_S = 5


class Host:
    """A host with one source group, whose clock can be brought near to a
    full minute."""

    def __init__(self, lab, ahead, restic):
        self.env, self.shift = ahead
        self.console = lab.controller(**self.env).start()
        self.console.bootstrap()
        self.source = lab.sources("src")
        self.repo = lab.path / "repo"
        self.agent = lab.agent(self.console, restic=restic, **self.env)
        self.agent.enrol(self.console.mint(
            "web-1", str(self.repo), initial_paths=[str(self.source)]))
        self.agent.start()
        self.id = self.agent.host_id
        self.console.wait_ready(self.id)
        self.client = self.console.client
        self.group = self.get("source-groups")["items"][0]["id"]

    def get(self, what):
        return self.client.ok("GET", f"/api/hosts/{self.id}/{what}")

    def wish(self, **words):
        (self.source / ".pretend").write_text(
            " ".join(f"{k}={v}" for k, v in words.items()))

    def retries(self, count):
        self.client.ok("PUT", f"/api/hosts/{self.id}/source-groups/"
                       f"{self.group}", {"retry_max": count,
                                         "retry_backoff_seconds": 1})

    def due_soon(self, more=()):
        """A daily schedule, due in some seconds; the agent holds it.  more:
        expressions of others for the same minute."""
        self.shift(int(60 - SOON_S - time.time() % 60) % 60)
        now = self.now()
        due = now.replace(second=0, microsecond=0)
        while due < now + datetime.timedelta(seconds=3):
            due += datetime.timedelta(minutes=1)
        made = [self.client.ok("POST", f"/api/hosts/{self.id}/schedules", {
            "cron": due.strftime(cron), "zone": "UTC",
            "source_group_ids": [self.group]})
            for cron in ("%M %H * * *", *more)][0]
        wait_for("the agent to hold it",
                 lambda: self.get("schedules")["in_sync"])
        return made["id"], due

    def now(self):
        seconds = time.time() + int(self.env["RM_CLOCK_AHEAD"].read_text())
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)

    def doctor(self, check):
        done = subprocess.run(
            [BIN / "restic-manager-agent", "-json", "doctor"],
            env=clean_env(**self.agent.env), capture_output=True, text=True,
            timeout=90, check=False)
        return {c["check"]: c for c in json.loads(done.stdout)["checks"]}[
            check]

    def jobs(self, schedule):
        """Of that schedule, oldest first."""
        rows = self.get("jobs")["items"]
        full = [self.console.job(row["id"]) for row in rows]
        return [j for j in reversed(full) if j["schedule_id"] == schedule]

    def wait_jobs(self, schedule, count):
        def ended():
            jobs = self.jobs(schedule)
            return jobs if [j["finished_at"] is not None for j in jobs
                            ] == [True] * count else None
        return wait_for(f"{count} jobs of the schedule", ended, 90)


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture(name="make")
def fixture_make(lab, ahead):
    return lambda restic=FAKE: Host(lab, ahead, restic)


def test_a_schedule_fires_by_itself(make):
    """M-173, M-181; with a real restic, and nobody asks for anything."""
    host = make(NEWER)
    _, due = host.due_soon(["%M %H %d %m *"])
    row = wait_for("the schedule's run", lambda: next(iter(
        r for r in host.get("schedules")["items"]
        if r["last_job_id"]), None))
    job = host.console.job(row["last_job_id"])
    assert job["status"] == "succeeded" and not job["incomplete"]
    assert job["actor_kind"] == "schedule"
    assert job["source_group_id"] == host.group
    assert (job["attempt"], job["catch_up"]) == (1, False)
    assert when(job["due_at"]) == due
    assert 0 <= (when(job["started_at"]) - due).total_seconds() < 20
    assert len(list((host.repo / "snapshots").iterdir())) == 1
    # One run was enough for both schedules of the group, and both say so.
    for row in host.get("schedules")["items"]:
        assert (row["last_job_id"], row["last_status"]) == (job["id"],
                                                            "succeeded")
        assert when(row["last_due_at"]) == due
    plan = host.doctor("plan")
    tomorrow = due + datetime.timedelta(days=1)
    assert plan["status"] == "ok"
    assert f"2 schedules in force, the next run is at {tomorrow:%FT%T}" in (
        plan["detail"])
    state = host.agent.dir / "schedule.state"
    state.write_bytes(b"\x12\xff damaged")
    assert "damaged" in host.doctor("plan")["detail"]


def test_it_needs_no_controller(make):
    """W-08, M-181: stopped before the run begins, started after it ended."""
    host = make()
    host.wish(lines=2000)
    schedule, due = host.due_soon()
    host.console.stop()
    wait_for("the end of the run", lambda: "job finished" in
             host.agent.program.text().split("due job=")[-1] and
             "due job=" in host.agent.program.text())
    back = host.now()
    host.console.start()
    host.console.login()
    job, = host.wait_jobs(schedule, 1)
    assert job["status"] == "succeeded"
    assert when(job["due_at"]) == due
    assert due <= when(job["started_at"]) <= when(job["finished_at"]) <= back
    numbers = [int(row["payload"].split()[-1])
               for row in host.console.log_lines(job["id"])
               if row["payload"].startswith("pretend line ")]
    assert numbers == list(range(1, 2001))
    assert (host.repo / "runs").stat().st_size == 1


def test_a_killed_run_is_tried_again(make):
    """X-06: kill -9 in the middle; the same due time, once more."""
    host = make()
    host.retries(1)
    host.wish(lines=3000, delay_ms=200)
    schedule, due = host.due_soon()
    wait_for("lines of the run", lambda: any(
        j["log"]["lines"] > 5 for j in host.jobs(schedule)))
    host.agent.kill()
    host.wish(lines=10)
    host.agent.start()
    first, second = host.wait_jobs(schedule, 2)
    assert (first["status"], first["cause"]) == ("failed", "agent_restarted")
    assert when(first["retry_at"]) > when(first["started_at"])
    assert (second["status"], second["attempt"]) == ("succeeded", 2)
    assert when(first["due_at"]) == when(second["due_at"]) == due
    assert second["retry_at"] is None
    assert (host.repo / "runs").stat().st_size == 2
