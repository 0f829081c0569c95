# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a plan, while it is at work: hooks, both slots and their
variables, in runs of the agent's own, maintenance and a crash in the middle.

Searched at the time and afterwards: every file of the lab, what processes
are called with and given, logs at their most talkative, answers and pages.
"""
import pytest

from canaries import (Secrets, Watcher, crawl, documents, jobs_of,
                      yaml_value)
from lab import ROOT, wait_for

FAKE = ROOT / "tests/fake/restic"

# It tells what it was given, and takes its time.
TELLING = """#!/bin/sh
case " $* " in *" backup "*|*" forget "*|*" prune "*)
  env >&2
  sleep 0.3
esac
RESTIC_REPOSITORY={repo} exec {fake} "$@"
"""
# What a hook can find out about who started it.
CURIOUS = ": {canary}\nenv; cat /proc/$PPID/environ /proc/$PPID/cmdline\n" \
    "ls -l /proc/$$/fd; sleep 0.4\n"


class Site:
    """A host with everything that is secret in a plan."""

    def __init__(self, lab):
        self.lab = lab
        self.known = known = Secrets()
        self.console = lab.controller(RM_LOG_LEVEL="debug").start()
        known.add("bootstrap token", self.console.bootstrap_token())
        self.console.bootstrap(password=known.add("user password"))
        telling = lab.path / "telling"
        telling.write_text(TELLING.format(repo=lab.path / "repo", fake=FAKE))
        telling.chmod(0o755)
        self.agent = lab.agent(self.console, restic=telling,
                               RM_LOG_LEVEL="debug")
        token = self.console.mint(
            "web-1", "s3:https://127.0.0.1:9/bucket",
            repo_password=known.add("password"),
            initial_paths=[str(lab.sources())])
        known.add("enrolment token", token.split(".")[0])
        self.agent.enrol(token).start()
        known.add("bearer", yaml_value(self.agent.config, "agent_token"))
        known.add("secrets key", yaml_value(self.agent.config, "secrets_key"))
        self.api = f"/api/hosts/{self.agent.host_id}"
        self.console.wait_ready(self.agent.host_id)
        self.answers = []
        self.programs = [self.console.program, self.agent.program]

    def ask(self, method, path, body=None):
        answer = self.console.client.request(method, path, body)
        assert 200 <= answer.status < 300, (path, answer.status, answer.body)
        self.answers.append(answer.body)
        return answer.json() if answer.body else None

    def plant(self):
        """Into every field there is for one."""
        add = self.known.add
        self.known.add("API token", self.console.client.ok(
            "POST", "/api/tokens", {"name": "ci", "role": "admin",
                                    "expires_in_days": 1})["token"])
        for path, slot in (("/repo-credentials", "daily"),
                           ("/admin-credentials", "admin")):
            body = {"extra": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                              "AWS_SECRET_ACCESS_KEY": add(f"{slot} key")}}
            if slot == "admin":
                body["repo_password"] = add("admin password")
            self.ask("PUT", self.api + path, body)
        group = self.ask("GET", self.api + "/source-groups")["items"][0]
        self.ask("PUT", self.api + "/hooks", {
            "post_hook": CURIOUS.format(canary=add("hook of the host"))})
        self.ask("PUT", f"{self.api}/source-groups/{group['id']}/hooks", {
            "pre_hook": CURIOUS.format(canary=add("hook of the group"))})
        self.ask("PUT", f"{self.api}/source-groups/{group['id']}", {
            "retention_policy": {"keep_last": 1}, "retry_max": 0})
        return group["id"]

    def clean(self):
        """Where the agent and the controller may have them alone."""
        hits = self.known.below(self.lab.path)
        assert hits.pop(f"{self.agent.dir.name}/agent.yaml") == {
            "bearer", "secrets key"}
        # M-001: shown once, in the banner, and of no use any more.
        assert hits.pop(self.console.log.name) == {"bootstrap token"}
        return hits == {} or hits


@pytest.fixture(name="site")
def fixture_site(lab):
    return Site(lab)


def run(site, kind, group=None):
    path = f"/source-groups/{group}/run" if group else "/jobs"
    job = site.ask("POST", site.api + path,
                   {} if group else {"kind": kind})["job_id"]
    return site.console.wait_job(job)


def test_a_plan_at_work_leaves_no_secret(site):
    group = site.plant()
    run(site, "init")
    watcher = Watcher(*site.programs)
    watcher.start()
    jobs = [run(site, "backup", group), run(site, "forget"),
            run(site, "prune")]
    site.ask("POST", site.api + "/schedules", {
        "cron": "@every 3s", "source_group_ids": [group]})
    own = wait_for("a run of its own", lambda: next((
        j for j in (site.console.job(i) for i in
                    jobs_of(site.console, site.agent.host_id))
        if j["actor_kind"] == "schedule"), None))
    assert site.clean() is True  # while it runs
    jobs.append(site.console.wait_job(own["id"]))
    watcher.over = True
    watcher.join()
    assert [j["status"] for j in jobs] == ["succeeded"] * 4, jobs

    hooks = [pair for pair in watcher.given
             if pair[0] == b"/bin/sh\0/proc/self/fd/3\0"]
    assert hooks and b"RM_HOOK_PHASE=post" in b"".join(e for _, e in hooks)
    holders = {(words.split(b"\0")[1], name) for words, env in watcher.given
               for name in site.known.within(env)}
    # restic, and what it has started.
    assert {who for who, _ in holders} <= {
        str(site.lab.path / "telling").encode(), b"-IS", b"0.3"}, holders
    assert {"password", "admin password", "daily key", "admin key"} <= {
        name for _, name in holders}
    assert site.known.within(b"\n".join(watcher.seen)) == set()

    text = "".join(site.console.client.get(
        f"/api/jobs/{j['id']}/log.txt").text for j in jobs)
    assert "hook(pre): RM_HOOK_PHASE=pre" in text
    assert "RESTIC_PASSWORD=***" in text
    pages = crawl(site.console.client, documents(
        site.agent.host_id, [j["id"] for j in jobs]) + [
            f"/hosts/{site.agent.host_id}/repo", "/audit", "/api/audit",
            "/audit.csv", "/metrics", site.api + "/hooks",
            site.api + "/repo-credentials", site.api + "/admin-credentials"])
    assert {p for p, data in pages.items() if site.known.within(data)
            } == set()
    assert site.known.within(b"".join(site.answers)) == set()
    site.console.stop()
    site.agent.stop()
    assert site.clean() is True


def test_a_crash_in_a_hook_leaves_no_secret(site):
    """SIGKILL of all while the hook, and then restic, is at work."""
    group = site.plant()
    site.console.client.ok("POST", f"{site.api}/source-groups/{group}/run",
                           {})
    wait_for("the hook", lambda: any(
        "hook(pre)" in row["payload"] for job in
        jobs_of(site.console, site.agent.host_id)
        for row in site.console.log_lines(job)))
    site.agent.kill()
    site.console.kill()
    assert site.clean() is True
