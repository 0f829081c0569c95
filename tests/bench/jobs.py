#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages about jobs cost with a long history: one line a figure.

    tests/bench/jobs.py [hosts [jobs [lines of a log]]]

5,000 hosts, a million jobs (most of them of one host) and a log of a million
lines unless told otherwise.  The real controller and renderer over a made-up fleet (bin/seed);
CPU is that of all their threads, the client's is not counted.
"""
import json
import subprocess
import sys

from dashboard import Peer, figure, lab, measure

COUNT = 20


def memory_mib(pid):
    """Its own, and with what it has looked at of the mapped database."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        words = dict(line.split(":", 1) for line in status)
    return [int(words[w].split()[0]) / 1024 for w in ("RssAnon", "VmHWM")]


def paths(console, host, lines):
    """name -> address; the log is one of the first host."""
    jobs = [j for page in (1, 2) for j in console.client.ok(
        "GET", f"/api/jobs?host={host}&per_page=500&page={page}")["items"]]
    long = next(j["id"] for j in jobs if j["log"]["lines"] == lines)
    middle = jobs[-1]
    return {
        "jobs": "/jobs", "jobs, page 200": "/jobs?page=200",
        "jobs that failed": "/jobs?state=failed",
        "jobs of a rare kind": "/jobs?kind=restore",
        "jobs of the host with most": f"/jobs?host={host}",
        "its jobs that failed":
            f"/jobs?host={host}&state=failed",
        "jobs by a common word": "/jobs?q=a",
        "jobs by a word nobody has": "/jobs?q=nobody-has-this",
        "jobs of old days": "/jobs?until=2020-01-01",
        "500 as JSON": "/api/jobs?per_page=500",
        "search, a name": "/search?q=web",
        "search, a job": f"/search?q={middle['id'][:12]}",
        "search, nothing": "/search?q=nobody-has-this",
        "log, last lines": f"/jobs/{long}",
        "log, first lines": f"/jobs/{long}?from=1",
        "log, middle": f"/jobs/{long}?from={lines // 2}",
    }


def main():
    hosts, runs, lines = [
        int(a) for a in sys.argv[1:4] + ["5000", "1000000", "1000000"][
            len(sys.argv) - 1:]]
    with lab.Lab() as box:
        console = box.controller()
        told = subprocess.run(
            [lab.BIN / "seed", "--hosts", str(hosts), "--jobs", "20",
             "--history", str(max(0, runs - 20 * hosts)),
             "--snapshots", "20", "--logs", "1", "--lines", str(lines),
             "--list", console.data], check=True, capture_output=True,
            text=True).stdout.splitlines()
        host, made = told[0].split()[0], json.loads(told[-1])
        console.start().bootstrap()
        renderer = console.renderer_pid()
        peer = Peer(console.port, console.client.cookie)
        print(f"{made['jobs']} jobs, {lines} lines", flush=True)
        for name, path in paths(console, host, lines).items():
            cost = measure([console.program.pid, renderer], COUNT,
                           lambda p=path: peer.get(p))
            figure(hosts, name, cost)
        own, most = memory_mib(renderer)
        print(f"renderer: {own:.1f} MiB of its own, {most:.1f} MiB at most "
              "with the mapped database", flush=True)


if __name__ == "__main__":
    main()
