# SPDX-License-Identifier: GPL-3.0-or-later
"""Source groups, schedules and hooks over JSON, and their way to the agent."""
import re
import urllib.parse

import pytest

import foreign
from cli import Cli
from lab import ROOT, wait_for

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
    """M-160 to M-164, M-172 to M-177, M-186, M-420, M-422, M-451, M-452, W-28"""
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


def refused(console, method, where, body, status, code, field=None):
    answer = console.client.request(method, where, body)
    assert answer.status == status, (where, body, answer.body[:300])
    said = answer.json()
    assert said["code"] == code, said
    assert said.get("field") == field, said
    return said


def test_bad_input_names_its_field_and_changes_nothing(console, agent):
    """M-163, M-165, M-175: everything that cannot be"""
    settle(console, agent)
    [default] = groups(console, agent)
    version = schedules(console, agent)["version"]
    good = {"name": "g", "includes": ["/etc"]}
    many = [f"/srv/{n:05}" for n in range(9990)]
    for change, field in (
            ({"name": ""}, "name"), ({"name": "a,b"}, "name"),
            ({"name": "x" * 65}, "name"), ({"name": " a"}, "name"),
            ({"name": "-a"}, "name"), ({"name": "a\x07"}, "name"),
            ({"name": None}, "name"),
            ({"includes": []}, "includes"), ({"includes": [""]}, "includes"),
            ({"includes": ["etc"]}, "includes"),
            ({"includes": ["./etc"]}, "includes"),
            ({"includes": ["C:\\Users"]}, "includes"),
            ({"includes": ["/etc", "/srv", "/etc/"]}, "includes"),
            ({"includes": ["/a\nb"]}, "includes"),
            ({"includes": ["/" + "x" * 4096]}, "includes"),
            ({"includes": "/etc"}, "includes"),
            ({"includes": many, "excludes": many[:11]}, "includes"),
            ({"excludes": ["*.o", ""]}, "excludes"),
            ({"excludes": ["*.o", "*.o"]}, "excludes"),
            ({"excludes": ["a\tb"]}, "excludes"),
            ({"excludes": ["*.o", "/srv/["]}, "excludes"),
            ({"retention_policy": []}, "retention_policy"),
            ({"retention_policy": {"keep_daily": -1}},
             "retention_policy.keep_daily"),
            ({"retention_policy": {"keep_last": 10001}},
             "retention_policy.keep_last"),
            ({"retry_max": -1}, "retry_max"), ({"retry_max": 101}, "retry_max"),
            ({"retry_backoff_seconds": 1801}, "retry_backoff_seconds")):
        refused(console, "POST", path(agent, "source-groups"),
                {**good, **change}, 422, "invalid", field)
        refused(console, "PUT", path(agent, "source-groups", default["id"]),
                change, 422, "invalid", field)
    refused(console, "POST", path(agent, "source-groups"),
            {"name": "g"}, 422, "invalid", "includes")
    refused(console, "POST", path(agent, "source-groups"),
            {**good, "name": "default"}, 409, "duplicate_group")
    refused(console, "DELETE",
            path(agent, "source-groups", default["id"]), {}, 409, "last_group")

    good = {"cron": "@daily", "source_group_ids": [default["id"]]}
    for change, field in (
            ({"cron": ""}, "cron"), ({"cron": "* * * *"}, "cron"),
            ({"cron": "61 * * * *"}, "cron"), ({"cron": "@often"}, "cron"),
            ({"cron": "0 3 30 2 *"}, "cron"), ({"cron": "0 3 31 4,6 *"}, "cron"),
            ({"cron": "CRON_TZ=Nowhere/At 0 3 * * *"}, "cron"),
            ({"cron": "x" * 257}, "cron"),
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"zone": "../../etc/passwd"}, "zone"),
            ({"source_group_ids": []}, "source_group_ids"),
            ({"source_group_ids": [NOBODY]}, "source_group_ids"),
            ({"source_group_ids": ["x"]}, "source_group_ids"),
            ({"source_group_ids": [default["id"]] * 2}, "source_group_ids"),
            ({"enabled": "yes"}, "enabled"),
            ({"jitter_seconds": -1}, "jitter_seconds"),
            ({"jitter_seconds": 86401}, "jitter_seconds")):
        said = refused(console, "POST", path(agent, "schedules"),
                       {**good, **change}, 422, "invalid", field)
        assert said["message"], said
    refused(console, "POST", path(agent, "schedules"),
            {"cron": "@daily"}, 422, "invalid", "source_group_ids")

    # A group of another host is as good as none.
    console.mint("other", "/elsewhere")
    nobody = f"/api/hosts/{NOBODY}"
    for method, where, body in (
            ("GET", f"{nobody}/source-groups", None),
            ("POST", f"{nobody}/source-groups", {"name": "g",
                                                 "includes": ["/etc"]}),
            ("POST", f"{nobody}/schedules", good),
            ("GET", f"{nobody}/schedules", None),
            ("PUT", f"{nobody}/hooks", {}), ("GET", f"{nobody}/hooks", None),
            ("PUT", path(agent, "source-groups", NOBODY), {"name": "g"}),
            ("GET", path(agent, "source-groups", "x"), None),
            ("DELETE", path(agent, "source-groups", NOBODY), {}),
            ("PUT", path(agent, "schedules", NOBODY), {"cron": "@daily"}),
            ("DELETE", path(agent, "schedules", NOBODY), {}),
            ("POST", path(agent, "schedules", NOBODY, "run"), {}),
            ("PUT", path(agent, "source-groups", NOBODY, "hooks"), {})):
        refused(console, method, where, body, 404, "not_found")
    assert schedules(console, agent)["version"] == version
    assert groups(console, agent) == [default]


