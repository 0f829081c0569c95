# SPDX-License-Identifier: GPL-3.0-or-later
"""Canary secrets planted everywhere are found nowhere they should not be.

M-030, M-205, M-208, M-209, M-459, M-464.  Each search first proves that it
can find: the place where the secret must be is searched by the same means.
"""
import os
import pathlib
import re
import resource
import secrets
import subprocess
import time
import urllib.parse

import pytest

from canaries import (Secrets, Watcher, crawl, documents, family, jobs_of,
                      yaml_value)
from lab import (BIN, ROOT, TOOLS, Client, RestServer, clean_env,
                 wait_for)

NEWER = TOOLS / "restic018/usr/bin/restic"
FAKE = ROOT / "tests/fake/restic"

# What an angry restic might say: everything it was given.
LEAKY = """#!/bin/sh
case " $* " in *" backup "*)
  echo "password is $RESTIC_PASSWORD"
  echo "repository $RESTIC_REPOSITORY is odd" >&2
  echo '{{"message_type":"error","item":"'"$RESTIC_PASSWORD"'","error":{{"message":"'"$RESTIC_REPOSITORY"'"}}}}' >&2
esac
RESTIC_REPOSITORY={repo} exec {fake} "$@"
"""


def first_admin(controller, known):
    """Bootstrap with secrets that are known."""
    known.add("bootstrap token", controller.bootstrap_token())
    controller.bootstrap(password=known.add("user password"))
    known.add("session", controller.client.cookie.split("=")[1])


@pytest.fixture(autouse=True)
def cores_are_welcome():
    """The programs have to say no themselves."""
    old = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (old[1], old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, old)


@pytest.mark.skipif(not NEWER.exists(),
                    reason="tools/get-test-tools was not run")
def test_the_whole_road_leaves_no_secret(lab, controller):
    """Typed credentials, a real rest-server, real restic."""
    known = Secrets()
    first_admin(controller, known)
    server = RestServer(lab)
    url = server.user("web-1", known.add("repository password"))
    server.start()
    source = lab.sources()
    (source / "big").write_bytes(os.urandom(30 << 20))
    token = controller.mint("web-1", url, repo_username="web-1",
                            repo_password=known.known["repository password"],
                            initial_paths=[str(source)])
    known.add("enrolment token", token.split(".")[0])
    agent = lab.agent(controller, restic=NEWER)
    agent.enrol(token).start()
    watcher = Watcher(controller.program, agent.program)
    watcher.start()
    controller.wait_ready(agent.host_id)
    job = controller.run_group(agent.host_id)
    assert controller.wait_job(job)["status"] == "succeeded"
    watcher.over = True
    known.add("bearer", yaml_value(agent.config, "agent_token"))
    known.add("secrets key", yaml_value(agent.config, "secrets_key"))

    words = b"\n".join(watcher.seen)
    assert b"backup" in words and b"restic-manager-render" in words
    assert known.within(words) == set()

    pages = crawl(controller.client, documents(
        agent.host_id, jobs_of(controller, agent.host_id)))
    assert f"/hosts/{agent.host_id}/jobs" in pages
    assert {p: n for p, n in ((p, known.within(data)) for p, data in
                              pages.items()) if n} == {}

    assert agent.config.stat().st_mode & 0o777 == 0o600
    time.sleep(1)  # the log is compressed
    hits = known.below(lab.path)
    assert hits.pop(f"{agent.dir.name}/agent.yaml") == {
        "bearer", "secrets key"}
    # M-001: shown once, in the banner, and of no use any more.
    assert hits.pop(controller.log.name) == {"bootstrap token"}
    assert controller.log.read_text().count(
        known.known["bootstrap token"]) == 1
    assert hits == {}


