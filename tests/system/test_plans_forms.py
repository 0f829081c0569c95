# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans by forms, without a browser, and by the command line."""
import html
import re
import urllib.parse

from cli import Cli
from planned import (  # noqa: F401, the fixture
    KEEP_NONE, NOBODY, ask, fixture_agent, groups, path, schedules, settle)


def post(console, agent, where, page="sources", **fields):
    """A browser's form, of a page of the host's."""
    at = f"/hosts/{agent.host_id}/"
    token = re.search(r'name="csrf" value="([^"]+)"',
                      console.client.get(at + page).text).group(1)
    return console.client.request(
        "POST", at + where, urllib.parse.urlencode({"csrf": token, **fields}),
        {"Content-Type": "application/x-www-form-urlencoded",
         "Accept": "text/html"})


def field(text, name):
    """The tag of a field, and a text area's contents."""
    tag = re.search(r'<(?:input|textarea)\b[^>]*\bname="%s"[^>]*>([^<]*)'
                    % re.escape(name), text)
    assert tag, name
    return tag.group(0), html.unescape(tag.group(1))


def holds(text, name, value):
    """Whether a page shows in a field what was typed into it."""
    tag, contents = field(text, name)
    if tag.startswith("<textarea"):
        return contents.split() == value.split()
    shown = re.search(r'\bvalue="([^"]*)"', tag)
    return html.unescape(shown.group(1) if shown else "") == value


def ticked(text, name):
    return re.search(r"\bchecked\b", field(text, name)[0]) is not None


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
        typed = {**good, **change}
        answer = post(console, agent, "sources/new", **typed)
        assert answer.status in (409, 422) and said in answer.text
        for name, value in typed.items():
            assert holds(answer.text, name, value), (change, name)
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
        typed = {**good, **change}
        answer = post(console, agent, "schedules/new", page="schedules/new",
                      **typed)
        assert answer.status == 422 and said in answer.text, change
        for name in ("cron", "zone"):
            assert holds(answer.text, name, typed[name]), (change, name)
        assert ('<option value="600" selected>' in answer.text) == (
            typed["jitter_seconds"] == "600"), change
        for name in ("enabled", f"group-{first}", f"group-{second}"):
            assert ticked(answer.text, name) == (typed.get(name) == "1"), (
                change, name)
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


def test_limits_that_a_waiting_run_does_not_take_are_told(console, agent):
    """M-199: the second click leads to the run that waits, and says so"""
    settle(console, agent)
    group = groups(console, agent)[0]
    run = f"source-groups/{group['id']}/run"
    first = led_to(post(console, agent, run, bandwidth_up_kbps="10"))
    assert led_to(post(console, agent, run, bandwidth_up_kbps="10")) == first
    other = led_to(post(console, agent, run, bandwidth_up_kbps="11"))
    assert other == first + "?saved=waits"
    assert "keeps its own bandwidth" in console.client.get(other).text
    assert "keeps its own bandwidth" not in console.client.get(first).text