def test_absent_members_stay_and_the_policy_is_replaced(console, agent):
    """M-161, M-162, M-174"""
    made = ask(console, "POST", agent, "source-groups", name="g",
               includes=["/etc"], retry_max=0, retry_backoff_seconds=0,
               retention_policy={})
    assert made["retention_policy"] == KEEP_NONE
    where = ("source-groups", made["id"])
    changed = ask(console, "PUT", agent, *where, excludes=["*.o"],
                  retention_policy={"keep_daily": 7})
    assert changed["includes"] == ["/etc"] and changed["name"] == "g"
    changed = ask(console, "PUT", agent, *where, name="h", retry_max=3,
                  retention_policy=None)
    assert changed["excludes"] == ["*.o"] and changed["retry_max"] == 3
    assert changed["retention_policy"]["keep_daily"] == 7
    changed = ask(console, "PUT", agent, *where, excludes=[],
                  retention_policy={"keep_last": 2})
    assert changed["retention_policy"] == {**KEEP_NONE, "keep_last": 2}
    assert changed["excludes"] == []
    schedule = ask(console, "POST", agent, "schedules", cron="@daily",
                   zone="America/New_York", source_group_ids=[made["id"]])
    where = ("schedules", schedule["id"])
    paused = ask(console, "PUT", agent, *where, enabled=False)
    assert not paused["enabled"] and paused["cron"] == "@daily"
    assert paused["next_run_at"] is None
    assert paused["effective_zone"] == "America/New_York"
    other = groups(console, agent)[0]["id"]
    both = ask(console, "PUT", agent, *where, enabled=True, zone="",
               source_group_ids=[other, made["id"]])
    assert both["source_group_ids"] == [other, made["id"]]
    assert both["zone"] == "" and both["next_run_at"]


def test_a_group_in_use_stays(console, agent):
    """M-163, M-523"""
    made = ask(console, "POST", agent, "source-groups", name="g",
               includes=["/etc"])
    used = [ask(console, "POST", agent, "schedules", cron=cron,
                source_group_ids=[made["id"]])["id"]
            for cron in ("@daily", "@weekly")]
    where = path(agent, "source-groups", made["id"])
    said = refused(console, "DELETE", where, {}, 409, "group_in_use")
    assert [(s["id"], s["cron"]) for s in said["schedules"]] == [
        (used[0], "@daily"), (used[1], "@weekly")]
    assert groups(console, agent)[1]["schedule_ids"] == used
    for schedule in used:
        ask(console, "DELETE", agent, "schedules", schedule)
    waiting = ask(console, "POST", agent, "source-groups", made["id"],
                  "run")["job_id"]
    other = ask(console, "POST", agent, "source-groups",
                groups(console, agent)[0]["id"], "run")["job_id"]
    answer = console.client.request("DELETE", where, {})
    assert answer.status == 204
    assert [g["name"] for g in groups(console, agent)] == ["default"]
    # What had been sent may have been taken; what had not is over.
    ended = [console.job(j) for j in (waiting, other)]
    assert ended[0]["cause"] in ("group_deleted", "")
    assert ended[1]["status"] == "queued"
    refused(console, "DELETE", where, {}, 404, "not_found")