def test_what_is_shown_once_is_nowhere_else(lab, console):
    """Token and generated password: on one page, not stored, not cached."""
    known = Secrets()
    answer = console.client.ok("POST", "/api/enrollment-tokens", {
        "hostname": "web-1", "repo_url": str(lab.path / "repo"),
        "initial_paths": [str(lab.sources())]})
    token = answer["token"]
    known.add("enrolment token", token.split(".")[0])
    where = console.client.get(f"/hosts/pending/{token}")
    assert where.status == 303 and known.within(
        where.headers["Location"].encode()) == set()
    page = console.client.get(where.headers["Location"])
    assert known.within(page.body) == {"enrolment token"}
    assert "no-store" in page.headers["Cache-Control"]
    assert page.headers["ETag"] is None
    generated = answer.get("repo_password") or re.search(
        r">([A-Za-z0-9_-]{43})<", page.text.replace(token, "")).group(1)
    known.add("generated password", generated)
    assert known.within(page.body) == {"enrolment token",
                                       "generated password"}
    agent = lab.agent(console, restic=FAKE)
    agent.enrol(token).start()
    console.wait_ready(agent.host_id)
    job = console.run_group(agent.host_id)
    console.wait_job(job)
    again = console.client.get(where.headers["Location"])
    assert known.within(again.body) == set()
    console.restart()
    pages = crawl(console.client, documents(
        agent.host_id, jobs_of(console, agent.host_id)))
    assert {p for p, data in pages.items() if known.within(data)} == set()
    console.stop()
    agent.stop()
    assert known.below(lab.path) == {}


def test_a_restic_that_tells_everything_is_redacted(lab, console):
    """M-464: its own lines, errors and items."""
    known = Secrets()
    password = known.add("repository password")
    leaky = lab.path / "leaky"
    leaky.write_text(LEAKY.format(repo=lab.path / "repo", fake=FAKE))
    leaky.chmod(0o755)
    agent = lab.host(console, repo="rest:http://127.0.0.1:9/web-1/",
                     restic=leaky, repo_username="web-1",
                     repo_password=password)
    job = console.run_group(agent.host_id)
    console.wait_job(job)
    text = console.client.get(f"/api/jobs/{job}/log.txt").text
    assert "password is" in text and "repository " in text
    pages = crawl(console.client, documents(agent.host_id, [job]))
    assert {p for p, data in pages.items() if known.within(data)} == set()
    time.sleep(1)
    hits = known.below(lab.path)
    assert hits == {}


# It tells its environment, whatever it is asked.
TELLING = """#!/bin/sh
echo "keys $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" >&2
echo "password is $RESTIC_PASSWORD" >&2
RESTIC_REPOSITORY={repo} exec {fake} "$@"
"""


