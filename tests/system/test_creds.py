# SPDX-License-Identifier: GPL-3.0-or-later
"""Editing a host's repository credentials over JSON."""
import shutil

import pytest

import foreign
from lab import TOOLS, Client, RestServer, wait_for

PASSWORD = "correct horse battery"
KEYS = {"repo_url", "repo_username", "has_password", "extra_names"}


@pytest.fixture(name="foreigner")
def fixture_foreigner(lab, console):
    """Enrolled, and its repository made."""
    with foreign.enrolled(lab, console, repo_username="ann",
                          repo_password="first password") as agent:
        agent.polls_until_ready(console)
        yield agent


def status(console, agent):
    return console.host(agent.host_id)["repo_status"]


def path_of(agent):
    return f"/api/hosts/{agent.host_id}/repo-credentials"


def put(console, agent, **body):
    return console.client.ok("PUT", path_of(agent), body)


def refused(answer, status_code, code):
    assert answer.status == status_code, answer.body[:300]
    assert answer.json()["code"] == code
    return answer.json()["message"]


def test_they_are_read_without_the_password(console, foreigner):
    """M-202, M-416"""
    assert console.client.ok("GET", path_of(foreigner)) == {
        "repo_url": "/somewhere", "repo_username": "ann",
        "has_password": True, "extra_names": []}


def test_an_edit_reaches_a_session_before_the_init_that_tries_it(
        console, foreigner):
    """M-114, M-206, M-210, M-453: a job of the agent runs with what it holds by then."""
    held, answers = [], []
    run = foreigner.run

    def note(command, lines=5):
        held.append((command.kind, foreigner.repo.url,
                     foreigner.repo.username, foreigner.repo.password))
        run(command, lines)

    def until(agent):
        # The first look comes with the answer to hello.
        if not answers:
            answers.append(put(console, agent, repo_url="/elsewhere"))
            assert status(console, agent) == "unknown"
        return status(console, agent) == "ready"

    foreigner.run = note
    foreigner.session(until)
    assert held == [("init", "/elsewhere", "ann", "first password")]
    host = console.host(foreigner.host_id)
    assert host["init_job_id"] == answers[0]["job_id"]
    assert host["config_version"] == 2
    assert host["applied_config_version"] == 2


def test_an_edit_reaches_an_agent_that_polls(console, foreigner):
    """The same over Poll alone."""
    put(console, foreigner, repo_password="second password")
    assert status(console, foreigner) == "unknown"
    foreigner.polls_until_ready(console)
    assert foreigner.repo.password == "second password"
    assert foreigner.repo.url == "/somewhere"
    assert console.host(foreigner.host_id)["applied_config_version"] == 2


def test_an_edit_survives_a_restart_before_the_agent_is_back(
        console, foreigner):
    put(console, foreigner, repo_username="bob")
    console.restart()
    foreigner.polls_until_ready(console)
    assert foreigner.repo.username == "bob"


def test_blank_fields_keep_what_is_stored(console, foreigner):
    answer = put(console, foreigner, repo_url="", repo_username=None,
                 repo_password="")
    assert set(answer) == KEYS | {"job_id", "admin_removed"}
    assert answer["repo_url"] == "/somewhere"
    assert answer["repo_username"] == "ann" and answer["has_password"]


def test_bad_edits_are_refused_and_change_nothing(console, foreigner):
    before = console.host(foreigner.host_id)
    for body in ({"repo_url": "rest:https://ann:secret@backup/x"},
                 {"repo_url": "a\nb"}, {"repo_username": "a\tb"},
                 {"repo_password": "a\rb"}, {"repo_url": "x" * 2049},
                 {"repo_password": "x" * 1025}, {"repo_url": 7}):
        message = refused(console.client.request(
            "PUT", path_of(foreigner), body), 422, "invalid")
        assert "secret" not in message
    refused(console.client.request(
        "PUT", path_of(foreigner), "{", {"Content-Type": "application/json"}),
        400, "malformed")
    nobody = "/api/hosts/01ARZ3NDEKTSV4RRFFQ69G5FAV/repo-credentials"
    for method in ("GET", "PUT"):
        for path in (nobody, "/api/hosts/x/repo-credentials"):
            refused(console.client.request(
                method, path, {} if method == "PUT" else None), 404,
                "not_found")
    refused(console.client.request("POST", path_of(foreigner), {}), 405,
            "method_not_allowed")
    refused(Client(console.port).get(path_of(foreigner)), 401, "unauthorised")
    refused(console.client.request("PUT", path_of(foreigner), {}, headers={
        "Origin": "https://evil.example"}), 403, "foreign_origin")
    after = console.host(foreigner.host_id)
    assert {k: v for k, v in after.items() if k != "last_seen_at"} == {
        k: v for k, v in before.items() if k != "last_seen_at"}


def test_no_copy_in_clear_is_left(lab, console, foreigner, canary):
    """M-208, M-209, M-211"""
    secret = canary.make("edited")
    put(console, foreigner, repo_password=secret)
    foreigner.polls_until_ready(console)
    assert foreigner.repo.password == secret
    for answer in (console.client.get(path_of(foreigner)),
                   console.client.get(f"/api/hosts/{foreigner.host_id}"),
                   console.client.get(f"/hosts/{foreigner.host_id}")):
        assert answer.status == 200 and secret not in answer.text
    console.stop()
    assert canary.found(lab.path) == []


def test_a_wrong_password_is_told_and_mended(lab, console):
    """M-240 with a real agent: init_failed, then ready again."""
    agent = lab.host(console, restic=shutil.which("restic"),
                     repo_password=PASSWORD)
    put(console, agent, repo_password="not this one")
    failed = wait_for("init to fail", lambda: (
        lambda h: h if h["repo_status"] == "init_failed" else None)(
            console.host(agent.host_id)), 60)
    assert "password" in failed["repo_status_error"]
    put(console, agent, repo_password=PASSWORD)
    console.wait_ready(agent.host_id)
    assert console.wait_job(console.run_group(agent.host_id), 90)[
        "status"] == "succeeded"


@pytest.mark.skipif(not (TOOLS / "rest-server").exists(),
                    reason="tools/get-test-tools was not run")
def test_a_host_moves_to_another_repository(lab, console):
    """M-208: the REST user and password go into restic's environment."""
    server = RestServer(lab)
    url = server.user("web-1", PASSWORD)
    server.start()
    agent = lab.host(console, restic=shutil.which("restic"),
                     repo_password=PASSWORD)
    console.wait_job(console.run_group(agent.host_id), 90)
    assert console.host(agent.host_id)["snapshot_count"] == 1
    refused(console.client.request("PUT", path_of(agent), {
        "repo_url": url, "repo_username": "web-1"}), 422,
        "password_required")
    put(console, agent, repo_url=url, repo_username="web-1",
        repo_password=PASSWORD)
    # The list is that of the repository in use.
    assert console.wait_ready(agent.host_id)["snapshot_count"] == 0
    end = console.wait_job(console.run_group(agent.host_id), 90)
    assert end["status"] == "succeeded", end["error"]
    assert len(list((server.path / "web-1/snapshots").iterdir())) == 1
    assert PASSWORD not in agent.log.read_text()


def test_the_old_addresses_are_gone(console, foreigner):
    """M-159, M-425"""
    for name in ("run-backup", "init-repo"):
        path = f"/hosts/{foreigner.host_id}/{name}"
        answer = console.client.post(path)
        message = refused(answer, 410, "gone")
        assert "/source-groups/" in message
        refused(Client(console.port).post(path), 401, "unauthorised")
