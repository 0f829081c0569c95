# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs as an administrator meets them: versions, verbs, the secret
key, what they log of a normal life."""
import os
import re
import secrets
import subprocess

import pytest

from lab import BIN, clean_env, wait_for

PASSWORD = "correct horse battery"


def call(lab, *argv, program="agent", **env):
    """Exit status and what was printed."""
    env = {"RM_AGENT_CONFIG": lab.path / "agent.yaml",
           "RM_STATE_DIR": lab.path / "agent", **env}
    done = subprocess.run(
        [BIN / f"restic-manager-{program}", *argv], env=clean_env(**env),
        capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def fails_to_start(controller):
    """What a controller says that must not come up."""
    controller.start(wait=False)
    assert controller.program.wait(30) != 0
    return controller.program.text()


# ------------------------------------------------------------ the agent


@pytest.mark.parametrize("program", ["controller", "agent", "render"])
@pytest.mark.parametrize("option", ["-version", "--version"])
def test_versions_tell_commit_and_time(lab, program, option):
    """M-120, B-03"""
    code, said = call(lab, option, program=program)
    assert code == 0
    version = re.fullmatch(
        rf"restic-manager-{program} (\S+) \(commit ([0-9a-f]{{12}}\S*|\S+), "
        r"built \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)\n", said)
    assert version and version.group(1) not in ("dev", "0.0.0")


def test_versions_agree_with_the_interface(console, lab):
    """B-03, M-387"""
    told = console.client.ok("GET", "/api/version")
    for program in ("controller", "agent", "render"):
        said = call(lab, "-version", program=program)[1]
        assert f" {told['version']} (commit {told['commit']}, " in said


@pytest.mark.parametrize("verb", ["install", "uninstall", "start", "stop"])
def test_verbs_of_windows_are_refused_with_advice(lab, verb):
    """M-118"""
    code, said = call(lab, verb)
    assert code != 0 and "Windows" in said and "systemctl" in said


@pytest.mark.parametrize("argv, word", [
    (["-enroll-token", "x"], "-enroll-server"),
    (["-enroll-server", "x"], "https://host"),
    (["-nonsense"], "usage"), (["dance"], "dance")])
def test_wrong_arguments_are_explained(lab, argv, word):
    """M-118"""
    code, said = call(lab, *argv)
    assert code != 0 and word in said


def test_an_agent_that_is_not_enrolled_names_its_file(lab):
    """M-119"""
    code, said = call(lab)
    assert code != 0
    assert str(lab.path / "agent.yaml") in said and "-enroll-server" in said


def test_the_pin_decides_whom_an_agent_trusts(lab, console):
    """M-109: by file, by environment, by option."""
    agent = lab.agent(console)
    agent.enrol(console.mint("web-1", "/srv/repo"))
    text = agent.config.read_text()
    pin = re.search(r"cert_pin_sha256: \"?([0-9a-f]{64})", text).group(1)
    other = secrets.token_hex(32)
    for argv, env in ((["-cert-pin", other], {}),
                      ([], {"RM_SERVER_CERT_PIN_SHA256": other})):
        program = lab.start(
            [BIN / "restic-manager-agent", *argv],
            clean_env(**agent.env, **env), lab.path / "pinned.log")
        wait_for("the refusal", lambda: "pin" in program.text().split(
            "agent started")[-1])
        assert console.host(agent.host_id)["status"] == "offline"
        program.stop()
        program.log.unlink()
    program = lab.start(
        [BIN / "restic-manager-agent", "-cert-pin", pin],
        clean_env(**agent.env), lab.path / "pinned.log")
    wait_for("the agent", lambda: console.host(agent.host_id)[
        "status"] == "online")
    program.stop()


def test_an_agent_logs_its_life(lab, console):
    """M-122"""
    agent = lab.host(console, repo_password=PASSWORD)
    job = console.run_group(agent.host_id)
    assert console.wait_job(job)["status"] == "succeeded"
    text = agent.log.read_text()
    start = next(l for l in text.splitlines() if "agent started" in l)
    for word in (agent.host_id, console.url, "version=", "restic=0."):
        assert word in start
    assert re.search(rf"job started job={job} kind=backup paths=1", text)
    assert re.search(rf"job finished job={job} kind=backup status=succeeded",
                     text)
    assert PASSWORD not in text


# ------------------------------------------------------- the secret key


def test_the_secret_key_is_made_once(controller):
    """M-011"""
    key = controller.data / "secret.key"
    made = key.read_bytes()
    assert len(made) == 32 and key.stat().st_mode & 0o777 == 0o600
    controller.restart()
    assert key.read_bytes() == made


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_secret_key_of_another_size_is_refused(controller, size):
    """M-011: and stays as it is."""
    key = controller.data / "secret.key"
    controller.stop()
    key.write_bytes(b"k" * size)
    said = fails_to_start(controller)
    assert "secret.key" in said and "32" in said
    assert key.read_bytes() == b"k" * size


def test_the_key_lies_where_it_is_configured(lab):
    """M-374"""
    key = lab.path / "elsewhere.key"
    controller = lab.controller(RM_SECRET_KEY_FILE=key).start()
    assert len(key.read_bytes()) == 32
    assert not (controller.data / "secret.key").exists()


def test_without_its_key_the_database_tells_no_password(lab, console):
    """M-466: another key opens nothing; the password is typed again."""
    agent = lab.host(console, repo_password=PASSWORD)
    path = f"/api/hosts/{agent.host_id}/repo-credentials"
    files = [p for p in console.data.rglob("*") if p.is_file()]
    assert not [p for p in files if PASSWORD.encode() in p.read_bytes()]
    console.stop()
    (console.data / "secret.key").write_bytes(os.urandom(32))
    console.start()
    shown = console.client.ok("GET", path)
    assert shown["has_password"] is False and shown["repo_url"]
    refused = console.client.request("PUT", path, {"repo_url": "/other"})
    assert refused.status == 500 and refused.json()["code"] == "corrupt"
    console.client.ok("PUT", path, {"repo_password": PASSWORD})
    assert console.client.ok("GET", path)["has_password"] is True
    console.wait_ready(agent.host_id)
    assert console.wait_job(console.run_group(agent.host_id), 90)[
        "status"] == "succeeded"