def test_what_is_kept_finer_than_it_is_made_is_told(console, agent):
    """M-166: anew with each change of a schedule or group, and by itself no
    change of the plan"""
    keeps = {"keep_hourly": 24, "keep_daily": 7}
    made = ask(console, "POST", agent, "source-groups", name="g",
               includes=["/etc"], retention_policy=keeps)
    where = ("source-groups", made["id"])

    def conflict():
        said = ask(console, "GET", agent, *where)
        return said["conflict_dimension"], said["conflict"]

    assert conflict() == ("", "")
    daily = ask(console, "POST", agent, "schedules", cron="30 2 * * *",
                source_group_ids=[made["id"]])["id"]
    assert conflict() == ("hourly", "keep_hourly won't be honoured: no "
                          "schedule fires more often than once a day")
    version = schedules(console, agent)["version"]
    ask(console, "PUT", agent, "schedules", daily, cron="0 */6 * * *")
    assert conflict()[1].endswith("every 6 hours")
    assert schedules(console, agent)["version"] == version + 1
    ask(console, "PUT", agent, "schedules", daily, cron="0 3 * * 0")
    ask(console, "PUT", agent, *where, retention_policy={"keep_daily": 7})
    assert conflict()[0] == "daily"
    hourly = ask(console, "POST", agent, "schedules", cron="@hourly",
                 source_group_ids=[made["id"]])["id"]
    assert conflict() == ("", "")
    ask(console, "PUT", agent, "schedules", hourly, enabled=False)
    assert conflict()[0] == "daily"


def test_hooks_are_sealed_resolved_and_told_to_nobody(
        lab, console, agent, canary):
    """M-188, M-189, W-15: the group's own, else the host's, else none"""
    settle(console, agent)
    secrets = [canary.make(w) for w in ("own-pre", "default-pre",
                                        "default-post")]
    own_pre, default_pre, default_post = (f"echo {s}\n" for s in secrets)
    [group] = groups(console, agent)
    own = path(agent, "source-groups", group["id"], "hooks")
    default = path(agent, "hooks")
    put = console.client.ok
    none = {"has_pre_hook": False, "has_post_hook": False,
            "hook_limit_seconds": 0}
    assert put("GET", default) == none == put("GET", own)
    assert put("PUT", default, {"pre_hook": default_pre,
                                "post_hook": default_post}) == {
        "has_pre_hook": True, "has_post_hook": True, "hook_limit_seconds": 0}
    settle(console, agent)
    hooks = agent.plan.groups[0].hooks
    assert (hooks.pre.decode(), hooks.post.decode(), hooks.limit_s) == (
        default_pre, default_post, 600)
    put("PUT", own, {"pre_hook": own_pre, "hook_limit_seconds": 30})
    settle(console, agent)
    hooks = agent.plan.groups[0].hooks
    assert (hooks.pre.decode(), hooks.post.decode(), hooks.limit_s) == (
        own_pre, default_post, 30)
    assert put("PUT", default, {"post_hook": None}) == {
        "has_pre_hook": True, "has_post_hook": False, "hook_limit_seconds": 0}
    assert put("PUT", own, {})["has_pre_hook"]
    for body in ({"pre_hook": "x" * 12289}, {"post_hook": 7},
                 {"hook_limit_seconds": -1}, {"hook_limit_seconds": 86401}):
        answer = console.client.request("PUT", own, body)
        assert answer.status == 422
        assert answer.json()["field"] in body
    settle(console, agent)
    assert agent.plan.groups[0].hooks.post == b""

    sent = []
    run = agent.run
    agent.run = lambda command, lines=1: (sent.append(command),
                                          run(command, lines))
    console.run_group(agent.host_id)
    wait_for("the run", lambda: (agent.poll(200), sent)[1], 30)
    assert sent[0].hooks.pre.decode() == own_pre
    assert sent[0].group_id == group["id"]

    for place in (own, default, path(agent), path(agent, "source-groups"),
                  path(agent, "jobs"), "/api/audit",
                  f"/hosts/{agent.host_id}/sources/{group['id']}/edit",
                  f"/hosts/{agent.host_id}/repo"):
        answer = console.client.get(place)
        assert answer.status == 200, place
        assert not any(s in answer.text for s in secrets), place
    assert console.client.request("DELETE", own, {}).status == 204
    settle(console, agent)
    assert agent.plan.groups[0].hooks.pre.decode() == default_pre
    console.stop()
    # The controller's key is another one: nothing runs without its hook.
    assert canary.found(lab.path) == []


