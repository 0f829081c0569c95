# SPDX-License-Identifier: GPL-3.0-or-later
"""Source groups and schedules over JSON."""
from lab import wait_for
from planned import (  # noqa: F401, the fixture
    KEEP_NONE, NOBODY, ask, enrolled, fixture_agent, groups, path, refused,
    schedules, settle)


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


def test_what_is_another_hosts_is_as_good_as_none(lab, console, agent):
    """Ids are looked for below the host of the address alone"""
    with enrolled(lab, console, "other") as other:
        settle(console, agent)
        settle(console, other)
        [mine], [theirs] = groups(console, agent), groups(console, other)
        when = ask(console, "POST", other, "schedules", cron="@daily",
                   source_group_ids=[theirs["id"]])
        before = schedules(console, agent)
        for method, where, body in (
                ("GET", ("source-groups", theirs["id"]), None),
                ("PUT", ("source-groups", theirs["id"]), {"name": "taken"}),
                ("DELETE", ("source-groups", theirs["id"]), {}),
                ("POST", ("source-groups", theirs["id"], "run"), {}),
                ("GET", ("source-groups", theirs["id"], "hooks"), None),
                ("PUT", ("source-groups", theirs["id"], "hooks"),
                 {"pre_hook": "true"}),
                ("PUT", ("schedules", when["id"]), {"cron": "@hourly"}),
                ("DELETE", ("schedules", when["id"]), {}),
                ("POST", ("schedules", when["id"], "run"), {})):
            refused(console, method, path(agent, *where), body, 404,
                    "not_found")
        for ids in ([theirs["id"]], [mine["id"], theirs["id"]]):
            refused(console, "POST", path(agent, "schedules"),
                    {"cron": "@daily", "source_group_ids": ids}, 422,
                    "invalid", "source_group_ids")
        assert schedules(console, agent) == before
        assert groups(console, other)[0]["name"] == theirs["name"]
        assert schedules(console, other)["items"] == [when]


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
    # One is sent at a time: the group's own waits behind the other.
    other, waiting = (ask(console, "POST", agent, "source-groups", g, "run")[
        "job_id"] for g in (groups(console, agent)[0]["id"], made["id"]))
    answer = console.client.request("DELETE", where, {})
    assert answer.status == 204
    assert [g["name"] for g in groups(console, agent)] == ["default"]
    ended = console.job(waiting)
    assert (ended["status"], ended["cause"]) == ("cancelled", "group_deleted")
    assert console.job(other)["status"] == "queued"
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
    assert not any(j["other_limits"] for j in again.json()["jobs"])
    other = console.client.post(run, {"confirm": True,
                                      "bandwidth_up_kbps": 77})
    assert other.json()["jobs"][1]["other_limits"]
    alone = console.client.post(
        path(agent, "source-groups", first["id"], "run"),
        {"bandwidth_up_kbps": 77})
    assert alone.status == 200 and alone.json()["other_limits"]
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
