# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan on its way to the agent, its hooks, and what comes back."""
import foreign
from lab import ROOT, wait_for
from planned import (  # noqa: F401, the fixture
    KEEP_NONE, NOBODY, ask, fixture_agent, groups, path, schedules, settle)


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
    # With the key they were sealed with they are whole.
    console.stop()
    key.write_bytes(good)
    console.start()
    console.login()
    console.client.ok("PUT", path(agent, "repo-credentials"), {
        "repo_password": "once more"})
    settle(console, agent)
    said = agent.plan.groups[0].hooks
    assert (said.pre, said.unreadable) == (b"true", "")


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
    # For longer than its period, and with nothing left to be told.
    (source / ".pretend").write_text("lines=3 hang=3")
    for _ in range(2):
        assert console.wait_job(console.run_group(agent.host_id))[
            "status"] == "succeeded"
    assert len(ran("other")) == count
    console.client.ok("DELETE", path(agent), {"confirm": "real"})
    assert console.client.get(path(agent, "schedules")).status == 404


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
