# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer's process by itself: sandbox, beginning and end.

A made-up fleet (render_page seed) stands in for the controller; forbidden
system calls end the process here, so every page proves that it needs none.
"""
import pathlib
import socket
import subprocess

import pytest

from lab import BIN, ROOT, Program, clean_env, wait_for

TOOL = BIN / "render_page"
HOSTS = ("mail", "build", "db2", "fs", "db1", "app", "web", "new", "evil")
JOBS = ("failed", "incomplete", "running", "ok", "queued", "cancelled",
        "expired")


class Renderer:
    def __init__(self, lab, data):
        self.lab = lab
        self.data = data
        self.count = 0

    def start(self, **env):
        self.count += 1
        program = Program(
            [BIN / "restic-manager-render"],
            clean_env(RM_DATA_DIR=self.data, RM_BUNDLED_ASSETS_DIR=ROOT,
                      RM_SANDBOX_KILL="1", **env),
            self.lab.path / f"render-{self.count}.log")
        self.lab.programs.append(program)
        return program

    def ask(self, *words):
        """A page from a fresh process, which ends with the connection."""
        program = self.start()
        wait_for("the renderer", lambda: "ready" in program.text() or
                 not program.running())
        done = subprocess.run([TOOL, "ask", self.data, *words], check=False,
                              capture_output=True, timeout=20)
        assert program.wait() == 0, program.text()
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()


@pytest.fixture(name="renderer")
def fixture_renderer(lab):
    data = lab.path / "data"
    data.mkdir()
    subprocess.run([TOOL, "seed", data], check=True, timeout=20)
    return Renderer(lab, data)


@pytest.fixture(name="ids", scope="module")
def fixture_ids():
    text = subprocess.run([TOOL, "ids"], check=True, capture_output=True,
                          text=True, timeout=20).stdout
    return dict(line.split("=") for line in text.split())


def test_no_page_needs_a_forbidden_call(renderer, ids):
    asks = [["bootstrap"], ["login"], ["dashboard"], ["host_new"],
            ["pending", "hash=" + "01" * 32], ["error", "status=403"]]
    asks += [[page, "id=" + ids["host_" + h]]
             for page in ("host", "host_jobs") for h in HOSTS]
    asks += [["job", "id=" + ids["job_" + j]] for j in JOBS]
    for words in asks:
        page = renderer.ask(*words)
        assert page.startswith("<!doctype html>"), words
        assert page.rstrip().endswith("</html>"), words


def test_it_gives_up_its_rights_before_the_first_request(renderer):
    program = renderer.start()
    wait_for("the renderer", lambda: "ready" in program.text())
    status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Seccomp"].strip() == "2"
    assert fields["NoNewPrivs"].strip() == "1"


def test_it_waits_for_the_controllers_first_start(lab):
    data = lab.path / "data"
    (data / "run").mkdir(parents=True)
    program = Renderer(lab, data).start()
    wait_for("its patience", lambda: "waiting for the controller" in
             program.text())
    subprocess.run([TOOL, "empty", data], check=True, timeout=20)
    wait_for("the renderer", lambda: "ready" in program.text())
    done = subprocess.run([TOOL, "ask", data, "dashboard"], check=True,
                          capture_output=True, timeout=20)
    assert b"No hosts yet" in done.stdout
    assert program.wait() == 0


@pytest.mark.parametrize("garbage", [
    b"\0\0\0\0", b"\x7f\xff\xff\xff\1", b"\0\0\0\1\2", b"\0\0\0\3\1\xff\xff",
    b"GET / HTTP/1.1\r\n\r\n"])
def test_a_malformed_frame_costs_the_connection(renderer, garbage):
    program = renderer.start()
    wait_for("the renderer", lambda: "ready" in program.text())
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(renderer.data / "run/render.sock"))
        s.sendall(garbage)
        assert s.recv(1) == b""
    assert program.wait() > 0
    assert "render.sock" in program.text()


@pytest.mark.parametrize("name, value", [
    ("RM_TIMEZONE", "Mars/Olympus"), ("RM_LOG_LEVEL", "loud"),
    ("RM_BUNDLED_ASSETS_DIR", "/nonexistent")])
def test_what_cannot_be_is_said_at_the_start(renderer, name, value):
    env = clean_env(RM_DATA_DIR=renderer.data, RM_BUNDLED_ASSETS_DIR=ROOT)
    env[name] = value
    done = subprocess.run([BIN / "restic-manager-render"], env=env,
                          capture_output=True, text=True, check=False,
                          timeout=20)
    assert done.returncode > 0
    assert value in done.stderr