def test_hooks_that_do_not_open_are_loud(console, agent):
    """W-15"""
    settle(console, agent)
    [group] = groups(console, agent)
    console.client.ok("PUT", path(agent, "source-groups", group["id"],
                                  "hooks"), {"pre_hook": "true"})
    console.stop()
    key = console.data / "secret.key"
    good = key.read_bytes()
    key.write_bytes(bytes(32))
    console.start()
    console.login()
    # Its credentials do not open either, so the agent keeps what it has.
    console.client.ok("PUT", path(agent, "repo-credentials"), {
        "repo_password": "anew"})
    settle(console, agent)
    said = agent.plan.groups[0].hooks
    assert said.pre == b"" and "cannot be opened" in said.unreadable
    assert "default" in said.unreadable
    console.stop()
    key.write_bytes(good)
    console.start()


def test_a_run_of_something_else_moves_nothing_here(console, agent):
    """Ids of a group and schedule that are not this host's, or nobody's, are
    not taken from an agent; the run is listed all the same"""
    settle(console, agent)
    [group] = groups(console, agent)
    job = agent.own_run({"id": NOBODY}, {**group, "id": NOBODY,
                                         "name": "of another life"})
    wild = agent.own_run({"id": "no id"}, {**group, "id": ""}, own={
        "due_at_ms": foreign.now() + 10**10, "attempt": 4000000000,
        "group_name": "a\nb", "includes": []})
    wait_for("the runs", lambda: (agent.poll(0), console.client.get(
        f"/api/jobs/{wild}").status == 200)[1], 30)
    told = console.job(job)
    assert told["source_group"] == "of another life"
    assert told["source_group_id"] is None and told["schedule_id"] is None
    told = console.job(wild)
    assert told["source_group"] == "" and told["schedule_id"] is None
    assert told["due_at"] <= told["started_at"]
    assert groups(console, agent)[0]["last_job_id"] is None


def test_an_agent_that_takes_no_plan_is_not_in_sync(console, agent):
    """M-176, W-20: too old for plans, or one it cannot read"""
    settle(console, agent)
    agent.plan_format = 0
    agent.poll(0)
    wait_for("its hello to be stored", lambda: (
        agent.poll(0), not schedules(console, agent)["in_sync"])[1])
    assert "too old" in schedules(console, agent)["drift"]
    agent.plan_format = 1
    agent.refuses = "schedule x: no such zone"
    ask(console, "POST", agent, "source-groups", name="g", includes=["/etc"])
    settle(console, agent)
    listed = schedules(console, agent)
    assert not listed["in_sync"]
    assert listed["drift"] == "schedule x: no such zone"
    agent.refuses = ""
    ask(console, "PUT", agent, "source-groups",
        groups(console, agent)[1]["id"], name="h")
    settle(console, agent)
    assert schedules(console, agent)["in_sync"]


def test_an_agent_that_was_updated_gets_the_plan(console, agent):
    """W-20: it had the configuration in force, but could not read all of it"""
    agent.plan_format = 0
    ask(console, "POST", agent, "source-groups", name="g", includes=["/etc"])
    settle(console, agent)
    agent.plan = None
    agent.plan_format = 1
    wait_for("the plan", lambda: (agent.poll(200), agent.plan)[1], 30)
    assert [g.name for g in agent.plan.groups] == ["default", "g"]
    settle(console, agent)
    version = schedules(console, agent)["version"]
    agent.poll(0)
    assert schedules(console, agent)["version"] == version


def test_a_change_reaches_a_session_at_once(console, agent):
    """M-164, M-177"""
    settle(console, agent)
    made = []

    def until(a):
        if not made:
            made.append(ask(console, "POST", a, "source-groups", name="now",
                            includes=["/etc"]))
        return a.plan and any(g.name == "now" for g in a.plan.groups)

    agent.session(until)
    assert [g.name for g in agent.plan.groups] == ["default", "now"]


