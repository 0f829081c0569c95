# SPDX-License-Identifier: GPL-3.0-or-later
"""Instructions, counted by callgrind: the same on every machine and beside
any load, where CPU times of a few microseconds are noise.  Of the server's
own code and its libraries, all threads; what the kernel does for it is not
counted, nor is the renderer."""
import pathlib
import re
import shutil
import subprocess
import time

import lab
import load
import measure
import rivals
from measure import Figure, Measurement
from pages_client import Peer

HOSTS = 200
AGENTS = 20     # of them are there
BEATS = 400     # a second
LINES = 2000    # a second
EVENTS = 200    # a second
ASKED = 20
RUN_S = 5
END_S = 60
TOKEN = "measured-by-the-bench"


class Counted:
    """Callgrind, and what it has counted of one program."""

    def __init__(self, b):
        if not shutil.which("valgrind"):
            raise measure.Absent("valgrind is not installed")
        self.out = pathlib.Path(b.folder) / "counts"
        self.under = ("valgrind", "-q", "--tool=callgrind",
                      f"--callgrind-out-file={self.out}")
        self.dumps = 0

    def tell(self, pid, word):
        subprocess.run(["vgdb", f"--pid={pid}", word], check=True,
                       capture_output=True, timeout=END_S)

    def of(self, pid, work):
        """Instructions while work() ran, which tells how many it did."""
        self.tell(pid, "zero")
        done = work()
        self.tell(pid, "dump")
        self.dumps += 1
        told = pathlib.Path(f"{self.out}.{self.dumps}").read_text("ascii")
        return int(re.search(r"^totals: (\d+)$", told, re.M)[1]) / done


def fleet_of(server_lab, port, pin, bearers):
    fleet = load.start_fleet(server_lab, port, pin, bearers, AGENTS)
    fleet.ask(f"connect {AGENTS} 0", 120)
    return fleet


def settle(fleet):
    def over():
        stats = fleet.ask("stats")
        return stats["acked"] == stats["events"]
    lab.wait_for("acknowledgements", over, END_S)
    time.sleep(2)  # what goes on behind them


def work(fleet, command, unit):
    def run():
        done = fleet.ask(command, END_S)[unit]
        settle(fleet)
        return done
    return run


def asked(peer, path, status=200, **fields):
    """ASKED times; a tag holds the minute, so one answer may be another."""
    def run():
        seen = [peer.get(path, **fields)[0].status for _ in range(ASKED)]
        assert seen.count(status) >= ASKED - 1, seen
        return ASKED
    return run


def requests(count, pid, peer):
    """What is asked of a controller without agents."""
    tag = {"If-None-Match": peer.get("/jobs")[0].headers["etag"]}
    token = {"Authorization": f"Bearer {TOKEN}"}
    return {"json": count.of(pid, asked(peer, "/api/jobs")),
            "unchanged": count.of(pid, asked(peer, "/jobs", 304, **tag)),
            "metrics": count.of(pid, asked(peer, "/metrics", **token))
            / HOSTS}


def ours(b):
    count, box = Counted(b), lab.Lab()
    b.close(box.close)
    site = load.Site(box, HOSTS, render=True, start=False, jobs=50,
                     snapshots=5, logs=0, env={"RM_METRICS_TOKEN": TOKEN})
    one = site.controller
    one.under = count.under
    one.env["LD_PRELOAD"] = b.build / "tests/bench_under_valgrind.so"
    one.start().bootstrap()
    pid, seconds = one.program.pid, 1 if b.quick else RUN_S
    found = requests(count, pid, Peer(one.port, one.client.cookie))
    fleet = fleet_of(box, one.port, site.pin, site.bearers)
    settle(fleet)
    for name, command, unit in (
            ("beat", f"beat {BEATS} {seconds}", "beats"),
            ("line", f"lines {LINES} {AGENTS} {seconds}", "lines"),
            ("event", f"events {EVENTS} {seconds}", "events")):
        found[name] = count.of(pid, work(fleet, command, unit))
    return found


def grpc(b):
    count, box = Counted(b), lab.Lab()
    b.close(box.close)
    server = rivals.grpc_server(b, under=count.under)
    fleet = fleet_of(box, server.port, server.pin,
                     load.made_up_bearers(box, AGENTS))
    return {"beat": count.of(server.pid, work(
        fleet, f"beat {BEATS} {1 if b.quick else RUN_S}", "beats"))}


MEASUREMENTS = (
    Measurement(
        "instructions",
        (Figure("beat", "instructions: a heartbeat", "instructions"),
         Figure("line", f"instructions: a log line, durable, {LINES:,} a "
                f"second of {AGENTS} jobs", "instructions"),
         Figure("event", "instructions: an event, durable", "instructions"),
         Figure("json", "instructions: GET /api/jobs, 50 of them",
                "instructions"),
         Figure("metrics", f"instructions: GET /metrics, each of {HOSTS} hosts",
                "instructions"),
         Figure("unchanged", "instructions: the page of jobs, unchanged (304)",
                "instructions")),
        {"restic-manager": ours, "gRPC C++": grpc}, rounds=1,
        note="Callgrind's count of the server without the kernel: the same "
             "on every machine and beside any load. gRPC C++ drops the "
             "heartbeat, ours stores presence."),
)
