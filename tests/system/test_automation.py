# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/examples/onboard.sh, as docs/automation.md tells to use it (M-012)."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from lab import BIN, PASSWORD, ROOT, clean_env, wait_for

SCRIPT = ROOT / "docs/examples/onboard.sh"
REPO_PASSWORD = "correct horse battery"

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")),
    reason="curl or jq is missing")


class Target:
    """A host to be: where the agent runs, and the script's arguments."""

    def __init__(self, lab, console):
        self.dir = lab.path / "target"
        self.dir.mkdir()
        self.pid_file = self.dir / "pid"
        (lab.path / "password").write_text(PASSWORD + "\n")
        (lab.path / "repo-password").write_text(REPO_PASSWORD + "\n")
        on_target = (f"env RM_AGENT_CONFIG={self.dir}/agent.yaml "
                     f"RM_STATE_DIR={self.dir} PATH={BIN}:{os.environ['PATH']}"
                     " sh -c")
        self.args = {
            "RM_URL": console.url, "RM_USER": "admin",
            "RM_PASSWORD_FILE": lab.path / "password",
            "RM_CACERT": console.data / "tls/cert.pem",
            "RM_HOST": "web-1", "RM_REPO": lab.path / "repo",
            "RM_REPO_PASSWORD_FILE": lab.path / "repo-password",
            "RM_PATHS": lab.sources(), "RM_TARGET": on_target,
            "RM_START": f"restic-manager-agent >{self.dir}/log 2>&1 & "
                        f"echo $! >{self.pid_file}",
        }

    def onboard(self, **changes):
        return subprocess.run(
            [SCRIPT], env=clean_env(**{**self.args, **changes}),
            capture_output=True, text=True, timeout=120, check=False)

    def stop(self):
        if not self.pid_file.exists():
            return
        pid = int(self.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        wait_for("the agent to end", lambda: not pathlib.Path(
            f"/proc/{pid}/fd").exists() or "State:\tZ" in pathlib.Path(
                f"/proc/{pid}/status").read_text(), 30)


@pytest.fixture(name="target")
def fixture_target(lab, console):
    target = Target(lab, console)
    yield target
    target.stop()


def test_the_script_takes_a_host_to_its_first_backup(console, target):
    """M-012, M-158, M-404, M-407"""
    done = target.onboard()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    shown = console.host(told["id"])
    assert (shown["status"], shown["repo_status"]) == ("online", "ready")
    assert shown["last_backup_status"] == "succeeded"
    assert shown["snapshot_count"] == 1
    assert REPO_PASSWORD not in done.stdout + done.stderr
    again = target.onboard()
    assert again.returncode == 1
    assert "duplicate_hostname: " in again.stderr


def test_refusals_are_told_by_code_and_sentence(target):
    done = target.onboard(RM_PASSWORD_FILE=target.args["RM_PATHS"] / "a")
    assert done.returncode == 1
    assert "unauthorised: user name or password is wrong" in done.stderr
    done = target.onboard(RM_REPO="rest:https://u:p@nas/x")
    assert done.returncode == 1 and "invalid: leave user" in done.stderr
    done = target.onboard(RM_HOST=None)
    assert done.returncode == 2 and "RM_HOST is not set" in done.stderr
    done = target.onboard(RM_CACERT=None)
    assert done.returncode == 1 and "certificate" in done.stderr


def test_a_repository_that_does_not_open_is_told(lab, console, target):
    """init_failed ends the wait at once."""
    (lab.path / "repo").mkdir()
    subprocess.run(["restic", "init"], check=True, capture_output=True,
                   env=clean_env(RESTIC_REPOSITORY=lab.path / "repo",
                                 RESTIC_PASSWORD="somebody else's"))
    done = target.onboard()
    assert done.returncode == 1
    assert "the repository: " in done.stderr and "password" in done.stderr
    assert console.client.ok("GET", "/api/hosts")["items"][0][
        "repo_status"] == "init_failed"


def test_an_incomplete_backup_is_no_success(lab, target):
    done = target.onboard(
        RM_PATHS=f"{target.args['RM_PATHS']}\n{lab.path}/nowhere")
    assert done.returncode == 1
    assert "the backup: succeeded, missing_path" in done.stderr


def test_an_agent_that_does_not_start_is_waited_for_in_bounds(target):
    done = target.onboard(RM_START=":", RM_WAIT_S="3")
    assert done.returncode == 3
    assert "waited 3 s in vain for web-1 to be online" in done.stderr