def test_a_schedule_runs_now(console, agent):
    """M-185, M-199: its groups, once; paused ones after a confirmation; a run's
    own limits, 0 being none"""
    settle(console, agent)
    first = groups(console, agent)[0]
    second = ask(console, "POST", agent, "source-groups", name="second",
                 includes=["/srv"])
    schedule = ask(console, "POST", agent, "schedules", cron="@yearly",
                   enabled=False, source_group_ids=[second["id"], first["id"]])
    run = path(agent, "schedules", schedule["id"], "run")
    refused(console, "POST", run, {}, 409, "schedule_paused")
    answer = console.client.post(run, {"confirm": True})
    assert answer.status == 202
    jobs = answer.json()["jobs"]
    assert [j["source_group_id"] for j in jobs] == [second["id"], first["id"]]
    assert not any(j["waited_already"] for j in jobs)
    again = console.client.post(run, {"confirm": True})
    assert again.json()["jobs"][1]["waited_already"]
    assert not schedules(console, agent)["items"][0]["enabled"]
    for job in jobs:
        wait_for("its end", lambda j=job: (agent.poll(200), console.job(
            j["job_id"])["status"] == "succeeded")[1], 30)
    assert schedules(console, agent)["items"][0]["last_job_id"] is None

    sent = []
    run_it = agent.run
    agent.run = lambda command, lines=1: (sent.append(command),
                                          run_it(command, lines))
    console.client.ok("PUT", path(agent, "bandwidth"), {
        "bandwidth_up_kbps": 500, "bandwidth_down_kbps": 600})
    for body, caps in (({}, None), ({"bandwidth_up_kbps": None}, None),
                       ({"bandwidth_up_kbps": 0}, (0, 600)),
                       ({"bandwidth_down_kbps": 9}, (500, 9))):
        job = console.client.ok("POST", path(
            agent, "source-groups", first["id"], "run"), body)["job_id"]
        wait_for("its end", lambda j=job: (agent.poll(200), console.job(
            j)["status"] == "succeeded")[1], 30)
        command = sent.pop()
        assert command.HasField("caps") == (caps is not None)
        if caps:
            assert (command.caps.bandwidth_up_kbps,
                    command.caps.bandwidth_down_kbps) == caps
    job = console.client.ok("POST", run, {
        "confirm": True, "bandwidth_up_kbps": 7,
        "bandwidth_down_kbps": 0})["jobs"][0]["job_id"]
    wait_for("its end", lambda: (agent.poll(200), console.job(
        job)["status"] == "succeeded")[1], 30)
    assert (sent[0].caps.bandwidth_up_kbps,
            sent[0].caps.bandwidth_down_kbps) == (7, 0)
    refused(console, "POST", run, {"confirm": True, "bandwidth_up_kbps": -1},
            422, "invalid", "bandwidth_up_kbps")


def test_limits_of_a_plan(console, agent):
    """100 of each, and no more paths than one message holds"""
    settle(console, agent)
    last = None
    for n in range(99):
        last = ask(console, "POST", agent, "source-groups", name=f"g{n}",
                   includes=[f"/srv/{n}"])
    refused(console, "POST", path(agent, "source-groups"),
            {"name": "one more", "includes": ["/etc"]}, 409,
            "too_many_groups")
    ids = [g["id"] for g in groups(console, agent)]
    assert len(ids) == 100
    for n in range(100):
        ask(console, "POST", agent, "schedules", cron=f"{n % 60} * * * *",
            source_group_ids=ids)
    refused(console, "POST", path(agent, "schedules"),
            {"cron": "@daily", "source_group_ids": ids[:1]}, 409,
            "too_many_schedules")
    deep = "/" + "x" * 4000
    for n in range(8, 0, -1):
        ask(console, "PUT", agent, "source-groups", ids[n],
            includes=[f"{deep}{k}" for k in range(15)])
    said = refused(console, "PUT", path(agent, "source-groups", last["id"]),
                   {"includes": [f"{deep}{k}" for k in range(15)]}, 422,
                   "invalid", "includes")
    assert "512 KiB" in said["message"]
    console.client.ok("PUT", path(agent, "hooks"), {
        "pre_hook": "p" * 12288, "post_hook": "q" * 12288})
    settle(console, agent)
    assert len(agent.plan.groups) == len(agent.plan.schedules) == 100
    assert len(agent.plan.groups[99].hooks.post) == 12288
    assert agent.plan.ByteSize() > 3 << 20
    # Asked for twice, each waits once.
    run = path(agent, "schedules",
               schedules(console, agent)["items"][0]["id"], "run")
    jobs = [console.client.ok("POST", run, {})["jobs"] for _ in range(2)]
    assert [j["job_id"] for j in jobs[0]] == [j["job_id"] for j in jobs[1]]
    assert all(j["waited_already"] for j in jobs[1]) and len(jobs[1]) == 100


