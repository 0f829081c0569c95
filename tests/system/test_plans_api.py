# SPDX-License-Identifier: GPL-3.0-or-later
"""Source groups, schedules and hooks over JSON, and their way to the agent."""
import time

import pytest

import foreign
from lab import wait_for

KEEP_NONE = {f"keep_{d}": 0 for d in
             ("last", "hourly", "daily", "weekly", "monthly", "yearly")}
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Planned(foreign.ForeignAgent):
    """Takes plans, and says what it is told to say of them."""

    plan = None
    plan_format = 1
    zone = "Europe/Berlin"
    refuses = ""

    def hello(self):
        said = super().hello()
        said.zone = self.zone
        said.plan_format = self.plan_format
        return said

    def take_config(self, config):
        if config.version == self.config_version or not config.version:
            return
        self.config_version = config.version
        self.repo = config.repo
        if not self.refuses:
            self.plan = config.plan
        self.put(config_ack=self.pb.ConfigAck(
            version=config.version, applied_at_ms=foreign.now(),
            refused=self.refuses))

    def own_run(self, schedule, group, status="succeeded", **more):
        """One of its plan's runs, from beginning to end."""
        pb, job = self.pb, new_ulid()
        own = {"attempt": 1, "due_at_ms": foreign.now() - 60000,
               "group_name": group["name"], "includes": group["includes"]}
        own.update(more.pop("own", {}))
        self.put(job_started=pb.JobStarted(
            job_id=job, kind="backup", started_at_ms=foreign.now() - 1000,
            own=pb.OwnRun(schedule_id=schedule["id"], group_id=group["id"],
                          **own)))
        self.put(job_finished=pb.JobFinished(
            job_id=job, status=status, finished_at_ms=foreign.now(), **more))
        return job


def new_ulid():
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    n = (foreign.now() << 80) | int.from_bytes(
        foreign.secrets.token_bytes(10), "big")
    return "".join(letters[(n >> (5 * k)) & 31] for k in reversed(range(26)))


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    folder = lab.path / "generated"
    folder.mkdir()
    made = Planned(console.port, folder)
    made.enrol(console.mint("foreign", "/somewhere"))
    wait_for("init over Poll", lambda: (
        made.poll(200), console.host(made.host_id)["repo_status"] == "ready"
    )[1], 30)
    yield made
    made.close()


def path(agent, *rest):
    return "/".join((f"/api/hosts/{agent.host_id}", *rest))


def ask(console, method, *where, **body):
    return console.client.ok(method, path(*where), body or None)


def groups(console, agent):
    return ask(console, "GET", agent, "source-groups")["items"]


def schedules(console, agent):
    return ask(console, "GET", agent, "schedules")


def settle(console, agent):
    """Polls until the agent holds what is in force."""
    wait_for("the plan to be taken", lambda: (
        agent.poll(200),
        (lambda h: h["applied_config_version"] == h["config_version"])(
            console.host(agent.host_id)))[1], 30)


def test_a_plan_reaches_the_agent_and_its_runs_come_back(console, agent):
    """M-160 to M-164, M-174 to M-177, M-186, M-451, M-452"""
    settle(console, agent)
    before = console.host(agent.host_id)["config_version"]
    group = ask(console, "POST", agent, "source-groups", name="system",
                includes=["/etc", "/usr/local"], excludes=["*.tmp"],
                retention_policy={"keep_daily": 14, "keep_weekly": 4},
                retry_max=2, retry_backoff_seconds=60)
    assert group["retention_policy"] == {
        **KEEP_NONE, "keep_daily": 14, "keep_weekly": 4}
    schedule = ask(console, "POST", agent, "schedules", cron="30 2 * * *",
                   source_group_ids=[group["id"]], jitter_seconds=600)
    assert schedule["enabled"] and schedule["zone"] == ""
    assert schedule["effective_zone"] == "Europe/Berlin"
    assert schedule["next_due_at"] <= schedule["next_run_at"]
    listed = schedules(console, agent)
    assert listed["version"] == before + 2
    assert not listed["in_sync"] and "not taken" in listed["drift"]
    settle(console, agent)
    listed = schedules(console, agent)
    assert listed["in_sync"] and listed["drift"] == ""
    assert listed["applied_version"] == listed["version"]
    plan = agent.plan
    assert plan.format == 1 and [g.name for g in plan.groups] == [
        "default", "system"]
    sent = plan.groups[1]
    assert (sent.id, list(sent.includes), list(sent.excludes)) == (
        group["id"], ["/etc", "/usr/local"], ["*.tmp"])
    assert (sent.retry_max, sent.retry_backoff_s) == (2, 60)
    assert not sent.HasField("hooks")
    [when] = plan.schedules
    assert (when.id, when.cron, when.zone, when.enabled, when.jitter_s,
            list(when.group_ids)) == (
                schedule["id"], "30 2 * * *", "", True, 600, [group["id"]])

    failed = agent.own_run(schedule, group, "failed", error="no luck",
                           cause="unreachable",
                           retry_at_ms=foreign.now() + 60000)
    good = agent.own_run(schedule, group, own={
        "attempt": 2, "catch_up": True})
    wait_for("the runs", lambda: (agent.poll(0), console.client.get(
        f"/api/jobs/{good}").status == 200)[1], 30)
    first, second = console.job(failed), console.job(good)
    for job in (first, second):
        assert job["actor_kind"] == "schedule"
        assert job["schedule_id"] == schedule["id"]
        assert job["source_group_id"] == group["id"]
        assert job["source_group"] == "system" and job["due_at"]
    assert first["retry_at"] and second["retry_at"] is None
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert (first["catch_up"], second["catch_up"]) == (False, True)
    [listed] = schedules(console, agent)["items"]
    assert listed["last_job_id"] == good
    assert listed["last_status"] == "succeeded" and listed["last_success_at"]
    assert groups(console, agent)[1]["last_job_id"] == good
