# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that takes plans, and what its tests ask of its host over JSON."""
import contextlib
import secrets

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
        secrets.token_bytes(10), "big")
    return "".join(letters[(n >> (5 * k)) & 31] for k in reversed(range(26)))


@contextlib.contextmanager
def enrolled(lab, console, name="foreign"):
    """One whose repository is ready."""
    with foreign.enrolled(lab, console, Planned, name=name) as made:
        made.polls_until_ready(console)
        yield made


@pytest.fixture(name="agent")
def fixture_agent(lab, console):
    with enrolled(lab, console) as made:
        yield made


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


def refused(console, method, where, body, status, code, field=None):
    answer = console.client.request(method, where, body)
    assert answer.status == status, (where, body, answer.body[:300])
    said = answer.json()
    assert said["code"] == code, said
    assert said.get("field") == field, said
    return said