# --------------------------------------------------------------------- forms

def post(console, agent, where, page="sources", **fields):
    """A browser's form, of a page of the host's."""
    at = f"/hosts/{agent.host_id}/"
    token = re.search(r'name="csrf" value="([^"]+)"',
                      console.client.get(at + page).text).group(1)
    return console.client.request(
        "POST", at + where, urllib.parse.urlencode({"csrf": token, **fields}),
        {"Content-Type": "application/x-www-form-urlencoded",
         "Accept": "text/html"})


def led_to(answer):
    assert answer.status == 303, answer.text[:500]
    return answer.headers["location"]


def test_forms_of_groups_keep_what_was_typed(console, agent):
    """M-171, M-320, M-424"""
    settle(console, agent)
    home = f"/hosts/{agent.host_id}/sources"
    good = {"name": "web", "includes": "/srv/www\r\n\r\n /etc/nginx \r\n",
            "excludes": "*.log", "keep_daily": "14", "keep_weekly": "",
            "retry_max": "2", "retry_backoff_seconds": "60"}
    for change, said in (({"includes": "srv"}, "not an absolute path"),
                         ({"name": "default"}, "another source group"),
                         ({"keep_daily": "x"}, "whole number"),
                         ({"retry_max": "1000"}, "whole number")):
        answer = post(console, agent, "sources/new", **{**good, **change})
        assert answer.status in (409, 422) and said in answer.text
        for value in ("/etc/nginx", "*.log", 'value="60"'):
            assert value in answer.text or change.get("includes"), value
    answer = post(console, agent, "sources/new", **good)
    assert led_to(answer) == f"{home}?saved=source"
    [_, made] = groups(console, agent)
    assert made["includes"] == ["/srv/www", "/etc/nginx"]
    assert made["retention_policy"]["keep_daily"] == 14
    edit = f"sources/{made['id']}/edit"
    assert led_to(post(console, agent, edit, **{
        **good, "name": "www", "excludes": ""})) == f"{home}?saved=source"
    assert groups(console, agent)[1]["name"] == "www"
    assert groups(console, agent)[1]["excludes"] == []
    assert post(console, agent, f"sources/{NOBODY}/edit",
                **good).status == 404

    hooks = f"sources/{made['id']}/hooks"
    assert led_to(post(console, agent, hooks, pre_hook="a\r\nb\r\n",
                       hook_limit_seconds="60")).endswith(
        "/edit?saved=hooks")
    settle(console, agent)
    assert agent.plan.groups[1].hooks.pre == b"a\nb\n"
    post(console, agent, hooks, pre_hook=" ", post_hook="c")
    settle(console, agent)
    sent = agent.plan.groups[1].hooks
    assert (sent.pre, sent.post, sent.limit_s) == (b"a\nb\n", b"c", 600)
    answer = post(console, agent, hooks, pre_hook="secret" * 3000)
    assert answer.status == 422 and "secretsecret" not in answer.text
    assert "12288" in answer.text
    post(console, agent, hooks, remove_pre_hook="1", remove_post_hook="1")
    settle(console, agent)
    assert not agent.plan.groups[1].HasField("hooks")
    assert led_to(post(console, agent, "repo/hooks", page="repo",
                       post_hook="d")).endswith("/repo?saved=hooks")
    assert console.client.ok("GET", path(agent, "hooks"))["has_post_hook"]

    when = ask(console, "POST", agent, "schedules", cron="@daily",
               source_group_ids=[made["id"]])["id"]
    gone = f"sources/{made['id']}/delete"
    answer = post(console, agent, gone)
    assert answer.status == 409 and "is used by 1 schedule" in answer.text
    ask(console, "DELETE", agent, "schedules", when)
    assert led_to(post(console, agent, gone)) == f"{home}?saved=source-deleted"
    answer = post(console, agent,
                  f"sources/{groups(console, agent)[0]['id']}/delete")
    assert answer.status == 409 and "last source group" in answer.text


