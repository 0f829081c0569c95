# SPDX-License-Identifier: GPL-3.0-or-later
"""The road of a first backup with real restic, judged in the repository."""
import json
import os
import shutil
import subprocess
import urllib.parse

import pytest

from lab import TOOLS, RestServer, clean_env, wait_for

NEWER = TOOLS / "restic018/usr/bin/restic"
RESTICS = [pytest.param(shutil.which("restic"), id="restic-0.14"),
           pytest.param(NEWER, id="restic-0.18")]
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.skipif(
    not NEWER.exists(), reason="tools/get-test-tools was not run")


def restic(program, repo, *args, password=PASSWORD, **env):
    """What restic itself says of the repository."""
    done = subprocess.run(
        [str(program), *args], capture_output=True, text=True, timeout=120,
        check=True, env=clean_env(RESTIC_REPOSITORY=repo,
                                  RESTIC_PASSWORD=password, **env))
    return done.stdout


def snapshots(program, repo, **kw):
    return json.loads(restic(program, repo, "snapshots", "--json", **kw))


def run(console, agent):
    return console.wait_job(console.run_group(agent.host_id), 90)


@pytest.fixture(name="program", params=RESTICS)
def fixture_program(request):
    return request.param


@pytest.fixture(name="local")
def fixture_local(lab, console, program):
    """An enrolled host with a repository in a folder."""
    repo = lab.path / "repo"
    agent = lab.host(console, repo=repo, restic=program,
                     repo_password=PASSWORD)
    agent.repo = repo
    return agent


def test_init_comes_by_itself(console, local, program):
    """M-239, M-240."""
    host = console.host(local.host_id)
    assert host["repo_status"] == "ready" and host["status"] == "online"
    assert snapshots(program, local.repo) == []


def test_a_backup_is_green_when_its_snapshot_is_listed(
        console, local, program):
    """M-155, M-228; contract.md, Jobs."""
    end = run(console, local)
    assert (end["status"], end["exit_code"], end["incomplete"]) == (
        "succeeded", 0, False)
    there = snapshots(program, local.repo)
    assert [s["id"] for s in there] == [end["stats"]["snapshot_id"]]
    assert there[0]["tags"] == ["default"]
    shown = console.client.ok(
        "GET", f"/api/hosts/{local.host_id}/snapshots")
    assert [s["id"] for s in shown["items"]] == [there[0]["id"]]
    host = console.host(local.host_id)
    assert host["last_backup_status"] == "succeeded"
    assert host["snapshot_count"] == 1 and host["repo_size_bytes"] > 0
    text = console.client.get(f"/api/jobs/{end['id']}/log.txt").text
    assert there[0]["short_id"] in text


def test_a_second_backup_is_another_snapshot(console, local, program):
    run(console, local)
    run(console, local)
    assert len(snapshots(program, local.repo)) == 2
    assert console.host(local.host_id)["snapshot_count"] == 2


def test_a_missing_source_path_is_incomplete(lab, console, program):
    """restic-facts 4.4, trap 1: restic itself says 0."""
    agent = lab.host(console, restic=program, repo_password=PASSWORD,
                     paths=[lab.sources(), lab.path / "nowhere"])
    end = run(console, agent)
    assert (end["status"], end["incomplete"], end["cause"]) == (
        "succeeded", True, "missing_path")
    assert end["unread_count"] == 1
    host = console.host(agent.host_id)
    assert host["last_backup_at"] is not None


def test_an_unreadable_file_is_incomplete(lab, console, program):
    """Exit code 3: root reads everything, but not a process' memory."""
    victim = f"/proc/{os.getpid()}/mem"
    agent = lab.host(console, restic=program, repo_password=PASSWORD,
                     paths=[lab.sources(), victim])
    end = run(console, agent)
    assert (end["status"], end["exit_code"], end["incomplete"]) == (
        "succeeded", 3, True)
    assert end["unread_count"] >= 1


def test_all_sources_missing_is_a_failure(lab, console, program):
    agent = lab.host(console, restic=program, repo_password=PASSWORD,
                     paths=[lab.path / "nowhere"])
    end = run(console, agent)
    assert end["status"] == "failed" and end["error"]
    host = console.host(agent.host_id)
    assert host["last_backup_at"] is None  # attempts are not backups
    assert host["last_attempt_at"] is not None


def test_a_lost_repository_fails_with_its_cause(console, local):
    shutil.rmtree(local.repo)
    end = run(console, local)
    assert (end["status"], end["cause"]) == ("failed", "no_repository")


def test_a_repository_with_another_password_is_told(lab, console, program):
    """M-148 with proof: an existing repository must open with ours."""
    repo = lab.path / "foreign-repo"
    restic(program, repo, "init", password="somebody else's")
    agent = lab.agent(console, restic=program)
    agent.enrol(console.mint("web-1", str(repo), repo_password=PASSWORD))
    agent.start()
    host = wait_for("init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            console.host(agent.host_id)), 60)
    assert "password" in host["repo_status_error"]


def test_an_existing_repository_is_taken_over(lab, console, program):
    """M-148, M-239."""
    repo = lab.path / "known-repo"
    restic(program, repo, "init")
    agent = lab.host(console, repo=repo, restic=program,
                     repo_password=PASSWORD)
    assert run(console, agent)["status"] == "succeeded"


def test_an_append_only_rest_server_with_a_password(lab, console, program):
    """M-201, M-208: credentials by environment; nothing of them shown."""
    server = RestServer(lab)
    url = server.user("web-1", PASSWORD)
    server.start()
    agent = lab.host(console, repo=url, restic=program,
                     repo_username="web-1", repo_password=PASSWORD)
    end = run(console, agent)
    assert end["status"] == "succeeded", end
    there = snapshots(program, server.path / "web-1")
    assert [s["id"] for s in there] == [end["stats"]["snapshot_id"]]
    for text in (console.client.get(f"/api/jobs/{end['id']}/log.txt").text,
                 agent.log.read_text(), console.log.read_text()):
        assert PASSWORD not in text and "correct%20horse" not in text


def test_without_restic_the_job_says_so(lab, console):
    """M-116, M-136."""
    agent = lab.agent(console, restic=lab.path / "no-restic")
    agent.enrol(console.mint("web-1", str(lab.path / "repo")))
    agent.start()
    host = wait_for("init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            console.host(agent.host_id)), 60)
    assert "restic" in host["repo_status_error"]


def test_a_log_page_counts_every_line_of_the_file(console, local):
    """The page shows the file: our first and last line are lines too."""
    end = run(console, local)
    rows = console.client.get(f"/api/jobs/{end['id']}/log.ndjson").text
    page = console.client.get(f"/jobs/{end['id']}",
                              headers={"Accept": "text/html"}).text
    count = len(rows.splitlines())
    assert f"Lines 1 to {count} of {count}." in page


def test_a_refused_form_does_not_show_a_password(console):
    """One typed into the URL neither."""
    page = console.client.get("/hosts/new", headers={"Accept": "text/html"})
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    again = console.client.post(
        "/hosts/new", urllib.parse.urlencode({
            "csrf": csrf, "hostname": "web-1", "repo_password": "typed-1",
            "repo_url": "rest:https://u:typed-2@backup.example.net/x"}),
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert again.status == 422
    assert "rest:https://backup.example.net/x" in again.text
    assert "typed-" not in again.text
