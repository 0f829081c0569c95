# SPDX-License-Identifier: GPL-3.0-or-later
"""restic-manager-agent doctor on real broken hops, beside a running agent."""
import json
import re
import shutil
import subprocess

import pytest

import lab as lab_module
from lab import BIN, ROOT, clean_env, free_port, wait_for
from peers import POLL_ONLY, Nginx
from test_doctor import OLD_PROXY, failed

FAKE = ROOT / "tests/fake/restic"
WELL = ["config", "dns", "tcp", "tls", "certificate", "trust", "alpn",
        "bearer", "identity", "clock", "session", "agent", "restic",
        "secrets", "plan", "queue"]


@pytest.fixture(scope="module")
def bench():
    with lab_module.Lab() as made:
        made.controller_ = made.controller().start()
        made.controller_.bootstrap()
        made.source = made.sources("src")
        made.agent_ = made.host(made.controller_, restic=FAKE,
                                paths=[made.source])
        yield made


def look(bench, config=None, **env):
    """The checks by name."""
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-config",
         config or bench.agent_.config, "-json", "doctor"],
        env=clean_env(RM_STATE_DIR=bench.agent_.dir, **env),
        capture_output=True, text=True, timeout=90, check=False)
    sheet = json.loads(done.stdout)
    assert sheet["ok"] == (done.returncode == 0)
    assert done.stderr == ""
    return {c["check"]: c for c in sheet["checks"]}


def changed(bench, name, **keys):
    """The agent's configuration with other values."""
    text = bench.agent_.config.read_text()
    for key, value in keys.items():
        text = re.sub(rf"^{key}:.*\n", "", text, flags=re.M)
        if value is not None:
            text += f"{key}: {value}\n"
    path = bench.path / f"{name}.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_all_is_well_and_the_running_agent_is_left_alone(bench):
    """No stream is fenced, no duplicate is noticed, the job goes on
    (contract.md, Wire: live identity)."""
    (bench.source / ".pretend").write_text("lines=30 delay_ms=300")
    job = bench.controller_.run_group(bench.agent_.host_id)
    wait_for("the start", lambda: bench.controller_.job(job)["status"]
             == "running")
    before = bench.agent_.log.read_text()
    for _ in range(3):
        checks = look(bench)
        assert list(checks) == WELL
        assert failed(checks) == [], checks
    assert "by Session" in checks["identity"]["detail"]
    assert "no schedule is on" in checks["plan"]["detail"]
    assert str(bench.agent_.program.pid) in checks["agent"]["detail"]
    assert bench.controller_.wait_job(job)["status"] == "succeeded"
    after = bench.agent_.log.read_text()[len(before):]
    assert "connect" not in after and "session" not in after.lower(), after
    host = bench.controller_.host(bench.agent_.host_id)
    assert host["status"] == "online" and not host["duplicate_notice"]
    secret = re.search(r"^agent_token: (\S+)",
                       bench.agent_.config.read_text(), re.M).group(1)
    assert secret.strip('"') not in json.dumps(checks)
    text = subprocess.run(
        [BIN / "restic-manager-agent", "-config", bench.agent_.config,
         "doctor"], env=clean_env(RM_STATE_DIR=bench.agent_.dir),
        capture_output=True, text=True, timeout=60, check=True).stdout
    assert "ok       session       streams come through" in text


@pytest.mark.parametrize("name,keys,hops", [
    ("port", {"server": "https://127.0.0.1:{port}"}, ["tcp"]),
    ("name", {"server": "https://no-such-host.invalid"}, ["dns"]),
    ("pin", {"cert_pin_sha256": "ab" * 32}, ["trust"]),
    ("nopin", {"cert_pin_sha256": None}, ["trust"]),
    ("bearer", {"agent_token": "x" * 43}, ["bearer"]),
    ("restic", {"restic_path": "/no/restic"}, ["restic"]),
    ("key", {"secrets_key": "A" * 43 + "="}, ["secrets"]),
    ("bare", {"host_id": None, "agent_token": None}, ["config"])])
def test_what_is_broken_is_named(bench, name, keys, hops):
    keys = {k: v and v.format(port=free_port()) for k, v in keys.items()}
    checks = look(bench, changed(bench, name, **keys))
    assert failed(checks) == hops, checks
    for hop in hops:
        assert checks[hop]["advice"]


def test_a_file_that_others_may_read(bench):
    path = changed(bench, "open")
    path.chmod(0o644)
    checks = look(bench, path)
    assert failed(checks) == ["config"]
    assert "chmod 600" in checks["config"]["detail"]


def test_a_proxy_without_streams(bench):
    """The agent would poll: said so, and it is no end."""
    nginx = Nginx(bench, bench.controller_, POLL_ONLY,
                  bench.controller_.port).start()
    checks = look(bench, changed(
        bench, "proxy", server=f"https://127.0.0.1:{nginx.port}"))
    assert failed(checks) == ["session"], checks
    assert checks["poll"]["status"] == "ok"
    assert checks["bearer"]["status"] == "ok"
    nginx.program.stop()


def test_a_proxy_that_speaks_http_1_only(bench):
    nginx = Nginx(bench, bench.controller_, OLD_PROXY,
                  bench.controller_.port, name="old").start()
    checks = look(bench, changed(
        bench, "old", server=f"https://127.0.0.1:{nginx.port}"))
    assert failed(checks) == ["alpn"], checks
    assert checks["session"]["status"] == "skipped"
    nginx.program.stop()


def test_a_clock_that_is_wrong(bench, ahead):
    env, set_ahead = ahead
    set_ahead(-3600)
    checks = look(bench, **env)
    assert failed(checks) == ["clock"], checks
    assert re.search(r"3[56]\d\d s behind", checks["clock"]["detail"])


def test_a_copied_installation_is_noticed(bench):
    """Another queue directory with the same bearer is another instance."""
    copy = bench.path / "copy"
    shutil.copytree(bench.agent_.dir, copy,
                    ignore=shutil.ignore_patterns("*.sock"))
    path = changed(bench, "copied", secrets_path=None)
    done = subprocess.run(
        [BIN / "restic-manager-agent", "-config", path, "-json", "doctor"],
        env=clean_env(RM_STATE_DIR=copy), capture_output=True, text=True,
        timeout=60, check=False)
    checks = {c["check"]: c for c in json.loads(done.stdout)["checks"]}
    assert failed(checks) == ["identity", "agent"], checks


def test_an_agent_and_a_controller_that_are_stopped(bench):
    bench.agent_.stop()
    checks = look(bench)
    assert failed(checks) == ["agent"], checks
    bench.controller_.stop()
    assert failed(look(bench)) == ["tcp", "agent"]
    bench.controller_.start()
    bench.agent_.start()
    wait_for("the host", lambda: bench.controller_.host(
        bench.agent_.host_id)["status"] == "online")
    assert failed(look(bench)) == []