def test_forms_of_schedules_keep_what_was_typed(console, agent):
    """M-183 to M-185, M-320, M-421"""
    settle(console, agent)
    home = f"/hosts/{agent.host_id}/schedules"
    first = groups(console, agent)[0]["id"]
    second = ask(console, "POST", agent, "source-groups", name="second",
                 includes=["/srv"])["id"]
    good = {"cron": "30 2 * * 1-5", "zone": "Europe/Paris", "enabled": "1",
            f"group-{first}": "1", "jitter_seconds": "600"}
    for change, said in (({"cron": "0 3 30 2 *"}, "never comes true"),
                         ({"zone": "Mars/Olympus"}, "is not known here"),
                         ({f"group-{first}": "0"}, "at least one"),
                         ({"jitter_seconds": "-1"}, "whole number")):
        answer = post(console, agent, "schedules/new", page="schedules/new",
                      **{**good, **change})
        assert answer.status == 422 and said in answer.text, change
    answer = post(console, agent, "schedules/new", page="schedules/new",
                  do="preview", **good)
    assert answer.status == 200 and "30 2 * * 1-5" in answer.text
    assert schedules(console, agent)["items"] == []
    assert led_to(post(console, agent, "schedules/new", page="schedules/new",
                       **good)) == f"{home}?saved=schedule"
    [made] = schedules(console, agent)["items"]
    assert (made["cron"], made["zone"], made["jitter_seconds"],
            made["enabled"]) == ("30 2 * * 1-5", "Europe/Paris", 600, True)
    one = f"schedules/{made['id']}"
    post(console, agent, f"{one}/edit", preset="@daily", cron="nonsense",
         **{f"group-{first}": "1", f"group-{second}": "1"})
    [made] = schedules(console, agent)["items"]
    assert made["cron"] == "@daily" and not made["enabled"]
    assert made["source_group_ids"] == [first, second]
    assert led_to(post(console, agent, f"{one}/run")) == (
        f"{home}?confirm={made['id']}")
    assert led_to(post(console, agent, f"{one}/run", confirm="1")) == (
        f"{home}?ran={made['id']}&started=2&waiting=0")
    assert led_to(post(console, agent, f"{one}/enabled", enabled="1")) == home
    assert schedules(console, agent)["items"][0]["enabled"]
    ask(console, "PUT", agent, "schedules", made["id"],
        source_group_ids=[second])
    assert led_to(post(console, agent, f"{one}/run")).startswith("/jobs/")
    assert led_to(post(console, agent, f"{one}/delete")) == (
        f"{home}?saved=schedule-deleted")
    assert post(console, agent, f"{one}/delete").status == 404


# ------------------------------------------------------------- the real agent

def test_the_agent_runs_the_plan_it_was_pushed(lab, console):
    """M-177 to M-182, M-186: a schedule made while it is connected fires on it, the
    job is listed with its schedule; what changed while it was away it has
    when it is back; a group that is gone is not run any more"""
    source = lab.sources("src")
    (source / ".pretend").write_text("lines=3")
    agent = lab.host(console, name="real", paths=[source],
                     restic=ROOT / "tests/fake/restic")
    [group] = groups(console, agent)
    made = ask(console, "POST", agent, "schedules", cron="@every 2s",
               source_group_ids=[group["id"]])

    def ran(name, state="succeeded"):
        return [j for j in ask(console, "GET", agent, "jobs")["items"]
                if j["schedule_id"] == made["id"] and j["status"] == state
                and j["source_group"] == name]

    wait_for("a run of the schedule", lambda: ran("default"), 30)
    job = ran("default")[0]
    assert job["actor_kind"] == "schedule" and job["due_at"]
    assert job["source_group_id"] == group["id"] and job["attempt"] == 1
    assert schedules(console, agent)["in_sync"]
    assert console.host(agent.host_id)["last_backup_status"] == "succeeded"
    [listed] = schedules(console, agent)["items"]
    assert listed["last_status"] == "succeeded" and listed["last_due_at"]
    agent.stop()
    other = ask(console, "POST", agent, "source-groups", name="other",
                includes=[str(source)])
    ask(console, "PUT", agent, "schedules", made["id"],
        source_group_ids=[other["id"]])
    assert not schedules(console, agent)["in_sync"]
    agent.start()
    wait_for("a run of the other group", lambda: ran("other"), 30)
    wait_for("the agent in sync",
             lambda: schedules(console, agent)["in_sync"], 30)
    ask(console, "PUT", agent, "schedules", made["id"], enabled=False)
    wait_for("the agent in sync",
             lambda: schedules(console, agent)["in_sync"], 30)
    wait_for("the last run to end", lambda: console.host(
        agent.host_id)["current_job_id"] is None, 30)
    count = len(ran("other"))
    agent.stop()
    agent.start()
    wait_for("it is back", lambda: console.host(
        agent.host_id)["status"] == "online", 30)
    assert len(ran("other")) == count
    console.client.ok("DELETE", path(agent), {"confirm": "real"})
    assert console.client.get(path(agent, "schedules")).status == 404