def test_variables_and_admin_credentials_leave_no_trace(lab, console):
    """X-05, M-203, M-207, M-209: in no answer, page, refused form, log,
    queue or file, neither of the everyday slot nor of the other one."""
    known = Secrets()
    telling = lab.path / "telling"
    telling.write_text(TELLING.format(repo=lab.path / "repo", fake=FAKE))
    telling.chmod(0o755)
    agent = lab.host(console, repo="s3:https://127.0.0.1:9/bucket",
                     restic=telling, repo_password=known.add("password"))
    api, page = f"/api/hosts/{agent.host_id}", f"/hosts/{agent.host_id}"
    # The id is a name, no secret; the table of variables says which is what.
    daily = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
             "AWS_SECRET_ACCESS_KEY": known.add("secret key")}
    answers = [console.client.request("PUT", api + "/repo-credentials",
                                      {"extra": daily})]
    console.wait_job(answers[0].json()["job_id"])
    answers.append(console.client.request(
        "PUT", api + "/admin-credentials", {
            "repo_password": known.add("admin password"),
            "extra": {"AWS_SECRET_ACCESS_KEY": known.add("admin key")}}))
    csrf = re.search(r'name="csrf" value="([^"]+)"',
                     console.client.get(page + "/repo").text).group(1)
    for path, fields in (
            ("/admin-credentials", {
                "repo_url": "rest:http://127.0.0.1:9/other/",
                "repo_password": "", "var-AWS_SESSION_TOKEN":
                known.add("refused token")}),
            ("/repo/credentials", {
                "repo_url": "", "repo_password":
                known.add("refused password")}),
            ("/repo/variables", {
                "var-B2_ACCOUNT_KEY": known.add("refused variable")})):
        answer = console.client.request(
            "POST", page + path,
            urllib.parse.urlencode({"csrf": csrf, **fields}),
            {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 422, (path, answer.status)
        answers.append(answer)
    assert [a.status for a in answers[:2]] == [200, 200]
    for kind in ("backup", "prune"):
        job = console.client.ok("POST", api + "/jobs", {"kind": kind})[
            "job_id"]
        console.wait_job(job)
        text = console.client.get(f"/api/jobs/{job}/log.txt").text
        assert "keys " in text and "password is" in text
        answers.append(console.client.get(f"/api/jobs/{job}/log.txt"))
    assert set().union(*(known.within(a.body) for a in answers)) == set()
    pages = crawl(console.client, documents(
        agent.host_id, jobs_of(console, agent.host_id)) + [
            page + "/repo", api + "/repo-credentials",
            api + "/admin-credentials", "/audit", "/api/audit"])
    assert {p for p, data in pages.items() if known.within(data)} == set()
    console.stop()
    agent.stop()
    assert known.below(lab.path) == {}


def test_credentials_in_a_url_are_not_kept_in_it(lab, console):
    """M-208: a URL with a password is refused or taken apart."""
    known = Secrets()
    password = known.add("password in the URL", "canary-" +
                         secrets.token_hex(8))
    answer = console.client.post("/api/enrollment-tokens", {
        "hostname": "web-1",
        "repo_url": f"rest:http://joe:{password}@127.0.0.1:9/joe/"})
    assert answer.status in (200, 422)
    assert known.within(answer.body) == set()
    pages = crawl(console.client, ["/", "/hosts/new", "/api/hosts"])
    assert {p for p, data in pages.items() if known.within(data)} == set()
    console.stop()
    assert known.below(lab.path) == {}


def core_limit(pid):
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max core file size"):
            return line.split()[4:6]
    return None


def test_no_process_may_write_a_core(lab, console):
    """contract.md, Logs: RLIMIT_CORE 0, also for restic."""
    source = lab.sources()
    (source / ".pretend").write_text("lines=10 hang=2")
    agent = lab.host(console, restic=FAKE, paths=[source])
    job = console.run_group(agent.host_id)

    def limits():
        """Of all four at one moment: some of restic's runs are short."""
        pids = family(agent.program.pid) + family(console.program.pid)
        try:
            return len(pids) >= 4 and [core_limit(pid) for pid in pids]
        except OSError:
            return []
    found = wait_for("restic", limits)
    assert found == [["0", "0"]] * len(found)
    console.wait_job(job)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.skipif(b"__asan_init" in (
    BIN / "restic-manager-controller").read_bytes(),
    reason="the leak sanitizer traces its process")
def test_processes_are_not_dumpable(lab):
    """PR_SET_DUMPABLE 0 shows in /proc: its files belong to root."""
    nobody = 65534
    controller = lab.controller(render=False)
    os.chmod(lab.path, 0o755)
    for folder in (controller.data, controller.run):
        folder.mkdir(exist_ok=True)
        os.chown(folder, nobody, nobody)
    with open(controller.log, "wb") as log:
        process = subprocess.Popen(
            [BIN / "restic-manager-controller"], user=nobody, group=nobody,
            extra_groups=[], env=clean_env(**controller.env), stdout=log,
            stderr=log)
    try:
        wait_for("the controller", lambda: controller_is_up(
            controller.port, process), 20)
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
        assert pathlib.Path(f"/proc/{process.pid}/status").read_text().count(
            f"Uid:\t{nobody}") == 1
    finally:
        process.kill()
        process.wait()


def controller_is_up(port, process):
    assert process.poll() is None
    try:
        return Client(port, 2).get("/healthz").status == 204
    except OSError:
        return False
