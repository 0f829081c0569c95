# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a person or a script uses it."""
import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time

from lab import BIN, PASSWORD, clean_env

PROGRAM = BIN / "restic-manager"
OK, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_FOUND, CONFLICT = range(7)
BUSY, CANCELLED, INCOMPLETE, DETACHED = 8, 9, 13, 14


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)


class Cli:
    """A person with a home of their own."""

    def __init__(self, lab, name="home", **env):
        self.home = lab.path / name
        self.home.mkdir(exist_ok=True)
        self.config = self.home / ".config/restic-manager/cli.yaml"
        self.env = clean_env(**env)
        self.env["HOME"] = str(self.home)

    def run(self, *argv, stdin=None, timeout=60, env=None):
        done = subprocess.run(
            [PROGRAM, *map(str, argv)], env={**self.env, **(env or {})},
            input=stdin, capture_output=True, text=True, timeout=timeout,
            check=False, start_new_session=True)
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *argv, **kw):
        done = self.run(*argv, **kw)
        assert done.code == OK, (argv, done.code, done.err, done.out)
        return done

    def json(self, *argv, **kw):
        return self.ok(*argv, "-o", "json", **kw).json()

    def login(self, controller, user="admin", password=PASSWORD, *more):
        return self.ok("login", controller.url, "--pin", pin_of(controller),
                       "--user", user, "--password-stdin", *more,
                       stdin=password + "\n")

    def start(self, *argv):
        return subprocess.Popen(
            [PROGRAM, *map(str, argv)], env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)


def pin_of(controller):
    """The pin as the controller's log tells it."""
    for line in controller.log.read_text().splitlines():
        if " certificate pin=" in line:
            return line.rsplit("pin=", 1)[1].strip()
    raise AssertionError("the controller's log does not tell its pin")


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, cli, *argv):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {**cli.env, "TERM": "xterm"}
            os.execve(PROGRAM, [str(PROGRAM), *map(str, argv)], env)

    def until(self, words, seconds=20):
        end = time.monotonic() + seconds
        while words not in self.text:
            left = end - time.monotonic()
            assert left > 0, f"no {words!r} in {self.text!r}"
            if select.select([self.fd], [], [], left)[0]:
                data = b""
                with contextlib.suppress(OSError):
                    data = os.read(self.fd, 4096)
                assert data, f"no {words!r} in {self.text!r}"
                self.text += data.decode()
        return self

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=20):
        """The exit code; a program that does not end is killed."""
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [],
                                max(0, until - time.monotonic()))[0]:
                data = os.read(self.fd, 4096)
                if not data:
                    break
                self.text += data.decode()
        os.close(self.fd)
        if time.monotonic() > until:
            os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