def test_the_command_line_makes_and_changes_a_plan(lab, console, agent):
    """groups and schedules of restic-manager(1)"""
    settle(console, agent)
    cli = Cli(lab, "plans")
    cli.login(console)
    cli.ok("groups", "create", "foreign", "web", "--path", "/srv/www",
           "--path", "/etc/nginx", "--exclude", "*.log", "--keep",
           "daily=14,weekly=4", "--retries", "2", "--backoff", "90")
    made = groups(console, agent)[1]
    assert (made["name"], made["includes"], made["excludes"]) == (
        "web", ["/srv/www", "/etc/nginx"], ["*.log"])
    assert made["retention_policy"] == {
        **KEEP_NONE, "keep_daily": 14, "keep_weekly": 4}
    assert (made["retry_max"], made["retry_backoff_seconds"]) == (2, 90)
    cli.ok("groups", "set", "foreign", "web", "--keep", "hourly=24")
    assert "24" in cli.ok("groups", "show", "foreign", "web").out
    cli.ok("schedules", "create", "foreign", "30 2 * * *", "--group", "web",
           "--zone", "Europe/Paris", "--jitter", "600", "--paused")
    cli.ok("schedules", "create", "foreign", "@weekly")
    first, second = schedules(console, agent)["items"]
    assert first["source_group_ids"] == [made["id"]]
    assert (first["zone"], first["jitter_seconds"], first["enabled"]) == (
        "Europe/Paris", 600, False)
    assert len(second["source_group_ids"]) == 2 and second["enabled"]
    cli.ok("schedules", "resume", "foreign", "30 2 * * *")
    cli.ok("schedules", "pause", "foreign", second["id"])
    listed = cli.json("schedules", "list", "foreign")["items"]
    assert [s["enabled"] for s in listed] == [True, False]
    assert cli.json("groups", "list", "foreign")["items"][1][
        "conflict_dimension"] == "hourly"
    assert cli.run("groups", "delete", "foreign", "web").code != 0
    cli.ok("schedules", "delete", "foreign", "30 2 * * *")
    cli.ok("schedules", "delete", "foreign", "@weekly")
    cli.ok("groups", "delete", "foreign", "web")
    for wrong in (("groups", "create", "foreign", "x", "--keep", "often=1"),
                  ("groups", "create", "foreign", "x", "--path", "srv"),
                  ("schedules", "create", "foreign", "0 3 30 2 *"),
                  ("groups", "show", "foreign", "web")):
        assert cli.run(*wrong).code != 0, wrong


def test_a_large_plan_that_found_no_room_follows(console, agent):
    """A session that takes a while to read while its plan changes again and
    again holds the last of them in the end, without being asked"""
    settle(console, agent)
    [group] = groups(console, agent)
    for n in range(60):
        ask(console, "POST", agent, "source-groups", name=f"g{n}",
            includes=["/etc"])
    console.client.ok("PUT", path(agent, "hooks"), {
        "pre_hook": "p" * 12288, "post_hook": "q" * 12288})
    changed = []

    def until(a):
        for n in range(12 if not changed else 0):
            changed.append(ask(console, "PUT", a, "source-groups",
                               group["id"], includes=[f"/{n}"]))
        return a.plan and a.plan.groups[0].includes[0] == "/11"

    agent.session(until)
    assert agent.plan.groups[0].includes[0] == "/11"
