# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives tests/load/load_fleet: a controller with N hosts, and their agents.

    with lab.Lab() as bench:
        site = Site(bench, hosts=1000)      # seeded, started
        fleet = site.fleet()                # one load_fleet process
        fleet.ask("connect 1000 0")
        fleet.ask("beat 500 10")["taken"]["p99"]

Everything that was started belongs to the lab, which ends it.
"""
import json
import os
import pathlib
import re
import resource
import select
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))

import lab as lab_module  # noqa: E402
from lab import BIN, clean_env  # noqa: E402

LOAD_FLEET = BIN.parent / "tests/load_fleet"


def most_descriptors():
    """For this process and those it starts.  How many that are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Fleet(lab_module.Program):
    """One load_fleet; it speaks one line of JSON for each line it is told."""

    def __init__(self, argv, log):
        self.log = pathlib.Path(log)
        self.seen = b""
        with open(self.log, "ab") as err:
            # pylint: disable=consider-using-with
            self.popen = subprocess.Popen(
                [str(a) for a in argv], env=clean_env(), stderr=err,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, command):
        self.popen.stdin.write(f"{command}\n".encode())
        self.popen.stdin.flush()

    def answer(self, seconds=120):
        end = time.monotonic() + seconds
        out = self.popen.stdout.fileno()
        while b"\n" not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise AssertionError(f"load_fleet did not answer in {seconds}"
                                     f" s\n{self.text()[-2000:]}")
            got = os.read(out, 65536)
            if not got:
                raise AssertionError(f"load_fleet ended: {self.text()[-2000:]}")
            self.seen += got
        line, self.seen = self.seen.split(b"\n", 1)
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply

    def ask(self, command, seconds=120):
        self.tell(command)
        return self.answer(seconds)

    def quit(self):
        self.ask("quit")
        return self.wait(30)


def start_fleet(lab, port, pin, bearers, agents=None, skip=0):
    argv = [LOAD_FLEET, "--server", f"127.0.0.1:{port}", "--pin", pin,
            "--bearers", bearers, "--skip", skip]
    if agents is not None:
        argv += ["--agents", agents]
    fleet = Fleet(argv, lab.path / f"load-{len(lab.programs)}.log")
    lab.programs.append(fleet)
    return fleet


def made_up_bearers(lab, count):
    """For a server that lets everybody in."""
    path = lab.path / "bearers"
    path.write_text("".join(f"{k:026d} {'x' * 43}\n" for k in range(count)))
    return path


class Site:
    """A controller whose hosts all have bearers that we know."""

    def __init__(self, lab, hosts, render=False, start=True, env=None, **seed):
        most_descriptors()
        self.lab = lab
        self.controller = lab.controller(
            render=render, RM_TRUSTED_PROXY="127.0.0.1/32", **(env or {}))
        self.bearers = lab.path / "bearers"
        self.counts, self.hosts = self.controller.seed(
            "--bearers", self.bearers, hosts=hosts, **seed)
        if start:
            self.controller.start()

    @property
    def pin(self):
        """Of the controller's key, as it says in its log."""
        found = re.findall(r"certificate pin=([0-9a-f]{64})",
                           self.controller.log.read_text(errors="replace"))
        return found[-1]

    def fleet(self, agents=None, skip=0, port=None):
        """Of the hosts behind the first `skip`; port: of a proxy."""
        return start_fleet(self.lab, port or self.controller.port, self.pin,
                           self.bearers, agents, skip)
